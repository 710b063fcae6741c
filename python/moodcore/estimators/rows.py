"""Training rows in the form that the core takes."""

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split


def readable(values: Any, dtype: Any = None) -> NDArray[Any]:
    """Return an array as the core reads it: C-contiguous and aligned; copied only where it is not.

    Messages between processes are cut without regard to alignment, so that an array from a Dask
    worker may begin at an odd address.
    """
    return np.require(values, dtype, ("C", "A"))


def as_float32(X: NDArray[Any]) -> NDArray[np.float32]:
    """Convert features to float32; a ValueError names row and column of one that overflows."""
    with np.errstate(over="ignore"):
        converted: NDArray[np.float32] = readable(X, np.float32)
    if X.dtype != np.float32 and not np.isfinite(converted).all():
        row, column = np.argwhere(~np.isfinite(converted))[0]
        raise ValueError(
            f"X must fit float32 (at most 3.4e38 in size), got {X[row, column]!r} in row {row}, "
            f"column {column}; scale the features first"
        )
    return converted


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
    held = np.sort(held)
    return np.setdiff1d(np.arange(n_rows), held), held


@dataclass(frozen=True)
class TrainingRows:
    """Features, class codes and weights; all weights are above zero."""

    X: NDArray[np.float32]
    # Positions in ``classes_``.
    y: NDArray[np.uint32]
    # None if all weights are equal.
    weight: NDArray[np.float32] | None

    @classmethod
    def of(cls, X: NDArray[Any], codes: NDArray[Any], weight: NDArray[Any] | None) -> Self:
        """Convert to the types of the core."""
        weight = None if weight is None else readable(weight, np.float32)
        return cls(as_float32(X), readable(codes, np.uint32), weight)

    def arrays(self) -> tuple[NDArray[np.float32], NDArray[np.uint32], NDArray[np.float32] | None]:
        """Return the three arguments of the core."""
        return self.X, self.y, self.weight

    def weighted(self, factors: NDArray[np.float64]) -> Self:
        """Multiply the weights, and leave out rows whose weight becomes zero."""
        weight = factors if self.weight is None else factors * self.weight
        weighted = replace(self, weight=np.ascontiguousarray(weight, dtype=np.float32))
        return weighted if factors.all() else weighted._part(np.flatnonzero(factors))

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
