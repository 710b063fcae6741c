"""Scaling of input features inside an estimator."""

import math
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray

Kind = Literal["robust", "standard", "none"]


@dataclass(frozen=True)
class InputScale:
    """Centers and factors of features: ``z = (x - center) * factor``.

    If ``clips``, z is replaced by ``z / sqrt(1 + (z / 3)**2)``, which is close to z for small
    values and limits outliers to (-3, 3).
    """

    center: NDArray[np.float64]
    factor: NDArray[np.float64]
    clips: bool

    # Bound of the absolute value of compressed features (Holzmueller et al. 2024).
    LIMIT: ClassVar[float] = 3.0
    # Bound of the absolute value of scaled features, so that products with weights do not overflow
    # in single precision.
    LARGEST: ClassVar[float] = 1e15

    @classmethod
    def of(cls, X: NDArray[Any], weight: NDArray[Any] | None, kind: Kind | None) -> Self | None:
        """Learn the scale from training rows; constant features get the factor zero.

        "robust" subtracts the median and divides by the interquartile range, or by the full range
        where the interquartile range is zero, so that one-hot columns keep a distance of 1 between
        their values. (Holzmueller et al. 2024, "Better by default", section 3.1, divide by half of
        the range.)
        """
        if kind is None or kind == "none":
            return None
        X = np.asarray(X, dtype=np.float64)
        if kind == "standard":
            center = np.average(X, axis=0, weights=weight)
            with np.errstate(over="ignore"):
                spread = np.sqrt(np.average((X - center) ** 2, axis=0, weights=weight))
            # Rounding errors can give a constant column a tiny spread.
            spread[spread <= 1e-14 * np.abs(center)] = 0.0
        else:
            low, center, high = _quartiles(X, weight)
            smallest, largest = X.min(axis=0), X.max(axis=0)
            with np.errstate(over="ignore"):
                spread = np.where(high > low, high - low, largest - smallest)
        limits = np.finfo(np.float64)
        small = np.flatnonzero((spread > 0) & (spread < limits.tiny))
        if small.size:
            raise ValueError(
                f"all values of column {small[0]} are below 1.2e-38 in size, or vary by less than "
                "2.2e-308; scale the features first"
            )
        spread = np.minimum(spread, limits.max)
        factor = np.divide(1.0, spread, out=np.zeros_like(spread), where=spread > 0)
        return cls(center, factor, kind == "robust")

    def apply(self, X: NDArray[Any]) -> NDArray[np.float32]:
        """Scale rows and return them in single precision."""
        scaled = np.empty(X.shape, dtype=np.float32)
        # Blocks stay in the cache and avoid a copy of the whole table in double precision.
        for start in range(0, len(X), 4096):
            rows = slice(start, start + 4096)
            with np.errstate(over="ignore"):
                z = X[rows] - self.center
                z *= self.factor
            np.clip(z, -self.LARGEST, self.LARGEST, out=z)
            if self.clips:
                z /= np.sqrt(1.0 + np.square(z / self.LIMIT))
            scaled[rows] = z
        return scaled


def _quartiles(X: NDArray[np.float64], weight: NDArray[Any] | None) -> list[NDArray[np.float64]]:
    """Return the weighted quartiles of columns: a row of weight two counts as two rows."""
    if weight is None:
        # NumPy sorts contiguous values with vector instructions, which is faster than selecting
        # three of values that lie apart.
        columns = X.T.copy()
        columns.sort(axis=1)
        places = [math.ceil(len(X) * share) - 1 for share in (0.25, 0.5, 0.75)]
        # The sort treats -0.0 and 0.0 as equal; adding 0.0 turns -0.0 into 0.0.
        return list(columns[:, places].T + 0.0)
    order = np.argsort(X, axis=0)
    passed = np.cumsum(np.asarray(weight, dtype=np.float64)[order], axis=0)
    return [
        np.take_along_axis(
            X, np.take_along_axis(order, (passed < share * passed[-1]).sum(axis=0)[None], 0), 0
        )[0]
        for share in (0.25, 0.5, 0.75)
    ]
