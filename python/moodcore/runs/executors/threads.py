"""Jobs in threads of this process."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Hashable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any, Self

from moodcore.runs.interrupts import RunInterruptedError, stop_on_interrupt
from moodcore.runs.jobs import Finished, Job

# Seconds between two checks of whether the run is to stop.
_POLL = 0.1


class ThreadExecutor:
    """Threads fed from a queue of jobs, no further ahead than needed."""

    def __init__(self, shared: Mapping[Any, Any], jobs: int, stop: threading.Event) -> None:
        self._shared = shared
        self._jobs = jobs
        self._stop = stop
        self._abandoned = threading.Event()
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
        running: dict[Future[Any], Job] = {}
        with (
            stop_on_interrupt(self._stop),
            warnings.catch_warnings(),
            ThreadPoolExecutor(self._jobs) as threads,
        ):
            # Filters belong to the whole process: they are set here, not in the threads.
            warnings.simplefilter("ignore")
            try:
                while True:
                    while len(running) <= self._jobs and (job := next(jobs, None)):
                        running[threads.submit(self._carry_out, job)] = job
                    if not running:
                        return
                    done, _ = wait(running, timeout=_POLL, return_when=FIRST_COMPLETED)
                    if self._stop.is_set():
                        raise RunInterruptedError
                    waiting()
                    for future in done:
                        finished(running.pop(future), future.result())
            except BaseException:
                self._abandoned.set()
                threads.shutdown(wait=False, cancel_futures=True)
                raise

    def cancel(self, group: Hashable) -> None:
        """End the jobs of a group."""
        self._cancelled.add(group)

    def _carry_out(self, job: Job) -> Any:
        def should_stop() -> bool:
            return self._stop.is_set() or self._abandoned.is_set() or job.group in self._cancelled

        return None if should_stop() else job.run(self._shared[job.shared], should_stop)
