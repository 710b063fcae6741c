"""Contributions of features: to one row as a waterfall, to many as swarms of points."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from numpy.typing import ArrayLike, NDArray

from moodcore.plots import style

# Neither red nor green.
_COLORS, _GRAY = "viridis", "#888888"


def contribution_waterfall(
    contributions: Sequence[float],
    names: Sequence[str],
    *,
    base: float,
    values: Sequence[str] | None = None,
    output: str = "",
    max_features: int = 12,
    ax: Axes | None = None,
) -> Axes:
    """Draw how the contributions of features lead from the mean margin to that of a row.

    Parameters
    ----------
    contributions : sequence of float
        One per feature, finite. The largest is drawn on top.
    names : sequence of str
        Names of the features.
    base : float
        The mean margin, where the bars begin.
    values : sequence of str, optional
        The value of each feature as text, written after its name.
    output : str, optional
        The class whose margin it is.
    max_features : int, default=12
        Maximum number of bars, at least 2; the smallest contributions share the last.
    ax : Axes, optional
        Where to draw; a new figure by default.

    Examples
    --------
    >>> ax = contribution_waterfall([0.5, -2.0], ["tempo", "energy"], base=1.0, output="calm")
    >>> [text.get_text() for text in ax.get_yticklabels()]
    ['energy', 'tempo']
    """
    sizes = _checked(contributions, names)
    if values is not None:
        names = [f"{name} = {value}" for name, value in zip(names, values, strict=True)]
    order = np.argsort(-np.abs(sizes), kind="stable")
    steps = [(names[at], float(sizes[at])) for at in order]
    if len(steps) > max_features:
        rest = steps[max_features - 1 :]
        steps[max_features - 1 :] = [(f"{len(rest)} other features", sum(s for _, s in rest))]
    ax = style.axes_for(ax, 7.0, 1.3 + 0.32 * len(steps))
    at = base
    for place, (_, size) in enumerate(steps):
        color, hatch = (style.BLUE, "") if size >= 0 else (style.VERMILION, "///")
        ax.barh(place, size, 0.7, left=at, color=color, hatch=hatch, edgecolor="white", linewidth=0)
        text: dict[str, Any] = {"textcoords": "offset points", "va": "center"}
        end = (max(at, at + size), place)
        ax.annotate(f"{size:+.3g}", end, xytext=(4, 0), fontsize=style.SMALL, **text)
        at += size
        ax.plot([at, at], [place - 0.35, place + 1.35], color=_GRAY, linewidth=0.8)
    ax.axvline(base, color=_GRAY, linewidth=0.8, linestyle=(0, (3, 2)))
    what = f"margin of {style.label(output)}" if output else "margin"
    style.dress(ax, x=f"{what}: from {base:.3g} to {at:.3g}", grid="x")
    style.rows_from_top(ax, [name for name, _ in steps], above=0.6, below=0.6)
    # The first bar begins where it does, not at the frame.
    ax.use_sticky_edges = False
    ax.margins(x=0.14)
    return ax


def contribution_swarm(
    contributions: ArrayLike,
    data: ArrayLike,
    names: Sequence[str],
    *,
    output: str = "",
    max_features: int = 12,
    ax: Axes | None = None,
) -> Axes:
    """Draw the contributions to many rows: one point per row, colored by the feature's value.

    Parameters
    ----------
    contributions : array-like of shape (n_rows, n_features)
        Finite. The feature with the largest mean absolute contribution is drawn on top.
    data : array-like of shape (n_rows, n_features)
        Values of the features; points of missing values and of text are gray.
    names : sequence of str
        Names of the features.
    output : str, optional
        The class whose margin it is.
    max_features : int, default=12
        Maximum number of features.
    ax : Axes, optional
        Where to draw; a new figure by default.

    Examples
    --------
    >>> ax = contribution_swarm([[0.1, 2.0], [0.0, -1.0]], [[1, 5], [2, 6]], ["tempo", "energy"])
    >>> [text.get_text() for text in ax.get_yticklabels()]
    ['energy', 'tempo']
    """
    sizes, values = np.asarray(contributions, dtype=np.float64), np.asarray(data, dtype=object)
    if sizes.ndim != 2 or not len(sizes) or values.shape != sizes.shape:
        raise ValueError(
            f"contributions and data must be tables of equal shape with at least one row, "
            f"got {sizes.shape} and {values.shape}"
        )
    means = _checked(np.abs(sizes).mean(axis=0), names)
    order = np.argsort(-means, kind="stable")[:max_features]
    ax = style.axes_for(ax, 7.5, 1.3 + 0.42 * len(order))
    ax.axvline(0.0, color=_GRAY, linewidth=0.8)
    palette = colormaps[_COLORS].with_extremes(bad=_GRAY)
    for place, feature in enumerate(order):
        heights = place + _spread(sizes[:, feature])
        shades = np.ma.masked_invalid(_shades(values[:, feature]))
        look: dict[str, Any] = {"s": 11, "linewidths": 0, "plotnonfinite": True}
        ax.scatter(sizes[:, feature], heights, c=shades, cmap=palette, vmin=0, vmax=1, **look)
    what = "contribution to the margin"
    style.dress(ax, x=f"{what} of {style.label(output)}" if output else what, grid="x")
    style.rows_from_top(ax, [names[at] for at in order], above=0.6, below=0.6)
    colors = ScalarMappable(Normalize(0, 1), colormaps[_COLORS])
    bar = ax.figure.colorbar(colors, ax=ax, aspect=30, pad=0.02)
    bar.set_ticks([0, 1], labels=["low", "high"])
    bar.ax.tick_params(labelsize=style.TICK, length=0)
    bar.set_label("value of the feature", fontsize=style.SMALL, labelpad=-12)
    bar.outline.set_visible(False)
    return ax


def _checked(numbers: ArrayLike, names: Sequence[str]) -> NDArray[np.float64]:
    values = np.asarray(numbers, dtype=np.float64)
    if values.shape != (len(names),) or not len(names):
        raise ValueError(
            f"there must be one number per feature, got {values.shape} and {len(names)} names"
        )
    if not np.isfinite(values).all():
        at = int(np.flatnonzero(~np.isfinite(values))[0])
        raise ValueError(f"contributions must be finite, got {values[at]} for {names[at]}")
    return values


def _spread(column: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return heights that set points of about the same contribution above and below each other."""
    bins = ((column - column.min()) / (np.ptp(column) or 1.0) * 60).astype(int)
    turns = pd.Series(bins).groupby(bins).cumcount().to_numpy()
    sides = np.where(turns % 2, -1, 1) * ((turns + 1) // 2)
    return sides * 0.8 / max(np.bincount(bins).max(), 8)


def _shades(column: NDArray[np.object_]) -> NDArray[np.float64]:
    """Return ranks of the values between 0 and 1; NaN where there is no number."""
    is_number = [isinstance(v, int | float | np.number) and not isinstance(v, bool) for v in column]
    numbers = pd.Series(np.where(is_number, column, np.nan).astype(float))
    ranks = numbers.where(np.isfinite(numbers)).rank(method="dense").to_numpy(dtype=np.float64) - 1
    return np.asarray(ranks / max(float(np.nanmax(ranks, initial=0.0)), 1.0), dtype=np.float64)
