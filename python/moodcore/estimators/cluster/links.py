"""Connections between the workers of a training, over which arrays are sent.

A worker listens on a TCP port, whose number and a secret token it tells the others in a message of
Dask. Arrays then travel from thread to thread: passing them through the event loops of the workers
takes several times longer. A cluster with TLS has TLS connections.
"""

from __future__ import annotations

import hmac
import secrets
import socket
import ssl
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from distributed import Worker

Words = NDArray[np.uint64]

# Dask's configuration key of the ports on which workers listen, such as "9000:9100"; by default the
# system chooses.
PORTS_KEY = "moodcore.ports"
# Seconds between two checks of whether training is to stop.
_POLL = 0.2
# Seconds that connecting may take, and the introduction of who has connected.
_PATIENCE = 15
_TOKEN_BYTES = 32
# Words before the numbers of a message: the step, and how many numbers there are.
_HEAD = 2


class Link:
    """A connection to another worker.

    Parameters
    ----------
    connection : socket
    check : callable
        Called several times per second while a message is awaited; an exception ends the waiting.
    """

    def __init__(self, connection: socket.socket, check: Callable[[], None]) -> None:
        connection.settimeout(_POLL)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._connection, self._check = connection, check

    def send(self, step: int, words: Words) -> None:
        """Send the numbers of a step."""
        message = np.empty(_HEAD + len(words), dtype=np.uint64)
        message[:_HEAD], message[_HEAD:] = (step, len(words)), words
        rest = message.view(np.uint8).data
        while rest:
            try:
                rest = rest[self._connection.send(rest) :]
            except TimeoutError:
                self._check()

    def receive(self, step: int, n_words: int) -> Words:
        """Receive the numbers of a step.

        Raises
        ------
        ConnectionError
            If the other worker closed the connection.
        RuntimeError
            If it is at another step.
        """
        message = np.empty(_HEAD + n_words, dtype=np.uint64)
        rest = message.view(np.uint8).data
        while rest:
            try:
                n_bytes = self._connection.recv_into(rest)
            except TimeoutError:
                self._check()
                continue
            if n_bytes == 0:
                raise ConnectionError("the connection was closed")
            rest = rest[n_bytes:]
        if tuple(message[:_HEAD].tolist()) != (step, n_words):
            raise RuntimeError(
                f"workers must take the same steps, got step {message[0]} with {message[1]} "
                f"numbers instead of step {step} with {n_words}"
            )
        return message[_HEAD:]

    def interrupt(self) -> None:
        """Make `receive` in another thread raise an error soon."""
        # A TLS connection must not be used by two threads; there, the next check ends the waiting.
        if not isinstance(self._connection, ssl.SSLSocket):
            try:
                self._connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                # It is closed already.
                return

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


class Listener:
    """A port on which a worker accepts the connections of others."""

    def __init__(self, worker: Worker) -> None:
        self.token = secrets.token_bytes(_TOKEN_BYTES)
        self.host = _host(worker)
        self._context = worker.security.get_listen_args("worker").get("ssl_context")
        self._server = _bound(self.host)
        self._server.settimeout(_POLL)

    @property
    def port(self) -> int:
        """The number of the port."""
        port: int = self._server.getsockname()[1]
        return port

    def accept(self, ranks: Iterable[int], check: Callable[[], None]) -> dict[int, Link]:
        """Wait for the connections of workers with these ranks; those of strangers are closed."""
        links: dict[int, Link] = {}
        missing = set(ranks)
        try:
            while missing:
                try:
                    connection, _ = self._server.accept()
                except TimeoutError:
                    check()
                    continue
                rank, connection = self._introduced(connection)
                if rank is None or rank not in missing:
                    connection.close()
                    continue
                missing.remove(rank)
                links[rank] = Link(connection, check)
        except BaseException:
            for link in links.values():
                link.close()
            raise
        return links

    def _introduced(self, connection: socket.socket) -> tuple[int | None, socket.socket]:
        """Return the rank of a worker that has connected, or None for a stranger."""
        message = b""
        try:
            connection.settimeout(_PATIENCE)
            if self._context is not None:
                connection = self._context.wrap_socket(connection, server_side=True)
            while len(message) < _TOKEN_BYTES + 4:
                part = connection.recv(_TOKEN_BYTES + 4 - len(message))
                if not part:
                    return None, connection
                message += part
        except OSError:
            return None, connection
        if not hmac.compare_digest(message[:_TOKEN_BYTES], self.token):
            return None, connection
        return int.from_bytes(message[_TOKEN_BYTES:], "little"), connection

    def close(self) -> None:
        """Stop listening."""
        self._server.close()


def connect(
    worker: Worker, address: tuple[str, int], token: bytes, rank: int, check: Callable[[], None]
) -> Link:
    """Connect to the port of another worker, as the worker with this rank."""
    begun = time.monotonic()
    while True:
        try:
            connection = socket.create_connection(address, timeout=_POLL)
            break
        except TimeoutError:
            check()
            if time.monotonic() - begun > _PATIENCE:
                raise
    try:
        connection.settimeout(_PATIENCE)
        context = worker.security.get_connection_args("worker").get("ssl_context")
        if context is not None:
            connection = context.wrap_socket(connection, server_hostname=address[0])
        connection.sendall(token + rank.to_bytes(4, "little"))
        return Link(connection, check)
    except BaseException:
        connection.close()
        raise


def _host(worker: Worker) -> str:
    """Return the host name or address under which other workers reach this one."""
    from distributed.comm import get_address_host

    if worker.address.startswith("inproc://"):
        return "127.0.0.1"
    host: str = get_address_host(worker.address)
    return host


def _bound(host: str) -> socket.socket:
    """Listen on a port of the host's address, or of all addresses if it has another name here."""
    import dask

    ports = str(dask.config.get(PORTS_KEY, "0"))
    first, _, last = ports.partition(":")
    candidates = range(int(first), int(last or first) + 1)
    errors: list[OSError] = []
    for name in (host, None):
        for port in candidates:
            try:
                family = socket.AF_INET6 if name is not None and ":" in name else socket.AF_INET
                return socket.create_server((name or "", port), family=family)
            except OSError as error:
                errors.append(error)
    raise OSError(f"no port of {ports} (Dask's setting {PORTS_KEY}) is free: {errors[0]}")
