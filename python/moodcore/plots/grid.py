"""The whole search in one picture."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.ticker import PercentFormatter

from moodcore.plots.matrices import draw_cells, name_cells
from moodcore.plots.style import (
    BLACK,
    TICK,
    VERMILION,
    axes_for,
    dress,
    legend_right,
    line_styles,
)
from moodcore.plots.tables import LAYOUT, best_number, check_table, is_complete, level_key, words

# What a grid may have across and down before its cells are too small to read.
_ACROSS, _DOWN = 8, 20
_GROUPS = 7


def grid_overview(
    trials: pd.DataFrame,
    layout: tuple[str, str] = LAYOUT,
    *,
    across: str = "learning_rate",
    ax: Axes | None = None,
) -> Axes:
    r"""Draw the validation accuracy of all candidates, the best of them marked.

    A grid is drawn as cells: two hyperparameters down, the learning rate, say, across; of several
    candidates in a cell, which differ in something else, the most accurate counts. Rates drawn at
    random are points: accuracy against rate, by the first hyperparameter.

    Parameters
    ----------
    trials : DataFrame of shape (n_candidates, n_columns)
        Columns ``number``, ``across``, those of the layout, ``accuracy`` (mean over the
        folds, in [0, 1], or NaN) and ``state``; ``accuracy_std`` is printed where it is there.
    layout : (str, str), default=("hidden_sizes", "batch_size")
        The hyperparameters down; hidden sizes as "16-16".
    across : str, default="learning_rate"
        The hyperparameter across, a number.
    ax : Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    Axes

    Raises
    ------
    ValueError
        When a column is missing, the table is empty, or no candidate has an accuracy.

    Examples
    --------
    >>> trials = pd.DataFrame({"number": [0, 1], "learning_rate": [0.005, 0.06]})
    >>> trials = trials.assign(hidden_sizes="8", batch_size=32, state="complete")
    >>> ax = grid_overview(trials.assign(accuracy=[0.81, 0.83]))
    >>> [text.get_text() for text in ax.texts]
    ['81.0', '83.0\nbest']
    """
    needed = ("number", across, *layout, "accuracy", "state")
    check_table(trials, needed, "trials")
    if not np.isfinite(trials["accuracy"].astype(float)).any():
        raise ValueError("trials must hold at least one accuracy, got NaN for every candidate")
    rows = trials[list(layout)].drop_duplicates()
    if trials[across].nunique() > _ACROSS or len(rows) > _DOWN:
        return _points(trials, layout[0], across, ax)
    return _cells(trials, layout, across, ax)


def _cells(trials: pd.DataFrame, layout: tuple[str, str], across: str, ax: Axes | None) -> Axes:
    rates = sorted(trials[across].unique())
    pairs = set(zip(*(trials[name] for name in layout), strict=True))
    rows = sorted(pairs, key=lambda row: tuple(level_key(value) for value in row))
    values = np.full((len(rows), len(rates)), np.nan)
    texts = [["\N{EN DASH}"] * len(rates) for _ in rows]
    best, best_cell = best_number(trials), None
    ranked = trials.assign(done=is_complete(trials))
    ranked = ranked.sort_values(["done", "accuracy", "number"], ascending=[False, False, True])
    cells = ranked.drop_duplicates([*layout, across])
    for _, trial in cells.iterrows():
        row = rows.index(tuple(trial[name] for name in layout))
        column = rates.index(trial[across])
        values[row, column] = trial["accuracy"]
        texts[row][column] = _text(trial, best)
        if trial["number"] == best:
            best_cell = (column, row)
    finite = values[np.isfinite(values)]
    values[~np.isfinite(values)] = np.nan
    ax = axes_for(ax, 3.6 + 1.15 * len(rates), max(2.6, 1.3 + 0.5 * len(rows)))
    # One value alone would have no range to colour.
    spread = max(float(np.ptp(finite)), 0.002)
    limits = (float(finite.max()) - spread, float(finite.max()))
    bar = draw_cells(ax, values, texts, colours="cividis", limits=limits, bar="")
    bar.set_label("mean validation accuracy", fontsize=TICK)
    bar.ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=1))
    dress(ax, x=words(across), y=", ".join(map(words, layout)), grid="none")
    name_cells(ax, [", ".join(map(str, row)) for row in rows], [f"{r:g}" for r in rates])
    if best_cell:
        corner = (best_cell[0] - 0.48, best_cell[1] - 0.46)
        ax.add_patch(Rectangle(corner, 0.96, 0.92, fill=False, edgecolor=VERMILION, linewidth=2.5))
    return ax


def _text(trial: "pd.Series[Any]", best: int | None) -> str:
    """Write accuracy in per cent, and the deviation over the folds, and what else there is."""
    text = "diverged" if not np.isfinite(trial["accuracy"]) else f"{100 * trial['accuracy']:.1f}"
    if np.isfinite(trial.get("accuracy_std", np.nan)) and text != "diverged":
        text += f" ± {100 * trial['accuracy_std']:.1f}"
    if not trial["done"]:
        text += f"\n{str(trial['state']).lower()}"
    return f"{text}\nbest" if trial["number"] == best else text


def _points(trials: pd.DataFrame, parameter: str, across: str, ax: Axes | None) -> Axes:
    ax = axes_for(ax, 7.4, 4.0)
    sizes = trials[parameter].astype(str)
    if sizes.nunique() > _GROUPS:
        common = sizes.value_counts().index[: _GROUPS - 1]
        sizes = sizes.where(sizes.isin(common), "other")
    names = sorted(sizes.unique(), key=lambda name: (name == "other", level_key(name)))
    done = is_complete(trials)
    for name, look in zip(names, line_styles(len(names)), strict=True):
        part, full = trials[sizes == name], done[sizes == name]
        ax.scatter(
            part[across],
            part["accuracy"],
            s=34,
            marker=look["marker"],
            facecolors=[look["color"] if one else "none" for one in full],
            edgecolors=look["color"],
        )
        ax.scatter([], [], s=34, marker=look["marker"], color=look["color"], label=name)
    if not done.all():
        ax.scatter([], [], s=34, facecolors="none", edgecolors=BLACK, label="hollow: pruned")
    best = trials[trials["number"] == best_number(trials)]
    if len(best):
        where = (best[across], best["accuracy"])
        label = f"best: #{best['number'].iloc[0]}"
        ax.scatter(*where, s=190, facecolors="none", edgecolors=BLACK, linewidths=1.5, label=label)
    rates = trials[across].astype(float)
    if rates.min() > 0 and rates.max() > 10 * rates.min():
        ax.set_xscale("log")
    dress(ax, x=words(across), y="mean validation accuracy")
    ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=1))
    legend_right(ax, words(parameter))
    return ax
