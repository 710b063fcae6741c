"""Settings of `moodcore features`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from moodcore.errors import ConfigError
from moodcore.features.models import MODELS
from moodcore.runs.settings import RunSettings, check_whole

#: Number of embedded songs: enough to measure what features are worth within minutes.
DEFAULT_SONGS = 20_000
THRESHOLDS = (0.9, 0.8, 0.7, 0.6, 0.5)
# With up to this many features elimination is measured at every size, else at this many sizes.
_EVERY_SIZE = 12
_SIZES = 8


@dataclass(frozen=True, kw_only=True)
class FeatureSettings(RunSettings):
    """Settings of `moodcore features`: those of every run, and what is measured.

    Attributes
    ----------
    models : tuple of str, default=all of `moodcore.features.MODELS`
        Names of the models to train.
    thresholds : tuple of float, default=(0.9, 0.8, 0.7, 0.6, 0.5)
        Absolute correlations above which the filter drops a feature, each in [0, 1].
    sizes : tuple of int or None, default=None
        Numbers of features at which elimination is measured, each at least 1; None means every
        number below that of the features, or eight of them for more than twelve features.
    sets : mapping of str to tuple of str, or None, default=None
        Sets of features to measure, by name; None means the published features of songs.
    repeats : int, default=5
        Number of times each feature is shuffled in each fold, at least 1.

    Raises
    ------
    ConfigError
        For a value out of range.

    Examples
    --------
    >>> FeatureSettings(folds=1)
    Traceback (most recent call last):
        ...
    moodcore.errors.ConfigError: folds must be an int of at least 2, got 1
    """

    experiment_epochs: ClassVar[int] = 100

    models: tuple[str, ...] = MODELS
    thresholds: tuple[float, ...] = THRESHOLDS
    sizes: tuple[int, ...] | None = None
    sets: Mapping[str, tuple[str, ...]] | None = None
    repeats: int = 5

    def __post_init__(self) -> None:
        """Check every range."""
        super().__post_init__()
        check_whole("repeats", self.repeats, 1)
        self._check_models()
        thresholds = _numbers("thresholds", self.thresholds)
        for threshold in thresholds:
            number = isinstance(threshold, int | float) and not isinstance(threshold, bool)
            if not number or not (math.isfinite(threshold) and 0 <= threshold <= 1):
                raise ConfigError(f"thresholds must be in [0, 1], got {threshold!r}")
        object.__setattr__(self, "thresholds", tuple(float(value) for value in thresholds))
        if self.sizes is not None:
            sizes = _numbers("sizes", self.sizes)
            for size in sizes:
                check_whole("sizes", size, 1)
            object.__setattr__(self, "sizes", tuple(sizes))
        if self.sets is not None:
            if not isinstance(self.sets, Mapping):
                raise ConfigError(f"sets must be a mapping of names to features, got {self.sets!r}")
            object.__setattr__(self, "sets", {str(k): _names(k, v) for k, v in self.sets.items()})

    def _check_models(self) -> None:
        if isinstance(self.models, str) or not self.models:
            raise ConfigError(f"models must name at least one model, got {self.models!r}")
        if len(set(self.models)) < len(self.models):
            raise ConfigError(f"models must name each model once, got {list(self.models)}")
        # Those of the package in the order of the tables, then those of the user.
        known = [name for name in MODELS if name in self.models]
        others = [name for name in self.models if name not in MODELS]
        object.__setattr__(self, "models", (*known, *others))

    def sizes_for(self, n_features: int) -> tuple[int, ...]:
        """Return the numbers of features at which elimination is measured, descending.

        Raises
        ------
        ConfigError
            If one is not below the number of features.

        Examples
        --------
        >>> settings = FeatureSettings()
        >>> settings.sizes_for(4), settings.sizes_for(100)
        ((3, 2, 1), (99, 51, 27, 14, 7, 4, 2, 1))
        """
        if self.sizes is None:
            if n_features <= _EVERY_SIZE:
                return tuple(range(n_features - 1, 0, -1))
            import numpy as np

            spaced = np.unique(np.geomspace(1, n_features - 1, _SIZES).round().astype(int))
            return tuple(spaced[::-1].tolist())
        if self.sizes and self.sizes[0] >= n_features:
            raise ConfigError(
                f"sizes must be below the number of features, {n_features}, got {self.sizes[0]}"
            )
        return self.sizes

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as JSON and TOML can hold them, without those that are None."""
        values = super().to_dict()
        if self.sets is not None:
            values["sets"] = {name: list(names) for name, names in self.sets.items()}
        return values


def _numbers(name: str, values: Any) -> list[Any]:
    """Return the numbers of a list or array, descending."""
    plain = values.tolist() if hasattr(values, "tolist") else values
    if not isinstance(plain, list | tuple):
        raise ConfigError(f"{name} must be a list of numbers, got {values!r}")
    if len(set(plain)) < len(plain):
        raise ConfigError(f"{name} must not repeat a number, got {list(plain)}")
    try:
        return sorted(plain, reverse=True)
    except TypeError:
        raise ConfigError(f"{name} must be a list of numbers, got {values!r}") from None


def _names(name: Any, features: Any) -> tuple[str, ...]:
    if isinstance(features, str) or not len(features):
        raise ConfigError(f"set {name!r} must name at least one feature, got {features!r}")
    if len(set(features)) < len(features):
        raise ConfigError(f"set {name!r} must name each feature once, got {list(features)}")
    return tuple(map(str, features))
