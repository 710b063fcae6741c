"""Values of a table of songs, column by column: conversion to numbers, and problems found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from moodcore.songs.problems import Problem
from moodcore.songs.schema import DURATION, LABEL, LABEL_NAMES, RANGES
from moodcore.tables.columns import Range
from moodcore.tables.roles import category_text, to_numbers, without_missing_texts

if TYPE_CHECKING:
    import pandas as pd

# A label that is no mood makes a set of labels of its own when it has this many rows.
_CLASS_ROWS = 10
# No collection of songs is so short; one of seconds is.
_SHORTEST_MEDIAN = 5_000


@dataclass
class Checker:
    """Converts columns to numbers and collects the rows that cannot be used.

    Attributes
    ----------
    bad : ndarray of bool, shape (n_rows,)
        Rows with a problem in any column so far.
    problems : list of Problem
        In the order of the columns.
    hints : list of str
        Columns that are in another unit, and what to do.
    """

    bad: NDArray[np.bool_]
    problems: list[Problem] = field(default_factory=list)
    hints: list[str] = field(default_factory=list)

    def feature(self, name: str, column: pd.Series[Any]) -> NDArray[np.float64]:
        """Return the values of a feature; those of bad rows have no meaning."""
        values, is_text = to_numbers(column)
        if column.dtype.kind == "b":
            values, is_text = np.full(len(values), np.nan), np.ones(len(values), dtype=bool)
        absent = np.isnan(values) & ~is_text
        allowed = RANGES[name]
        problems = faults(values, absent, allowed)
        for kind, rows in problems.items():
            self._note(column, kind, rows, f"{allowed}")
        present = values[np.isfinite(values)]
        if len(present) and name == DURATION and np.median(present) < _SHORTEST_MEDIAN:
            self.hints.append(
                f"column {column.name!r} looks like seconds (median {np.median(present):g}); "
                "multiply it by 1,000 to get milliseconds"
            )
            self.bad[:] = True
        return values

    def label(
        self, column: pd.Series[Any], names: Sequence[str] | None
    ) -> tuple[NDArray[np.int64], tuple[str, ...]]:
        """Return the codes of the labels, 0 for bad rows, and the name of each code.

        Labels may be codes or, in any case, names; without `names` they are the four moods, or
        whatever other classes the column holds.
        """
        codes, values = _factorize(column)
        known = _places(values, LABEL_NAMES if names is None else names)
        if names is None and _are_other_labels(codes, known):
            order = sorted(range(len(values)), key=lambda at: _sort_key(values[at]))
            names = tuple(str(values[at]) for at in order)
            known = np.argsort(order)
        names = LABEL_NAMES if names is None else tuple(names)
        found = np.append(known, -1)[codes]
        allowed = ", ".join(f"{code} ({name})" for code, name in enumerate(names))
        self._note(column, "unlabeled", codes < 0, allowed)
        self._note(column, "not a label", (found < 0) & (codes >= 0), allowed)
        return np.maximum(found, 0).astype(np.int64), names

    def _note(
        self, column: pd.Series[Any], kind: str, rows: NDArray[np.bool_], allowed: str
    ) -> None:
        count = int(rows.sum())
        if not count:
            return
        first = int(rows.argmax())
        value = column.iloc[first]
        value = value.item() if isinstance(value, np.generic) else value
        self.problems.append(Problem(str(column.name), kind, count, first, value, allowed))
        self.bad |= rows


def faults(
    values: NDArray[np.float64], absent: NDArray[np.bool_], allowed: Range
) -> dict[str, NDArray[np.bool_]]:
    """Return which values of a column cannot be used, by what is wrong with them.

    Parameters
    ----------
    values : ndarray of float64, shape (n_rows,)
        NaN where there is no number.
    absent : ndarray of bool, shape (n_rows,)
        Where there is no value at all.
    allowed : Range
        The values that the column may hold.
    """
    infinite = np.isinf(values)
    with np.errstate(invalid="ignore"):
        outside = ((values < allowed.low) | (values > allowed.high)) & ~infinite
    return {
        "missing": absent,
        "not a number": np.isnan(values) & ~absent,
        "infinite": infinite,
        "out of range": outside,
    }


def percentages(problems: Sequence[Problem], frame: pd.DataFrame) -> list[str]:
    """Return the columns of shares that look like percentages, by their problems."""
    suspects = [
        problem.column
        for problem in problems
        if problem.kind == "out of range" and problem.allowed == str(Range(0, 1))
    ]
    found = []
    for name in suspects:
        values = to_numbers(frame[name])[0]
        values = values[np.isfinite(values)]
        if values.min() >= 0 and np.quantile(values, 0.9) > 1 and values.max() <= 100:
            found.append(name)
    return found


def repeats(X: pd.DataFrame, y: NDArray[np.int64] | None) -> NDArray[np.bool_]:
    """Return which rows repeat an earlier one, the label included."""
    table = X if y is None else X.assign(**{LABEL: y})
    return table.duplicated().to_numpy()


def _factorize(column: pd.Series[Any]) -> tuple[NDArray[np.intp], list[Any]]:
    """Return the code of each value, -1 where it is missing, and the values."""
    import pandas as pd

    codes, distinct = pd.factorize(without_missing_texts(column))
    return codes, [value.item() if isinstance(value, np.generic) else value for value in distinct]


def _places(values: Sequence[Any], names: Sequence[str]) -> NDArray[np.intp]:
    """Return the code of each value that is a code or a name, -1 for the others."""
    codes = {name.strip().casefold(): code for code, name in enumerate(names)}
    codes |= {str(code): code for code in range(len(names))}

    def place(value: Any) -> int:
        if isinstance(value, bool):
            return -1
        if isinstance(value, str):
            text = value.strip().casefold()
            return codes.get(text, codes.get(text.removesuffix(".0"), -1))
        try:
            return codes.get(category_text(value), -1)
        except TypeError:
            return -1

    return np.array([place(value) for value in values], dtype=np.intp)


def _are_other_labels(codes: NDArray[np.intp], known: NDArray[np.intp]) -> bool:
    """Whether labels that are no moods make a set of labels of their own."""
    counts = np.bincount(codes[codes >= 0], minlength=len(known))
    unknown = counts[known < 0]
    if not len(unknown):
        return False
    return bool(unknown.sum() > counts.sum() / 2 or unknown.min() >= _CLASS_ROWS)


def _sort_key(value: Any) -> tuple[bool, Any]:
    return isinstance(value, str), value if isinstance(value, str) else float(value)
