"""The trainings of a comparison: which there are, on which rows, and each as a job."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from moodcore.comparison.isolation import isolated
from moodcore.comparison.models import Model
from moodcore.comparison.output import Output
from moodcore.comparison.settings import CompareSettings
from moodcore.errors import ConfigError
from moodcore.estimators.progress import polled
from moodcore.runs.folds import Rows, cut, split_rows
from moodcore.runs.interrupts import StoppedError
from moodcore.runs.models import check_learned, seeded
from moodcore.runs.seeds import Stream, derive

if TYPE_CHECKING:
    import pandas as pd

    from moodcore.tables import Dataset

# Smallest point of a learning curve, as a share of the largest.
_SMALLEST_SHARE = 1 / 32
# A part must have some rows of every class for the inner folds of calibration and search.
_ROWS_PER_CLASS = 40
# Folds in which learning curves are measured: a figure needs fewer than a test.
_CURVE_FOLDS = 3
_STAGES = ("fold", "curve", "test")


@dataclass(frozen=True)
class Training:
    """One training: which model, by its key, and on which rows.

    The stage is "fold", "curve" or "test"; `size` is a point of the learning curve. Numbers count
    from 0.
    """

    model: str
    stage: str
    repeat: int = 0
    fold: int = 0
    size: int = 0

    @property
    def key(self) -> str:
        """Name of its result."""
        return f"{self.stage}-{self.repeat}-{self.fold}-{self.size}-{self.model}"

    def of(self, model: Model) -> Training:
        """Return the training of another model on the same rows."""
        return replace(self, model=model.key)

    def __str__(self) -> str:
        """Return the rows in words."""
        if self.stage == "test":
            return "all training rows"
        where = f"repeat {self.repeat + 1}, fold {self.fold + 1}"
        return where if self.stage == "fold" else f"learning curve, point {self.size + 1}"


@dataclass(frozen=True)
class Task:
    """Rows and folds of a comparison: the shared input of its trainings.

    Training rows of a group, if there are groups, stay in one fold.
    """

    X: pd.DataFrame
    y: NDArray[Any]
    X_test: pd.DataFrame
    y_test: NDArray[Any]
    groups: NDArray[Any] | None
    settings: CompareSettings

    @classmethod
    def of(cls, dataset: Dataset, settings: CompareSettings) -> Task:
        """Split a data set; a class with too few rows for the folds is a `ConfigError`."""
        X, y, groups = dataset.X, dataset.y, dataset.groups
        if dataset.test is not None:
            task = cls(X, y, *dataset.test, groups, settings)
        else:
            train, test = split_rows(y, settings.seed, test_share=settings.test_size, groups=groups)
            kept = None if groups is None else groups[train]
            task = cls(X.iloc[train], y[train], X.iloc[test], y[test], kept, settings)
        counts = np.bincount(task.codes, minlength=len(task.classes))
        least = 2 * settings.folds
        if counts.min() < least:
            raise ConfigError(
                f"class {dataset.class_names[counts.argmin()]!r} has {counts.min()} training "
                f"{dataset.noun}, but {settings.folds} folds need at least {least} of every class"
            )
        return task

    @cached_property
    def classes(self) -> NDArray[Any]:
        """The labels in ascending order."""
        return np.unique(np.concatenate([self.y, self.y_test]))

    @cached_property
    def codes(self) -> NDArray[np.int64]:
        """Position of the label of each training row among the classes."""
        return np.searchsorted(self.classes, self.y).astype(np.int64)

    @cached_property
    def test_codes(self) -> NDArray[np.int64]:
        """Position of the label of each test row among the classes."""
        return np.searchsorted(self.classes, self.y_test).astype(np.int64)

    @cached_property
    def folds(self) -> list[list[tuple[Rows, Rows]]]:
        """Training and validation rows of each fold of each repeat.

        The first repeat has the folds of `moodcore tune` with the same seed.
        """
        n_folds, seed = self.settings.folds, self.settings.seed
        return [
            cut(self.y, n_folds, seed, repeat=repeat, groups=self.groups)
            for repeat in range(self.settings.repeats)
        ]

    @property
    def test_train_ratio(self) -> float:
        """Validation rows of a fold per training row."""
        return 1 / (self.settings.folds - 1)

    @property
    def curve_folds(self) -> int:
        """Number of folds of the first repeat in which learning curves are measured."""
        return min(_CURVE_FOLDS, self.settings.folds)

    @cached_property
    def curve_sizes(self) -> list[int]:
        """Training rows at each point of a learning curve, a whole fold last.

        Empty where a fold has too few rows for two points.
        """
        if not self.settings.curve_sizes:
            return []
        whole = min(len(train) for train, _ in self.folds[0])
        least = max(round(_SMALLEST_SHARE * whole), _ROWS_PER_CLASS * len(self.classes))
        points = np.geomspace(min(whole, least), whole, self.settings.curve_sizes)
        # A stratified part must leave a row of every class.
        most = whole - len(self.classes)
        sizes = [size for size in np.unique(points.round().astype(int)).tolist() if size <= most]
        return [*sizes, whole] if sizes else []

    def rows(self, training: Training) -> tuple[Rows, Rows]:
        """Return the training and the validation rows of a fold or a point of a curve."""
        train, valid = self.folds[training.repeat][training.fold]
        if training.stage == "fold":
            return train, valid
        from sklearn.model_selection import train_test_split

        seed = derive(self.settings.seed, Stream.CURVE_ROWS, training.fold, training.size)
        part, _ = train_test_split(
            train,
            train_size=self.curve_sizes[training.size],
            stratify=self.y[train],
            random_state=seed,
        )
        return np.sort(part), valid

    def scored(self, training: Training) -> NDArray[np.int64]:
        """Return the true classes, as codes, of the rows that a training is scored on."""
        if training.stage == "test":
            return self.test_codes
        return self.codes[self.folds[training.repeat][training.fold][1]]

    def trainings(self, models: Sequence[Model]) -> list[Training]:
        """Return every training.

        A vote is not trained, and the last point of a learning curve is a fold.
        """
        stages = [
            Training("", "fold", repeat, fold)
            for repeat in range(self.settings.repeats)
            for fold in range(self.settings.folds)
        ]
        stages.append(Training("", "test"))
        stages += [
            Training("", "curve", 0, fold, size)
            for fold in range(self.curve_folds)
            for size in range(len(self.curve_sizes) - 1)
        ]
        return [stage.of(model) for stage in stages for model in models if model.is_trained]

    def seed(self, training: Training) -> int:
        """Return the seed of a training, the same for all models."""
        numbers = (training.repeat, training.fold, training.size)
        stage = _STAGES.index(training.stage)
        return derive(self.settings.seed, Stream.COMPARISON, stage, *numbers)


@dataclass(frozen=True)
class TrainingJob:
    """The job of a comparison: a training, with the model neither fitted nor seeded."""

    training: Training
    estimator: Any
    shared: str = "rows"

    @property
    def key(self) -> str:
        """Name of the result."""
        return self.training.key

    @property
    def group(self) -> str:
        """No two jobs are cancelled together."""
        return self.key

    def run(self, shared: Task, should_stop: Callable[[], bool]) -> Output | None:
        """Train and predict; None if it was stopped. An error of the model is its result."""
        with isolated() as notes:
            try:
                output = self._train(shared, should_stop)
            except Exception as error:
                # Whatever one model raises, the others continue.
                output = self.failure(f"{type(error).__name__}: {error}")
        if should_stop():
            return None
        return replace(output, notes=tuple(dict.fromkeys(notes)))

    def failure(self, reason: str) -> Output:
        """Return the result of a training that failed."""
        return Output(np.empty(0, np.int64), failure=reason)

    def _train(self, task: Task, should_stop: Callable[[], bool]) -> Output:
        training = self.training
        if training.stage == "test":
            X, y, X_scored = task.X, task.y, task.X_test
        else:
            learned, scored = task.rows(training)
            X, y, X_scored = task.X.iloc[learned], task.y[learned], task.X.iloc[scored]
        model = seeded(self.estimator, task.seed(training))
        begin = time.perf_counter()
        with polled(partial(_stop_if, should_stop)):
            model.fit(X, y)
        check_learned(model)
        fitted = time.perf_counter()
        predicted = model.predict(X_scored)
        probabilities = decisions = None
        if hasattr(model, "predict_proba"):
            probabilities = model.predict_proba(X_scored)
        elif hasattr(model, "decision_function"):
            decisions = model.decision_function(X_scored)
            if decisions.ndim == 1:
                decisions = np.column_stack([-decisions, decisions])
        end = time.perf_counter()
        return Output(
            np.searchsorted(task.classes, predicted).astype(np.int64),
            _by_class(probabilities, model, task.classes),
            _by_class(decisions, model, task.classes),
            fit_seconds=fitted - begin,
            predict_seconds=end - fitted,
            chosen=_chosen(model),
            model=model_bytes(model) if training.stage == "test" else None,
        )


def fit_again(task: Task, estimator: Any, training: Training, X: Any, y: Any) -> Any:
    """Return a model, fitted with the seed of a training."""
    with isolated():
        return seeded(estimator, task.seed(training)).fit(X, y)


def _stop_if(should_stop: Callable[[], bool]) -> None:
    if should_stop():
        raise StoppedError


def _chosen(model: Any) -> dict[str, Any] | None:
    """Return the hyperparameters that an inner search chose, by their names in the classifier."""
    last = model.steps[-1][1] if hasattr(model, "steps") else model
    params = getattr(last, "best_params_", None)
    return params and {name.rpartition("__")[2]: value for name, value in params.items()}


def _by_class(values: Any, model: Any, classes: NDArray[Any]) -> NDArray[np.float64] | None:
    """Return one column per class, where the training rows may have lacked some."""
    # One decision value per pair of classes ranks no class.
    if values is None or values.shape[1] != len(model.classes_):
        return None
    columns = np.zeros((len(values), len(classes)))
    columns[:, np.searchsorted(classes, model.classes_)] = values
    return columns


def model_bytes(model: Any) -> bytes | None:
    """Return the safetensors file of a model; None for one that the format does not hold."""
    from moodcore.model_files.container import save

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        try:
            save(getattr(model, "best_estimator_", model), path, provenance={})
        except (TypeError, ValueError):
            return None
        return path.read_bytes()
