"""Figures of counts and matrices."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from moodcore.plots.style import COLORS, new_axes


def class_counts(
    before: Mapping[str, int], after: Mapping[str, int], *, ax: Axes | None = None
) -> Axes:
    """Draw rows of each class before and after balancing.

    Parameters
    ----------
    before, after : mapping of class name to number of rows
        The same classes in both.
    ax : Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    Axes

    Raises
    ------
    ValueError
        When the classes differ or there are none.
    """
    if list(before) != list(after) or not before:
        raise ValueError(f"before and after must name the same classes, got {before} and {after}")
    ax = new_axes(ax)
    at = np.arange(len(before))
    for shift, label, counts, color in (
        (-0.2, "before balancing", before, COLORS[4]),
        (0.2, "after balancing", after, COLORS[0]),
    ):
        bars = ax.bar(at + shift, list(counts.values()), 0.38, label=label, color=color)
        ax.bar_label(bars, [f"{count:,}" for count in counts.values()], fontsize=8, padding=2)
    ax.set_xticks(at, list(before))
    ax.set_ylabel("songs")
    ax.set_ylim(top=1.15 * max(*before.values(), *after.values(), 1))
    ax.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    ax.grid(axis="x", visible=False)
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, 1.12), ncols=2)
    return ax


def correlation_heatmap(
    correlation: pd.DataFrame, title: str | None = None, *, ax: Axes | None = None
) -> Axes:
    """Draw a correlation matrix with the values in its cells.

    Parameters
    ----------
    correlation : DataFrame of shape (n, n)
        Pearson correlations, in [-1, 1]; NaN is left white.
    title : str, optional
        Title of the axes.
    ax : Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    Axes

    Raises
    ------
    ValueError
        When the matrix is empty or not square.
    """
    n = len(correlation)
    if n == 0 or correlation.shape != (n, n):
        raise ValueError(f"a correlation matrix is square, got {correlation.shape}")
    ax = new_axes(ax, (1.6 + 0.62 * n, 1.2 + 0.55 * n))
    # Blue to red through white: signs stay apart for the colour-blind.
    _cells(ax, correlation.to_numpy(), "RdBu_r", (-1.0, 1.0), "{:.2f}", "correlation")
    names = [str(name) for name in correlation.columns]
    ax.set_xticks(range(n), names, rotation=40, ha="right", rotation_mode="anchor")
    ax.set_yticks(range(n), names)
    if title:
        ax.set_title(title)
    return ax


def grid_overview(trials: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw the mean validation accuracy of every candidate, the best in a frame.

    Parameters
    ----------
    trials : DataFrame
        ``learning_rate``, ``hidden_sizes``, ``batch_size`` and ``accuracy``; where several
        candidates share a cell, the best is shown.
    ax : Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    Axes

    Raises
    ------
    ValueError
        When there are no candidates.
    """
    if trials.empty:
        raise ValueError("a grid overview needs at least one candidate, got none")
    table = trials.pivot_table(
        index=["hidden_sizes", "batch_size"],
        columns="learning_rate",
        values="accuracy",
        aggfunc="max",
        sort=False,
        dropna=False,
    )
    table = table.dropna(how="all").sort_index(axis="columns")
    values = table.to_numpy(dtype=float)
    ax = new_axes(ax, (2.8 + 0.9 * values.shape[1], 1.4 + 0.38 * len(table)))
    span = (float(np.nanmin(values)), float(np.nanmax(values)))
    _cells(ax, values, "cividis", span, "{:.4f}", "validation accuracy")
    ax.set_xticks(range(values.shape[1]), [f"{rate:g}" for rate in table.columns])
    ax.set_yticks(range(len(table)), [f"{hidden}, batch {batch}" for hidden, batch in table.index])
    ax.set_xlabel("learning rate")
    ax.set_ylabel("hidden sizes, batch size")
    row, column = np.unravel_index(np.nanargmax(values), values.shape)
    frame = {"fill": False, "edgecolor": "#D55E00", "linewidth": 2.5}
    ax.add_patch(_rectangle(float(column) - 0.5, float(row) - 0.5, frame))
    return ax


def confusion_matrix(
    matrix: ArrayLike, label_names: Sequence[str], *, ax: Axes | None = None
) -> Axes:
    """Draw a confusion matrix: counts, and the share of the true class in the shade.

    Parameters
    ----------
    matrix : array-like of int, shape (n, n)
        Rows are true classes, columns predictions.
    label_names : sequence of str
        Names of the n classes.
    ax : Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    Axes

    Raises
    ------
    ValueError
        When matrix and names do not fit together.
    """
    counts = np.asarray(matrix)
    n = len(label_names)
    if counts.shape != (n, n):
        raise ValueError(f"{n} classes have a matrix of {n} x {n}, got {counts.shape}")
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    ax = new_axes(ax, (2.6 + 0.95 * n, 1.4 + 0.8 * n))
    _cells(ax, share, "cividis", (0.0, 1.0), None, "share of the true class")
    for row, column in np.ndindex(n, n):
        text = f"{counts[row, column]:,}\n{share[row, column]:.1%}"
        color = "white" if share[row, column] < 0.55 else "black"
        ax.text(column, row, text, ha="center", va="center", color=color, fontsize=9)
    ax.set_xticks(range(n), list(label_names))
    ax.set_yticks(range(n), list(label_names))
    ax.set_xlabel("predicted")
    ax.set_ylabel("true")
    return ax


def _cells(
    ax: Axes,
    values: Any,
    colormap: str,
    span: tuple[float, float],
    template: str | None,
    label: str,
) -> None:
    """Draw a matrix as shaded cells with a colour bar, and its values inside."""
    image = ax.imshow(values, cmap=colormap, vmin=span[0], vmax=span[1], aspect="auto")
    ax.figure.colorbar(image, ax=ax, label=label, shrink=0.9)
    ax.grid(visible=False)
    ax.spines[:].set_visible(False)
    if template is None:
        return
    for row, column in np.ndindex(*values.shape):
        value = values[row, column]
        if np.isfinite(value):
            red, green, blue, _ = image.cmap(image.norm(value))
            # Perceived lightness (ITU-R BT.601) decides between black and white text.
            dark = 0.299 * red + 0.587 * green + 0.114 * blue < 0.5
            color = "white" if dark else "black"
            text = template.format(value)
            ax.text(column, row, text, ha="center", va="center", color=color, fontsize=8)


def _rectangle(x: float, y: float, style: dict[str, Any]) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle((x, y), 1, 1, clip_on=False, **style)
