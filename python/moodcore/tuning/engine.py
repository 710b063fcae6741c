"""Where candidates are trained: one task a fold, and the engine that carries tasks out."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from moodcore.runs.families import CURVES, Curves, OnStep, family
from moodcore.runs.space import Params
from moodcore.runs.tasks import TaskPool
from moodcore.tuning.candidate import FoldResult, PrunedError, StoppedError, failure, fit_fold
from moodcore.tuning.folds import Fold
from moodcore.tuning.pruning import Judge, Reports, rungs


@dataclass(frozen=True)
class Outcome:
    """What became of a task.

    Attributes
    ----------
    result : FoldResult or None
        None when training ended early or failed.
    pruned : dict of str to list of float, or None
        The curves so far, when the pruner ended it.
    reports : tuple of (int, float)
        What the pruner was told: steps and validation accuracies.
    failed : str
        Why the candidate cannot be trained; empty if it can.
    """

    result: FoldResult | None = None
    pruned: Curves | None = None
    reports: Reports = ()
    failed: str = ""


@dataclass(frozen=True)
class FoldTask:
    """One candidate on one fold: all that training needs but the rows, and small.

    Attributes
    ----------
    candidate, fold : int
        Their numbers.
    model : str
        Name of the family.
    arguments : dict
        Keyword arguments of its class.
    seed : int
        Seed of every random choice in the training.
    judge : Judge or None
        Looks at the learning curve; None where nobody does.
    """

    candidate: int
    fold: int
    model: str
    arguments: Params
    seed: int
    judge: Judge | None = None

    def run(self, fold: Fold, should_stop: Callable[[], bool]) -> Outcome:
        """Train and validate.

        Parameters
        ----------
        fold : Fold
            The preprocessed fold of that number.
        should_stop : callable
            Asked many times a second; training ends when it says so.
        """
        reports: list[tuple[int, float]] = []

        def on_poll() -> None:
            if should_stop():
                raise StoppedError

        kind = family(self.model)
        on_step = self._on_step(kind.steps(self.arguments), reports)
        try:
            found = fit_fold(kind, self.arguments, fold, self.seed, (on_step, on_poll))
        except StoppedError:
            return Outcome()
        except PrunedError as error:
            return Outcome(pruned=error.curves, reports=tuple(reports))
        except Exception as error:
            # Whatever a model says of its hyperparameters and these rows, the others go on.
            return Outcome(failed=failure(self.fold, error))
        return Outcome(found, reports=tuple(reports))

    def _on_step(self, steps: int, reports: list[tuple[int, float]]) -> OnStep:
        if self.judge is None:
            return lambda _: None
        trial, watched = self.judge.begin(), set(rungs(steps))
        curves: Curves = {name: [] for name in CURVES}

        def on_step(state: dict[str, float]) -> None:
            for name in CURVES:
                curves[name].append(state[name])
            passed, value = len(curves["valid_accuracy"]), state["valid_accuracy"]
            if passed in watched:
                reports.append((passed, value))
                trial.report(value, passed)
                if trial.should_prune():
                    raise PrunedError(curves)

        return on_step


class Engine(Protocol):
    """Whoever carries out tasks; results must not depend on which engine it is."""

    def run(
        self,
        tasks: Iterator[FoldTask],
        finished: Callable[[FoldTask, Outcome], None],
        waiting: Callable[[], None],
    ) -> None:
        """Carry out every task, and hand each outcome to `finished` in this thread.

        Tasks are taken from the iterator no sooner than there is room for them. `waiting` is
        called in this thread several times a second.

        Raises
        ------
        RunInterruptedError
            When the run is to stop, or on Ctrl-C.
        Exception
            What a task raises ends the others and is raised here.
        """

    def cancel(self, candidate: int) -> None:
        """End the tasks of a candidate; they finish without result."""


@contextmanager
def open_engine(
    folds: Sequence[Fold],
    jobs: int,
    stop: threading.Event,
    scheduler: str | None = None,
    tell: Callable[[str], None] = print,
) -> Iterator[Engine]:
    """Give the engine for a search, and let go of it afterwards.

    Parameters
    ----------
    folds : sequence of Fold
        Preprocessed folds.
    jobs : int
        Threads, where this process trains.
    stop : threading.Event
        Set by someone else to end the run.
    scheduler : str or None, default=None
        Address of the Dask scheduler whose workers train; None means this process does.
    tell : callable, default=print
        Called with a sentence that a person should read.
    """
    if scheduler is None:
        yield LocalEngine(folds, jobs, stop)
        return
    from moodcore.tuning.dask_engine import DaskEngine

    with DaskEngine(folds, scheduler, stop, tell) as engine:
        yield engine


class LocalEngine:
    """Threads of this process.

    Parameters
    ----------
    folds : sequence of Fold
        Preprocessed folds.
    jobs : int
        Threads.
    stop : threading.Event
        Set by someone else to end the run.
    """

    def __init__(self, folds: Sequence[Fold], jobs: int, stop: threading.Event) -> None:
        self._folds = folds
        self._pool = TaskPool(jobs, stop)
        self._cancelled: set[int] = set()

    def run(
        self,
        tasks: Iterator[FoldTask],
        finished: Callable[[FoldTask, Outcome], None],
        waiting: Callable[[], None],
    ) -> None:
        """Carry out every task (see `Engine`)."""
        self._pool.run(((task, self._job(task)) for task in tasks), finished, waiting)

    def cancel(self, candidate: int) -> None:
        """End the tasks of a candidate."""
        self._cancelled.add(candidate)

    def _job(self, task: FoldTask) -> Callable[[], Outcome]:
        def should_stop() -> bool:
            return self._pool.should_stop() or task.candidate in self._cancelled

        def job() -> Outcome:
            if should_stop():
                return Outcome()
            return task.run(self._folds[task.fold], should_stop)

        return job
