"""Rows of a kernel: features in single or double precision, or kernel values in double."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, issparse

from moodcore import _core
from moodcore.estimators.rows import plain_spreads, readable, sorted_rows

# Features whose spreads differ by more than this make one of them the kernel.
_UNEVEN = 1e3
# Rows from which spreads are computed for a warning.
_ENOUGH = 10_000
# Part of a feature's standard deviation that rounding to float32 may change.
_ROUNDED = 1e-5


def support_vectors(core: _core.SvmModel) -> Any:
    """Return the support vectors of a fitted model: an array, or ``csr_array``; read-only."""
    vectors = core.vectors
    if not isinstance(vectors, tuple):
        return vectors
    starts, columns, values, n_features = vectors
    return csr_array((values, columns, starts), shape=(len(starts) - 1, n_features))


def dense_support_vectors(core: _core.SvmModel) -> NDArray[Any]:
    """Return the support vectors of a fitted model as an array."""
    vectors = support_vectors(core)
    dense: NDArray[Any] = vectors.toarray() if issparse(vectors) else vectors
    return dense


def in_sufficient_precision(X: Any) -> Any:
    """Return features as float32, or as float64 if rounding would change their differences.

    That is so if a column's mean is some hundred times its standard deviation, and for values
    outside the range of float32. Sparse rows become ``csr_array`` with sorted columns.
    """
    if issparse(X):
        return _sparse_in_sufficient_precision(sorted_rows(X))
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


def _sparse_in_sufficient_precision(X: csr_array) -> csr_array:
    if X.dtype == np.float32:
        return X
    with np.errstate(over="ignore", under="ignore"):
        rounded = X.data.astype(np.float32)
        if not np.isfinite(rounded).all():
            return X
        sizes, spreads = _relative_spreads(X)
        lost = np.square((X.data - rounded) / sizes[X.indices])
        losses = np.sqrt(np.bincount(X.indices, lost, X.shape[1]) / X.shape[0])
    if (losses[spreads > 0] > _ROUNDED * spreads[spreads > 0]).any():
        return X
    return csr_array((rounded, X.indices, X.indptr), shape=X.shape)


def _relative_spreads(X: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the largest size of each column, and the standard deviation as a part of it.

    Squares of the largest and the smallest numbers would be infinite or zero.
    """
    if issparse(X):
        n_rows, n_columns = X.shape
        sizes = np.zeros(n_columns)
        np.maximum.at(sizes, X.indices, np.abs(X.data))
        sizes[sizes == 0] = 1
        values = X.data / sizes[X.indices]
        means = np.bincount(X.indices, values, n_columns) / n_rows
        squares = np.bincount(X.indices, np.square(values - means[X.indices]), n_columns)
        n_zeros = n_rows - np.bincount(X.indices, minlength=n_columns)
        return sizes, np.sqrt((squares + n_zeros * np.square(means)) / n_rows)
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
    features: Any,
    advice: str,
    consequence: str = "the widest decide alone",
    stacklevel: int = 4,
    spreads: NDArray[np.float64] | None = None,
) -> None:
    """Warn of features of very different scales, with the consequence and what to do.

    ``spreads`` are the standard deviations of the features if they are known.
    """
    if spreads is None:
        # Evenly spaced rows show orders of magnitude as well as all rows do.
        sample = features[:: features.shape[0] // _ENOUGH + 1]
        spreads = plain_spreads(sample)
        if spreads is None:
            with np.errstate(over="ignore", under="ignore"):
                spreads = np.multiply(*_relative_spreads(sample))
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
