"""Training on the workers of a cluster, repeated on the remaining ones if some are lost."""

from __future__ import annotations

import queue
import time
import uuid
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from moodcore import _core
from moodcore.estimators.cluster.cluster import POLL, Cluster
from moodcore.estimators.cluster.rows import ClusterRows
from moodcore.estimators.cluster.sums import end, install
from moodcore.estimators.cluster.training import (
    EvaluationRows,
    Plan,
    Progress,
    answer,
    train,
    waiting_progress,
)
from moodcore.estimators.gbt import estimator as local
from moodcore.estimators.progress import OnIteration, current_poll

if TYPE_CHECKING:
    from distributed import Future

# Seconds that workers may take to end their tasks.
_GRACE = 5
# Maximum number of lost connections between workers that the scheduler still knows.
_MOST_UNEXPLAINED = 3


class Training:
    """One training, repeated on the remaining workers when some are lost."""

    def __init__(
        self,
        cluster: Cluster,
        model: local.GBT,
        *,
        rows: ClusterRows,
        sets: dict[str, EvaluationRows],
        bins: _core.GbtModel,
        start: _core.GbtModel | None,
        rounds: int,
    ) -> None:
        self._cluster, self._model, self._rows, self._sets = cluster, model, rows, sets
        self._bins, self._start, self._rounds = bins, start, rounds
        self._totals = rows.totals(len(model.classes_))
        self._on_iteration: OnIteration | None = None
        self._records: queue.SimpleQueue[tuple[str, dict[str, Any]]] = queue.SimpleQueue()
        self._progress: Progress | None = None
        self._checkpoint: tuple[int, Callable[..., None]] | None = None
        self._unexplained = 0
        self._notices: list[Future] = []
        self._n_heard = 0

    def resume(self, progress: Progress | None, every: int, write: Callable[..., None]) -> None:
        """Start from ``progress``, if any, and write a checkpoint every ``every`` rounds."""
        self._progress, self._checkpoint = progress, (every, write)

    def run(self, on_iteration: OnIteration | None) -> dict[str, Any]:
        """Train, call ``on_iteration`` after each round, and return the result of the core."""
        self._on_iteration = on_iteration
        while True:
            run = f"moodcore-{uuid.uuid4().hex}"
            placed = self._cluster.placed()
            result = self._attempt(run, placed)
            if result is not None:
                return result

    def _attempt(self, run: str, placed: dict[str, list[int]]) -> dict[str, Any] | None:
        """Train on the workers in ``placed``; return None if some were lost."""
        client, addresses = self._cluster.client, self._with_rows(placed)
        if self._on_iteration is not None:
            client.subscribe_topic(run, lambda event: self._records.put((run, event[1])))
        futures: dict[str, Future] = {}
        try:
            if not self._prepare(addresses):
                return None
            for rank, address in enumerate(addresses):
                numbers = placed[address]
                plan = self._plan(run, rank, addresses, numbers)
                (sent,) = client.scatter([plan], workers=[address], hash=False)
                futures[address] = client.submit(
                    train,
                    sent,
                    self._cluster.parts(numbers),
                    _core.__version__,
                    workers=[address],
                    allow_other_workers=False,
                    pure=False,
                    key=f"moodcore-train-{run}-{rank}",
                )
            return self._watch(run, futures)
        except BaseException:
            if client.status == "running":
                self._cancel(run, futures)
            raise
        finally:
            if self._on_iteration is not None and client.status == "running":
                client.unsubscribe_topic(run)

    def _prepare(self, addresses: list[str]) -> bool:
        """Install the handler of sums on the workers; return whether all of them are available."""
        submit = self._cluster.client.submit
        futures = [
            submit(install, workers=[address], allow_other_workers=False, pure=False)
            for address in addresses
        ]
        while any(future.status == "pending" for future in futures):
            if set(addresses) - self._cluster.workers():
                return False
            time.sleep(POLL)
        for future in futures:
            future.result()
        return True

    def _cancel(self, run: str, futures: dict[str, Future]) -> None:
        """Cancel the tasks of all workers, which end within moments."""
        begun = time.monotonic()
        workers = list(set(futures) & self._cluster.workers())
        self._end(run, "the training was cancelled", workers)
        while any(futures[address].status == "pending" for address in workers):
            if time.monotonic() - begun > _GRACE:
                break
            time.sleep(POLL)
        self._cluster.client.cancel(list(futures.values()), force=True)

    def _with_rows(self, placed: dict[str, list[int]]) -> list[str]:
        """Return the workers that have training rows."""
        sizes = [len(at) for at in self._rows.of_parts(self._rows.training)]
        return [address for address, parts in placed.items() if any(sizes[p] for p in parts)]

    def _plan(self, run: str, rank: int, addresses: list[str], numbers: list[int]) -> Plan:
        rows, model = self._rows, self._model
        kept = rows.of_parts(rows.training)
        ends = np.cumsum([len(at) for at in kept])
        sizes = np.diff(rows.ends, prepend=0)
        pieces = [(int(ends[number]) - len(kept[number]), len(kept[number])) for number in numbers]
        at = np.concatenate([rows.training[first : first + n_rows] for first, n_rows in pieces])
        return Plan(
            run=run,
            rank=rank,
            addresses=addresses,
            model=model,
            rounds=self._rounds,
            bins=self._bins,
            kept=[None if len(kept[n]) == sizes[n] else kept[n] for n in numbers],
            pieces=pieces,
            y=rows.codes[at],
            weight=None if rows.weight is None else rows.weight[at],
            totals=self._totals,
            sets=self._sets if rank == 0 else {},
            n_sets=len(self._sets),
            listens=self._on_iteration is not None,
            checkpoint_every=None if self._checkpoint is None else self._checkpoint[0],
            start=self._start,
            resume=self._progress,
        )

    def _watch(self, run: str, futures: dict[str, Future]) -> dict[str, Any] | None:
        """Wait for the workers; end the attempt when one is lost."""
        client, first, poll = self._cluster.client, next(iter(futures)), current_poll()
        while True:
            if poll is not None:
                poll()
            lost = set(futures) - self._cluster.workers()
            statuses = {address: future.status for address, future in futures.items()}
            self._answer_records(run, first)
            errors = [address for address, status in statuses.items() if status == "error"]
            if errors and not lost:
                raise futures[errors[0]].exception()
            if all(status == "finished" for status in statuses.values()):
                results = client.gather(list(futures.values()))
                if results[0]["interrupted"] is None:
                    results[0]["n_bytes"] = sum(result["n_bytes"] for result in results)
                    return results[0]
                self._unexplained += 1
                if self._unexplained > _MOST_UNEXPLAINED:
                    raise ConnectionError(
                        f"the workers of the training lost each other {self._unexplained} times, "
                        f"though the scheduler has them: {results[0]['interrupted']}"
                    )
                self._give_up(run, futures, set())
                return None
            if lost or "cancelled" in statuses.values() or "lost" in statuses.values():
                self._give_up(run, futures, lost)
                return None
            # A worker waits for the answer to its record.
            self._answer_records(run, first, POLL)

    def _give_up(self, run: str, futures: dict[str, Future], lost: set[str]) -> None:
        """End an attempt, and keep the rounds that the remaining workers finished."""
        client = self._cluster.client
        left = [address for address in futures if address in self._cluster.workers() - lost]
        reason = f"the Dask worker {', '.join(sorted(lost)) or 'of another part'} was lost"
        self._end(run, reason, left)
        while any(futures[address].status == "pending" for address in left):
            left = [address for address in left if address in self._cluster.workers()]
            time.sleep(POLL)
        for address in left:
            if futures[address].status == "finished":
                self._keep(futures[address].result())
        client.cancel(list(futures.values()), force=True)

    def _end(self, run: str, reason: str, workers: list[str]) -> None:
        """Make the sums on these workers raise an error; a lost worker does not respond."""
        for address in workers:
            self._notify(address, end, run, reason)

    def _notify(self, address: str, function: Any, *arguments: Any) -> None:
        """Call a function on a worker without waiting, because the worker may be lost."""
        self._notices.append(
            self._cluster.client.submit(
                function,
                *arguments,
                workers=[address],
                allow_other_workers=False,
                pure=False,
                priority=1,
            )
        )
        self._notices = [notice for notice in self._notices if notice.status == "pending"]

    def _keep(self, result: dict[str, Any]) -> None:
        """Keep the rounds of an interrupted attempt if there are more than before."""
        boosting = self._model._value("boosting")
        kind = boosting.get("kind") if isinstance(boosting, Mapping) else boosting
        if result["model"] is None:
            return
        n_rounds = result["model"].n_rounds
        before = self._progress.model.n_rounds if self._progress else 0
        if kind == "dart" or n_rounds <= max(
            before, 0 if self._start is None else self._start.n_rounds
        ):
            # Trees that DART dropped for a round change the last digits of margins.
            return
        self._progress = Progress(
            result["model"],
            0 if self._start is None else self._start.n_rounds,
            result["history"],
            result["best_round"],
            result["best_score"],
        )
        # The first worker may have been lost before it could report these rounds.
        if self._checkpoint is not None and n_rounds % self._checkpoint[0] == 0:
            self._write()

    def _write(self) -> None:
        """Write the checkpoint."""
        progress = self._progress
        if progress is not None and self._checkpoint is not None:
            _, write = self._checkpoint
            write(progress.model, progress.history, progress.best_round, progress.best_score)

    def _fetch(self, run: str, first: str) -> None:
        """Fetch the finished rounds from the first worker, and write the checkpoint."""
        future = self._cluster.client.submit(
            waiting_progress,
            run,
            workers=[first],
            allow_other_workers=False,
            pure=False,
            priority=1,
        )
        while future.status == "pending":
            if first not in self._cluster.workers():
                return
            time.sleep(POLL)
        progress = future.result() if future.status in ("finished", "error") else None
        if progress is not None:
            self._progress = progress
            self._write()

    def _answer_records(self, run: str, first: str, wait: float = 0) -> None:
        """Call the callbacks with the records that have arrived, and write the checkpoint.

        Wait up to ``wait`` seconds for a record.
        """
        while True:
            try:
                of_run, message = self._records.get(timeout=wait)
            except queue.Empty:
                return
            wait = 0
            if of_run != run or self._on_iteration is None:
                continue
            stop = False
            if "record" not in message:
                self._fetch(run, first)
            else:
                record = message["record"]
                iteration = record.pop("iteration")
                if iteration >= self._n_heard:
                    # A record of an earlier iteration is a repetition: a worker was lost after
                    # the record was sent and before its round ended.
                    stop = self._on_iteration(iteration, record)
                    self._n_heard = iteration + 1
            self._notify(first, answer, run, stop)
