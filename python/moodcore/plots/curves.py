"""Figures of losses over epochs and updates."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from moodcore.plots.style import COLORS, grid_of_axes, looks, new_axes, new_figure

# More points than this on a line only make the file large.
_POINTS = 400


def loss_per_epoch(losses: Mapping[str, Sequence[float]], *, ax: Axes | None = None) -> Axes:
    """Draw the training loss of each optimizer after every epoch.

    Parameters
    ----------
    losses : mapping of name to losses
        One loss an epoch; values that are not finite leave a gap.
    ax : Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    Axes

    Raises
    ------
    ValueError
        When there is nothing to draw.
    """
    ax = new_axes(ax)
    for (name, values), look in zip(_some(losses).items(), looks(len(losses)), strict=True):
        ax.plot(range(1, len(values) + 1), values, label=name, **look)
    ax.set_xlabel("epoch")
    ax.set_ylabel("training loss (cross-entropy)")
    return _legend(ax, len(losses))


def loss_per_update(losses: Mapping[str, NDArray[Any]], *, ax: Axes | None = None) -> Axes:
    """Draw the training loss at every weight update, over a logarithmic count of updates.

    A long run is cut into blocks of updates: the line is their mean, the band runs from their
    smallest to their largest loss.

    Parameters
    ----------
    losses : mapping of name to array of shape (n_updates,)
        Loss of the batch before each update.
    ax : Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    Axes

    Raises
    ------
    ValueError
        When there is nothing to draw.
    """
    ax = new_axes(ax)
    for (name, values), look in zip(_some(losses).items(), looks(len(losses)), strict=True):
        at, mean, low, high = _blocks(np.asarray(values, dtype=float))
        ax.plot(at, mean, label=name, **look)
        ax.fill_between(at, low, high, color=look["color"], alpha=0.18, linewidth=0)
    ax.set_xscale("log")
    ax.set_xlabel("weight update (logarithmic)")
    ax.set_ylabel("batch loss (cross-entropy)")
    return _legend(ax, len(losses))


def learning_rate_effect(
    trials: pd.DataFrame, curves: pd.DataFrame, *, ax: Axes | None = None
) -> Axes:
    """Draw the mean validation loss per epoch of the candidates of each learning rate.

    Parameters
    ----------
    trials : DataFrame
        ``number`` and ``learning_rate`` of each candidate.
    curves : DataFrame
        ``number``, ``epoch`` and ``valid_loss``.
    ax : Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    Axes
    """
    return _effect(trials, curves, "learning_rate", "learning rate {:g}", ax)


def layer_effect(trials: pd.DataFrame, curves: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw the mean validation loss per epoch of the candidates of each layer layout.

    Parameters
    ----------
    trials : DataFrame
        ``number`` and ``hidden_sizes`` of each candidate.
    curves : DataFrame
        ``number``, ``epoch`` and ``valid_loss``.
    ax : Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    Axes
    """
    return _effect(trials, curves, "hidden_sizes", "hidden {}", ax)


def candidate_losses(trials: pd.DataFrame, curves: pd.DataFrame) -> Figure:
    """Draw training and validation loss per epoch of every candidate, each in axes of its own.

    Parameters
    ----------
    trials : DataFrame
        ``number``, ``learning_rate``, ``hidden_sizes`` and ``batch_size`` of each candidate.
    curves : DataFrame
        ``number``, ``epoch``, ``train_loss`` and ``valid_loss``.

    Returns
    -------
    Figure

    Raises
    ------
    ValueError
        When there are no candidates.
    """
    if trials.empty:
        raise ValueError("there must be at least one candidate to draw, got none")
    columns = min(4, len(trials))
    rows = -(-len(trials) // columns)
    figure = new_figure((2.7 * columns + 0.6, 1.75 * rows + 1.0))
    axes = grid_of_axes(figure, rows, columns)
    for ax, (_, trial) in zip(axes, trials.iterrows(), strict=False):
        own = curves[curves["number"] == trial["number"]]
        ax.plot(own["epoch"], own["train_loss"], color=COLORS[0], label="training")
        ax.plot(own["epoch"], own["valid_loss"], color=COLORS[1], ls="--", label="validation")
        rate, batch = trial["learning_rate"], trial["batch_size"]
        ax.set_title(f"{trial['hidden_sizes']}, rate {rate:g}, batch {batch}", fontsize=8.5)
    for ax in axes[len(trials) :]:
        ax.set_visible(False)
    # Divergence would flatten all the others: the scale follows the middle of the losses.
    losses = curves[["train_loss", "valid_loss"]].to_numpy(dtype=float)
    losses = losses[np.isfinite(losses)]
    if losses.size:
        low, high = np.quantile(losses, [0.0, 0.995])
        margin = 0.06 * (high - low) + 1e-6
        axes[0].set_ylim(low - margin, high + margin)
    figure.supxlabel("epoch", fontsize=10)
    figure.supylabel("loss (cross-entropy, mean of the folds)", fontsize=10)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=2, frameon=False)
    return figure


def _effect(
    trials: pd.DataFrame, curves: pd.DataFrame, parameter: str, template: str, ax: Axes | None
) -> Axes:
    """Average the validation loss over the candidates that share a value of a parameter."""
    groups = trials.groupby(parameter, sort=parameter == "learning_rate")["number"]
    if not len(trials) or curves.empty:
        raise ValueError("there must be at least one candidate to draw, got none")
    ax = new_axes(ax)
    for (value, numbers), look in zip(groups, looks(len(groups)), strict=True):
        own = curves[curves["number"].isin(numbers)]
        mean = own.groupby("epoch")["valid_loss"].mean()
        ax.plot(mean.index, mean.to_numpy(), label=template.format(value), **look)
    ax.set_xlabel("epoch")
    ax.set_ylabel("validation loss (mean of candidates and folds)")
    return _legend(ax, len(groups))


def _some(losses: Mapping[str, Any]) -> Mapping[str, Any]:
    if not losses or not all(len(values) for values in losses.values()):
        raise ValueError(f"there must be at least one loss of each name, got {dict(losses)}")
    return losses


def _blocks(values: NDArray[np.float64]) -> tuple[NDArray[Any], ...]:
    """Cut updates into blocks, even on a logarithmic axis: place, mean, smallest, largest."""
    edges = np.unique(np.geomspace(1, len(values) + 1, min(len(values), _POINTS) + 1).astype(int))
    if len(edges) == 1:
        edges = np.array([1, 2])
    starts = edges[:-1] - 1
    count = np.diff(edges)
    mean = np.add.reduceat(values, starts) / count
    at = np.sqrt(edges[:-1] * (edges[1:] - 1.0))
    return at, mean, np.minimum.reduceat(values, starts), np.maximum.reduceat(values, starts)


def _legend(ax: Axes, count: int) -> Axes:
    """Put the legend above the axes, where no line runs."""
    columns = min(count, 3)
    rows = -(-count // columns)
    ax.legend(
        loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=columns, fontsize=9 if rows < 3 else 8
    )
    return ax
