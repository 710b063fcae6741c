"""Rows of a kernel: features in single or double precision, or kernel values in double."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moodcore.estimators.rows import readable

# Features whose spreads differ by more than this make one of them the kernel.
_UNEVEN = 1e3
# Rows from which spreads are computed for a warning.
_ENOUGH = 10_000
# Part of a feature's standard deviation that rounding to float32 may change.
_ROUNDED = 1e-5


def in_sufficient_precision(X: NDArray[Any]) -> NDArray[np.float32] | NDArray[np.float64]:
    """Return features as float32, or as float64 if rounding would change their differences.

    That is so if a column's mean is some hundred times its standard deviation, and for values
    outside the range of float32.
    """
    if X.dtype == np.float32:
        return readable(X, np.float32)
    with np.errstate(over="ignore", under="ignore"):
        rounded: NDArray[np.float32] = readable(X, np.float32)
        if not np.isfinite(rounded).all():
            return readable(X, np.float64)
        sizes, spreads = _relative_spreads(X)
        losses = np.sqrt(np.square((X - rounded) / sizes).mean(axis=0))
    if (losses[spreads > 0] > _ROUNDED * spreads[spreads > 0]).any():
        return readable(X, np.float64)
    return rounded


def _relative_spreads(X: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the largest size of each column, and the standard deviation as a part of it.

    Squares of the largest and the smallest numbers would be infinite or zero.
    """
    sizes = np.abs(X).max(axis=0).astype(np.float64)
    sizes[sizes == 0] = 1
    return sizes, (X / sizes).std(axis=0, dtype=np.float64)


def kernel_matrix(kernel: Any, X: NDArray[Any], Z: NDArray[Any]) -> NDArray[np.float64]:
    """Call a user's kernel and check the matrix that it returns."""
    values = readable(kernel(X, Z), np.float64)
    if values.shape != (len(X), len(Z)):
        raise ValueError(
            f"the kernel must return an array of shape {(len(X), len(Z))}, got {values.shape}"
        )
    if not np.isfinite(values).all():
        row, column = np.argwhere(~np.isfinite(values))[0]
        raise ValueError(
            f"kernel values must be finite, got {values[row, column]} for rows {row} and {column}"
        )
    return values


def warn_of_uneven_spreads(
    features: NDArray[Any],
    advice: str,
    consequence: str = "the widest decide alone",
    stacklevel: int = 4,
) -> None:
    """Warn of features of very different scales, with the consequence and what to do."""
    with np.errstate(over="ignore", under="ignore"):
        # Evenly spaced rows show orders of magnitude as well as all rows do.
        spreads = np.multiply(*_relative_spreads(features[:: len(features) // _ENOUGH + 1]))
    varied = spreads[spreads > 0]
    if varied.size and varied.max() > _UNEVEN * varied.min():
        widest, narrowest = (
            int(spreads.argmax()),
            int(np.where(spreads > 0, spreads, np.inf).argmin()),
        )
        warnings.warn(
            f"features differ by orders of magnitude (standard deviation {spreads[widest]:.3g} in "
            f"column {widest}, {spreads[narrowest]:.3g} in column {narrowest}): {consequence}. "
            f"{advice}",
            UserWarning,
            stacklevel=stacklevel,
        )
