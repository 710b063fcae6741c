"""Training rows in the form that the core takes."""

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, issparse
from sklearn.model_selection import train_test_split

# Values of sparse rows that are made dense at a time in prediction.
DENSE_VALUES = 1 << 22

# The range of normal numbers in float32.
_SMALLEST, _LARGEST = float(np.finfo(np.float32).tiny), float(np.finfo(np.float32).max)
# Mean squares of a column for which sums of squares and float32 have enough range, with a margin.
_PLAIN_SQUARES = (1e-40, 1e60)
# The smallest part of the mean square that the variance of such a column is. Rounding to float32
# then changes a value by at most 2e-6 standard deviations.
_PLAIN_VARIANCE = 1e-3
# Rows that are converted to double precision at a time: their copies stay in the cache.
_ROWS_TOGETHER = 4096


def readable(values: Any, dtype: Any = None) -> NDArray[Any]:
    """Return an array as the core reads it: C-contiguous and aligned; copied only where it is not.

    Messages between processes are cut without regard to alignment, so that an array from a Dask
    worker may begin at an odd address.
    """
    return np.require(values, dtype, ("C", "A"))


def sorted_rows(X: Any) -> csr_array:
    """Return sparse rows as ``csr_array`` with columns that ascend; copied only where needed."""
    rows = csr_array(X)
    if not rows.has_canonical_format:
        rows = rows.copy()
        rows.sum_duplicates()
    return rows


def as_float32(X: Any) -> Any:
    """Convert features to float32; a ValueError names row and column of one that overflows.

    Sparse rows become ``csr_array`` with sorted columns.
    """
    if issparse(X):
        rows = sorted_rows(X)
        with np.errstate(over="ignore"):
            values = rows.data.astype(np.float32, copy=False)
        if not np.isfinite(values).all():
            at = int(np.argmin(np.isfinite(values)))
            row = int(np.searchsorted(rows.indptr, at, side="right")) - 1
            raise ValueError(
                f"X must fit float32 (at most 3.4e38 in size), got {rows.data[at]!r} in row {row}, "
                f"column {rows.indices[at]}; scale the features first"
            )
        return csr_array((values, rows.indices, rows.indptr), shape=rows.shape)
    with np.errstate(over="ignore"):
        converted: NDArray[np.float32] = readable(X, np.float32)
    if X.dtype != np.float32 and not np.isfinite(converted).all():
        row, column = np.argwhere(~np.isfinite(converted))[0]
        raise ValueError(
            f"X must fit float32 (at most 3.4e38 in size), got {X[row, column]!r} in row {row}, "
            f"column {column}; scale the features first"
        )
    return converted


def plain_spreads(X: Any) -> NDArray[np.float64] | None:
    """Return the standard deviations of dense columns of ordinary sizes; None for other tables.

    Rounding such columns to float32 changes no differences of rows. Two sums per column show it,
    which takes a small part of the time of the computations that also hold for other tables.
    """
    if issparse(X):
        return None
    sums, squares = np.zeros((2, X.shape[1]))
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        for start in range(0, len(X), _ROWS_TOGETHER):
            values = X[start : start + _ROWS_TOGETHER].astype(np.float64)
            # Sums over rows are four times as fast by `einsum` as by `sum`.
            sums += np.einsum("ij->j", values)
            squares += np.einsum("ij,ij->j", values, values)
        squares /= len(X)
        variances = squares - np.square(sums / len(X))
    smallest, largest = _PLAIN_SQUARES
    in_range = (squares > smallest) & (squares < largest)
    # Squares of tiny values are zero, too.
    is_plain = in_range & (variances > _PLAIN_VARIANCE * squares)
    if not is_plain.all() and X[:, ~is_plain].any():
        return None
    return np.sqrt(np.where(is_plain, variances, 0.0))


def check_small_columns(X: NDArray[Any], converted: NDArray[np.float32]) -> None:
    """Raise a ValueError for a column whose values all vanish in float32."""
    if issparse(X) or X.dtype == np.float32 or not len(X) or plain_spreads(X) is not None:
        return
    size = np.maximum(converted.max(axis=0), -converted.min(axis=0))
    for column in np.flatnonzero(size < _SMALLEST):
        if X[:, column].any():
            raise ValueError(
                f"X must fit float32: all values of column {column} are below 1.2e-38 in size; "
                "scale the features first"
            )


def float32_weights(weight: NDArray[Any]) -> NDArray[np.float32]:
    """Convert positive row weights to float32.

    Raises
    ------
    ValueError
        If a weight is too large or too small for float32.
    """
    smallest, largest = weight.min(), weight.max()
    if not (smallest >= _SMALLEST and largest <= _LARGEST):
        value = largest if largest > _LARGEST else smallest
        raise ValueError(
            "row weights (sample_weight times class_weight) must be 0 or from 1.2e-38 to 3.4e38, "
            f"got {value:.3g}; scale them"
        )
    return readable(weight, np.float32)


