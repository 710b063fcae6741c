"""The trainings of a comparison: which there are, on which rows, and one of them done."""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moodcore.comparison.entrants import Entrant, seeded
from moodcore.comparison.outputs import Output
from moodcore.comparison.settings import Plan
from moodcore.errors import ConfigError
from moodcore.runs.folds import cut
from moodcore.runs.seeds import Stream, derive

# The smallest point of a learning curve, as a share of the largest.
_SMALLEST_SHARE = 1 / 32
# Folds on which learning curves are measured: a picture needs fewer than a test.
_CURVE_FOLDS = 3

Rows = NDArray[np.intp]


@dataclass(frozen=True)
class Training:
    """One training: who, and on which rows.

    Attributes
    ----------
    model : str
        Key of the entrant.
    stage : {"fold", "curve", "test"}
        What it is for.
    repeat, fold : int
        Of the cross-validation, from 0.
    size : int
        Place on the learning curve, from 0 for the smallest.
    """

    model: str
    stage: str
    repeat: int = 0
    fold: int = 0
    size: int = 0

    @property
    def name(self) -> str:
        """A name for a file."""
        return f"{self.stage}-{self.repeat}-{self.fold}-{self.size}-{self.model}"

    def __str__(self) -> str:
        """Say it in words."""
        if self.stage == "test":
            return "all training rows"
        where = f"repeat {self.repeat + 1}, fold {self.fold + 1}"
        return where if self.stage == "fold" else f"learning curve, point {self.size + 1}"


@dataclass(frozen=True)
class Contest:
    """Rows, entrants and plan: everything that the results depend on.

    Attributes
    ----------
    X : table of shape (n_rows, n_columns)
        Data frame or array.
    y : ndarray of shape (n_rows,)
        Labels.
    entrants : tuple of Entrant
        Who takes part.
    plan : Plan
        How often.
    train, test : ndarray of int
        Positions of the rows that the folds are cut from, and of those put aside.
    """

    X: Any
    y: NDArray[Any]
    entrants: tuple[Entrant, ...]
    plan: Plan
    train: Rows
    test: Rows

    @cached_property
    def classes(self) -> NDArray[Any]:
        """The labels in ascending order."""
        return np.unique(self.y)

    @cached_property
    def codes(self) -> NDArray[np.int64]:
        """Position of each row's label among the classes."""
        return np.searchsorted(self.classes, self.y).astype(np.int64)

    @cached_property
    def by_key(self) -> Mapping[str, Entrant]:
        """The entrants by key."""
        return {one.key: one for one in self.entrants}

    def folds(self, repeat: int) -> list[tuple[Rows, Rows]]:
        """Return the rows that train and those that judge, for each fold of a repeat.

        The first repeat has the folds of `moodcore tune` with the same seed.
        """
        parts = cut(self.y[self.train], self.plan.folds, self.plan.seed, repeat=repeat)
        return [(self.train[one], self.train[other]) for one, other in parts]

    @property
    def test_train_ratio(self) -> float:
        """Rows that judge in a fold for each row that trains."""
        return 1 / (self.plan.folds - 1)

    @property
    def curve_folds(self) -> int:
        """Folds of the first repeat on which learning curves are measured."""
        return min(_CURVE_FOLDS, self.plan.folds)

    @cached_property
    def curve_sizes(self) -> list[int]:
        """Rows that train at each point of a learning curve, the whole of a fold last.

        None where a fold has too few rows for two points.
        """
        if not self.plan.curve_sizes:
            return []
        whole = min(len(train) for train, _ in self.folds(0))
        # A part must hold some rows of every class for the inner folds of calibration and search.
        least = min(whole, max(round(_SMALLEST_SHARE * whole), 40 * len(self.classes)))
        sizes = np.unique(np.geomspace(least, whole, self.plan.curve_sizes).round().astype(int))
        return [int(size) for size in sizes] if len(sizes) > 1 else []

    def rows(self, training: Training) -> tuple[Rows, Rows]:
        """Return the rows that train and those that judge."""
        if training.stage == "test":
            return self.train, self.test
        train, judged = self.folds(training.repeat)[training.fold]
        if training.stage == "fold":
            return train, judged
        from sklearn.model_selection import train_test_split

        part, _ = train_test_split(
            train,
            train_size=self.curve_sizes[training.size],
            stratify=self.y[train],
            random_state=derive(self.plan.seed, Stream.CURVE_ROWS, training.fold, training.size),
        )
        return np.sort(part), judged

    def trainings(self) -> list[Training]:
        """Return every training, all entrants of a fold one after another.

        A vote is not trained.
        """
        found = [
            Training(one.key, "fold", repeat, fold)
            for repeat in range(self.plan.repeats)
            for fold in range(self.plan.folds)
            for one in self.trained
        ]
        found += [Training(one.key, "test") for one in self.trained]
        # The last point of a curve is a fold itself.
        found += [
            Training(one.key, "curve", 0, fold, size)
            for fold in range(self.curve_folds)
            for size in range(len(self.curve_sizes) - 1)
            for one in self.trained
        ]
        return found

    @property
    def trained(self) -> list[Entrant]:
        """The entrants but a vote."""
        return [one for one in self.entrants if not one.is_vote]

    @property
    def members(self) -> list[Entrant]:
        """The entrants whose probabilities a combination rests on."""
        return [
            one
            for one in self.entrants
            if one.kind == "model" and hasattr(one.estimator, "predict_proba")
        ]

    def check(self) -> None:
        """Check that every fold has every class.

        Raises
        ------
        ConfigError
            If a class is too small.
        """
        if len(self.classes) < 2:
            raise ConfigError(
                f"there must be rows of at least two classes, got only {self.classes.tolist()}"
            )
        counts = np.bincount(self.codes[self.train], minlength=len(self.classes))
        if counts.min() < 2 * self.plan.folds:
            raise ConfigError(
                f"class {self.classes[counts.argmin()]!s} has {counts.min()} training rows, but "
                f"{self.plan.folds} folds need at least {2 * self.plan.folds} of every class"
            )


