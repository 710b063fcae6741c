"""The losses of every candidate, side by side."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from moodcore.plots import style
from moodcore.plots.search import CURVES, LAYOUT, best_number, is_complete

_COLUMNS = 6
# Twice the default grid.
_PANELS = 48
# A candidate diverges where its loss exceeds the usual first one by this factor.
_DIVERGING = 1.5
# Panels have no room for whole names.
_SHORT = {"batch_size": "batch", "reg_lambda": "lambda"}


def candidate_losses(
    trials: pd.DataFrame,
    curves: pd.DataFrame,
    layout: tuple[str, str] = LAYOUT,
    *,
    unit: str = "epoch",
) -> Figure:
    r"""Draw training and validation loss of each candidate: one panel each, on shared axes.

    Panels are in order of the first hyperparameter of the layout, learning rate and the second,
    six per row, so that a row of a default grid has models of one shape; the best candidate is
    framed. Pruned and diverged ones are labeled. Of more than 48 candidates, the most accurate are
    drawn.

    Parameters
    ----------
    trials : DataFrame of shape (n_candidates, n_columns)
        Columns ``number``, ``learning_rate``, those of the layout, ``state`` and ``accuracy``.
    curves : DataFrame
        Columns ``number``, ``epoch`` (from 1), ``train_loss``, ``valid_loss`` (nats).
    layout : (str, str), default=("hidden_sizes", "batch_size")
        The hyperparameters besides the learning rate; hidden sizes as "16-16".
    unit : str, default="epoch"
        What training counts.

    Returns
    -------
    Figure
        With one pair of axes per panel.

    Examples
    --------
    >>> trials = pd.DataFrame({"number": [0], "learning_rate": [0.005], "hidden_sizes": ["8"]})
    >>> trials = trials.assign(batch_size=32, state="complete", accuracy=0.8)
    >>> curves = pd.DataFrame({"number": [0, 0], "epoch": [1, 2]})
    >>> curves = curves.assign(train_loss=[1.3, 0.9], valid_loss=[1.3, 1.0])
    >>> candidate_losses(trials, curves).axes[0].get_title(loc="left")
    '#0: 8\nrate 0.005, batch 32'
    """
    style.check_table(trials, ("number", "learning_rate", *layout, "state", "accuracy"), "trials")
    style.check_table(curves, CURVES, "curves")
    shown = trials.assign(done=is_complete(trials))
    shown = shown.sort_values(["done", "accuracy"], ascending=False, kind="stable")[:_PANELS]
    columns = min(_COLUMNS, len(shown))
    rows = -(-len(shown) // columns)
    # The legend and the labels of the figure need some width even above a single panel.
    figure = style.new_figure(max(0.6 + 1.56 * columns, 4.2), 1.1 + 1.45 * rows)
    panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    _draw_panels(panels, _in_order(shown, layout), curves, best_number(trials), layout)
    if len(shown) < len(trials):
        title = f"the {len(shown)} most accurate of {len(trials)} candidates"
        figure.suptitle(title, fontsize=style.TITLE)
    figure.supxlabel(unit, fontsize=style.LABEL)
    figure.supylabel(style.LOSS, fontsize=style.LABEL)
    handles, _ = panels[0, 0].get_legend_handles_labels()
    look: dict[str, Any] = {"ncols": 2, "frameon": False, "fontsize": style.LABEL}
    figure.legend(handles=handles, loc="outside upper left", **look)
    return figure


def _in_order(trials: pd.DataFrame, layout: tuple[str, str]) -> pd.DataFrame:
    keys = zip(
        trials[layout[0]].map(style.level_key),
        trials["learning_rate"].astype(float),
        trials[layout[1]].map(style.level_key),
        trials["number"],
        range(len(trials)),
        strict=True,
    )
    return trials.iloc[[key[-1] for key in sorted(keys)]]


def _draw_panels(
    panels: NDArray[Any],
    trials: pd.DataFrame,
    curves: pd.DataFrame,
    best: int | None,
    layout: tuple[str, str],
) -> None:
    by_number = dict(list(curves.groupby("number")))
    flat = panels.ravel()
    for ax, (_, trial) in zip(flat, trials.iterrows(), strict=False):
        _draw_panel(ax, trial, by_number.get(trial["number"], curves[:0]), layout)
        if trial["number"] == best:
            for spine in ax.spines.values():
                spine.set(visible=True, color=style.BLACK, linewidth=1.6)
            title = f"best {ax.get_title(loc='left')}"
            ax.set_title(title, fontsize=style.SMALL, loc="left", weight="bold")
    for ax in flat[len(trials) :]:
        ax.set_visible(False)
    for ax in flat[max(0, len(trials) - panels.shape[1]) : len(trials)]:
        ax.tick_params(labelbottom=True)
    _limit(flat[0], curves[curves["number"].isin(trials["number"])], curves)


def _draw_panel(
    ax: Axes, trial: pd.Series[Any], rows: pd.DataFrame, layout: tuple[str, str]
) -> None:
    notes = [] if str(trial["state"]).lower() == "complete" else [str(trial["state"]).lower()]
    losses = _losses(rows)
    if not len(rows):
        notes.append("no curve")
    elif not np.isfinite(losses).all():
        notes.append("diverged")
    finite = np.where(np.isfinite(losses), losses, np.nan)
    looks = (("training", style.BLUE, "-"), ("validation", style.VERMILION, (0, (4, 1.5))))
    for column, (text, color, stroke) in enumerate(looks):
        ax.plot(rows["epoch"], finite[:, column], color=color, ls=stroke, lw=1.4, label=text)
    style.dress(ax)
    second = f"{_SHORT.get(layout[1], layout[1])} {trial[layout[1]]}"
    title = f"#{trial['number']}: {trial[layout[0]]}\nrate {trial['learning_rate']:.3g}, {second}"
    ax.set_title(title, fontsize=style.SMALL, loc="left")
    ax.tick_params(labelsize=style.SMALL)
    if notes:
        place: dict[str, Any] = {"transform": ax.transAxes, "ha": "right", "va": "top"}
        ax.text(0.97, 0.95, ", ".join(notes), style="italic", fontsize=style.SMALL, **place)


def _losses(rows: pd.DataFrame) -> NDArray[np.float64]:
    return rows[["train_loss", "valid_loss"]].to_numpy(dtype=np.float64)


def _limit(ax: Axes, shown: pd.DataFrame, curves: pd.DataFrame) -> None:
    """Scale the shared axis to the candidates that learn, not to one that diverges."""
    losses = _losses(shown)
    finite = losses[np.isfinite(losses)]
    if not finite.size:
        return
    first = _losses(curves[curves["epoch"] == curves["epoch"].min()])
    first = first[np.isfinite(first)]
    ceiling = _DIVERGING * float(np.median(first)) if first.size else float(finite.max())
    kept = finite[finite <= ceiling]
    style.loss_scale(ax, kept)
    if len(kept) < len(finite):
        ax.set_ylim(0.9 * kept.min(), ceiling)
