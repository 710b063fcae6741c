"""Grids that are searched: around the defaults of each family, or those of the song experiment.

Tables other than songs are searched around the defaults, which are always the first candidate. The
others were chosen by measurement on public tables (docs/explanation/benchmarks.md). The first ones
are the most useful, because a search with fewer `--trials` takes the first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from moodcore.errors import ConfigError
from moodcore.runs.families import family
from moodcore.runs.space import Space, around_defaults, parse

_RANDOM_CUTS: Mapping[str, Any] = {"kind": "extra_trees", "extra_rate": 0.5}
# Trees of a fixed maximum number of rounds have textbook values unless they are passed. These are
# the values that `GBT()` chooses by the size of the table, with a smaller learning rate.
_TREES: Mapping[str, Any] = {
    "n_estimators": 500,
    "learning_rate": 0.05,
    "min_child_samples": 5.0,
    "subsample": 0.8,
    "colsample_bynode": 0.7,
    "boosting": _RANDOM_CUTS,
}
_TREES_OF_ALL_ROWS: Mapping[str, Any] = {
    "n_estimators": 500,
    "learning_rate": 0.15,
    "max_leaves": 31,
    "min_child_samples": 10.0,
    "subsample": 1.0,
    "colsample_bynode": 1.0,
    "boosting": _RANDOM_CUTS,
}
_TWO_LAYERS: Mapping[str, Any] = {"hidden_sizes": [[128, 128]], "dropout": 0.2}
# Training on all rows, of which early stopping would hold out a tenth.
_WITHOUT_STOPPING: Mapping[str, Any] = {"early_stopping": False}

#: Grids of the grid sampler: each table is one candidate, or several if it has lists.
CANDIDATES: Mapping[str, Sequence[Mapping[str, Any]]] = {
    "gbt": [
        {**_TREES, "max_leaves": 15},
        {**_TREES, "max_leaves": 8, "subsample": 0.5},
        _TREES_OF_ALL_ROWS,
        {**_TREES, "max_leaves": 31, "colsample_bynode": 0.4, "path_smooth": 10.0},
        {**_TREES, "max_leaves": 31},
        {**_TREES, "max_leaves": 4},
        {**_TREES, "max_leaves": 31, "min_child_samples": 10.0, "boosting": "gbdt"},
    ],
    "mlp": [
        {**_TWO_LAYERS, **_WITHOUT_STOPPING, "epochs": 40},
        {**_WITHOUT_STOPPING, "epochs": [20, 10]},
        {**_TWO_LAYERS, **_WITHOUT_STOPPING, "epochs": 20},
        {"weight_decay": 0.3},
        {"label_smoothing": 0.05},
        {"epochs": 150, "patience": 30},
    ],
    "svm": [
        {"C": [30.0, 3.0]},
        {"C": 10.0, "gamma": [0.01, 0.1, 0.03]},
        {"C": 1.0, "gamma": 0.1},
    ],
    "linear-svm": [{"loss": "hinge"}, {"C": [10.0, 0.1]}],
}

#: Spaces of the random sampler and TPE.
RANGES: Mapping[str, Mapping[str, Any]] = {
    "gbt": {
        "max_leaves": {"low": 4, "high": 64, "log": True},
        "min_child_samples": {"low": 1, "high": 40, "log": True},
        "colsample_bynode": {"low": 0.2, "high": 1.0},
        "reg_lambda": {"low": 0.1, "high": 30.0, "log": True},
        "path_smooth": [0.0, 10.0],
    },
    "mlp": {
        "hidden_sizes": [[32], [64], [128], [256], [64, 64], [128, 128]],
        "learning_rate": {"low": 0.003, "high": 0.03, "log": True},
        "dropout": {"low": 0.0, "high": 0.4},
        "weight_decay": {"low": 0.001, "high": 0.3, "log": True},
    },
    "svm": {
        "C": {"low": 0.1, "high": 100.0, "log": True},
        "gamma": {"low": 0.001, "high": 1.0, "log": True},
    },
    "linear-svm": {
        "C": {"low": 0.0001, "high": 100.0, "log": True},
        "loss": ["squared_hinge", "hinge"],
    },
}


def family_grid(
    model: str, grid: Any, changes: Any = None, *, base: str, sampler: str = "grid"
) -> Any:
    """Return the grid of a family, or its own one where there is none, with changes.

    Parameters
    ----------
    model : str
        A family.
    grid : mapping of str to Any, sequence of mappings, or None
        Hyperparameters; None means the grid of the base.
    changes : like grid, default=None
        Hyperparameters to put in the place of those of the experiment's grid. Around the defaults,
        they replace the grid, whose tables are candidates of their own.
    base : {"experiment", "defaults"}
        Whose grid None means.
    sampler : {"grid", "random", "tpe"}, default="grid"
        The others search ranges around the defaults.
    """
    if base == "experiment":
        return dict(family(model).grid if grid is None else grid) | dict(changes or {})
    if changes is not None:
        grid = changes
    elif grid is None:
        grid = CANDIDATES[model] if sampler == "grid" else RANGES[model]
    return dict(grid) if isinstance(grid, Mapping) else [dict(table) for table in grid]


def check_tables(tables: Any, where: str, *, several: bool) -> None:
    """Check that a grid is a table of hyperparameters, or where there may be, several tables.

    Raises
    ------
    ConfigError
        If it is neither, with `where` in the message.
    """
    if tables is None or isinstance(tables, Mapping):
        return
    if not isinstance(tables, list | tuple) or not all(isinstance(t, Mapping) for t in tables):
        # Settings turn lists into tuples.
        shown = list(tables) if isinstance(tables, tuple) else tables
        raise ConfigError(f"{where} must be a table of hyperparameters, got {shown!r}")
    if not several:
        raise ConfigError(
            f"{where} has several tables, which base 'defaults' and sampler 'grid' take; "
            f"pass one table"
        )


def read_space(model: str, grid: Any, *, base: str, sampler: str = "grid") -> Space:
    """Read and check the grid of a family; around the defaults, these are the first candidate.

    Raises
    ------
    ConfigError
        As `moodcore.runs.space.parse`.

    Examples
    --------
    >>> read_space("svm", {"C": [1.0, 3.0]}, base="defaults").grid_size
    3
    """
    tables = [grid] if isinstance(grid, Mapping) else grid
    parsed = [parse(table, sampler=sampler, model=model) for table in tables]
    return around_defaults(parsed) if base == "defaults" else parsed[0]
