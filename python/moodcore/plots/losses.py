"""Losses of several trainings, per epoch and per weight update."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import EngFormatter
from numpy.typing import ArrayLike, NDArray

from moodcore.plots import style

# About one block per two pixels; fewer where the first decades have single, noisy updates.
_BLOCKS, _LOG_BLOCKS = 400, 120
# Trainings whose lengths differ by more than this factor have a logarithmic axis.
_LENGTH_RATIO = 10


def loss_per_epoch(losses: Mapping[str, Sequence[float]], *, ax: Axes | None = None) -> Axes:
    """Draw the training loss after each epoch.

    Parameters
    ----------
    losses : mapping of str to sequence of float, shape (n_epochs,)
        Loss of each training, in nats; values that are not finite are left out and the training is
        marked as diverged.
    ax : Axes, optional
        Where to draw; a new figure by default.

    Examples
    --------
    >>> ax = loss_per_epoch({"gradient descent": [1.4, 1.3], "SGD": [0.9, 0.6]})
    >>> ax.get_xlabel()
    'epoch'
    """
    curves = _check(losses, "epoch")
    ax = style.axes_for(ax, 7.4, 3.8)
    for (name, curve), look in zip(curves.items(), style.line_styles(len(curves)), strict=True):
        draw_curve(ax, np.arange(1, len(curve) + 1), curve, name, look)
    style.dress(ax, x="epoch", y=f"training {style.LOSS}")
    style.loss_scale(ax, np.concatenate(list(curves.values())))
    style.whole_numbers(ax)
    style.legend_right(ax)
    return ax


def loss_per_update(losses: Mapping[str, ArrayLike], *, ax: Axes | None = None) -> Axes:
    """Draw the loss at each weight update: the mean of blocks of updates, and their range.

    Each training is drawn as a few hundred blocks at most. Where one training has ten times as
    many updates as another, the axis of updates is logarithmic and the blocks widen with it.

    Parameters
    ----------
    losses : mapping of str to array-like of float, shape (n_updates,)
        Loss of each training, in nats; values that are not finite are left out and the training is
        marked as diverged.
    ax : Axes, optional
        Where to draw; a new figure by default.

    Examples
    --------
    >>> ax = loss_per_update({"SGD": 1 / np.arange(1, 100_001)})
    >>> len(ax.lines[0].get_xdata()) <= 400
    True
    """
    curves = _check(losses, "update")
    ax = style.axes_for(ax, 7.4, 3.8)
    lengths = [len(curve) for curve in curves.values()]
    logarithmic = max(lengths) > _LENGTH_RATIO * min(lengths)
    edges_of = _log_edges if logarithmic else _even_edges
    drawn = []
    for (name, curve), look in zip(curves.items(), style.line_styles(len(curves)), strict=True):
        at, mean, low, high = _block_means(curve, edges_of)
        if len(at) < len(curve):
            ax.fill_between(at, low, high, color=look["color"], alpha=0.18, linewidth=0)
        draw_curve(ax, at, mean, name, look, diverged=not np.isfinite(curve).all())
        drawn += [mean, low, high]
    style.dress(ax, x="weight update", y=f"training {style.LOSS}")
    if logarithmic:
        ax.set_xscale("log")
    else:
        ax.xaxis.set_major_formatter(EngFormatter(sep=""))
    style.loss_scale(ax, np.concatenate(drawn))
    style.legend_right(ax, "mean and range" if max(lengths) > _BLOCKS else None)
    return ax


def draw_curve(
    ax: Axes,
    at: NDArray[Any],
    curve: NDArray[np.float64],
    name: str,
    look: Mapping[str, Any],
    *,
    diverged: bool | None = None,
) -> None:
    """Draw one line; the legend says so where it is not finite to its end."""
    if diverged is None:
        diverged = not np.isfinite(curve).all()
    text = f"{style.label(name)} (diverged)" if diverged else style.label(name)
    # Eight markers per line; lines begin at different points so that markers do not coincide.
    step = max(1, len(at) // 8)
    first = len(ax.lines) * step // 3 % step
    finite = np.where(np.isfinite(curve), curve, np.nan)
    ax.plot(at, finite, label=text, markevery=(first, step), **look)


def _block_means(
    curve: NDArray[np.float64], edges_of: Callable[[int], NDArray[np.intp]]
) -> tuple[NDArray[np.float64], ...]:
    """Return position (1-based), mean, minimum and maximum of each block; NaN if none is finite."""
    starts = edges_of(len(curve))
    finite = np.isfinite(curve)
    counts = np.add.reduceat(finite.astype(np.float64), starts)
    counts[counts == 0] = np.nan
    means = np.add.reduceat(np.where(finite, curve, 0.0), starts) / counts
    low = np.minimum.reduceat(np.where(finite, curve, np.inf), starts)
    high = np.maximum.reduceat(np.where(finite, curve, -np.inf), starts)
    low[np.isnan(counts)] = high[np.isnan(counts)] = np.nan
    stops = np.append(starts[1:], len(curve))
    return (starts + 1 + stops) / 2, means, low, high


def _even_edges(length: int) -> NDArray[np.intp]:
    return np.unique(np.linspace(0, length, min(_BLOCKS, length) + 1).astype(np.intp)[:-1])


def _log_edges(length: int) -> NDArray[np.intp]:
    return np.unique(np.geomspace(1, length + 1, _LOG_BLOCKS + 1).astype(np.intp)[:-1] - 1)


def _check(losses: Mapping[str, Any], unit: str) -> dict[str, NDArray[np.float64]]:
    if not losses:
        raise ValueError("losses must hold at least one training, got none")
    curves = {str(name): np.asarray(v, dtype=np.float64) for name, v in losses.items()}
    for name, curve in curves.items():
        if curve.ndim != 1 or not curve.size:
            raise ValueError(
                f"losses[{name!r}] must be one loss per {unit}, at least one, "
                f"got shape {curve.shape}"
            )
    return curves
