"""Jobs in processes of this host, for classifiers whose training cannot be stopped."""

from __future__ import annotations

import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Hashable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, wait
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

from moodcore.errors import RunFailedError
from moodcore.runs.interrupts import RunInterruptedError, stop_on_interrupt
from moodcore.runs.jobs import Finished, Job

# Seconds between two checks of whether the run is to stop, or whether the parent process lives.
_POLL = 0.1
_PARENT_POLL = 1.0


class ProcessExecutor:
    """Worker processes of loky, which joblib brings; enter it before use.

    Shared inputs are written to temporary files once, and their arrays mapped into memory by
    every worker. Workers are killed when the run stops, and end themselves when this process dies.
    """

    def __init__(self, shared: Mapping[Any, Any], jobs: int, stop: threading.Event) -> None:
        self._shared = shared
        self._jobs = jobs
        self._stop = stop
        self._cancelled: set[Hashable] = set()
        self._files: dict[Hashable, str] = {}

    def __enter__(self) -> Self:
        from joblib.externals.loky import ProcessPoolExecutor

        self._folder = tempfile.TemporaryDirectory(prefix="moodcore-", ignore_cleanup_errors=True)
        self._pool: Any = ProcessPoolExecutor(
            self._jobs, initializer=_initialize, initargs=(os.getpid(),)
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=True, kill_workers=True)
        self._folder.cleanup()

    def run(
        self,
        jobs: Iterator[Job],
        finished: Finished,
        waiting: Callable[[], None] = lambda: None,
    ) -> None:
        """Carry out every job (see `moodcore.runs.jobs.Executor`)."""
        from concurrent.futures.process import BrokenProcessPool

        running: dict[Future[Any], Job] = {}
        with stop_on_interrupt(self._stop):
            try:
                while True:
                    while len(running) <= self._jobs and (job := next(jobs, None)):
                        future = self._pool.submit(_carry_out, job, self._file(job.shared))
                        running[future] = job
                    if not running:
                        return
                    done, _ = wait(running, timeout=_POLL, return_when=FIRST_COMPLETED)
                    if self._stop.is_set():
                        raise RunInterruptedError
                    waiting()
                    for future in done:
                        job, result = running.pop(future), future.result()
                        finished(job, None if job.group in self._cancelled else result)
            except BrokenProcessPool:
                raise RunFailedError(
                    "a worker process was killed from outside, perhaps because memory ran out; "
                    "fewer --jobs need less of it"
                ) from None

    def cancel(self, group: Hashable) -> None:
        """Drop the results of a group."""
        self._cancelled.add(group)

    def _file(self, name: Hashable) -> str:
        import joblib

        if name not in self._files:
            path = str(Path(self._folder.name) / f"{len(self._files)}.joblib")
            joblib.dump(self._shared[name], path)
            self._files[name] = path
        return self._files[name]


def _initialize(parent: int) -> None:
    """Leave Ctrl-C to the parent process, and end with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_PARENT_POLL)
        os._exit(1)

    threading.Thread(target=watch, name="parent", daemon=True).start()


def _carry_out(job: Job, path: str) -> Any:
    return job.run(_load(path), lambda: False)


@lru_cache(maxsize=16)
def _load(path: str) -> Any:
    import joblib

    return joblib.load(path, mmap_mode="r")
