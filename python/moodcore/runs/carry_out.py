"""The jobs of a run whose list is known beforehand: what is missing is carried out and kept."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from moodcore.runs.jobs import Executor, Job
from moodcore.runs.listener import Listener
from moodcore.runs.store import MemoryStore


def carry_out(
    jobs: Sequence[Job],
    store: MemoryStore[Any],
    executor: Executor,
    listener: Listener,
    *,
    unit: str,
    describe: Callable[[Any, Any], str],
    minutes: float | None = None,
    enough: Callable[[Mapping[str, Any]], bool] = lambda _: True,
) -> dict[str, Any]:
    """Carry out the jobs that the store has no result of, and return all results by key.

    `unit` names jobs in the plural, and `describe` returns a job and its result as one line. After
    `minutes` no other job begins, once the results so far are `enough`; then fewer are returned.

    Raises
    ------
    RunInterruptedError
        When stopped; finished results are in the store.
    """
    results = {job.key: kept for job in jobs if (kept := store.get(job.key)) is not None}
    missing = [job for job in jobs if job.key not in results]
    deadline = math.inf if minutes is None else time.monotonic() + 60 * minutes

    def in_time() -> Iterator[Job]:
        for job in missing:
            if time.monotonic() >= deadline and enough(results):
                return
            yield job

    def finished(job: Job, result: Any) -> None:
        if result is None:
            return
        store.put(job.key, result)
        results[job.key] = result
        listener.advanced()
        listener.result(describe(job, result))

    listener.started(len(jobs), len(results), unit)
    try:
        executor.run(in_time(), finished)
    finally:
        listener.ended()
    return {job.key: results[job.key] for job in jobs if job.key in results}
