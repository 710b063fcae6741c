"""What the columns looked like in training, so that other units are noticed later."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Shares of the rows below each of the quantiles.
LEVELS = (0.0, 0.01, 0.25, 0.5, 0.75, 0.99, 1.0)


@dataclass(frozen=True)
class ColumnRange:
    """The values of a column in training.

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


def measure_columns(columns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the quantiles of each column, shape (n_columns, len(LEVELS)).

    Examples
    --------
    >>> measure_columns(np.array([[90.0], [100.0], [120.0]]))[0, [0, 3, 6]].tolist()
    [90.0, 100.0, 120.0]
    """
    # Values that are there, not means of two: a unit is told by what can occur.
    found = np.quantile(columns, LEVELS, axis=0, method="nearest")
    return np.ascontiguousarray(found.T)


def training_ranges(model: Any) -> dict[str, ColumnRange]:
    """Return what a fitted model knows of the columns that it takes.

    Parameters
    ----------
    model : SongPipeline, or any other model
        A pipeline without quantiles, such as one from an older file, knows the lowest and the
        highest value of the columns that it scales.

    Returns
    -------
    dict of str to ColumnRange
        By column; empty for models that know nothing of the kind.
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
