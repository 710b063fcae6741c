"""Choices of features: all, sets that someone names, what a filter or elimination leaves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from moodcore.features.plan import Plan
from moodcore.features.table import Table, check_names

ALL = "all"


@dataclass(frozen=True)
class Choice:
    """A way to choose features, whose outcome may differ from fold to fold.

    Attributes
    ----------
    name : str
        Such as "all", "published", "filter 0.7" or "eliminated to 5".
    kind : {"all", "named", "filter", "elimination"}
        Who chooses.
    level : float or None
        The filter's threshold, or the number of features that elimination leaves.
    columns : tuple of str
        The features, where they are the same in every fold.
    """

    name: str
    kind: str
    level: float | None = None
    columns: tuple[str, ...] = ()

    def of_fold(self, found: Mapping[str, Any], names: Sequence[str]) -> tuple[str, ...]:
        """Return the features in a fold, in the order of the table.

        Parameters
        ----------
        found : mapping
            What the training rows of the fold said: `filters`, the features left by threshold;
            `order`, the features from the last one to be eliminated to the first.
        names : sequence of str
            All features.
        """
        if self.kind == "filter":
            kept = set(found["filters"][str(self.level)])
        elif self.kind == "elimination":
            kept = set(found["order"][: int(self.level or 0)])
        else:
            kept = set(self.columns)
        return tuple(name for name in names if name in kept)


def choices_of(table: Table, plan: Plan, named: Mapping[str, Sequence[str]]) -> tuple[Choice, ...]:
    """Return what a study compares, all features first.

    Parameters
    ----------
    table : Table
        With the features.
    plan : Plan
        Of which `thresholds` and `sizes` count.
    named : mapping of str to sequence of str
        Sets of features by name.

    Raises
    ------
    ValueError
        If a set is empty or names a feature that is not there or twice, or has the name of
        another choice.

    Examples
    --------
    >>> from moodcore.features.table import check_table
    >>> table = check_table([[0.0, 1.0, 2.0], [1.0, 0.0, 1.0]], [0, 1])
    >>> plan = Plan(thresholds=(0.7,), sizes=(2,))
    >>> [one.name for one in choices_of(table, plan, {"first": ["x0"]})]
    ['all', 'first', 'filter 0.7', 'eliminated to 2']
    """
    found = [Choice(ALL, "all", columns=table.names)]
    for name, columns in named.items():
        found.append(
            Choice(str(name), "named", columns=check_names(f"set {name!r}", columns, table.names))
        )
    found += [Choice(f"filter {one:g}", "filter", one) for one in plan.thresholds]
    sizes = plan.sizes_for(len(table.names))
    found += [Choice(f"eliminated to {one}", "elimination", one) for one in sizes]
    names = [one.name for one in found]
    for name in named:
        if names.count(str(name)) > 1:
            raise ValueError(f"sets: {name!r} is the name of another choice of features")
    return tuple(found)
