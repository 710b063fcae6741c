"""Sums of arrays over the workers of a training (all-reduce), by messages between workers.

The workers form a binary tree. Each adds the sums of its children to its own numbers and sends
the result to its parent, which sends the total back. A sum therefore takes two messages per level
of the tree. For histograms of a few hundred kilobytes, this is faster than a ring, which takes
2 (n - 1) steps with smaller messages.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from moodcore.estimators.cluster.links import Link, Listener, Words, connect

if TYPE_CHECKING:
    from distributed import Worker

# The name under which Dask workers answer on which port they listen.
_OPERATION = "moodcore_port"
# Seconds between two checks of whether training is to stop.
_POLL = 0.2
# The nodes of this process, by the address of the worker and the name of the training; several
# workers may share a process.
_nodes: dict[tuple[str, str], SumNode] = {}
# Trainings that the client has ended.
_ended: dict[tuple[str, str], str] = {}


class WorkerLostError(RuntimeError):
    """Another worker of the training was lost."""


def install() -> None:
    """Install the handler of the port; runs on the worker."""
    from distributed import get_worker

    worker = get_worker()

    async def moodcore_port(run: str) -> dict[str, Any]:
        return await _port(worker.address, run)

    worker.handlers.setdefault(_OPERATION, moodcore_port)


def end(run: str, reason: str) -> None:
    """End a training on a worker: its pending and later sums raise `WorkerLostError`."""
    from distributed import get_worker

    address = get_worker().address
    _ended[address, run] = reason
    node = _nodes.get((address, run))
    if node is not None:
        node.end(reason)


def is_ended(address: str, run: str) -> bool:
    """Return whether the client has ended a training."""
    return (address, run) in _ended


async def _port(address: str, run: str) -> dict[str, Any]:
    """Return where the worker listens, once it accepts connections for the training.

    Before, it bins its rows, which may take longer than connecting with TLS may.
    """
    while (node := _nodes.get((address, run))) is None or not node.is_accepting:
        if (address, run) in _ended:
            return {"lost": _ended[address, run]}
        await asyncio.sleep(0.01)
    assert node.listener is not None
    return {"host": node.listener.host, "port": node.listener.port, "token": node.listener.token}


class SumNode:
    """A node of the binary tree: one worker of a training.

    Parameters
    ----------
    worker : distributed.Worker
    run : str
        Name of the training.
    rank : int
        Index of the worker in ``addresses``.
    addresses : list of str
        Addresses of the workers of the training.
    should_stop : callable
        Called while a sum waits; if it returns True, the sum raises `WorkerLostError`.
    """

    def __init__(
        self,
        worker: Worker,
        run: str,
        rank: int,
        addresses: list[str],
        should_stop: Callable[[], bool],
    ) -> None:
        self._worker, self._run, self._rank = worker, run, rank
        self._parent_address = addresses[(rank - 1) // 2] if rank else None
        children = (2 * rank + 1, 2 * rank + 2)
        self._children = [child for child in children if child < len(addresses)]
        self._should_stop = should_stop
        self._step = 0
        self._reason: str | None = None
        self._parent: Link | None = None
        self._links: dict[int, Link] = {}
        self._is_connected = False
        self.listener: Listener | None = None
        self.is_accepting = False
        self.n_messages = 0
        self.n_bytes = 0

    def __enter__(self) -> SumNode:
        if self._children:
            self.listener = Listener(self._worker)
        key = (self._worker.address, self._run)
        _nodes[key] = self
        if key in _ended:
            self.end(_ended[key])
        return self

    def __exit__(self, *error: object) -> None:
        del _nodes[self._worker.address, self._run]
        for link in self._all_links():
            link.close()
        if self.listener is not None:
            self.listener.close()

    def end(self, reason: str) -> None:
        """End all sums."""
        self._reason = reason
        for link in self._all_links():
            link.interrupt()

    def _all_links(self) -> list[Link]:
        return [*self._links.values(), *([] if self._parent is None else [self._parent])]

    def _check(self) -> None:
        """Raise a `WorkerLostError` if training is to stop."""
        if self._reason is not None:
            raise WorkerLostError(self._reason)
        if self._should_stop():
            raise WorkerLostError("the training was cancelled")

    def sum(self, words: Words) -> Words:
        """Return the sums over all workers, modulo 2^64.

        Raises
        ------
        WorkerLostError
            If another worker was lost, or training was canceled.
        """
        self._step += 1
        try:
            if not self._is_connected:
                self._connect()
            for link in self._links.values():
                words = words + link.receive(self._step, len(words))
            if self._parent is not None:
                self._parent.send(self._step, words)
                words = self._parent.receive(self._step, len(words))
                self.n_messages += 1
                self.n_bytes += words.nbytes
            for link in self._links.values():
                link.send(self._step, words)
        except OSError as error:
            raise WorkerLostError(self._reason or f"a worker was lost: {error}") from error
        return words

    def _connect(self) -> None:
        """Connect to the parent, and wait for the children."""
        self._check()
        if self._parent_address is not None:
            where = self._ask_port(self._parent_address)
            address, token = (where["host"], where["port"]), where["token"]
            try:
                self._parent = connect(self._worker, address, token, self._rank, self._check)
            except OSError as error:
                raise WorkerLostError(
                    f"{self._worker.address} cannot connect to {address[0]}:{address[1]}, the port "
                    f"of {self._parent_address} for this training: {error}"
                ) from error
        if self.listener is not None:
            self.is_accepting = True
            links = self.listener.accept(self._children, self._check)
            # In this order, whichever child connects first.
            self._links = {child: links[child] for child in self._children}
        self._is_connected = True

    def _ask_port(self, address: str) -> dict[str, Any]:
        """Return where another worker listens for this training."""

        async def ask() -> dict[str, Any]:
            answer: dict[str, Any] = await getattr(self._worker.rpc(address), _OPERATION)(
                run=self._run
            )
            return answer

        task = asyncio.run_coroutine_threadsafe(ask(), self._worker.loop.asyncio_loop)
        while True:
            with contextlib.suppress(TimeoutError):
                answer = task.result(_POLL)
                break
            if task.done():
                raise WorkerLostError("a worker did not answer")
            try:
                self._check()
            except WorkerLostError:
                task.cancel()
                raise
        if "lost" in answer:
            raise WorkerLostError(answer["lost"])
        return answer
