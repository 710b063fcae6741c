"""Jobs on the workers of a Dask scheduler: shared inputs are sent once, then small jobs."""

from __future__ import annotations

import asyncio
import logging
import queue
import re
import threading
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

from moodcore import _core
from moodcore.errors import ConfigError, RunFailedError
from moodcore.runs.interrupts import RunInterruptedError, stop_on_interrupt
from moodcore.runs.jobs import Finished, Job

if TYPE_CHECKING:
    from distributed import Client, Future

# Seconds that the scheduler may take to answer, and a lost connection to come back.
_TIMEOUT = 5
# Seconds between two checks of whether the run is to stop.
_POLL = 0.1
# Jobs that wait at the scheduler for each thread of its workers, so that none is ever idle.
_AHEAD = 2
_ADDRESS = re.compile(r"(tcp|tls|ws|wss|ucx)://[^\s/:]+:\d+|(tcp|tls)://\[[0-9a-fA-F:]+\]:\d+")
_START = "`dask scheduler` starts one, `dask worker {address}` its workers"


class WorkerError(RunFailedError):
    """A Dask worker cannot carry out jobs, though the request is right."""


def check_address(address: str) -> None:
    """Raise a `ConfigError` unless `address` is that of a scheduler and Dask is installed.

    Examples
    --------
    >>> check_address("tcp://127.0.0.1:8786")
    """
    if not _ADDRESS.fullmatch(address):
        raise ConfigError(
            f"scheduler {address!r} is not the address of a Dask scheduler: tcp://HOST:8786"
        )
    try:
        import distributed  # noqa: F401
    except ImportError:
        raise ConfigError(
            "engine dask needs the package distributed: pip install 'moodcore[dask]'"
        ) from None


def check_scheduler(address: str) -> None:
    """Check that the scheduler answers and has workers.

    Raises
    ------
    ConnectionError
        If it does not, or has none; says what to start.
    """
    with connected(address) as client:
        if not client.nthreads():
            raise ConnectionError(
                f"the Dask scheduler at {address} has no workers; start one: dask worker {address}"
            )


@contextmanager
def connected(address: str) -> Iterator[Client]:
    """Return a client of the scheduler as a context manager.

    Raises
    ------
    ConnectionError
        If no scheduler answers or the connection is lost; says what to start.
    """
    import distributed

    # Messages for the user come from this package.
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    try:
        asyncio.run(_greet(address))
        client = distributed.Client(address, timeout=_TIMEOUT, set_as_default=False)
    except (OSError, ValueError) as error:
        raise _unreachable(address, error) from None
    try:
        yield client
    except OSError as error:
        if isinstance(error, ConnectionError) and address in str(error):
            raise
        raise _unreachable(address, error) from None
    finally:
        client.close(_TIMEOUT)


async def _greet(address: str) -> None:
    """Check that the scheduler answers; `Client` would wait for it without end."""
    from distributed.comm import connect
    from distributed.security import Security

    arguments = Security().get_connection_args("client")
    async with asyncio.timeout(_TIMEOUT):
        (await connect(address, timeout=_TIMEOUT, **arguments)).abort()


def _unreachable(address: str, error: Exception) -> ConnectionError:
    said = " ".join(str(error).split()) or type(error).__name__
    return ConnectionError(
        f"no Dask scheduler answers at {address}: {said}; {_START.format(address=address)}"
    )


