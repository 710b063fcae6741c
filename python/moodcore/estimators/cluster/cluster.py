"""The training data on the workers of a cluster."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from moodcore.estimators.checkpoint import checkpoint_of
from moodcore.estimators.cluster.parts import FilePart
from moodcore.estimators.progress import current_poll

if TYPE_CHECKING:
    from distributed import Client, Future

# Seconds between two checks of the tasks, and of the workers.
POLL = 0.05
_LOOK = 0.25
# Seconds that a scheduler may take to answer as long as the connection is not lost.
_TIMEOUT = 60


class SchedulerLostError(Exception):
    """The scheduler does not answer."""


class Cluster:
    """The parts of the training data on the workers of a cluster."""

    def __init__(self, client: Client) -> None:
        self.client = client
        # Delayed parts of Dask collections, or parts of files.
        self.planned: list[Any] = []
        self._parts: list[Future] = []
        self._answered, self._workers = time.monotonic(), set[str]()

    @contextmanager
    def errors(self, callbacks: Any) -> Iterator[None]:
        """Turn a lost scheduler into a `ConnectionError` that names the checkpoint."""
        try:
            yield
        except (OSError, SchedulerLostError) as error:
            if isinstance(error, OSError) and self.client.status == "running":
                raise
            checkpoint, saved = checkpoint_of(callbacks), ""
            if checkpoint is not None and checkpoint.path.exists():
                saved = f"; the checkpoint {checkpoint.path} has the rounds so far"
            raise ConnectionError(
                f"the Dask scheduler at {self.client.scheduler.address} does not answer{saved}"
            ) from error
        finally:
            self._parts = []

    def load(self) -> None:
        """Compute the parts and keep them on the workers; spread parts of files evenly."""
        if not all(isinstance(part, FilePart) for part in self.planned):
            self._parts = self.client.compute(self.planned)
            return
        workers = sorted(self.workers())
        if not workers:
            raise ConnectionError(
                f"the Dask scheduler at {self.client.scheduler.address} has no workers"
            )
        self._parts = [
            # If the worker is lost, another one takes over the part.
            self.client.submit(
                _same,
                part,
                workers=[workers[number * len(workers) // len(self.planned)]],
                allow_other_workers=True,
                pure=False,
            )
            for number, part in enumerate(self.planned)
        ]

    def mapped(self, function: Any, *each: list[Any], **same: Any) -> list[Any]:
        """Call a function with each part on its worker, and collect the results.

        ``each`` are lists with one argument per part; ``same`` are arguments for all parts.
        """
        arguments = zip(self._parts, *each, strict=True)
        futures = [self.client.submit(function, *args, **same, pure=False) for args in arguments]
        self.wait(futures)
        return self.client.gather(futures)

    def wait(self, futures: Sequence[Future]) -> None:
        """Wait for futures as long as the scheduler answers."""
        poll = current_poll()
        while any(future.status == "pending" for future in futures):
            if poll is not None:
                poll()
            self.workers()
            time.sleep(POLL)

    def workers(self) -> set[str]:
        """Return the addresses of the workers.

        Raises
        ------
        SchedulerLostError
            If the scheduler does not answer for some seconds.
        """
        client = self.client
        if client.status != "running":
            # The scheduler forgets the tasks of a client whose connection is lost.
            raise SchedulerLostError
        if time.monotonic() - self._answered < _LOOK and self._workers:
            return self._workers
        try:
            known = client.sync(client.scheduler.ncores, callback_timeout=_TIMEOUT)
        except Exception as error:
            raise SchedulerLostError from error
        self._answered, self._workers = time.monotonic(), set(known)
        return self._workers

    def placed(self) -> dict[str, list[int]]:
        """Return the part numbers of each worker, after recomputing the parts of lost workers."""
        while True:
            self.wait(self._parts)
            for future in self._parts:
                if future.status == "error":
                    future.result()
            holders = self.client.who_has(self._parts)
            places = [min(holders.get(future.key) or [""]) for future in self._parts]
            if all(places):
                break
            time.sleep(POLL)
        placed: dict[str, list[int]] = {}
        for part, address in enumerate(places):
            placed.setdefault(address, []).append(part)
        return placed

    def parts(self, numbers: Sequence[int]) -> list[Future]:
        """Return the futures of the parts with these numbers."""
        return [self._parts[number] for number in numbers]


def _same(part: FilePart) -> FilePart:
    return part
