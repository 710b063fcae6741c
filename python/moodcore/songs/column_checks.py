"""Checks of columns against those of training: other units, lost signs, zeros for unknown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moodcore.songs.schema import RANGES

#: Shares of the rows below each of the quantiles that a model keeps.
LEVELS = (0.0, 0.01, 0.25, 0.5, 0.75, 0.99, 1.0)
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
class ColumnRange:
    """Quantiles of a column in the training data.

    Attributes
    ----------
    low, rare_low, quarter, median, three_quarters, rare_high, high : float
        Quantiles, at the shares of `LEVELS`.
    """

    low: float
    rare_low: float
    quarter: float
    median: float
    three_quarters: float
    rare_high: float
    high: float


@dataclass(frozen=True)
class ColumnWarning:
    """A column that is unlike that of training.

    Attributes
    ----------
    column : str
        Its name.
    n_rows, n_odd : int
        Rows that were checked, and those of them that are unlike.
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


def measure_columns(columns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the quantiles of each column, shape (n_columns, len(LEVELS)).

    Examples
    --------
    >>> measure_columns(np.array([[90.0], [100.0], [120.0]]))[0, [0, 3, 6]].tolist()
    [90.0, 100.0, 120.0]
    """
    # Values that occur, not means of two: they show the unit.
    quantiles = np.quantile(columns, LEVELS, axis=0, method="nearest")
    return np.ascontiguousarray(quantiles.T)


def training_ranges(model: Any) -> dict[str, ColumnRange]:
    """Return the quantiles of the training columns that a fitted model contains, if any.

    A song pipeline without quantiles, such as one from an older file, contains the lowest and the
    highest value of the columns that it scales.
    """
    quantiles = getattr(model, "training_quantiles_", None)
    if quantiles is not None:
        names = [str(name) for name in model.feature_names_in_]
        return {n: ColumnRange(*row) for n, row in zip(names, quantiles.tolist(), strict=True)}
    steps = getattr(model, "named_steps", {})
    if "minmax" not in steps or "select" not in steps:
        return {}
    names = [str(name) for name in steps["select"].get_feature_names_out()]
    ends = zip(steps["minmax"].data_min_.tolist(), steps["minmax"].data_max_.tolist(), strict=True)
    return {
        name: ColumnRange(low, low, low, (low + high) / 2, high, high, high)
        for name, (low, high) in zip(names, ends, strict=True)
    }


def check_column(
    name: str, values: NDArray[np.float64], training: ColumnRange
) -> ColumnWarning | None:
    """Compare the finite values of a column with those of training, if there are enough."""
    values = values[np.isfinite(values)]
    n_rows = len(values)
    if n_rows < _ENOUGH:
        return None
    guess = _guess(float(np.median(values)), training)
    zeros = int((values == 0).sum())
    if zeros > _MANY_ZEROS * n_rows and not training.rare_low <= 0 <= training.rare_high:
        what = "are 0, which is rare in training"
        return ColumnWarning(name, n_rows, zeros, what, f"0 for an unknown {name}?")
    outside = int(((values < training.low) | (values > training.high)).sum())
    if outside > _MANY_OUTSIDE * n_rows:
        what = f"are outside the range of training, {training.low:.6g} to {training.high:.6g}"
        return ColumnWarning(name, n_rows, outside, what, guess)
    if np.ptp(values) == 0 and training.low < training.high:
        return ColumnWarning(name, n_rows, n_rows, f"are {values[0]:.6g}: the column is constant")
    rare = int(((values < training.rare_low) | (values > training.rare_high)).sum())
    if rare > n_rows / 2:
        what = (
            f"are where 2 % of training are, beyond {training.rare_low:.6g} to "
            f"{training.rare_high:.6g}"
        )
        return ColumnWarning(name, n_rows, rare, what, guess)
    return None


def impossible_values(
    name: str, values: NDArray[np.float64], training: ColumnRange
) -> ColumnWarning | None:
    """Check a column of songs for values that no song has, unless training had such values too."""
    low = min(RANGES[name].low, training.low)
    high = max(RANGES[name].high, training.high)
    outside = (values < low) | (values > high)
    if not outside.any():
        return None
    guess = _guess(float(np.nanmedian(values)), training)
    what = f"are outside the possible values, {RANGES[name]}, such as {values[outside][0]:.6g}"
    return ColumnWarning(name, len(values), int(outside.sum()), what, guess)


def _guess(median: float, training: ColumnRange) -> str:
    """Return the change of unit that explains the difference from training, or an empty text."""

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
