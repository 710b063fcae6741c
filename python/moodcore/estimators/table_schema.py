"""From columns of numbers and labels to the table of numbers that the core reads."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from moodcore.estimators.tables import Column, Labels, RawTable

# What crosses the seam: a matrix contiguous by rows or by columns, or contiguous columns.
Table = NDArray[Any] | list[NDArray[Any]]


@dataclass(frozen=True)
class TableSchema:
    """What training learnt about the columns.

    Attributes
    ----------
    categorical : tuple of bool
        Which columns hold categories.
    categories : tuple of list or None
        The labels of each column that held labels, in the order of their codes; None where the
        values themselves are numbers.
    missing : float or str
        A value that counts as missing, besides NaN.
    """

    categorical: tuple[bool, ...]
    categories: tuple[list[Any] | None, ...]
    missing: Any

    @classmethod
    def learn(cls, table: RawTable, categorical: NDArray[np.bool_] | None, missing: Any) -> Self:
        """Learn which columns are categories, and their labels.

        Parameters
        ----------
        table : RawTable
        categorical : ndarray of bool, optional
            Which columns are categories; those that hold labels, by default.
        missing : float or str
            A value that counts as missing, besides NaN.

        Raises
        ------
        ValueError
            When a column holds text and is not categorical.
        """
        if table.matrix is not None:
            chosen = np.zeros(table.matrix.shape[1], bool) if categorical is None else categorical
            return cls(tuple(chosen.tolist()), (None,) * len(chosen), missing)
        if categorical is None:
            categorical = np.array([isinstance(column, Labels) for column in table.columns])
        categories = [
            _seen_labels(column, missing) if chosen and isinstance(column, Labels) else None
            for column, chosen in zip(table.columns, categorical, strict=True)
        ]
        return cls(tuple(categorical.tolist()), tuple(categories), missing)

    @property
    def has_labels(self) -> bool:
        """Whether a column held labels."""
        return any(labels is not None for labels in self.categories)

    @property
    def takes_plain_rows(self) -> bool:
        """Whether the values of a row are what the core takes, as they are."""
        return not self.has_labels and _is_nan(self.missing)

    def table(self, raw: RawTable) -> Table:
        """Convert a table to numbers; unknown labels become NaN.

        Raises
        ------
        ValueError
            When a column holds text that held numbers in training, or the other way round.
        """
        if raw.matrix is not None and not self.has_labels:
            return contiguous(self._without_missing(raw.matrix))
        encoded = [
            self._encode(column, labels, at)
            for at, (column, labels) in enumerate(
                zip(raw.as_columns(), self.categories, strict=True)
            )
        ]
        return [np.ascontiguousarray(column) for column in encoded]

    def row(self, values: Sequence[Any]) -> list[float]:
        """Convert the values of one row."""
        row = []
        for value, categories in zip(values, self.categories, strict=True):
            if value is None or value == self.missing:
                row.append(np.nan)
            elif categories is None:
                row.append(float(value))
            else:
                row.append(categories.index(value) if value in categories else np.nan)
        return row

    def _without_missing(self, values: NDArray[Any]) -> NDArray[Any]:
        """Put NaN for the value that counts as missing."""
        if _is_nan(self.missing) or isinstance(self.missing, str):
            return values
        is_missing = values == self.missing
        if not is_missing.any():
            return values
        values = values.copy()
        values[is_missing] = np.nan
        return values

    def _encode(self, column: Column, categories: list[Any] | None, at: int) -> NDArray[Any]:
        if categories is None:
            if isinstance(column, Labels):
                column = _numbers(column, at, self.missing)
            return self._without_missing(column)
        if not isinstance(column, Labels):
            column = _as_labels(column, categories, at)
        places = {label: place for place, label in enumerate(categories)}
        lookup = [places.get(label, np.nan) for label in column.labels]
        # The last one is for the code -1.
        return np.array([*lookup, np.nan], dtype=np.float64)[column.codes]


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _seen_labels(column: Labels, missing: Any) -> list[Any]:
    """Give the labels that occur, sorted where they can be."""
    places = np.flatnonzero(np.bincount(column.codes[column.codes >= 0]))
    seen = [column.labels[place] for place in places if not _same(column.labels[place], missing)]
    try:
        return sorted(seen)
    except TypeError:
        return seen


def _same(label: Any, missing: Any) -> bool:
    return label is None or _is_nan(label) or bool(label == missing)


def _numbers(column: Labels, at: int, missing: Any) -> NDArray[np.float64]:
    """Read labels as numbers, for a column that is not categorical."""
    values = []
    for label in column.labels:
        if _same(label, missing):
            label = np.nan
        if isinstance(label, str) or not np.isscalar(label):
            raise ValueError(
                f"column {at} must hold numbers, got {label!r}; text is taken where the column "
                "is named in categorical_features, or with categorical_features='from_dtype'"
            )
        values.append(float(label))  # type: ignore[arg-type]
    return np.array([*values, np.nan])[column.codes]


def _as_labels(column: NDArray[Any], categories: Sequence[Any], at: int) -> Labels:
    """Read numbers as labels, for a column whose labels are numbers."""
    if any(isinstance(label, str) for label in categories) and not np.isnan(column).all():
        raise ValueError(
            f"column {at} held categories such as {categories[0]!r} in training, got numbers"
        )
    labels, codes = np.unique(column, return_inverse=True)
    return Labels(codes, labels.tolist())


def contiguous(values: NDArray[Any]) -> NDArray[Any]:
    """Give a matrix that the core can read in place, copied only where it must be."""
    in_place = values.flags.c_contiguous or values.flags.f_contiguous
    return values if in_place and values.flags.aligned else np.ascontiguousarray(values.copy())


def take_rows(table: Table, rows: NDArray[Any]) -> Table:
    """Give some rows of a table."""
    if isinstance(table, list):
        return [column[rows] for column in table]
    return contiguous(table[rows])


def row_count(table: Table) -> int:
    """Count the rows of a table."""
    return len(table[0]) if isinstance(table, list) else len(table)
