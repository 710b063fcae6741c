"""An engine of Dask workers: the folds are sent to them once, and then small tasks."""

from __future__ import annotations

import asyncio
import logging
import queue
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

from moodcore import _core
from moodcore.errors import ConfigError
from moodcore.runs.tasks import RunInterruptedError, stop_on_interrupt
from moodcore.tuning.engine import FoldTask, Outcome
from moodcore.tuning.folds import Fold

if TYPE_CHECKING:
    from distributed import Client, Future

# How long the scheduler may take to answer, and a lost connection to come back, in seconds.
_TIMEOUT = 5
# How often the main thread looks whether it should stop, in seconds.
_POLL = 0.1
# Tasks that wait at the scheduler for each thread of its workers, so that none is ever idle.
_AHEAD = 2
_ADDRESS = re.compile(r"(tcp|tls|ws|wss|ucx)://[^\s/:]+:\d+|(tcp|tls)://\[[0-9a-fA-F:]+\]:\d+")
_START = "`dask scheduler` starts one, `dask worker {address}` its workers"


class WorkerError(RuntimeError):
    """A Dask worker cannot do what it is asked, though the request is right."""


def check_address(address: str) -> None:
    """Raise a `ConfigError` unless `address` has the form of a scheduler's, and Dask is there.

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
    """Give a client of the scheduler; what goes wrong is said in words.

    Raises
    ------
    ConnectionError
        When no scheduler answers, or it goes away; says what to start.
    """
    import distributed

    # What it has to say to a person comes from us.
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
    """Exchange greetings with the scheduler; `Client` would wait for its answer for ever."""
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


class DaskEngine:
    """The workers of a Dask scheduler; enter it before use.

    A worker that dies has its tasks done again by another. When the last copy of a fold died with
    it, the fold is sent once more.

    Parameters
    ----------
    folds : sequence of Fold
        Preprocessed folds.
    address : str
        Of the scheduler.
    stop : threading.Event
        Set by someone else to end the run.
    tell : callable
        Called with a sentence that a person should read.
    """

    def __init__(
        self,
        folds: Sequence[Fold],
        address: str,
        stop: threading.Event,
        tell: Callable[[str], None],
    ) -> None:
        self._folds = folds
        self._address = address
        self._stop = stop
        self._tell = tell
        self._sent: dict[int, Future] = {}
        self._open: dict[Future, FoldTask] = {}
        self._again: list[FoldTask] = []
        self._ended: queue.SimpleQueue[Future] = queue.SimpleQueue()
        self._cancelled: set[int] = set()
        self._alone_since: float | None = None

    def __enter__(self) -> Self:
        self._connection = connected(self._address)
        self._client: Client = self._connection.__enter__()
        return self

    def __exit__(self, *error: Any) -> bool | None:
        self._abandon()
        return self._connection.__exit__(*error)

    def run(
        self,
        tasks: Iterator[FoldTask],
        finished: Callable[[FoldTask, Outcome], None],
        waiting: Callable[[], None],
    ) -> None:
        """Carry out every task (see `moodcore.tuning.engine.Engine`)."""
        with stop_on_interrupt(self._stop):
            try:
                while self._fill(tasks):
                    self._collect(finished)
                    waiting()
            except BaseException:
                self._abandon()
                raise

    def cancel(self, candidate: int) -> None:
        """End the tasks of a candidate."""
        self._cancelled.add(candidate)
        self._client.cancel([f for f, task in self._open.items() if task.candidate == candidate])

    def _fill(self, tasks: Iterator[FoldTask]) -> bool:
        """Give the scheduler as many tasks as there is room for; False when all are done."""
        room = self._room()
        while len(self._open) < room:
            task = self._again.pop(0) if self._again else next(tasks, None)
            if task is None:
                return bool(self._open)
            if not self._submit(task):
                break
        return True

    def _room(self) -> int:
        """Return how many tasks to have with the scheduler: none without workers."""
        threads = sum(self._client.nthreads().values())
        if threads:
            self._alone_since = None
        elif self._alone_since is None:
            self._alone_since = time.monotonic()
            self._tell(
                f"no worker is left at {self._address}; waiting for one: "
                f"dask worker {self._address}"
            )
        return _AHEAD * threads

    def _submit(self, task: FoldTask) -> bool:
        """Give a task to the scheduler; False if it has no workers after all."""
        sent = self._sent.get(task.fold)
        if sent is None or sent.status != "finished":
            # On all workers, so that none has to ask another for it, and one may die.
            try:
                sent = self._client.scatter(self._folds[task.fold], broadcast=True, hash=False)
            except TimeoutError:
                self._again.append(task)
                return False
            self._sent[task.fold] = sent
        future = self._client.submit(_train, task, sent, _core.__version__, pure=False)
        self._open[future] = task
        future.add_done_callback(self._ended.put)
        return True

    def _collect(self, finished: Callable[[FoldTask, Outcome], None]) -> None:
        """Wait a moment for a task, and pass on what became of it."""
        try:
            future = self._ended.get(timeout=_POLL)
        except queue.Empty:
            future = None
        if self._stop.is_set():
            raise RunInterruptedError
        if self._client.status == "closed":
            raise _unreachable(self._address, ConnectionError("it has gone"))
        task = self._open.pop(future, None) if future is not None else None
        if future is None or task is None:
            return
        outcome = self._outcome(future, task)
        if outcome is None:
            self._again.append(task)
        else:
            finished(task, outcome)

    def _outcome(self, future: Future, task: FoldTask) -> Outcome | None:
        """Return what a task came to; None if it has to be done again."""
        if task.candidate in self._cancelled:
            return Outcome()
        if future.status == "error":
            return _failed(future.exception(), task)
        if future.status != "finished":
            # Its fold was on no worker any more, or the scheduler was started anew.
            return None
        found: Outcome = future.result()
        return None if found == Outcome() else found

    def _abandon(self) -> None:
        futures, self._open, self._again = list(self._open), {}, []
        if futures and self._client.status == "running":
            self._client.cancel(futures, force=True)


def _failed(error: BaseException, task: FoldTask) -> Outcome:
    """Return the outcome of a task that kills workers; raise what no other task could do either."""
    from distributed import KilledWorker

    if isinstance(error, KilledWorker):
        return Outcome(
            failed=f"fold {task.fold + 1}: each of the {error.allowed_failures + 1} Dask workers "
            "that tried it died; most often memory is the reason, their logs say"
        )
    if isinstance(error, ModuleNotFoundError):
        raise WorkerError(
            f"a Dask worker has no package {error.name}; install moodcore {_core.__version__} there"
        )
    raise error


def _train(task: FoldTask, fold: Fold, version: str) -> Outcome:
    """Do a task; runs in a thread of a worker."""
    from distributed import get_worker

    worker = get_worker()
    if _core.__version__ != version:
        raise WorkerError(
            f"the Dask worker {worker.address} has moodcore {_core.__version__}, this process "
            f"{version}; results would differ, so install the same there"
        )
    key = worker.get_current_task()

    def should_stop() -> bool:
        # The scheduler forgets a task when it is cancelled, or when the run that wanted it has
        # gone; the thread that is at it is not told.
        state = worker.state.tasks.get(key)
        return state is None or state.state != "executing"

    return task.run(fold, should_stop)
