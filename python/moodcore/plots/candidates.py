"""The losses of every candidate, side by side."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from moodcore.plots.style import (
    BLACK,
    BLUE,
    LABEL,
    LOSS,
    SMALL,
    TITLE,
    VERMILION,
    dress,
    loss_scale,
    new_figure,
)
from moodcore.plots.tables import CURVES, LAYOUT, best_number, check_table, is_complete, level_key

_COLUMNS = 6
# The default grid has 24; pages of hundreds of panels tell nobody anything.
_PANELS = 48
# A loss this many times the usual one at the start belongs to a candidate on its way out.
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
    six to a row, so that a row of a default grid has models of one shape; the best candidate is
    framed. Pruned and diverged ones say so. Of more than 48 candidates the most accurate are drawn.

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

    Raises
    ------
    ValueError
        When a column is missing or a table is empty.

    Examples
    --------
    >>> trials = pd.DataFrame({"number": [0], "learning_rate": [0.005], "hidden_sizes": ["8"]})
    >>> trials = trials.assign(batch_size=32, state="complete", accuracy=0.8)
    >>> curves = pd.DataFrame({"number": [0, 0], "epoch": [1, 2]})
    >>> curves = curves.assign(train_loss=[1.3, 0.9], valid_loss=[1.3, 1.0])
    >>> candidate_losses(trials, curves).axes[0].get_title(loc="left")
    '#0: 8\nrate 0.005, batch 32'
    """
    needed = ("number", "learning_rate", *layout, "state", "accuracy")
    check_table(trials, needed, "trials")
    check_table(curves, CURVES, "curves")
    shown = trials.assign(done=is_complete(trials))
    shown = shown.sort_values(["done", "accuracy"], ascending=False, kind="stable")[:_PANELS]
    shown = _in_order(shown, layout)
    columns = min(_COLUMNS, len(shown))
    rows = -(-len(shown) // columns)
    figure = new_figure(0.6 + 1.56 * columns, 1.1 + 1.45 * rows)
    # The legend and the labels of the figure need some width even above a single panel.
    figure.set_figwidth(max(figure.get_figwidth(), 4.2))
    panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    _draw_panels(panels, shown, curves, best_number(trials), layout)
    if len(shown) < len(trials):
        title = f"the {len(shown)} most accurate of {len(trials)} candidates"
        figure.suptitle(title, fontsize=TITLE)
    figure.supxlabel(unit, fontsize=LABEL)
    figure.supylabel(LOSS, fontsize=LABEL)
    handles, _ = panels[0, 0].get_legend_handles_labels()
    look: dict[str, Any] = {"ncols": 2, "frameon": False, "fontsize": LABEL}
    figure.legend(handles=handles, loc="outside upper left", **look)
    return figure


def _in_order(trials: pd.DataFrame, layout: tuple[str, str]) -> pd.DataFrame:
    keys = zip(
        trials[layout[0]].map(level_key),
        trials["learning_rate"].astype(float),
        trials[layout[1]].map(level_key),
        trials["number"],
        range(len(trials)),
        strict=True,
    )
    return trials.iloc[[key[-1] for key in sorted(keys)]]


def _draw_panels(
    panels: Any,
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
            _frame(ax)
    for ax in flat[len(trials) :]:
        ax.set_visible(False)
    for ax in flat[max(0, len(trials) - panels.shape[1]) : len(trials)]:
        ax.tick_params(labelbottom=True)
    losses = curves.loc[curves["number"].isin(trials["number"]), ["train_loss", "valid_loss"]]
    _limit(flat[0], losses.to_numpy(dtype=np.float64), curves)


def _draw_panel(
    ax: Axes, trial: "pd.Series[Any]", own: pd.DataFrame, layout: tuple[str, str]
) -> None:
    notes = [] if str(trial["state"]).lower() == "complete" else [str(trial["state"]).lower()]
    losses = own[["train_loss", "valid_loss"]].to_numpy(dtype=np.float64)
    if not len(own):
        notes.append("no curve")
    elif not np.isfinite(losses).all():
        notes.append("diverged")
    finite = np.where(np.isfinite(losses), losses, np.nan)
    looks = (("training", BLUE, "-"), ("validation", VERMILION, (0, (4, 1.5))))
    for column, (label, colour, stroke) in enumerate(looks):
        ax.plot(own["epoch"], finite[:, column], color=colour, ls=stroke, lw=1.4, label=label)
    dress(ax)
    ax.set_title(
        f"#{trial['number']}: {trial[layout[0]]}\n"
        f"rate {float(trial['learning_rate']):.3g}, {_SHORT.get(layout[1], layout[1])} "
        f"{trial[layout[1]]}",
        fontsize=SMALL,
        loc="left",
    )
    ax.tick_params(labelsize=SMALL)
    if notes:
        place: dict[str, Any] = {"transform": ax.transAxes, "ha": "right", "va": "top"}
        ax.text(0.97, 0.95, ", ".join(notes), style="italic", fontsize=SMALL, **place)


def _frame(ax: Axes) -> None:
    for spine in ax.spines.values():
        spine.set(visible=True, color=BLACK, linewidth=1.6)
    ax.set_title(f"best {ax.get_title(loc='left')}", fontsize=SMALL, loc="left", weight="bold")


def _limit(ax: Axes, losses: Any, curves: pd.DataFrame) -> None:
    """Scale the shared axis to the candidates that learn, not to one that runs away."""
    finite = losses[np.isfinite(losses)]
    if not finite.size:
        return
    columns = ["train_loss", "valid_loss"]
    starts = curves.loc[curves["epoch"] == curves["epoch"].min(), columns]
    first = starts.to_numpy(dtype=np.float64)
    first = first[np.isfinite(first)]
    ceiling = _DIVERGING * float(np.median(first)) if first.size else float(finite.max())
    shown = finite[finite <= ceiling]
    loss_scale(ax, shown)
    if len(shown) < len(finite):
        ax.set_ylim(0.9 * shown.min(), ceiling)
