"""What the pictures of a search read in the tables of trials and curves."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

#: Columns of the curves that the pictures read.
CURVES = ("number", "epoch", "train_loss", "valid_loss")
#: The network's hyperparameters that the pictures set against the learning rate.
LAYOUT = ("hidden_sizes", "batch_size")


def check_table(table: pd.DataFrame, columns: Sequence[str], name: str) -> None:
    """Refuse a table that is empty or lacks a column.

    Raises
    ------
    ValueError
        Naming the table and what it lacks.
    """
    missing = [column for column in columns if column not in table.columns]
    if missing:
        raise ValueError(
            f"{name} must have the columns {', '.join(columns)}; missing: {', '.join(missing)}"
        )
    if table.empty:
        raise ValueError(f"{name} must have at least one row, got none")


def is_complete(trials: pd.DataFrame) -> pd.Series:
    """Tell which candidates were trained to the end; all, where the table does not say."""
    if "state" not in trials.columns:
        return pd.Series(True, index=trials.index)
    return trials["state"] == "complete"


def best_number(trials: pd.DataFrame) -> int | None:
    """Give the number of the complete candidate of the highest accuracy, the first of equals.

    None where there are not two to choose from.
    """
    if "accuracy" not in trials.columns:
        return None
    accuracy = trials.loc[is_complete(trials), "accuracy"].to_numpy(dtype=float)
    numbers = trials.loc[is_complete(trials), "number"].to_numpy()
    if np.isfinite(accuracy).sum() < 2:
        return None
    return int(numbers[np.nanargmax(accuracy)])


def words(parameter: str) -> str:
    """Write a hyperparameter's name for people."""
    return parameter.replace("_", " ")


def level_key(value: object) -> tuple[int, tuple[float, ...]]:
    """Order the levels of any hyperparameter: numbers by size, layouts by depth, then words.

    Examples
    --------
    >>> sorted([10.0, 1.0], key=level_key), sorted(["16-16", "8"], key=level_key)
    ([1.0, 10.0], ['8', '16-16'])
    >>> sorted(["full", "32"], key=level_key)
    ['32', 'full']
    """
    if isinstance(value, str):
        depth, widths = layer_key(value)
        return (depth, widths) if widths else (1 << 10, ())
    return 0, (float(value),)  # type: ignore[arg-type]


def layer_key(hidden_sizes: object) -> tuple[int, tuple[int, ...]]:
    """Order layouts such as "16-16" by depth, then by width.

    Examples
    --------
    >>> sorted(["16-16", "8", "8-8", "16"], key=layer_key)
    ['8', '16', '8-8', '16-16']
    """
    widths = tuple(int(width) for width in str(hidden_sizes).split("-") if width.isdigit())
    return len(widths), widths