def check_finite_scores(scores: NDArray[np.float64], X: Any) -> NDArray[np.float64]:
    """Return the scores of rows; a ValueError names the first row whose scores are not finite."""
    if np.isfinite(scores).all():
        return scores
    row = int(np.argwhere(~np.isfinite(scores))[0][0])
    values = X[[row]].toarray()[0] if issparse(X) else X[row]
    column = int(np.abs(values).argmax())
    raise ValueError(
        f"the scores of row {row} overflow: X has {values[column]:.3g} in column {column}; scale "
        "the features as those of the training data"
    )


def hold_out(
    y: NDArray[Any], fraction: float, seed: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Choose rows for evaluation, stratified if the classes have enough rows.

    The only row of a class is never held out, unless all classes have one row.

    Parameters
    ----------
    y : ndarray of shape (n_rows,)
        Class codes.
    fraction : float
        Fraction of the rows to hold out, in (0, 1).
    seed : int

    Returns
    -------
    kept, held : ndarray
        Row indices, ascending.

    Raises
    ------
    ValueError
        If there are fewer than two rows.
    """
    n_rows = len(y)
    if n_rows < 2:
        raise ValueError(f"holding out rows needs at least 2 rows, got n_samples={n_rows}")
    counts = np.bincount(y)
    rows = np.flatnonzero(counts[y] > 1)
    if len(rows) < 2:
        rows = np.arange(n_rows)
    n_held = min(int(np.ceil(fraction * n_rows)), len(rows) - 1)
    present = np.unique(y[rows])
    fits = counts[present].min() > 1 and len(present) <= min(n_held, len(rows) - n_held)
    _, held = train_test_split(
        rows, test_size=n_held, stratify=y[rows] if fits else None, random_state=seed
    )
    is_held = np.zeros(n_rows, dtype=bool)
    is_held[held] = True
    return np.flatnonzero(~is_held), np.flatnonzero(is_held)


def dense_float32(X: Any) -> Any:
    """Return sparse rows as a float32 array, four bytes per value, and arrays as they are."""
    return as_float32(X).toarray(order="C") if issparse(X) else X


def core_features(X: Any) -> Any:
    """Return features as the core takes them: a matrix, or the parts of sparse rows."""
    if not issparse(X):
        return X
    return (
        readable(X.indptr, np.int64),
        readable(X.indices, np.int32),
        readable(X.data),
        X.shape[1],
    )


@dataclass(frozen=True)
class TrainingRows:
    """Features, class codes and weights; all weights are above zero."""

    # Or a csr_array.
    X: NDArray[np.float32]
    # Positions in ``classes_``.
    y: NDArray[np.uint32]
    # None if all weights are equal.
    weight: NDArray[np.float32] | None

    @classmethod
    def of(cls, X: NDArray[Any], codes: NDArray[Any], weight: NDArray[Any] | None) -> Self:
        """Convert to the types of the core."""
        weight = None if weight is None else float32_weights(weight)
        return cls(as_float32(X), readable(codes, np.uint32), weight)

    def arrays(self) -> tuple[Any, NDArray[np.uint32], NDArray[np.float32] | None]:
        """Return the three arguments of the core."""
        return core_features(self.X), self.y, self.weight

    def weighted(self, factors: NDArray[np.float64]) -> Self:
        """Multiply the weights, and leave out rows whose weight becomes zero."""
        kept = np.flatnonzero(factors)
        part, factors = (self, factors) if factors.all() else (self._part(kept), factors[kept])
        weight = factors if part.weight is None else factors * part.weight
        return replace(part, weight=float32_weights(weight))

    def split(self, fraction: float, seed: int) -> tuple[Self, Self]:
        """Hold out a fraction of the rows (see `hold_out`)."""
        kept, held = hold_out(self.y, fraction, seed)
        return self._part(kept), self._part(held)

    def merged(self) -> Self:
        """Merge equal rows of equal class, adding their weights, and sort them.

        The gradient of all rows at once does not depend on their order, nor on whether a row is
        repeated or has twice the weight; after this, neither does its rounding.
        """
        keys = np.column_stack([self.X, self.y.astype(np.float32)])
        _, first, group = np.unique(keys, axis=0, return_index=True, return_inverse=True)
        weight = np.bincount(group.reshape(-1), weights=self.weight)
        return replace(self._part(first), weight=weight.astype(np.float32))

    def _part(self, at: NDArray[np.intp]) -> Self:
        weight = None if self.weight is None else self.weight[at]
        return replace(self, X=self.X[at], y=self.y[at], weight=weight)
