"""Values of a table of songs, column by column: conversion to numbers, and problems found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from moodcore.estimators.categories import number_in
from moodcore.songs.problems import Problem
from moodcore.songs.schema import DURATION, LABEL, LABEL_NAMES, RANGES
from moodcore.tables.columns import Range
from moodcore.tables.roles import to_numbers, to_texts

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
    percentages : list of str
        Columns of shares that hold percentages.
    seconds : str
        The duration, if it is in seconds.
    """

    bad: NDArray[np.bool_]
    problems: list[Problem] = field(default_factory=list)
    percentages: list[str] = field(default_factory=list)
    seconds: str = ""

    def feature(self, name: str, column: pd.Series[Any]) -> NDArray[np.float64]:
        """Return the values of a feature; those of bad rows have no meaning."""
        values, is_text = to_numbers(column)
        if column.dtype.kind == "b":
            values, is_text = np.full(len(values), np.nan), np.ones(len(values), dtype=bool)
        allowed = RANGES[name]
        infinite = np.isinf(values)
        with np.errstate(invalid="ignore"):
            outside = ((values < allowed.low) | (values > allowed.high)) & ~infinite
        self._note(column, "missing", np.isnan(values) & ~is_text, str(allowed))
        self._note(column, "not a number", is_text, str(allowed))
        self._note(column, "infinite", infinite, str(allowed))
        self._note(column, "out of range", outside, str(allowed))
        present = values[np.isfinite(values)]
        if not len(present):
            return values
        if name == DURATION and np.median(present) < _SHORTEST_MEDIAN:
            self.seconds = f"{column.name!r} (median {np.median(present):g})"
            self.bad[:] = True
        if allowed == Range(0, 1) and present.min() >= 0 and 1 < np.median(present) <= 100:
            self.percentages.append(repr(column.name))
        return values

    def label(
        self, column: pd.Series[Any], names: Sequence[str] | None
    ) -> tuple[NDArray[np.int64], tuple[str, ...]]:
        """Return the codes of the labels, 0 for bad rows, and the name of each code.

        Labels may be codes or, in any case, names; without `names` they are the four moods, or
        whatever other classes the column holds.
        """
        codes, texts = to_texts(column)
        known = _places(texts, LABEL_NAMES if names is None else names)
        if names is None and _are_other_labels(codes, known):
            order = sorted(range(len(texts)), key=lambda at: _sort_key(texts[at]))
            names = tuple(texts[at] for at in order)
            known = np.argsort(order)
        names = LABEL_NAMES if names is None else tuple(names)
        found = np.append(known, -1)[codes]
        allowed = ", ".join(f"{code} ({name})" for code, name in enumerate(names))
        self._note(column, "unlabeled", codes < 0, allowed)
        self._note(column, "not a label", (found < 0) & (codes >= 0), allowed)
        return np.maximum(found, 0).astype(np.int64), names

    @property
    def hints(self) -> list[str]:
        """Columns that are in another unit, and what to do."""
        hints = []
        if self.percentages:
            hints.append(
                f"percentages in {', '.join(self.percentages)}: divide these columns by 100, or "
                "learn from the table as it is with --target and the column of the labels"
            )
        if self.seconds:
            hints.append(
                f"column {self.seconds} looks like seconds; multiply it by 1,000 to get "
                "milliseconds"
            )
        return hints

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


def repeats(X: pd.DataFrame, y: NDArray[np.int64] | None) -> NDArray[np.bool_]:
    """Return which rows repeat an earlier one, the label included."""
    table = X if y is None else X.assign(**{LABEL: y})
    return table.duplicated().to_numpy()


def _places(texts: Sequence[str], names: Sequence[str]) -> NDArray[np.intp]:
    """Return the code of each text that is a code or a name, -1 for the others."""
    codes = {str(code): code for code in range(len(names))}
    codes |= {name.strip().casefold(): code for code, name in enumerate(names)}
    plain = [text.strip().casefold().removesuffix(".0") for text in texts]
    return np.array([codes.get(text, -1) for text in plain], dtype=np.intp)


def _are_other_labels(codes: NDArray[np.intp], known: NDArray[np.intp]) -> bool:
    """Return whether labels other than the four moods are classes rather than mistakes."""
    counts = np.bincount(codes[codes >= 0], minlength=len(known))
    unknown = counts[known < 0]
    if not len(unknown):
        return False
    return bool(unknown.sum() > counts.sum() / 2 or unknown.min() >= _CLASS_ROWS)


def _sort_key(text: str) -> tuple[bool, float, str]:
    number = number_in(text)
    return number is None, number or 0.0, text
