"""Tree diagrams."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from moodcore.plots import style

_COLUMNS = ("ID", "Feature", "Split", "Yes", "No", "Missing", "Gain", "Category")

# Categories named in a node; the others are counted.
_MOST_LABELS = 3


def tree_diagram(nodes: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw one tree: splits, with "yes" to the left, and leaf values.

    Parameters
    ----------
    nodes : DataFrame
        The rows of one tree of `GBT.trees_to_dataframe`.
    ax : Axes, optional
        Where to draw; a new figure by default, as large as the tree.

    Examples
    --------
    >>> from moodcore import GBT
    >>> model = GBT(n_estimators=1, min_child_samples=1).fit([[0.0], [1.0]], ["no", "yes"])
    >>> [text.get_text() for text in tree_diagram(model.trees_to_dataframe()).texts]
    ['f0 <= 0.5', '-0.04', '0.04', 'yes, missing', 'no']
    """
    style.check_table(nodes, _COLUMNS, "nodes")
    rows: dict[str, dict[str, Any]] = {
        str(row["ID"]): {str(key): value for key, value in row.items()}
        for row in nodes.to_dict("records")
    }
    places = _places(rows, str(nodes["ID"].iloc[0]))
    n_leaves = sum(row["Feature"] == "Leaf" for row in rows.values())
    depth = max(-y for _, y in places.values())
    ax = style.axes_for(ax, max(4.0, 1.15 * n_leaves), max(2.5, 1.1 * (depth + 1)))
    for name, row in rows.items():
        is_leaf = row["Feature"] == "Leaf"
        ax.text(
            *places[name],
            _value(row["Gain"]) if is_leaf else _question(row),
            ha="center",
            va="center",
            fontsize=style.SMALL,
            bbox={
                "boxstyle": "round,pad=0.3",
                "facecolor": style.GROUND,
                "edgecolor": style.ORANGE if is_leaf else style.BLUE,
            },
        )
    for name, row in rows.items():
        if row["Feature"] != "Leaf":
            for answer in ("Yes", "No"):
                _edge(ax, places[name], places[row[answer]], _answer(row, answer))
    ax.set_axis_off()
    ax.set_xlim(-0.6, n_leaves - 0.4)
    ax.set_ylim(-depth - 0.5, 0.5)
    return ax


def _places(rows: Mapping[str, Mapping[str, Any]], root: str) -> dict[str, tuple[float, float]]:
    """Return the places of the nodes: leaves side by side, splits above their children."""
    places: dict[str, tuple[float, float]] = {}
    taken = 0
    waiting = [(root, 0, False)]
    while waiting:
        name, depth, done = waiting.pop()
        row = rows[name]
        if row["Feature"] == "Leaf":
            places[name] = (float(taken), -float(depth))
            taken += 1
        elif done:
            middle = (places[row["Yes"]][0] + places[row["No"]][0]) / 2
            places[name] = (middle, -float(depth))
        else:
            waiting.append((name, depth, True))
            waiting += [(row["No"], depth + 1, False), (row["Yes"], depth + 1, False)]
    return places


def _edge(ax: Axes, above: tuple[float, float], below: tuple[float, float], answer: str) -> None:
    ax.plot(
        [above[0], below[0]], [above[1] - 0.13, below[1] + 0.13], color=style.AXIS, linewidth=0.9
    )
    middle = (above[0] + below[0]) / 2, (above[1] + below[1]) / 2
    ground = {"boxstyle": "round,pad=0.1", "facecolor": style.GROUND, "edgecolor": "none"}
    ax.text(
        *middle,
        answer,
        ha="center",
        va="center",
        fontsize=style.SMALL - 1,
        color=style.SOFT,
        bbox=ground,
    )


def _answer(row: Mapping[str, Any], answer: str) -> str:
    missing = row["Missing"] == row[answer]
    return answer.lower() + (", missing" if missing else "")


def _question(row: Mapping[str, Any]) -> str:
    labels = row["Category"]
    if isinstance(labels, list):
        listed = ", ".join(map(str, labels[:_MOST_LABELS]))
        more = len(labels) - _MOST_LABELS
        return f"{row['Feature']} in {listed}" + (f" and {more} more" if more > 0 else "")
    if row["Split"] == np.inf:
        return f"{row['Feature']} not missing"
    return f"{row['Feature']} <= {row['Split']:.4g}"


def _value(value: float | list[float]) -> str:
    return "\n".join(f"{number:.6g}" for number in (value if isinstance(value, list) else [value]))