def train(contest: Contest, training: Training) -> Output:
    """Train one entrant and let it judge its rows.

    What goes wrong is part of the output, so that the others go on.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            output = _train(contest, training)
        # Whatever a model raises says something about this model only.
        except Exception as error:
            output = Output(np.empty(0, np.int64), failure=f"{type(error).__name__}: {error}")
    notes = dict.fromkeys(f"{one.category.__name__}: {one.message}" for one in caught)
    object.__setattr__(output, "notes", tuple(notes))
    return output


def _train(contest: Contest, training: Training) -> Output:
    from sklearn.utils import _safe_indexing
    from threadpoolctl import threadpool_limits

    learned, judged = contest.rows(training)
    model = fresh_model(contest, training)
    # One thread, or sums would depend on how many there are.
    with threadpool_limits(1):
        begin = time.perf_counter()
        model.fit(_safe_indexing(contest.X, learned), contest.y[learned])
        fitted = time.perf_counter()
        X = _safe_indexing(contest.X, judged)
        said = model.predict(X)
        probabilities = model.predict_proba(X) if hasattr(model, "predict_proba") else None
        predicted = time.perf_counter()
    decisions = None
    if probabilities is None and hasattr(model, "decision_function"):
        decisions = model.decision_function(X)
        if decisions.ndim == 1:
            decisions = np.column_stack([-decisions, decisions])
    chosen = getattr(model, "best_params_", None)
    return Output(
        np.searchsorted(contest.classes, said).astype(np.int64),
        _spread(probabilities, model, contest.classes),
        _spread(decisions, model, contest.classes),
        fit_seconds=fitted - begin,
        predict_seconds=predicted - fitted,
        chosen=None if chosen is None else {n.rpartition("__")[2]: v for n, v in chosen.items()},
        model=model_bytes(model) if training.stage == "test" else None,
    )


def fresh_model(contest: Contest, training: Training) -> Any:
    """Return the unfitted model of a training, with the seeds of the training."""
    numbers = (training.repeat, training.fold, training.size)
    stage = ("fold", "curve", "test").index(training.stage)
    seed = derive(contest.plan.seed, Stream.COMPARISON, stage, *numbers)
    # The same for all entrants: whoever else takes part changes nothing.
    return seeded(contest.by_key[training.model].estimator, seed)


def _spread(values: Any, model: Any, classes: NDArray[Any]) -> NDArray[np.float64] | None:
    """Put columns at the places of their classes, where training rows had not all of them."""
    if values is None:
        return None
    spread = np.zeros((len(values), len(classes)))
    if values.shape[1] != len(model.classes_):
        # One score for each pair of classes ranks no class.
        return None
    spread[:, np.searchsorted(classes, model.classes_)] = values
    return spread


def model_bytes(model: Any) -> bytes | None:
    """Return the safetensors file of a model, or of its classifier; None for other libraries'."""
    import tempfile
    from pathlib import Path

    from moodcore.model_files.container import save

    model = getattr(model, "best_estimator_", model)
    parts = [model]
    if hasattr(model, "steps"):
        parts.append(model.steps[-1][1])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        for part in parts:
            try:
                save(part, path, provenance={})
            except (TypeError, ValueError):
                # The format holds our own kinds only.
                continue
            return path.read_bytes()
    return None
