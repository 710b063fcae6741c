"""The choice of song features: a keyword, or names of columns."""

from __future__ import annotations

from typing import Any

from moodcore.errors import ConfigError, unknown_name

FEATURE_CHOICES = ("published", "all", "uncorrelated")


def check_features(features: str | tuple[str, ...]) -> None:
    """Check the choice of features before any data is read.

    Raises
    ------
    ConfigError
        For a name that is neither a feature nor a choice, or no names at all.
    """
    from moodcore.songs import DURATION, FEATURES

    if isinstance(features, str):
        if features not in FEATURE_CHOICES:
            raise unknown_name("features", features, FEATURE_CHOICES)
        return
    if not features:
        raise ConfigError("features must name at least one, got none")
    for name in features:
        if name not in (DURATION, *FEATURES):
            raise unknown_name("features: name", name, (DURATION, *FEATURES))


def selection(features: str | tuple[str, ...]) -> Any:
    """Return what `moodcore.songs.pipeline` takes for a choice of features."""
    from moodcore.preprocessing import CorrelationFilter

    return CorrelationFilter() if features == "uncorrelated" else features
