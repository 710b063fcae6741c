"""The measurement: every fold is described, then every model is trained on every choice."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from moodcore.features import measures
from moodcore.features.choices import Choice
from moodcore.features.models import TREES, default_models, fit, pipeline
from moodcore.features.parts import Parts
from moodcore.features.plan import Plan
from moodcore.features.table import Table
from moodcore.runs.folds import cut
from moodcore.runs.seeds import Stream, derive
from moodcore.runs.tasks import TaskPool
from moodcore.tuning.candidate import StoppedError

if TYPE_CHECKING:
    import pandas as pd

# Validation rows on which features are shuffled and Shapley values taken: the spread between
# folds does not shrink much with more.
_SHUFFLED_ROWS = 4_000
_SHAPLEY_ROWS = 1_000


class Listener(Protocol):
    """Whoever shows a person how far a study is."""

    def stage(self, text: str) -> None:
        """Begin another part of the run."""

    def started(self, total: int, done: int) -> None:
        """Begin a number of parts, some of which an earlier run may have done."""

    def finished(self, what: str) -> None:
        """Count one part and say what it found."""

    def ended(self) -> None:
        """End the parts, finished or not."""


class _Draw(IntEnum):
    """What is drawn at random in a fold."""

    ROWS = 0
    COLUMNS = 1
    SHUFFLE = 2
    FIT = 3


@dataclass(frozen=True)
class _Fold:
    """The rows of one fold."""

    number: int
    X_train: pd.DataFrame
    y_train: NDArray[np.int64]
    X_valid: pd.DataFrame
    y_valid: NDArray[np.int64]


Task = tuple[str, Callable[[], dict[str, Any]]]


class Measurement:
    """One study at work.

    Results depend on neither `jobs` nor the order of work: each part has seeds of its own, those
    of its fold, so that models on different choices of features differ in these alone.

    Parameters
    ----------
    table : Table
        The rows.
    models : mapping of str to classifier
        To be trained on each choice.
    choices : sequence of Choice
        All features first.
    plan : Plan
        How often.
    parts : Parts
        What is finished already, and where results go.
    jobs : int
        Threads.
    stop : threading.Event
        Set by someone else to end it.
    listener : Listener
        Whoever shows progress.
    """

    def __init__(
        self,
        table: Table,
        models: Mapping[str, Any],
        choices: Sequence[Choice],
        plan: Plan,
        parts: Parts,
        *,
        jobs: int,
        stop: threading.Event,
        listener: Listener,
    ) -> None:
        self._table = table
        self._models = models
        self._choices = choices
        self._plan = plan
        self._parts = parts
        self._listener = listener
        self._pool = TaskPool(jobs, stop)
        given = models.get(TREES)
        self._trees = given if _is_trees(given) else default_models([TREES])[TREES]
        self._folds = [
            _fold(table, number, rows)
            for number, rows in enumerate(cut(table.y, plan.folds, plan.seed))
        ]

    def run(self) -> Parts:
        """Measure what is not measured yet.

        Raises
        ------
        RunInterruptedError
            When stopped; finished parts are kept.
        """
        from threadpoolctl import threadpool_limits

        # Threads of linear algebra inside ours would fight over the processors, and sum up in an
        # order that depends on their number.
        with threadpool_limits(limits=1):
            self._run_all("describing the folds", self._descriptions())
            self._run_all("training the models", self._trainings())
        return self._parts

    def columns(self, choice: Choice, fold: int) -> tuple[str, ...]:
        """Return the features of a choice in a fold, once the folds are described."""
        described = self._parts[columns_key(fold)] | self._parts[trees_key(fold)]
        return choice.of_fold(described, self._table.names)

    def _run_all(self, text: str, tasks: Sequence[Task]) -> None:
        missing = [task for task in tasks if task[0] not in self._parts]
        self._listener.stage(text)
        self._listener.started(len(tasks), len(tasks) - len(missing))

        def finished(key: str, found: dict[str, Any]) -> None:
            self._parts.put(key, found)
            self._listener.finished(_line(key, found))

        try:
            self._pool.run(iter(missing), finished)
        finally:
            self._listener.ended()

    def _poll(self) -> None:
        if self._pool.should_stop():
            raise StoppedError

    def _seed(self, draw: _Draw, fold: int) -> int:
        return derive(self._plan.seed, Stream.FEATURES, int(draw), fold)

    def _descriptions(self) -> list[Task]:
        tasks: list[Task] = []
        for fold in self._folds:
            tasks.append((trees_key(fold.number), partial(self._ask_trees, fold)))
            tasks.append((columns_key(fold.number), partial(self._describe, fold)))
        return tasks

    def _describe(self, fold: _Fold) -> dict[str, Any]:
        seed = self._seed(_Draw.COLUMNS, fold.number)
        return measures.describe_columns(
            fold.X_train, fold.y_train, self._plan.thresholds, seed, self._poll
        )

    def _ask_trees(self, fold: _Fold) -> dict[str, Any]:
        def fit_trees(names: Sequence[str]) -> Any:
            return _classifier(self._fit(self._trees, fold, tuple(names)))

        order, trees = measures.elimination(fit_trees, self._table.names)
        rows = self._some_rows(fold, _SHAPLEY_ROWS)
        return {
            "order": order,
            "gain": measures.gains(trees, self._table.names),
            "shap": measures.mean_shapley(trees, fold.X_valid.iloc[rows]),
        }

    def _trainings(self) -> list[Task]:
        """Return a task for each model, fold and set of features; choices may share a set."""
        tasks: dict[str, Callable[[], dict[str, Any]]] = {}
        for choice in self._choices:
            for fold in self._folds:
                columns = self.columns(choice, fold.number)
                for name in self._models:
                    key = training_key(fold.number, name, columns)
                    tasks.setdefault(key, partial(self._train, fold, name, columns))
        return list(tasks.items())

    def _train(self, fold: _Fold, name: str, columns: tuple[str, ...]) -> dict[str, Any]:
        try:
            model = self._fit(self._models[name], fold, columns)
            X = fold.X_valid[list(columns)]
            found: dict[str, Any] = {"accuracy": float(np.mean(model.predict(X) == fold.y_valid))}
            if columns == self._table.names:
                rows = self._some_rows(fold, _SHUFFLED_ROWS)
                seed = self._seed(_Draw.SHUFFLE, fold.number)
                found["permutation"] = measures.permutation(
                    model,
                    X.iloc[rows],
                    fold.y_valid[rows],
                    repeats=self._plan.repeats,
                    seed=seed,
                    on_poll=self._poll,
                )
        except StoppedError:
            raise
        # A model of anyone's may fail in any way; the others go on.
        except Exception as error:
            return {"failure": f"{type(error).__name__}: {error}"}
        return found

    def _fit(self, model: Any, fold: _Fold, columns: tuple[str, ...]) -> Any:
        self._poll()
        X = fold.X_train[list(columns)]
        made = pipeline(
            model,
            balance=self._plan.balance,
            seed=self._seed(_Draw.FIT, fold.number),
            balance_seed=derive(self._plan.seed, Stream.BALANCE, fold.number),
        )
        return fit(made, X, fold.y_train, self._poll)

    def _some_rows(self, fold: _Fold, most: int) -> NDArray[np.intp]:
        generator = np.random.default_rng(self._seed(_Draw.ROWS, fold.number))
        return np.sort(generator.permutation(len(fold.y_valid))[:most])


def trees_key(fold: int) -> str:
    """Return the key of what the trees say of a fold."""
    return f"fold {fold + 1}: trees"


def columns_key(fold: int) -> str:
    """Return the key of what the columns say of a fold."""
    return f"fold {fold + 1}: columns"


def training_key(fold: int, model: str, columns: Sequence[str]) -> str:
    """Return the key of a model on a fold and a set of features."""
    digest = hashlib.sha256(repr(tuple(columns)).encode()).hexdigest()[:16]
    return f"fold {fold + 1}: {model} on {len(columns)} features, {digest}"


def _fold(table: Table, number: int, rows: tuple[NDArray[np.intp], NDArray[np.intp]]) -> _Fold:
    train, valid = rows
    return _Fold(number, table.X.iloc[train], table.y[train], table.X.iloc[valid], table.y[valid])


def _classifier(model: Any) -> Any:
    """Return the classifier that a pipeline has fitted."""
    classify = model.named_steps["classify"]
    return getattr(classify, "estimator_", classify)


def _is_trees(model: Any) -> bool:
    from moodcore.estimators.gbt.estimator import GBT

    return isinstance(model, GBT)


def _line(key: str, found: Mapping[str, Any]) -> str:
    what = key.rpartition(",")[0] or key
    if "failure" in found:
        return f"{what}: failed ({found['failure']})"
    return f"{what}: accuracy {found['accuracy']:.4f}" if "accuracy" in found else what
