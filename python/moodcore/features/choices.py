"""Choices of features: all, named sets, what a filter keeps, what elimination keeps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from moodcore.errors import ConfigError, unknown_name
from moodcore.features.settings import FeatureSettings

ALL = "all"


@dataclass(frozen=True)
class Choice:
    """A way to choose features; what is chosen may differ between folds.

    Attributes
    ----------
    name : str
        Such as "all", "published", "filter 0.7" or "eliminated to 5".
    kind : {"all", "named", "filter", "elimination"}
        Method.
    level : float or None
        Threshold of the filter, or number of features that elimination keeps.
    columns : tuple of str
        The features, where they are the same in every fold.
    """

    name: str
    kind: str
    level: float | None = None
    columns: tuple[str, ...] = ()

    def of_fold(self, described: Mapping[str, Any], names: Sequence[str]) -> tuple[str, ...]:
        """Return the features in a fold, in the order of the table.

        `described` has `filters`, the features that the filter keeps by threshold, and `order`,
        the features from the last to be eliminated to the first.
        """
        if self.kind == "filter":
            kept = set(described["filters"][str(self.level)])
        elif self.kind == "elimination":
            kept = set(described["order"][: int(self.level or 0)])
        else:
            kept = set(self.columns)
        return tuple(name for name in names if name in kept)


def choices_of(
    names: Sequence[str],
    numbers: Sequence[str],
    settings: FeatureSettings,
    sets: Mapping[str, Sequence[str]],
) -> tuple[Choice, ...]:
    """Return the choices that a study compares, all features first.

    Without two numeric features there is no correlation filter.

    Raises
    ------
    ConfigError
        If a set names a feature that does not exist, or has the name of another choice.

    Examples
    --------
    >>> settings = FeatureSettings(thresholds=(0.7,), sizes=(2,))
    >>> [choice.name for choice in choices_of("abc", "ab", settings, {"first": "a"})]
    ['all', 'first', 'filter 0.7', 'eliminated to 2']
    """
    choices = [Choice(ALL, "all", columns=tuple(names))]
    for name, columns in sets.items():
        for column in columns:
            if column not in names:
                raise unknown_name(f"set {name!r}: feature", column, names)
        choices.append(Choice(name, "named", columns=tuple(columns)))
    thresholds = settings.thresholds if len(numbers) > 1 else ()
    choices += [Choice(f"filter {level:g}", "filter", level) for level in thresholds]
    sizes = settings.sizes_for(len(names))
    choices += [Choice(f"eliminated to {size}", "elimination", size) for size in sizes]
    taken = [choice.name for choice in choices]
    for name in sets:
        if taken.count(name) > 1:
            raise ConfigError(f"sets: {name!r} is the name of another choice; rename the set")
    return tuple(choices)
