"""The candidates of a search: their accuracy, and the losses by hyperparameter."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from moodcore.plots import style
from moodcore.plots.losses import draw_curve
from moodcore.plots.matrices import draw_cells, name_cells

#: Columns of the table of curves.
CURVES = ("number", "epoch", "train_loss", "valid_loss")
#: The hyperparameters of the network that figures show besides the learning rate.
LAYOUT = ("hidden_sizes", "batch_size")

# A grid with more columns and rows has cells too small to read.
_COLUMNS, _ROWS = 8, 20
# More lines than this cannot be told apart.
_LINES = 7
_RANGES = 5


def is_complete(trials: pd.DataFrame) -> pd.Series[bool]:
    """Return which candidates were trained to the end; all, where there is no state."""
    if "state" not in trials.columns:
        return pd.Series(True, index=trials.index)
    return trials["state"] == "complete"


def best_number(trials: pd.DataFrame) -> int | None:
    """Return the number of the best complete candidate, or None if there are fewer than two.

    The best has the highest ``score``, the metric of the search, or else ``accuracy``.
    """
    complete = trials[is_complete(trials)]
    score = complete.get("score", complete.get("accuracy", pd.Series(dtype=float))).astype(float)
    if np.isfinite(score).sum() < 2:
        return None
    return int(complete["number"].iloc[int(np.nanargmax(score))])


def grid_overview(
    trials: pd.DataFrame,
    layout: tuple[str, str] = LAYOUT,
    *,
    across: str = "learning_rate",
    ax: Axes | None = None,
) -> Axes:
    r"""Draw the validation accuracy of all candidates, the best of them marked.

    A grid is drawn as cells: two hyperparameters down, a third across; of several candidates in a
    cell, the most accurate counts. Values drawn at random are points: accuracy by the third
    hyperparameter, colored by the first.

    Parameters
    ----------
    trials : DataFrame of shape (n_candidates, n_columns)
        Columns ``number``, ``across``, those of the layout, ``accuracy`` (mean over the
        folds, in [0, 1], or NaN) and ``state``; ``accuracy_std`` is printed if present.
    layout : (str, str), default=("hidden_sizes", "batch_size")
        The hyperparameters down; hidden sizes as "16-16".
    across : str, default="learning_rate"
        The hyperparameter across, a number.
    ax : Axes, optional
        Where to draw; a new figure by default.

    Examples
    --------
    >>> trials = pd.DataFrame({"number": [0, 1], "learning_rate": [0.005, 0.06]})
    >>> trials = trials.assign(hidden_sizes="8", batch_size=32, state="complete")
    >>> ax = grid_overview(trials.assign(accuracy=[0.81, 0.83]))
    >>> [text.get_text() for text in ax.texts]
    ['81.0', '83.0\nbest']
    """
    style.check_table(trials, ("number", across, *layout, "accuracy", "state"), "trials")
    if not np.isfinite(trials["accuracy"].astype(float)).any():
        raise ValueError("trials must hold at least one accuracy, got NaN for every candidate")
    rows = trials[list(layout)].drop_duplicates()
    if trials[across].nunique() > _COLUMNS or len(rows) > _ROWS:
        return _points(trials, layout[0], across, ax)
    return _grid(trials, layout, across, ax)


def _grid(trials: pd.DataFrame, layout: tuple[str, str], across: str, ax: Axes | None) -> Axes:
    rates = sorted(trials[across].unique())
    pairs = set(zip(*(trials[name] for name in layout), strict=True))
    rows = sorted(pairs, key=lambda row: tuple(style.level_key(value) for value in row))
    values = np.full((len(rows), len(rates)), np.nan)
    texts = [["\N{EN DASH}"] * len(rates) for _ in rows]
    best, best_cell = best_number(trials), None
    ranked = trials.assign(done=is_complete(trials))
    ranked = ranked.sort_values(["done", "accuracy", "number"], ascending=[False, False, True])
    for _, trial in ranked.drop_duplicates([*layout, across]).iterrows():
        row = rows.index(tuple(trial[name] for name in layout))
        column = rates.index(trial[across])
        values[row, column] = trial["accuracy"]
        texts[row][column] = _cell_text(trial, best)
        if trial["number"] == best:
            best_cell = (column, row)
    finite = values[np.isfinite(values)]
    values[~np.isfinite(values)] = np.nan
    ax = style.axes_for(ax, 3.6 + 1.15 * len(rates), max(2.6, 1.3 + 0.5 * len(rows)))
    # A single value has no range to color.
    limits = (float(finite.max() - max(np.ptp(finite), 0.002)), float(finite.max()))
    bar = draw_cells(ax, values, texts, colors="cividis", limits=limits, bar="")
    bar.set_label("mean validation accuracy", fontsize=style.TICK)
    style.percentages(bar.ax.yaxis, 1)
    style.dress(ax, x=style.words(across), y=", ".join(map(style.words, layout)), grid="none")
    name_cells(ax, [", ".join(map(str, row)) for row in rows], [f"{rate:g}" for rate in rates])
    if best_cell:
        corner = (best_cell[0] - 0.48, best_cell[1] - 0.46)
        ax.add_patch(
            Rectangle(corner, 0.96, 0.92, fill=False, edgecolor=style.VERMILION, linewidth=2.5)
        )
    return ax


def _cell_text(trial: pd.Series[Any], best: int | None) -> str:
    lines = ["diverged"]
    if np.isfinite(trial["accuracy"]):
        lines = [f"{100 * trial['accuracy']:.1f}"]
        if np.isfinite(trial.get("accuracy_std", np.nan)):
            lines[0] += f" ± {100 * trial['accuracy_std']:.1f}"
    if not trial["done"]:
        lines.append(str(trial["state"]).lower())
    return "\n".join([*lines, "best"] if trial["number"] == best else lines)


def _points(trials: pd.DataFrame, parameter: str, across: str, ax: Axes | None) -> Axes:
    ax = style.axes_for(ax, 7.4, 4.0)
    groups = trials[parameter].astype(str)
    if groups.nunique() > _LINES:
        common = groups.value_counts().index[: _LINES - 1]
        groups = groups.where(groups.isin(common), "other")
    names = sorted(groups.unique(), key=lambda name: (name == "other", style.level_key(name)))
    done = is_complete(trials)
    for name, look in zip(names, style.line_styles(len(names)), strict=True):
        mark = {"s": 34, "marker": look["marker"], "edgecolors": look["color"]}
        for state, fill in ((done, look["color"]), (~done, "none")):
            part = trials[(groups == name) & state]
            ax.scatter(part[across], part["accuracy"], facecolors=fill, **mark)
        ax.scatter([], [], facecolors=look["color"], label=style.label(name), **mark)
    if not done.all():
        ax.scatter([], [], s=34, facecolors="none", edgecolors=style.BLACK, label="hollow: pruned")
    best = trials[trials["number"] == best_number(trials)]
    if len(best):
        ring: dict[str, Any] = {"s": 190, "facecolors": "none", "edgecolors": style.BLACK}
        text = f"best: #{best['number'].iloc[0]}"
        ax.scatter(best[across], best["accuracy"], linewidths=1.5, label=text, **ring)
    rates = trials[across].astype(float)
    if rates.min() > 0 and rates.max() > 10 * rates.min():
        ax.set_xscale("log")
    style.dress(ax, x=style.words(across), y="mean validation accuracy")
    style.percentages(ax.yaxis, 1)
    style.legend_right(ax, style.words(parameter))
    return ax


def parameter_effect(
    trials: pd.DataFrame,
    curves: pd.DataFrame,
    parameter: str,
    *,
    unit: str = "epoch",
    ax: Axes | None = None,
) -> Axes:
    """Draw the validation loss by one hyperparameter, mean over the candidates with each value.

    A band is the range of the candidates; the mean ends where the first of them does. Pruned
    candidates count only where no other has the value; diverged ones do not count. More than
    seven numbers are grouped into five ranges; of more than seven other values, those with the
    lowest loss are drawn.

    Parameters
    ----------
    trials : DataFrame of shape (n_candidates, n_columns)
        Columns ``number`` and the hyperparameter's; ``state`` if candidates may be pruned.
    curves : DataFrame
        Columns ``number``, ``epoch`` (from 1), ``train_loss``, ``valid_loss`` (nats).
    parameter : str
        The column; hidden sizes are layouts such as "16-16".
    unit : str, default="epoch"
        What training counts.
    ax : Axes, optional
        Where to draw; a new figure by default.

    Examples
    --------
    >>> trials = pd.DataFrame({"number": [0, 1], "learning_rate": [0.005, 0.06]})
    >>> curves = pd.DataFrame({"number": [0, 0, 1, 1], "epoch": [1, 2, 1, 2]})
    >>> curves = curves.assign(train_loss=[1.3, 0.9, 0.8, 0.6], valid_loss=[1.3, 1.0, 0.8, 0.7])
    >>> [line.get_label() for line in parameter_effect(trials, curves, "learning_rate").lines]
    ['0.005', '0.06']
    """
    style.check_table(trials, ("number", parameter), "trials")
    style.check_table(curves, CURVES, "curves")
    groups, order = _groups(trials[parameter])
    bands = {name: _mean_and_range(trials[groups == name], curves) for name in order}
    found = {name: band for name, band in bands.items() if band is not None}
    if not any(len(band) for _, band in found.values()):
        raise ValueError("curves must hold a candidate of trials with a finite loss, got none")
    title = style.words(parameter)
    if len(found) > _LINES:
        least = {
            name: band["mean"].min() if len(band) else np.inf for name, (_, band) in found.items()
        }
        best = sorted(found, key=least.__getitem__)[:_LINES]
        title = f"{title} ({_LINES} best of {len(found)})"
        found = {name: found[name] for name in order if name in best}
    ax = style.axes_for(ax, 7.4, 3.8)
    for (name, (note, band)), look in zip(
        found.items(), style.line_styles(len(found)), strict=True
    ):
        at = band.index.to_numpy()
        ax.fill_between(at, band["low"], band["high"], color=look["color"], alpha=0.13, linewidth=0)
        draw_curve(ax, at, band["mean"].to_numpy(), name + note, look)
    style.dress(ax, x=unit, y=f"validation {style.LOSS}")
    style.loss_scale(ax, np.concatenate([band.to_numpy().ravel() for _, band in found.values()]))
    style.whole_numbers(ax)
    single = (groups.value_counts() == 1).all()
    style.legend_right(ax, title if single else f"{title}\nmean and range")
    return ax


def _groups(values: pd.Series[Any]) -> tuple[pd.Series[str], list[str]]:
    """Return the group of each value, and the groups in order."""
    if not pd.api.types.is_numeric_dtype(values):
        groups = values.astype(str)
        return groups, sorted(groups.unique(), key=style.level_key)
    numbers = values.astype(float)
    levels = np.sort(numbers.unique())
    if len(levels) <= _LINES:
        return numbers.map("{:g}".format), [f"{level:g}" for level in levels]
    edges = np.unique(np.quantile(numbers, np.linspace(0, 1, _RANGES + 1)))
    order = [f"{low:.2g} to {high:.2g}" for low, high in pairwise(edges)]
    bins = np.clip(np.searchsorted(edges, numbers, side="right") - 1, 0, len(order) - 1)
    return pd.Series([order[at] for at in bins], index=values.index), order


def _mean_and_range(trials: pd.DataFrame, curves: pd.DataFrame) -> tuple[str, pd.DataFrame] | None:
    """Return what the legend adds, and the band per epoch; None where there is no curve at all."""
    every = curves[curves["number"].isin(trials["number"])]
    done = every[every["number"].isin(trials.loc[is_complete(trials), "number"])]
    notes = [] if len(done) else ["pruned"]
    used = done if len(done) else every
    if not len(used):
        return None
    bad = used.loc[~np.isfinite(used["valid_loss"].astype(float)), "number"].unique()
    if len(bad):
        notes.append(f"{len(bad)} of {used['number'].nunique()} diverged")
    finite = used[~used["number"].isin(bad)]
    wide = finite.pivot(index="epoch", columns="number", values="valid_loss")
    # Later means would be over other candidates than earlier ones.
    wide = wide.dropna()
    band = {"mean": wide.mean(axis=1), "low": wide.min(axis=1), "high": wide.max(axis=1)}
    return f" ({', '.join(notes)})" if notes else "", pd.DataFrame(band)
