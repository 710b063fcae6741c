"""Warnings about columns that are unlike those of training: other units, lost signs, zeros."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moodcore.predict.model_columns import ModelColumns
from moodcore.predict.readers import Rows
from moodcore.predict.values import to_numbers
from moodcore.songs.training_ranges import ColumnRange, training_ranges

# Fewer rows show nothing; a larger share outside the range of training is no chance.
_ENOUGH, _MANY_OUTSIDE, _MANY_ZEROS = 20, 0.02, 0.2
_FACTORS = {
    100.0: "100 times as large: percent instead of shares?",
    0.01: "a 100th as large: shares instead of percent?",
    1000.0: "1,000 times as large: another unit?",
    0.001: "a 1,000th as large: seconds instead of milliseconds?",
    1 / 60_000: "a 60,000th as large: minutes instead of milliseconds?",
}


@dataclass(frozen=True)
class ColumnWarning:
    """A column that is unlike that of training.

    Attributes
    ----------
    column : str
    n_rows, n_odd : int
        Rows that were looked at, and those of them that are unlike.
    what : str
        What is unlike.
    guess : str
        What may have happened; may be empty.

    Examples
    --------
    >>> print(ColumnWarning("tempo", 1000, 250, "are 0, in training none", "unknown tempo as 0?"))
    column 'tempo': 250 of 1,000 rows are 0, in training none; unknown tempo as 0?
    """

    column: str
    n_rows: int
    n_odd: int
    what: str
    guess: str = ""

    def __str__(self) -> str:
        guess = f"; {self.guess}" if self.guess else ""
        return f"column {self.column!r}: {self.n_odd:,} of {self.n_rows:,} rows {self.what}{guess}"


def check_columns(model: Any, columns: ModelColumns, rows: Sequence[Rows]) -> list[ColumnWarning]:
    """Compare the first rows of a file with what the model knows of its training data.

    Parameters
    ----------
    model : classifier or pipeline
        Fitted; one that knows nothing of its training gives no warnings.
    columns : ModelColumns
        The columns of the file that it reads.
    rows : sequence of Rows
        The first rows.
    """
    known = training_ranges(model)
    warnings = []
    for column in columns.columns:
        if column.name not in known or column.kind == "category":
            continue
        name = columns.names[column.name]
        parts = [
            to_numbers(part.table.column(name), decimal_comma=part.decimal_comma)[0]
            for part in rows
        ]
        values = np.concatenate(parts) if parts else np.empty(0)
        values = values[np.isfinite(values)]
        if len(values) >= _ENOUGH:
            warnings += _check(name, values, known[column.name])
    return warnings


def _check(name: str, values: NDArray[np.float64], training: ColumnRange) -> list[ColumnWarning]:
    n_rows, guess = len(values), _guess(float(np.median(values)), training)
    zeros = int((values == 0).sum())
    if zeros > _MANY_ZEROS * n_rows and not training.rare_low <= 0 <= training.rare_high:
        what = "are 0, which is rare in training"
        return [ColumnWarning(name, n_rows, zeros, what, f"0 for an unknown {name}?")]
    outside = int(((values < training.low) | (values > training.high)).sum())
    if outside > _MANY_OUTSIDE * n_rows:
        what = f"lie outside the range of training, {training.low:.6g} to {training.high:.6g}"
        return [ColumnWarning(name, n_rows, outside, what, guess)]
    if n_rows > 1 and np.ptp(values) == 0 and training.low < training.high:
        return [ColumnWarning(name, n_rows, n_rows, f"are {values[0]:.6g}: the column is constant")]
    rare = int(((values < training.rare_low) | (values > training.rare_high)).sum())
    if rare > n_rows / 2:
        what = (
            f"lie where in training 2 in 100 do, beyond {training.rare_low:.6g} to "
            f"{training.rare_high:.6g}"
        )
        return [ColumnWarning(name, n_rows, rare, what, guess)]
    return []


def _guess(median: float, training: ColumnRange) -> str:
    """Return what would bring the median to where it was in training."""

    def is_usual(value: float) -> bool:
        return training.rare_low <= value <= training.rare_high

    if is_usual(median) or median == 0:
        return ""
    if is_usual(-median):
        return "the sign is lost?"
    for factor, text in _FACTORS.items():
        if training.quarter <= median / factor <= training.three_quarters:
            return text
    return ""
