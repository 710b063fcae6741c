"""A labeled table to learn from, of any kind."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from moodcore.errors import ConfigError, unknown_name
from moodcore.tables.roles import (
    to_numbers,
    to_texts,
)

if TYPE_CHECKING:
    import pandas as pd
    from sklearn.pipeline import Pipeline

BadRows = Literal["strict", "drop"]
Duplicates = Literal["keep", "drop"]


@dataclass(frozen=True)
class Dataset:
    """A labeled table.

    Attributes
    ----------
    X : DataFrame of shape (n_rows, n_columns)
        Columns to learn from; the index is the row number in the source, counted from 0.
    y : ndarray of shape (n_rows,)
        Labels: text, integers or truth values; of the four moods their codes 0 to 3.
    class_names : tuple of str
        A name for each class in ascending order of the labels.
    target : str
        Name of the label column.
    source : str
        The path, or the kind of object.
    preset : str or None
        "songs", or None for any other table.
    synthetic : bool
        Whether the rows were made by `moodcore.songs.synthesize`.
    notes : tuple of str
        What was recognized, left out and dropped.
    ids : Series or None
        Identifier of each row, where the table has one.
    test : tuple of (DataFrame, ndarray) or None
        Columns and labels of a separate file for the test.
    groups : ndarray of int or None
        The same number for rows that are copies of each other, which must stay on one side of
        every split; None where there are none.
    """

    X: pd.DataFrame
    y: NDArray[Any]
    class_names: tuple[str, ...]
    target: str
    source: str
    preset: str | None = None
    synthetic: bool = False
    notes: tuple[str, ...] = ()
    ids: pd.Series[Any] | None = None
    test: tuple[pd.DataFrame, NDArray[Any]] | None = None
    groups: NDArray[np.intp] | None = None

    @property
    def noun(self) -> str:
        """What the rows are called in sentences."""
        return "songs" if self.preset == "songs" else "rows"

    @property
    def classes(self) -> NDArray[Any]:
        """The labels that occur, in ascending order."""
        return np.unique(self.y)

    @property
    def counts(self) -> dict[str, int]:
        """Rows of each class, by its name."""
        counts = np.unique(self.y, return_counts=True)[1].tolist()
        return dict(zip(self.class_names, counts, strict=True))

    def take(self, rows: NDArray[np.intp], note: str | None = None) -> Dataset:
        """Return the rows at some positions, with a note that says so."""
        return replace(
            self,
            X=self.X.iloc[rows],
            y=self.y[rows],
            notes=self.notes if note is None else (*self.notes, note),
            ids=None if self.ids is None else self.ids.iloc[rows],
            groups=None if self.groups is None else self.groups[rows],
        )

    def fingerprint(self) -> str:
        """Return the SHA-256 of the columns' names, the values and the labels."""
        digest = hashlib.sha256(repr([str(name) for name in self.X.columns]).encode())
        for name in self.X.columns:
            _digest_column(digest, self.X[name])
        digest.update(json.dumps([str(label) for label in self.y.tolist()]).encode())
        return digest.hexdigest()

    def check_features(self, features: str | Sequence[str] | None) -> list[str] | None:
        """Return the names of the features that are chosen; None for all of them.

        Raises
        ------
        ConfigError
            For a name that is no column to learn from.
        """
        if features is None or features == "all":
            return None
        if isinstance(features, str):
            raise ConfigError(
                f"features must be 'all' or a list of columns for a table that is not songs, "
                f"got {features!r}"
            )
        return known_names(features, [str(name) for name in self.X.columns], "features")

    def pipeline(
        self,
        estimator: Any,
        *,
        features: str | Sequence[str] | None = None,
        balance: bool = False,
        random_state: Any = None,
    ) -> Pipeline:
        """Return an unfitted pipeline of the preparation that the estimator needs, and itself."""
        from moodcore.tables.table_pipeline import pipeline

        return pipeline(
            estimator,
            # By name, so that no column changes its role with the rows of a fold.
            columns=self.check_features(features) or [str(name) for name in self.X.columns],
            balance=balance,
            class_names=self.class_names,
            random_state=random_state,
        )

    def preparation(
        self, estimator: Any, *, features: str | Sequence[str] | None = None
    ) -> Pipeline:
        """Return the unfitted preparation alone, for training of the estimator on its result."""
        from sklearn.pipeline import Pipeline

        return Pipeline(self.pipeline(estimator, features=features).steps[:-1])


def _digest_column(digest: Any, column: pd.Series[Any]) -> None:
    if column.dtype.kind in "biufIUFB":
        digest.update(np.ascontiguousarray(to_numbers(column)[0], dtype="<f8").tobytes())
        return
    codes, texts = to_texts(column)
    digest.update(json.dumps(texts).encode())
    digest.update(codes.astype("<i8").tobytes())


def check_counts(dataset: Dataset, folds: int) -> None:
    """Check that each class has the rows that every fold of the training part needs.

    Raises
    ------
    ConfigError
        Naming the classes with too few rows, and what to do.
    """
    needed = 2 * folds
    few = {name: count for name, count in dataset.counts.items() if count < needed}
    if few:
        listed = ", ".join(f"{name!r} ({count})" for name, count in few.items())
        raise ConfigError(
            f"{dataset.source}: {folds} folds need at least {needed} {dataset.noun} of every "
            f"class, but too few have the label {listed}; use fewer folds, join these classes with "
            "others, or leave their rows out"
        )


def known_names(names: Sequence[Any], columns: Sequence[str], what: str) -> list[str]:
    """Return names as text, once each, and refuse those that are no columns."""
    if isinstance(names, str):
        raise ConfigError(f"{what} must be a list of columns, got the text {names!r}")
    plain = list(dict.fromkeys(map(str, names)))
    for name in plain:
        if name not in columns:
            raise unknown_name(f"{what}: column", name, columns)
    return plain
