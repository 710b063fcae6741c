"""Jobs one after another in this thread, where Ctrl-C ends any training."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterator, Mapping
from typing import Any, Self

from moodcore.runs.interrupts import RunInterruptedError
from moodcore.runs.jobs import Finished, Job


class SerialExecutor:
    """Runs jobs in the thread that calls it.

    Parameters
    ----------
    shared : mapping
        Shared inputs of the jobs by name.
    stop : threading.Event
        Set from outside to end the run.
    """

    def __init__(self, shared: Mapping[Any, Any], stop: threading.Event) -> None:
        self._shared = shared
        self._stop = stop
        self._cancelled: set[Hashable] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def run(
        self,
        jobs: Iterator[Job],
        finished: Finished,
        waiting: Callable[[], None] = lambda: None,
    ) -> None:
        """Carry out every job (see `moodcore.runs.jobs.Executor`)."""
        for job in jobs:
            waiting()
            cancelled = job.group in self._cancelled
            result = None if cancelled else job.run(self._shared[job.shared], self._stop.is_set)
            if self._stop.is_set():
                raise RunInterruptedError
            finished(job, result)

    def cancel(self, group: Hashable) -> None:
        """End the jobs of a group."""
        self._cancelled.add(group)
