"""What features contribute: to one row as a waterfall, to many as swarms of points."""

from collections.abc import Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from numpy.typing import ArrayLike, NDArray

from moodcore.plots.style import BLUE, SMALL, TICK, VERMILION, axes_for, dress

# Told apart without red or green; a thin edge keeps the light end visible on white.
_COLORS = "viridis"
_GRAY = "#888888"
_EDGE = {"edgecolors": "#444444", "linewidths": 0.3}


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
        One a feature, finite.
    names : sequence of str
        Of the features.
    base : float
        The mean margin, where the bars begin.
    values : sequence of str, optional
        The value of each feature as text, written behind its name.
    output : str, optional
        The class whose margin it is.
    max_features : int, default=12
        Bars at most, at least 2; the features with the smallest contributions share the last.
    ax : Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    Axes
        The largest contribution is on top.

    Examples
    --------
    >>> ax = contribution_waterfall([0.5, -2.0], ["tempo", "energy"], base=1.0, output="calm")
    >>> [text.get_text() for text in ax.get_yticklabels()]
    ['energy', 'tempo']
    """
    sizes = _checked(contributions, names)
    shown = (
        list(names)
        if values is None
        else [f"{n} = {v}" for n, v in zip(names, values, strict=True)]
    )
    order = np.argsort(-np.abs(sizes), kind="stable")
    steps = [(shown[at], float(sizes[at])) for at in order]
    if len(steps) > max_features:
        rest = steps[max_features - 1 :]
        steps = steps[: max_features - 1]
        steps.append((f"{len(rest)} other features", sum(size for _, size in rest)))
    ax = axes_for(ax, 7.0, 1.3 + 0.32 * len(steps))
    at = base
    for place, (_, size) in enumerate(steps):
        color, hatch = (BLUE, "") if size >= 0 else (VERMILION, "///")
        ax.barh(place, size, 0.7, left=at, color=color, hatch=hatch, edgecolor="white", linewidth=0)
        ends = (at, at + size)
        ax.annotate(
            f"{size:+.3g}", (max(ends), place), xytext=(4, 0), textcoords="offset points",
            va="center", fontsize=SMALL,
        )  # fmt: skip
        at += size
        ax.plot([at, at], [place - 0.35, place + 1.35], color=_GRAY, linewidth=0.8)
    ax.axvline(base, color=_GRAY, linewidth=0.8, linestyle=(0, (3, 2)))
    dress(ax, x=f"margin{f' of {output}' if output else ''}: from {base:.3g} to {at:.3g}", grid="x")
    ax.set_yticks(range(len(steps)), [name for name, _ in steps])
    ax.set_ylim(len(steps) - 0.4, -0.6)
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
    """Draw the contributions to many rows: a point a row, colored by the feature's value.

    Parameters
    ----------
    contributions : array-like of shape (n_rows, n_features)
        Finite.
    data : array-like of shape (n_rows, n_features)
        Values of the features; gray points where they are missing or no numbers.
    names : sequence of str
        Of the features.
    output : str, optional
        The class whose margin it is.
    max_features : int, default=12
        Features that are drawn at most: those with the largest mean size.
    ax : Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    Axes
        The feature with the largest mean size is on top.

    Examples
    --------
    >>> ax = contribution_swarm([[0.1, 2.0], [0.0, -1.0]], [[1, 5], [2, 6]], ["tempo", "energy"])
    >>> [text.get_text() for text in ax.get_yticklabels()]
    ['energy', 'tempo']
    """
    found = np.asarray(contributions, dtype=np.float64)
    given = np.asarray(data, dtype=object)
    if found.ndim != 2 or not len(found) or given.shape != found.shape:
        raise ValueError(
            f"contributions and data must be tables of equal shape with a row at least, "
            f"got {found.shape} and {given.shape}"
        )
    sizes = _checked(np.abs(found).mean(axis=0), names)
    order = np.argsort(-sizes, kind="stable")[:max_features]
    ax = axes_for(ax, 7.5, 1.3 + 0.42 * len(order))
    ax.axvline(0.0, color=_GRAY, linewidth=0.8)
    for place, feature in enumerate(order):
        column = found[:, feature]
        heights, shades = place + _spread(column), _shades(given[:, feature])
        known = ~np.isnan(shades)
        ax.scatter(column[~known], heights[~known], s=11, color=_GRAY, linewidths=0)
        ax.scatter(
            column[known], heights[known], c=shades[known], s=11, cmap=_COLORS, vmin=0, vmax=1,
            linewidths=0,
        )  # fmt: skip
    dress(ax, x=f"contribution to the margin{f' of {output}' if output else ''}", grid="x")
    ax.set_yticks(range(len(order)), [names[at] for at in order])
    ax.set_ylim(len(order) - 0.4, -0.6)
    bar = ax.figure.colorbar(
        ScalarMappable(Normalize(0, 1), colormaps[_COLORS]), ax=ax, aspect=30, pad=0.02
    )
    bar.set_ticks([0, 1], labels=["low", "high"])
    bar.ax.tick_params(labelsize=TICK, length=0)
    bar.set_label("value of the feature", fontsize=SMALL, labelpad=-12)
    bar.outline.set_visible(False)
    return ax


def _checked(numbers: ArrayLike, names: Sequence[str]) -> NDArray[np.float64]:
    found = np.asarray(numbers, dtype=np.float64)
    if found.shape != (len(names),) or not len(names):
        raise ValueError(
            f"there must be a number for each feature, got {found.shape} and {len(names)} names"
        )
    if not np.isfinite(found).all():
        at = int(np.flatnonzero(~np.isfinite(found))[0])
        raise ValueError(f"contributions must be finite, got {found[at]} for {names[at]}")
    return found


def _spread(column: NDArray[np.float64]) -> NDArray[np.float64]:
    """Set points of about the same contribution above and below each other."""
    width = np.ptp(column)
    bins = (
        np.zeros(len(column), int)
        if width == 0
        else ((column - column.min()) / width * 60).astype(int)
    )
    heights = np.zeros(len(column))
    fullest = max(np.bincount(bins).max(), 8)
    for filled in np.unique(bins):
        own = np.flatnonzero(bins == filled)
        turns = np.arange(len(own))
        sides = np.where(turns % 2, -1, 1) * ((turns + 1) // 2)
        heights[own] = sides * 0.8 / fullest
    return heights


def _shades(column: NDArray[np.object_]) -> NDArray[np.float64]:
    """Give places between the lowest and the highest value; NaN where there is no number."""
    numbers = np.array([_number(value) for value in column])
    known = numbers[np.isfinite(numbers)]
    if not known.size:
        return np.full(len(column), np.nan)
    ranks = np.unique(known)
    places = np.searchsorted(ranks, numbers) / max(len(ranks) - 1, 1)
    return np.where(np.isfinite(numbers), places, np.nan)


def _number(value: object) -> float:
    is_number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    return float(value) if is_number else float("nan")  # type: ignore[arg-type]
