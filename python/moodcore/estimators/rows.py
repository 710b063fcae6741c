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
        """Multiply the weights."""
        weight = factors if self.weight is None else factors * self.weight
        return replace(self, weight=np.ascontiguousarray(weight, dtype=np.float32))

    def split(self, fraction: float, seed: int) -> tuple[Self, Self]:
        """Hold out a stratified fraction of the rows."""
        kept, held = train_test_split(
            np.arange(len(self.y)), test_size=fraction, stratify=self.y, random_state=seed
        )
        return self._part(np.sort(kept)), self._part(np.sort(held))

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
