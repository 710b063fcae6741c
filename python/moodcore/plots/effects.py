"""What one parameter does to the validation loss, over all candidates."""

from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from moodcore.plots.losses import draw_curve
from moodcore.plots.style import (
    LOSS,
    axes_for,
    dress,
    legend_right,
    line_styles,
    loss_scale,
    whole_numbers,
)
from moodcore.plots.tables import CURVES, check_table, is_complete, level_key, words

# More lines than this cannot be told apart.
_LINES = 7
_RANGES = 5


def parameter_effect(
    trials: pd.DataFrame,
    curves: pd.DataFrame,
    parameter: str,
    *,
    unit: str = "epoch",
    ax: Axes | None = None,
) -> Axes:
    """Draw the validation loss by one hyperparameter, mean over the candidates with each value.

    A band spans the candidates. The mean ends where the first of its candidates does. Pruned
    candidates count only where no other has the value; diverged ones do not count. More than
    seven numbers are put together into five ranges; of more than seven other values, those of the
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

    Returns
    -------
    Axes

    Raises
    ------
    ValueError
        When a column is missing, a table is empty, or no candidate has a curve.

    Examples
    --------
    >>> trials = pd.DataFrame({"number": [0, 1], "learning_rate": [0.005, 0.06]})
    >>> curves = pd.DataFrame({"number": [0, 0, 1, 1], "epoch": [1, 2, 1, 2]})
    >>> curves = curves.assign(train_loss=[1.3, 0.9, 0.8, 0.6], valid_loss=[1.3, 1.0, 0.8, 0.7])
    >>> [line.get_label() for line in parameter_effect(trials, curves, "learning_rate").lines]
    ['0.005', '0.06']
    """
    check_table(trials, ("number", parameter), "trials")
    if pd.api.types.is_numeric_dtype(trials[parameter]):
        groups, order = _by_number(trials[parameter].astype(float))
    else:
        groups = trials[parameter].astype(str)
        order = sorted(groups.unique(), key=level_key)
    return _effect(trials, curves, groups, order, title=words(parameter), unit=unit, ax=ax)


def _by_number(values: "pd.Series[float]") -> tuple["pd.Series[str]", list[str]]:
    """Name the group of each value, and the groups in order."""
    levels = np.sort(values.unique())
    if len(levels) <= _LINES:
        return values.map("{:g}".format), [f"{level:g}" for level in levels]
    edges = np.unique(np.quantile(values, np.linspace(0, 1, _RANGES + 1)))
    order = [f"{low:.2g} to {high:.2g}" for low, high in pairwise(edges)]
    bins = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(order) - 1)
    return pd.Series([order[one] for one in bins], index=values.index), order


def _effect(
    trials: pd.DataFrame,
    curves: pd.DataFrame,
    groups: "pd.Series[Any]",
    order: list[str],
    *,
    title: str,
    unit: str,
    ax: Axes | None,
) -> Axes:
    check_table(curves, CURVES, "curves")
    every = {name: _mean_and_range(trials[groups == name], curves) for name in order}
    found = {name: one for name, one in every.items() if one is not None}
    if not any(len(band) for _, band in found.values()):
        raise ValueError("curves must hold a candidate of trials with a finite loss, got none")
    if len(found) > _LINES:
        best = sorted(found, key=lambda name: _least(found[name][1]))[:_LINES]
        title = f"{title} ({_LINES} best of {len(found)})"
        found = {name: found[name] for name in order if name in best}
    ax = axes_for(ax, 7.4, 3.8)
    for (name, (note, band)), look in zip(found.items(), line_styles(len(found)), strict=True):
        at = band.index.to_numpy()
        ax.fill_between(at, band["low"], band["high"], color=look["color"], alpha=0.13, linewidth=0)
        draw_curve(ax, at, band["mean"].to_numpy(), name + note, look)
    dress(ax, x=unit, y=f"validation {LOSS}")
    loss_scale(ax, np.concatenate([band.to_numpy().ravel() for _, band in found.values()]))
    whole_numbers(ax)
    legend_right(ax, f"{title}\nmean and range")
    return ax


def _least(band: pd.DataFrame) -> float:
    return float(band["mean"].min()) if len(band) else np.inf


def _mean_and_range(trials: pd.DataFrame, curves: pd.DataFrame) -> tuple[str, pd.DataFrame] | None:
    """Give what the legend adds, and the band per epoch; None where there is no curve at all."""
    own = curves[curves["number"].isin(trials["number"])]
    done = own[own["number"].isin(trials.loc[is_complete(trials), "number"])]
    notes = [] if len(done) else ["pruned"]
    own = done if len(done) else own
    if not len(own):
        return None
    bad = own.loc[~np.isfinite(own["valid_loss"].astype(float)), "number"].unique()
    if len(bad):
        notes.append(f"{len(bad)} of {own['number'].nunique()} diverged")
    wide = own[~own["number"].isin(bad)].pivot(index="epoch", columns="number", values="valid_loss")
    # Later means would be over other candidates than earlier ones.
    wide = wide.dropna()
    band = {"mean": wide.mean(axis=1), "low": wide.min(axis=1), "high": wide.max(axis=1)}
    return f" ({', '.join(notes)})" if notes else "", pd.DataFrame(band)
