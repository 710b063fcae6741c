"""Jobs of a study: descriptions of folds, and trainings of models."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from moodcore.errors import RunFailedError
from moodcore.estimators.progress import polled
from moodcore.features import measures
from moodcore.features.settings import FeatureSettings
from moodcore.runs.folds import cut
from moodcore.runs.interrupts import StoppedError
from moodcore.runs.models import check_learned, prepared, seeded
from moodcore.runs.seeds import Stream, derive
from moodcore.tables.preparation import kind_of

if TYPE_CHECKING:
    import pandas as pd

    from moodcore.tables import Dataset

#: Name of the only shared input: the table.
TABLE = "table"
# Validation rows for shuffling and for Shapley values: with more, the variation between folds
# hardly decreases.
_SHUFFLED_ROWS = 4_000
_SHAPLEY_ROWS = 1_000

OnPoll = Callable[[], object]


class _Draw(IntEnum):
    """What is drawn at random in a fold."""

    ROWS = 0
    COLUMNS = 1
    SHUFFLE = 2
    FIT = 3


@dataclass(frozen=True)
class StudyTable:
    """The rows of a study with all that jobs have in common.

    Attributes
    ----------
    dataset : Dataset
        Rows, and how models get them.
    settings : FeatureSettings
        Of which `balance` is set.
    names, numbers : tuple of str
        All features, and those that are numeric.
    """

    dataset: Dataset
    settings: FeatureSettings
    names: tuple[str, ...]
    numbers: tuple[str, ...]

    @cached_property
    def folds(self) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
        """Training and validation rows of each fold."""
        dataset, settings = self.dataset, self.settings
        return cut(dataset.y, settings.folds, settings.seed, groups=dataset.groups)

    def train_rows(self, fold: int) -> tuple[pd.DataFrame, NDArray[Any]]:
        """Return all features and labels of the training rows of a fold."""
        return self._part(self.folds[fold][0])

    def valid_rows(self, fold: int, most: int | None = None) -> tuple[pd.DataFrame, NDArray[Any]]:
        """Return all features and labels of the validation rows, or of a sample of them."""
        rows = self.folds[fold][1]
        if most is not None:
            generator = np.random.default_rng(self.seed(_Draw.ROWS, fold))
            rows = rows[np.sort(generator.permutation(len(rows))[:most])]
        return self._part(rows)

    def _part(self, rows: NDArray[np.intp]) -> tuple[pd.DataFrame, NDArray[Any]]:
        return self.dataset.X.iloc[rows][list(self.names)], self.dataset.y[rows]

    def seed(self, draw: _Draw, fold: int) -> int:
        """Return the seed of one kind of random choice in a fold."""
        return derive(self.settings.seed, Stream.FEATURES, int(draw), fold)

    def fit(self, model: Any, fold: int, columns: Sequence[str], on_poll: OnPoll) -> Any:
        """Train a model with its preparation on the training rows of a fold.

        Boosted trees get the columns as they are, of songs too. Seeds are those of the fold, so
        that models on different choices of features differ in these alone.
        """
        from moodcore import tables

        on_poll()
        estimator = for_training(model, self.seed(_Draw.FIT, fold))
        balancing: dict[str, Any] = {
            "balance": bool(self.settings.balance),
            "random_state": derive(self.settings.seed, Stream.BALANCE, fold),
        }
        if kind_of(estimator) == "native":
            pipeline: Any = tables.pipeline(estimator, columns=list(columns), **balancing)
        else:
            pipeline = prepared(self.dataset, estimator, features=list(columns), **balancing)
        X, y = self.train_rows(fold)
        with polled(on_poll):
            pipeline.fit(X[list(columns)], y)
        check_learned(pipeline)
        return pipeline


def for_training(model: Any, seed: int) -> Any:
    """Return a clone of a model with a seed.

    Our own models train on one thread, because other jobs use the other CPUs.
    """
    from moodcore.estimators.base import Classifier

    estimator = seeded(model, seed)
    return estimator.set_params(n_jobs=1) if isinstance(estimator, Classifier) else estimator


@dataclass(frozen=True)
class _FoldJob(ABC):
    """A job on one fold; `measure` is what it does."""

    fold: int

    @property
    @abstractmethod
    def key(self) -> str: ...

    @property
    def shared(self) -> str:
        return TABLE

    @property
    def group(self) -> str:
        return self.key

    @abstractmethod
    def measure(self, table: StudyTable, on_poll: OnPoll) -> dict[str, Any]: ...

    def run(self, shared: StudyTable, should_stop: Callable[[], bool]) -> dict[str, Any] | None:
        """Measure; None if it was stopped."""

        def on_poll() -> None:
            if should_stop():
                raise StoppedError

        try:
            return self.measure(shared, on_poll)
        except StoppedError:
            return None

    def failure(self, reason: str) -> dict[str, Any]:
        """Raise the error of a description, without which there is no study."""
        raise RunFailedError(f"{self.key}: {reason}")


@dataclass(frozen=True)
class ColumnsJob(_FoldJob):
    """Describe the features of a fold without a model."""

    @property
    def key(self) -> str:
        """Name of the result."""
        return f"fold {self.fold + 1}: columns"

    def measure(self, table: StudyTable, on_poll: OnPoll) -> dict[str, Any]:
        """Describe the training rows (see `moodcore.features.measures.describe_columns`)."""
        X, y = table.train_rows(self.fold)
        codes = np.unique(y, return_inverse=True)[1].astype(np.int64)
        return measures.describe_columns(
            X,
            codes,
            numbers=table.numbers,
            thresholds=table.settings.thresholds,
            seed=table.seed(_Draw.COLUMNS, self.fold),
            on_poll=on_poll,
        )


@dataclass(frozen=True)
class TreesJob(_FoldJob):
    """Eliminate the features of a fold by boosted trees, and measure what the trees use."""

    trees: Any

    @property
    def key(self) -> str:
        """Name of the result."""
        return f"fold {self.fold + 1}: trees"

    def measure(self, table: StudyTable, on_poll: OnPoll) -> dict[str, Any]:
        """Return `order`, and `gain` and `shap` of the trees on all features."""
        fitted: list[Any] = []

        def shares(names: Sequence[str]) -> dict[str, float]:
            fitted.append(table.fit(self.trees, self.fold, names, on_poll))
            del fitted[1:-1]
            return measures.gains(fitted[-1])

        order = measures.elimination(shares, table.names)
        X, _ = table.valid_rows(self.fold, _SHAPLEY_ROWS)
        return {"order": order} | measures.tree_measures(fitted[0], X)


@dataclass(frozen=True)
class TrainingJob(_FoldJob):
    """Train a model on a fold with some of the features."""

    name: str
    model: Any
    columns: tuple[str, ...]

    @property
    def key(self) -> str:
        """Name of the result."""
        return training_key(self.fold, self.name, self.columns)

    def measure(self, table: StudyTable, on_poll: OnPoll) -> dict[str, Any]:
        """Return `accuracy`, with all features `permutation` too, or `failure`."""
        columns = list(self.columns)
        try:
            model = table.fit(self.model, self.fold, columns, on_poll)
            X, y = table.valid_rows(self.fold)
            result: dict[str, Any] = {"accuracy": float(np.mean(model.predict(X[columns]) == y))}
            if self.columns == table.names:
                result["permutation"] = measures.permutation(
                    model,
                    *table.valid_rows(self.fold, _SHUFFLED_ROWS),
                    repeats=table.settings.repeats,
                    seed=table.seed(_Draw.SHUFFLE, self.fold),
                    on_poll=on_poll,
                )
        except StoppedError:
            raise
        except Exception as error:
            # A model of the user's may fail in any way; the others continue.
            return self.failure(f"{type(error).__name__}: {error}")
        return result

    def failure(self, reason: str) -> dict[str, Any]:
        """Return the result of a training that failed."""
        return {"failure": reason}


def training_key(fold: int, model: str, columns: Sequence[str]) -> str:
    """Return the key of a model on a fold and a set of features."""
    digest = hashlib.sha256(repr(tuple(columns)).encode()).hexdigest()[:16]
    counted = f"{len(columns)} feature{'' if len(columns) == 1 else 's'}"
    return f"fold {fold + 1}: {model} on {counted}, {digest}"


def describe(job: Any, result: Mapping[str, Any]) -> str:
    """Return a job and its result in one line."""
    text = str(job.key).rpartition(",")[0] or str(job.key)
    if "failure" in result:
        return f"{text}: failed ({result['failure']})"
    return f"{text}: accuracy {result['accuracy']:.4f}" if "accuracy" in result else text
