"""Threads that a stop ends within moments, and an interrupt that becomes a stop."""

from __future__ import annotations

import signal
import threading
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from types import FrameType
from typing import Any

# How often the main thread looks whether it should stop, in seconds.
_POLL = 0.1


class RunInterruptedError(Exception):
    """The person at the keyboard ended the run; what was finished is kept."""


@contextmanager
def stop_on_interrupt(stop: threading.Event) -> Iterator[None]:
    """Set `stop` on Ctrl-C instead of raising, so that no write is cut in half.

    A second Ctrl-C raises `KeyboardInterrupt` as usual. Outside the main thread, where
    Python delivers no signals, nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGINT)

    def ask_to_stop(_signal: int, _frame: FrameType | None) -> None:
        stop.set()
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, ask_to_stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


class TaskPool:
    """Worker threads fed from a queue of tasks, no further ahead than needed.

    Parameters
    ----------
    jobs : int
        Threads.
    stop : threading.Event
        When set, `run` raises `RunInterruptedError`; tasks should look at it too.
    """

    def __init__(self, jobs: int, stop: threading.Event) -> None:
        self._jobs = jobs
        self._stop = stop
        self.abandoned = threading.Event()

    def should_stop(self) -> bool:
        """Whether tasks should end now: the run was interrupted, or another task failed."""
        return self._stop.is_set() or self.abandoned.is_set()

    def run(
        self,
        tasks: Iterator[tuple[Any, Callable[[], Any]]],
        finished: Callable[[Any, Any], None],
        waiting: Callable[[], None] = lambda: None,
    ) -> None:
        """Run every task and hand each result to `finished(key, result)`, in this thread.

        `waiting` is called in this thread several times a second.

        Raises
        ------
        RunInterruptedError
            When the stop event is set, or on Ctrl-C.
        Exception
            What a task raises ends the others and is raised here.
        """
        open_tasks: dict[Future[Any], Any] = {}
        with (
            stop_on_interrupt(self._stop),
            warnings.catch_warnings(),
            ThreadPoolExecutor(self._jobs) as threads,
        ):
            # Divergence is counted in the results. Filters are the whole process's: set here,
            # not in the threads.
            warnings.simplefilter("ignore")
            try:
                while True:
                    while len(open_tasks) <= self._jobs and (task := next(tasks, None)):
                        open_tasks[threads.submit(task[1])] = task[0]
                    if not open_tasks:
                        return
                    done, _ = wait(open_tasks, timeout=_POLL, return_when=FIRST_COMPLETED)
                    if self._stop.is_set():
                        raise RunInterruptedError
                    waiting()
                    for future in done:
                        finished(open_tasks.pop(future), future.result())
            except BaseException:
                self.abandoned.set()
                threads.shutdown(wait=False, cancel_futures=True)
                raise
