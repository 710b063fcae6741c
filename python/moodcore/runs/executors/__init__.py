"""Where jobs are carried out: threads, processes, or the workers of a Dask scheduler.

Threads train our own models, which release the interpreter and can be stopped. Processes train
any classifier: a process can be ended when a library's training cannot be; a single one is the
main process itself. All have the interface of `moodcore.runs.jobs.Executor`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

from moodcore.runs.jobs import Executor


def open_executor(
    shared: Mapping[Any, Any],
    *,
    jobs: int,
    stop: threading.Event,
    scheduler: str | None = None,
    processes: bool = False,
    notify: Callable[[str], None] = lambda _: None,
) -> AbstractContextManager[Executor]:
    """Return the executor of a run as a context manager.

    Parameters
    ----------
    shared : mapping
        Shared inputs of the jobs by name; sent to each worker once.
    jobs : int
        Threads or processes.
    stop : threading.Event
        Set from outside to end the run.
    scheduler : str or None, default=None
        Address of a Dask scheduler whose workers carry out the jobs.
    processes : bool, default=False
        Whether jobs run in processes rather than threads; one at a time in this thread.
    notify : callable, default=nothing
        Called with messages for the user.
    """
    if scheduler is not None:
        from moodcore.runs.executors.dask import DaskExecutor

        return DaskExecutor(shared, scheduler, stop, notify)
    if processes and jobs == 1:
        from moodcore.runs.executors.serial import SerialExecutor

        return SerialExecutor(shared, stop)
    if processes:
        from moodcore.runs.executors.processes import ProcessExecutor

        return ProcessExecutor(shared, jobs, stop)
    from moodcore.runs.executors.threads import ThreadExecutor

    return ThreadExecutor(shared, jobs, stop)