class DaskExecutor:
    """The workers of a Dask scheduler; enter it before use.

    The jobs of a worker that dies are carried out by another. When the last copy of a shared input
    died with it, the input is sent again.
    """

    def __init__(
        self,
        shared: Mapping[Any, Any],
        address: str,
        stop: threading.Event,
        notify: Callable[[str], None],
    ) -> None:
        self._shared = shared
        self._address = address
        self._stop = stop
        self._notify = notify
        self._sent: dict[Hashable, Future] = {}
        self._running: dict[Future, Job] = {}
        self._again: list[Job] = []
        self._ended: queue.SimpleQueue[Future] = queue.SimpleQueue()
        self._cancelled: set[Hashable] = set()
        self._without_workers = False

    def __enter__(self) -> Self:
        self._connection = connected(self._address)
        self._client: Client = self._connection.__enter__()
        return self

    def __exit__(self, *error: Any) -> bool | None:
        self._abandon()
        return self._connection.__exit__(*error)

    def run(
        self,
        jobs: Iterator[Job],
        finished: Finished,
        waiting: Callable[[], None] = lambda: None,
    ) -> None:
        """Carry out every job (see `moodcore.runs.jobs.Executor`)."""
        with stop_on_interrupt(self._stop):
            try:
                while self._fill(jobs):
                    self._collect(finished)
                    waiting()
            except BaseException:
                self._abandon()
                raise

    def cancel(self, group: Hashable) -> None:
        """End the jobs of a group."""
        self._cancelled.add(group)
        self._client.cancel([f for f, job in self._running.items() if job.group == group])

    def _fill(self, jobs: Iterator[Job]) -> bool:
        """Submit as many jobs as there is room for; False when all are done."""
        room = self._room()
        while len(self._running) < room:
            job = self._again.pop(0) if self._again else next(jobs, None)
            if job is None:
                return bool(self._running)
            if not self._submit(job):
                break
        return True

    def _room(self) -> int:
        """Return how many jobs to have at the scheduler: none while it has no workers."""
        threads = sum(self._client.nthreads().values())
        if not threads and not self._without_workers:
            self._notify(
                f"no worker is left at {self._address}; waiting for one: "
                f"dask worker {self._address}"
            )
        self._without_workers = not threads
        return _AHEAD * threads

    def _submit(self, job: Job) -> bool:
        """Submit a job to the scheduler; False if it has no workers after all."""
        sent = self._sent.get(job.shared)
        if sent is None or sent.status != "finished":
            # On all workers, so that none has to ask another for it, and one may die.
            try:
                # In a list, because the parts of a tuple would be sent one by one.
                (sent,) = self._client.scatter(
                    [self._shared[job.shared]], broadcast=True, hash=False
                )
            except TimeoutError:
                self._again.append(job)
                return False
            self._sent[job.shared] = sent
        future = self._client.submit(_carry_out, job, sent, _core.__version__, pure=False)
        self._running[future] = job
        future.add_done_callback(self._ended.put)
        return True

    def _collect(self, finished: Finished) -> None:
        """Wait briefly for a job, and pass on its result."""
        try:
            future = self._ended.get(timeout=_POLL)
        except queue.Empty:
            future = None
        if self._stop.is_set():
            raise RunInterruptedError
        if self._client.status == "closed":
            raise _unreachable(self._address, ConnectionError("the connection was closed"))
        job = self._running.pop(future, None) if future is not None else None
        if future is None or job is None:
            return
        if job.group in self._cancelled:
            finished(job, None)
        elif future.status == "error":
            finished(job, _failed(future.exception(), job))
        elif future.status == "finished" and (result := future.result()) is not None:
            finished(job, result)
        else:
            # Its shared input was on no worker any more, or the scheduler was restarted.
            self._again.append(job)

    def _abandon(self) -> None:
        futures, self._running, self._again = list(self._running), {}, []
        if futures and self._client.status == "running":
            self._client.cancel(futures, force=True)


def _failed(error: BaseException, job: Job) -> Any:
    """Return the result of a job that kills workers; raise what every job would meet."""
    from distributed import KilledWorker

    if isinstance(error, KilledWorker):
        return job.failure(
            f"each of the {error.allowed_failures + 1} Dask workers that tried it died; most often "
            "memory is the reason, see their logs"
        )
    if isinstance(error, ModuleNotFoundError):
        raise WorkerError(
            f"a Dask worker has no package {error.name}; install moodcore {_core.__version__} there"
        )
    raise error


def _carry_out(job: Job, shared: Any, version: str) -> Any:
    """Carry out a job; runs in a thread of a worker."""
    from distributed import get_worker

    worker = get_worker()
    if _core.__version__ != version:
        raise WorkerError(
            f"the Dask worker {worker.address} has moodcore {_core.__version__}, this process "
            f"{version}; results would differ, so install the same there"
        )
    key = worker.get_current_task()

    def should_stop() -> bool:
        # The scheduler forgets a task when it is cancelled, or when its client is gone; the thread
        # that runs it is not notified.
        state = worker.state.tasks.get(key)
        return state is None or state.state != "executing"

    return job.run(shared, should_stop)
