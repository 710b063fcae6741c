"""Matrices with their values in the cells."""

from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, ListedColormap, to_rgb
from numpy.typing import ArrayLike, NDArray

from moodcore.plots.style import GROUND, LABEL, ON_PAGE, SMALL, TICK, axes_for, dress, ink_over

# Grey on any ground.
_NO_VALUE = (0.5, 0.5, 0.5, 0.2)


def diverging() -> ListedColormap:
    """Blue and red that fade to the ground, so that nothing glares on a dark page."""
    fading = np.abs(np.linspace(-1, 1, 256))
    ends = np.where(np.linspace(-1, 1, 256)[:, None] < 0, to_rgb("#2166AC"), to_rgb("#B2182B"))
    return ListedColormap(np.column_stack([ends, fading]), name="blue_red")


def correlation_heatmap(
    correlation: pd.DataFrame, title: str = "", *, ax: Axes | None = None
) -> Axes:
    """Draw a matrix of correlations, the values printed in the cells.

    Parameters
    ----------
    correlation : DataFrame of shape (n_features, n_features)
        Correlations in [-1, 1]; NaN where not defined, drawn grey. Index and columns are the
        same names in the same order.
    title : str, default=""
        Above the picture.
    ax : Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    Axes

    Raises
    ------
    ValueError
        When the matrix is empty, not square, its names differ, or a value is outside [-1, 1].

    Examples
    --------
    >>> songs = pd.DataFrame({"energy": [0.1, 0.5, 0.9], "loudness": [-20.0, -9.0, -4.0]})
    >>> ax = correlation_heatmap(songs.corr())
    >>> [text.get_text() for text in ax.texts]
    ['1.00', '0.98', '0.98', '1.00']
    """
    names = [str(name) for name in correlation.columns]
    if not names or names != [str(name) for name in correlation.index]:
        raise ValueError(
            "correlation must have the same names down and across, at least one, got "
            f"{[str(name) for name in correlation.index]} down and {names} across"
        )
    values = correlation.to_numpy(dtype=np.float64)
    # Sums of products in floating point overshoot one by a few units in the last place.
    outside = np.argwhere(np.abs(values) > 1 + 1e-9)
    if len(outside):
        row, column = outside[0]
        raise ValueError(
            f"correlations must be in [-1, 1], got {values[row, column]:g} for "
            f"{names[row]!r} with {names[column]!r}"
        )
    ax = axes_for(ax, 2.4 + 0.58 * len(names), 1.7 + 0.46 * len(names))
    texts = [[_two_decimals(value) for value in row] for row in values]
    draw_cells(ax, values, texts, colours=diverging(), limits=(-1, 1), bar="Pearson correlation")
    dress(ax, title=title, grid="none")
    name_cells(ax, names, names)
    ax.tick_params(axis="x", rotation=40)
    for label in ax.get_xticklabels():
        label.set(ha="right", rotation_mode="anchor")
    return ax


def confusion_matrix(
    matrix: ArrayLike, label_names: Sequence[str], *, ax: Axes | None = None
) -> Axes:
    """Draw a confusion matrix: counts, and shares of the true class as colour and per cent.

    Parameters
    ----------
    matrix : array-like of int, shape (n_classes, n_classes)
        Entry (i, j): songs of class i that were called j, 0 or more.
    label_names : sequence of str, length n_classes
        Names of the classes.
    ax : Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    Axes

    Raises
    ------
    ValueError
        When the shape does not fit the names or an entry is below 0 or not a number.

    Examples
    --------
    >>> ax = confusion_matrix([[9, 1], [0, 5]], ["sad", "calm"])
    >>> ax.texts[0].get_text().split()
    ['90.0', '%', '9']
    """
    counts, names = np.asarray(matrix), [str(name) for name in label_names]
    if not names or counts.shape != (len(names), len(names)):
        raise ValueError(
            f"matrix must be square with one row per label, got shape {counts.shape} "
            f"for {len(names)} labels: {', '.join(names)}"
        )
    wrong = np.argwhere(~(np.isfinite(counts) & (counts >= 0)))
    if len(wrong):
        row, column = wrong[0]
        raise ValueError(
            f"counts must be 0 or more, got {counts[row, column]} for true {names[row]!r}, "
            f"predicted {names[column]!r}"
        )
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.where(totals > 0, counts / np.maximum(totals, 1), np.nan)
    texts = [
        [f"{c:,}" if np.isnan(s) else f"{100 * s:.1f} %\n{c:,}" for c, s in zip(*pair, strict=True)]
        for pair in zip(counts, shares, strict=True)
    ]
    ax = axes_for(ax, 2.6 + 0.85 * len(names), 1.3 + 0.68 * len(names))
    bar = "share of the true class"
    draw_cells(ax, shares, texts, colours="cividis", limits=(0, 1), bar=bar)
    dress(ax, x="predicted class", y="true class", grid="none")
    name_cells(ax, names, names)
    return ax


def _two_decimals(value: float) -> str:
    if np.isnan(value):
        return "\N{EN DASH}"
    # Adding zero takes the sign off what rounds to zero.
    return f"{round(value, 2) + 0.0:.2f}".replace("-", "\N{MINUS SIGN}")


def draw_cells(
    ax: Axes,
    values: NDArray[np.float64],
    texts: Sequence[Sequence[str]],
    *,
    colours: str | Colormap,
    limits: tuple[float, float],
    bar: str,
) -> Any:
    """Draw coloured cells, a text in each and a labelled colour bar; NaN is grey."""
    found = matplotlib.colormaps[colours] if isinstance(colours, str) else colours
    palette = found.with_extremes(bad=_NO_VALUE)
    image = ax.imshow(values, cmap=palette, vmin=limits[0], vmax=limits[1], aspect="auto")
    for (row, column), value in np.ndenumerate(values):
        ink = ON_PAGE if np.isnan(value) else ink_over(palette(image.norm(np.array(value))))
        text = texts[row][column]
        ax.text(column, row, text, ha="center", va="center", fontsize=SMALL, color=ink)
    # Lines between the cells.
    ax.set_xticks(np.arange(values.shape[1] + 1) - 0.5, minor=True)
    ax.set_yticks(np.arange(values.shape[0] + 1) - 0.5, minor=True)
    colour_bar = ax.figure.colorbar(image, ax=ax, pad=0.02, aspect=25)
    colour_bar.set_label(bar, fontsize=LABEL)
    colour_bar.ax.tick_params(labelsize=TICK)
    colour_bar.outline.set_visible(False)
    return colour_bar


def name_cells(ax: Axes, rows: Sequence[str], columns: Sequence[str]) -> None:
    """Write the names of rows and columns; part the cells by lines."""
    ax.set_xticks(range(len(columns)), columns)
    ax.set_yticks(range(len(rows)), rows)
    ax.grid(True, which="minor", color=GROUND, linewidth=1.5)
    ax.tick_params(which="both", length=0)
    for spine in ax.spines.values():
        spine.set_visible(False)
