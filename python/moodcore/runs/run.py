"""One run: settings and data in, a folder with results, metrics and a report out."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from moodcore.runs.data import load
from moodcore.runs.executors import open_executor
from moodcore.runs.folder import RunFolder, read_json, write_json
from moodcore.runs.interrupts import RunInterruptedError, raise_on_interrupt
from moodcore.runs.jobs import Executor
from moodcore.runs.listener import Listener
from moodcore.runs.mark import make_mark
from moodcore.runs.settings import RunSettings

if TYPE_CHECKING:
    from moodcore.runs.estimate import Estimate
    from moodcore.runs.storage import Storage
    from moodcore.tables import Dataset

#: Version of `metrics.json` of all runs.
VERSION = 2
S = TypeVar("S", bound=RunSettings)


@dataclass
class Execution:
    """How a run is carried out; changes nothing but the time.

    Attributes
    ----------
    jobs : int
        Trainings at a time.
    listener : Listener
        Receives the progress.
    stop : threading.Event
        Set to end the run; set by Ctrl-C too.
    command : str
        Command line, for the report.
    minutes : float or None
        Time after which no other training begins; None means no limit.
    scheduler : str or None
        Address of a Dask scheduler whose workers train.
    storage : Storage or None
        Database in which several processes share a search.
    """

    jobs: int = 1
    listener: Listener = field(default_factory=Listener)
    stop: threading.Event = field(default_factory=threading.Event)
    command: str = ""
    minutes: float | None = None
    scheduler: str | None = None
    storage: Storage | None = None

    def executor(
        self, shared: Mapping[Any, Any], *, processes: bool = False
    ) -> AbstractContextManager[Executor]:
        """Return the executor of jobs on shared inputs (see `open_executor`)."""
        return open_executor(
            shared,
            jobs=self.jobs,
            stop=self.stop,
            scheduler=self.scheduler,
            processes=processes,
            notify=self.listener.stage,
        )

    def stage(self, text: str) -> None:
        """Begin a part of the run, unless the run was stopped.

        Raises
        ------
        RunInterruptedError
            If it was.
        """
        if self.stop.is_set():
            raise RunInterruptedError
        self.listener.stage(text)

    def check_connections(self) -> None:
        """Check, before data is read, that database and scheduler answer.

        Raises
        ------
        ConnectionError
            If one does not within seconds; says what to start.
        """
        if self.storage is not None:
            self.storage.connect().engine.dispose()
        if self.scheduler is not None:
            from moodcore.runs.executors.dask import check_scheduler

            check_scheduler(self.scheduler)


class Run(ABC, Generic[S]):
    """A run of one of the commands `tune`, `compare` and `features`.

    A subclass names its `command`, the `format` of its metrics and the class of its `Settings`,
    and says what is trained and what is computed from the results.

    Parameters
    ----------
    settings : RunSettings
        Settings that decide the results.
    execution : Execution, optional
        How the run is carried out; one training at a time by default.
    table, y : table and labels in memory, optional
        Instead of the file that the settings name.
    """

    command: ClassVar[str]
    format: ClassVar[str]

    def __init__(
        self, settings: S, execution: Execution | None = None, *, table: Any = None, y: Any = None
    ) -> None:
        self.settings = settings
        self.execution = execution or Execution()
        self._table = table
        self._y = y
        self.seconds: dict[str, float] = {}

    @abstractmethod
    def check(self) -> None:
        """Check the settings as far as possible before data is read.

        Raises
        ------
        ConfigError
            For unknown names, and for values that a model refuses.
        """

    @abstractmethod
    def estimate(self, dataset: Dataset) -> Estimate:
        """Return the plan and the time it would take, measured on short trainings."""

    @abstractmethod
    def measure(self, folder: RunFolder, dataset: Dataset) -> dict[str, Any]:
        """Train what is missing, write tables and models, and return the content of the metrics."""

    def load(self) -> Dataset:
        """Read or make the data set."""
        with self.timed("data"):
            return load(self.settings, self._table, self._y)

    def mark(self, dataset: Dataset) -> dict[str, Any]:
        """Return the resume mark."""
        return make_mark(self.settings.decisive(), dataset.fingerprint())

    def begin(self, out: Any, dataset: Dataset) -> RunFolder:
        """Make the folder of a new run (see `RunFolder.begin`)."""
        return RunFolder.begin(out, self.command, self.settings, self.mark(dataset))

    def run(self, folder: RunFolder, dataset: Dataset) -> dict[str, Any]:
        """Carry out the run, or what is left of it, and return the metrics.

        Parameters
        ----------
        folder : RunFolder
            Folder of a new run, or of an interrupted one with the same settings and data.
        dataset : Dataset
            From `load`.

        Raises
        ------
        ConfigError
            If the run was begun by another version, or with other settings or data.
        RunInterruptedError, KeyboardInterrupt
            When stopped; finished results are kept in the folder.
        RunFailedError
            If nothing could be trained.
        """
        folder.check(self.mark(dataset))
        with raise_on_interrupt(self.execution.stop):
            measured = self.measure(folder, dataset)
            metrics = {
                "format": self.format,
                "version": VERSION,
                "settings": self.settings.to_dict(),
                "balanced": self.settings.is_balanced(dataset),
                "complete": True,
                **measured,
            }
            folder.write_timing(
                jobs=self.execution.jobs, command=self.execution.command, seconds=self.seconds
            )
            write_json(folder.metrics, metrics)
        # As it was written: without NaN, which JSON does not have.
        return read_json(folder.metrics)

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Add the time of a part of the run to `seconds`."""
        begin = time.perf_counter()
        yield
        self.seconds[name] = round(time.perf_counter() - begin, 3)

    def stage(self, text: str, name: str | None = None) -> AbstractContextManager[None]:
        """Announce a part of the run and measure its time."""
        self.execution.stage(text)
        return self.timed(name or text)
