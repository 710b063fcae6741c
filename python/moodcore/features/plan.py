"""What a study measures: which models, which choices of features, how often."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from moodcore.errors import ConfigError
from moodcore.runs.settings import check_whole

THRESHOLDS = (0.9, 0.8, 0.7, 0.6, 0.5)
# Up to so many features, elimination is measured at each size; of more, at so many sizes.
_EACH = 12
_SIZES = 8


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How a study is done.

    Attributes
    ----------
    thresholds : tuple of float, default=(0.9, 0.8, 0.7, 0.6, 0.5)
        Absolute correlations above which the filter drops a feature, each in [0, 1].
    sizes : tuple of int or None, default=None
        Numbers of features at which elimination is measured, each at least 1; None means each
        number below that of the features, or eight of them where there are more than twelve.
    folds : int, default=5
        Parts of the cross-validation, at least 2.
    repeats : int, default=5
        How often each feature is shuffled in each fold, at least 1.
    balance : bool, default=False
        Whether training rows are downsampled to equal classes.
    seed : int, default=0
        What every random choice derives from, at least 0.

    Raises
    ------
    ConfigError
        For a value out of range.

    Examples
    --------
    >>> Plan(folds=1)
    Traceback (most recent call last):
        ...
    moodcore.errors.ConfigError: folds must be a whole number of at least 2, got 1
    """

    thresholds: tuple[float, ...] = THRESHOLDS
    sizes: tuple[int, ...] | None = None
    folds: int = 5
    repeats: int = 5
    balance: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        """Check every range."""
        for name, least in {"folds": 2, "repeats": 1, "seed": 0}.items():
            check_whole(name, getattr(self, name), least)
        if not isinstance(self.balance, bool):
            raise ConfigError(f"balance must be true or false, got {self.balance!r}")
        thresholds = _distinct("thresholds", self.thresholds)
        for one in thresholds:
            number = isinstance(one, int | float) and not isinstance(one, bool)
            if not number or not (math.isfinite(one) and 0 <= one <= 1):
                raise ConfigError(f"thresholds must be between 0 and 1, got {one!r}")
        descending = sorted((float(one) for one in thresholds), reverse=True)
        object.__setattr__(self, "thresholds", tuple(descending))
        if self.sizes is not None:
            sizes = _distinct("sizes", self.sizes)
            for one in sizes:
                check_whole("sizes", one, 1)
            object.__setattr__(self, "sizes", tuple(sorted(sizes, reverse=True)))

    def sizes_for(self, n_features: int) -> tuple[int, ...]:
        """Return the numbers of features at which elimination is measured, descending.

        Raises
        ------
        ConfigError
            If one is not below the number of features.

        Examples
        --------
        >>> Plan().sizes_for(4), Plan(sizes=(1, 3)).sizes_for(10), Plan().sizes_for(100)
        ((3, 2, 1), (3, 1), (99, 51, 27, 14, 7, 4, 2, 1))
        """
        if self.sizes is None:
            if n_features <= _EACH:
                return tuple(range(n_features - 1, 0, -1))
            spaced = np.unique(np.geomspace(1, n_features - 1, _SIZES).round().astype(int))
            return tuple(spaced[::-1].tolist())
        if self.sizes and self.sizes[0] >= n_features:
            raise ConfigError(
                f"sizes must be below the number of features, {n_features}, got {self.sizes[0]}"
            )
        return self.sizes


def _distinct(name: str, values: Sequence[Any]) -> list[Any]:
    if isinstance(values, str) or not isinstance(values, Sequence):
        raise ConfigError(f"{name} must be a list of numbers, got {values!r}")
    if len(set(values)) < len(values):
        raise ConfigError(f"{name} must not repeat a number, got {list(values)}")
    return list(values)
