"""Columns that are unlike those of training: other units, lost signs, zeros for unknown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moodcore.predict.columns import Column, to_numbers
from moodcore.predict.reading import Batch
from moodcore.songs.training_ranges import ColumnRange, training_ranges

# Fewer rows show nothing; a larger share outside the range of training is no chance.
_ENOUGH, _MANY_OUTSIDE, _MANY_ZEROS = 20, 0.02, 0.2
_FACTORS = {
    100.0: "100 times as large: percent in place of shares?",
    0.01: "a 100th as large: shares in place of percent?",
    1000.0: "1,000 times as large: another unit?",
    0.001: "a 1,000th as large: seconds in place of milliseconds?",
    1 / 60_000: "a 60,000th as large: minutes in place of milliseconds?",
}


@dataclass(frozen=True)
class Suspicion:
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
    >>> print(Suspicion("tempo", 1000, 250, "are 0, in training none", "unknown tempo as 0?"))
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


def suspicions(model: Any, looked: Sequence[Batch], columns: Sequence[Column]) -> list[Suspicion]:
    """Hold the first rows of a file against what the model knows of its training.

    Parameters
    ----------
    model : Any
        A fitted model; one that knows nothing of its training gives rise to no suspicion.
    looked : sequence of Batch
        The first rows.
    columns : sequence of Column
        Those that the model takes.
    """
    known = training_ranges(model)
    found = []
    for column in columns:
        if column.name not in known or column.labels is not None:
            continue
        parts = [to_numbers(batch.table.column(column.name))[0] for batch in looked]
        values = np.concatenate(parts) if parts else np.empty(0)
        values = values[np.isfinite(values)]
        if len(values) >= _ENOUGH:
            found += _of_column(column.name, values, known[column.name])
    return found


def _of_column(name: str, values: NDArray[np.float64], training: ColumnRange) -> list[Suspicion]:
    n_rows, guess = len(values), _guess(float(np.median(values)), training)
    zeros = int((values == 0).sum())
    if zeros > _MANY_ZEROS * n_rows and not training.rare_low <= 0 <= training.rare_high:
        what = "are 0, which is rare in training"
        return [Suspicion(name, n_rows, zeros, what, f"0 for an unknown {name}?")]
    outside = int(((values < training.low) | (values > training.high)).sum())
    if outside > _MANY_OUTSIDE * n_rows:
        what = f"lie outside the range of training, {training.low:.6g} to {training.high:.6g}"
        return [Suspicion(name, n_rows, outside, what, guess)]
    if n_rows > 1 and np.ptp(values) == 0 and training.low < training.high:
        return [Suspicion(name, n_rows, n_rows, f"are {values[0]:.6g}: the column is constant")]
    rare = int(((values < training.rare_low) | (values > training.rare_high)).sum())
    if rare > n_rows / 2:
        what = (
            f"lie where in training 2 in 100 do, beyond {training.rare_low:.6g} to "
            f"{training.rare_high:.6g}"
        )
        return [Suspicion(name, n_rows, rare, what, guess)]
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
