"""Rotation of features that are far from the origin, for linear models with a squared penalty.

Features whose differences float32 would round away are centered in double precision. Centering
alone changes the problem, since the intercept is regularized. With a constant feature ``s`` and the
center ``c``, a row is ``(z, 0) + (c, s)``. Reflecting at the plane between ``(c, s)`` and the last
axis (Householder 1958) changes neither scores nor the sum of squared weights, and leaves all of
``(c, s)`` in the last feature, next to which the others are small numbers.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from moodcore.estimators.rows import plain_spreads
from moodcore.estimators.svm.kernels import in_sufficient_precision

# Features of at most this many standard deviations keep enough digits in float32.
_FAR = 300.0
# The largest features whose rotation float32 holds.
_LARGEST = float(np.finfo(np.float32).max) / 1e3


@dataclass(frozen=True)
class Rotation:
    """A reflection that maps the center of rows to the last axis."""

    # The mean of each feature, then the constant feature, if there is one.
    center: NDArray[np.float64]
    # The unit normal of the plane.
    normal: NDArray[np.float64]
    n_features: int

    @classmethod
    def of_far_rows(cls, X: NDArray[np.float64], constant: float | None) -> Self | None:
        """Return the rotation for rows that float32 does not hold; None for others.

        Parameters
        ----------
        X : ndarray of shape (n_rows, n_features)
            Features.
        constant : float or None
            The constant feature whose weight is the intercept; None without an intercept.
        """
        if plain_spreads(X) is not None:
            return None
        with np.errstate(over="ignore", invalid="ignore"):
            sizes = np.maximum(X.max(axis=0), -X.min(axis=0))
            is_near = (_FAR * X.std(axis=0) >= sizes).all()
        # The first test is the cheaper one.
        if is_near or sizes.max() > _LARGEST or in_sufficient_precision(X).dtype == np.float32:
            return None
        center = X.mean(axis=0)
        if constant is not None:
            center = np.append(center, constant)
        length = np.sqrt(np.square(center).sum())
        if length == 0:
            return None
        normal = center / length
        # The sign that does not cancel.
        normal[-1] += np.copysign(1.0, normal[-1])
        normal /= np.sqrt(np.square(normal).sum())
        return cls(center, normal, X.shape[1])

    def rows(self, X: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return rotated rows, of one feature more if there is a constant feature."""
        rotated = np.zeros((len(X), len(self.center)))
        rotated[:, : self.n_features] = X - self.center[: self.n_features]
        rotated = self._reflected(rotated)
        rotated[:, -1] -= np.copysign(np.sqrt(np.square(self.center).sum()), self.center[-1])
        return rotated

    def weights(self, coef: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the weights and intercepts of the features from those of rotated ones."""
        coef = self._reflected(coef)
        intercept = np.zeros(len(coef))
        if len(self.center) > self.n_features:
            intercept = coef[:, -1] * self.center[-1]
        return np.ascontiguousarray(coef[:, : self.n_features]), intercept

    def _reflected(self, vectors: NDArray[np.float64]) -> NDArray[np.float64]:
        # Feature by feature: the same bits on any CPU.
        products = np.zeros(len(vectors))
        for values, along in zip(vectors.T, self.normal, strict=True):
            products += along * values
        return vectors - 2 * products[:, np.newaxis] * self.normal
