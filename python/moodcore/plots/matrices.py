"""Matrices with their values in the cells."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, ListedColormap, to_rgb
from numpy.typing import ArrayLike, NDArray

from moodcore.plots import style

# Gray on any ground.
_NO_VALUE = (0.5, 0.5, 0.5, 0.2)
_DASH, _MINUS = "\N{EN DASH}", "\N{MINUS SIGN}"


def correlation_heatmap(
    correlation: pd.DataFrame,
    title: str = "",
    *,
    marked: Collection[str] = (),
    max_features: int = 14,
    ax: Axes | None = None,
) -> Axes:
    """Draw a matrix of correlations with the values in the cells.

    Parameters
    ----------
    correlation : DataFrame of shape (n_features, n_features)
        Correlations in [-1, 1]; NaN where not defined, drawn gray. Index and columns are the
        same names in the same order.
    title : str, default=""
        Above the figure.
    marked : collection of str, default=()
        Features whose names get an asterisk.
    max_features : int, default=14
        Of more features, those with the strongest correlation to another one are drawn.
    ax : Axes, optional
        Where to draw; a new figure by default.

    Examples
    --------
    >>> songs = pd.DataFrame({"energy": [0.1, 0.5, 0.9], "loudness": [-20.0, -9.0, -4.0]})
    >>> ax = correlation_heatmap(songs.corr())
    >>> [text.get_text() for text in ax.texts]
    ['1.00', '0.98', '0.98', '1.00']
    """
    names = _same_names(correlation, "correlation")
    values = correlation.to_numpy(dtype=np.float64)
    # Sums of products in floating point overshoot one by a few units in the last place.
    outside = np.argwhere(np.abs(values) > 1 + 1e-9)
    if len(outside):
        row, column = outside[0]
        raise ValueError(
            f"correlations must be in [-1, 1], got {values[row, column]:g} for "
            f"{names[row]!r} with {names[column]!r}"
        )
    if len(names) > max_features:
        others = np.nan_to_num(np.abs(values) - 2 * np.eye(len(names)), nan=-1.0)
        kept = np.sort(np.argsort(-others.max(axis=1), kind="stable")[:max_features])
        values, names = values[np.ix_(kept, kept)], [names[at] for at in kept]
    ax = style.axes_for(ax, 2.4 + 0.55 * len(names), 1.7 + 0.42 * len(names))
    texts = [[_written(value, ".2f") for value in row] for row in values]
    draw_cells(ax, values, texts, colors=_diverging(), limits=(-1, 1), bar="Pearson correlation")
    style.dress(ax, title=title, grid="none")
    shown = [f"{style.label(name)} *" if name in marked else style.label(name) for name in names]
    name_cells(ax, shown, shown, turned=True)
    return ax


def confusion_matrix(
    matrix: ArrayLike, label_names: Sequence[str], *, ax: Axes | None = None
) -> Axes:
    """Draw a confusion matrix: counts, and shares of the true class as color and in percent.

    Parameters
    ----------
    matrix : array-like of int, shape (n_classes, n_classes)
        Entry (i, j): rows of class i that were predicted as j, 0 or more.
    label_names : sequence of str, length n_classes
        Names of the classes.
    ax : Axes, optional
        Where to draw; a new figure by default.

    Examples
    --------
    >>> ax = confusion_matrix([[9, 1], [0, 5]], ["sad", "calm"])
    >>> ax.texts[0].get_text().split()
    ['90.0', '%', '9']
    """
    counts, names = check_confusion(matrix, label_names)
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.where(totals > 0, counts / np.maximum(totals, 1), np.nan)
    texts = [
        [f"{c:,}" if np.isnan(s) else f"{100 * s:.1f} %\n{c:,}" for c, s in zip(*pair, strict=True)]
        for pair in zip(counts, shares, strict=True)
    ]
    ax = style.axes_for(ax, 2.6 + 0.72 * len(names), max(2.2, 1.3 + 0.55 * len(names)))
    draw_cells(ax, shares, texts, colors="cividis", limits=(0, 1), bar="share of the true class")
    style.dress(ax, x="predicted class", y="true class", grid="none")
    shown = [style.label(name) for name in names]
    name_cells(ax, shown, shown, turned=max(map(len, shown)) > 9)
    return ax


def check_confusion(
    matrix: ArrayLike, label_names: Sequence[str]
) -> tuple[NDArray[Any], list[str]]:
    """Return the counts and names of a confusion matrix, or raise a `ValueError`."""
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
    return counts, names


def difference_matrix(pairs: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw the accuracy of the model in the row minus that of the model in the column, in points.

    Significant differences are colored, all others gray.

    Parameters
    ----------
    pairs : DataFrame
        Columns ``first``, ``second``, ``difference`` (a share, first minus second) and
        ``verdict`` ("better" where the difference is significant); one row per pair.
    ax : Axes, optional
        Where to draw; a new figure by default.

    Examples
    --------
    >>> pairs = pd.DataFrame({"first": ["GBT"], "second": ["MLP"], "difference": [0.021]})
    >>> difference_matrix(pairs.assign(verdict="better")).texts[1].get_text()
    '+2.10'
    """
    style.check_table(pairs, ("first", "second", "difference", "verdict"), "pairs")
    names = list(dict.fromkeys([*pairs["first"], *pairs["second"]]))
    values = np.full((len(names), len(names)), np.nan)
    texts = [[""] * len(names) for _ in names]
    for row in pairs.to_dict("records"):
        for sign, ends in ((1, ("first", "second")), (-1, ("second", "first"))):
            i, j = (names.index(row[end]) for end in ends)
            points = 100 * sign * float(row["difference"])
            texts[i][j] = f"{points:+z.2f}".replace("-", _MINUS)
            if row["verdict"] == "better":
                values[i, j] = points
    reach = float(np.nanmax(np.abs(values))) if np.isfinite(values).any() else 1.0
    return _model_matrix(values, texts, names, (_diverging(), (-reach, reach), "points"), ax)


def agreement_matrix(agreement: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw the share of rows for which each pair of models predicts the same class.

    Parameters
    ----------
    agreement : DataFrame of shape (n_models, n_models)
        Shares in [0, 1]; index and columns are the same names in the same order.
    ax : Axes, optional
        Where to draw; a new figure by default.

    Examples
    --------
    >>> table = pd.DataFrame([[1.0, 0.9], [0.9, 1.0]], ["GBT", "MLP"], ["GBT", "MLP"])
    >>> [text.get_text() for text in agreement_matrix(table).texts]
    ['', '90.0 %', '90.0 %', '']
    """
    names = _same_names(agreement, "agreement")
    values = agreement.to_numpy(dtype=np.float64).copy()
    if not ((values >= 0) & (values <= 1)).all():
        raise ValueError(f"agreement must be shares in [0, 1], got {values.min()}, {values.max()}")
    # Agreement of each with itself would take most of the color range.
    np.fill_diagonal(values, np.nan)
    texts = [["" if np.isnan(v) else f"{100 * v:.1f} %" for v in row] for row in values]
    least = float(np.nanmin(values)) if np.isfinite(values).any() else 0.0
    return _model_matrix(values, texts, names, ("cividis", (least, 1), "share of the rows"), ax)


def feature_measures(
    values: pd.DataFrame,
    *,
    formats: Mapping[str, str] | None = None,
    marked: Collection[str] = (),
    ax: Axes | None = None,
) -> Axes:
    """Draw one cell per feature and measure: the value, colored by its share of the largest.

    Parameters
    ----------
    values : DataFrame of shape (n_features, n_measures)
        Index: features, from top to bottom. Columns: measures; each has its own unit, and colors
        compare features within one. NaN where not defined, drawn gray.
    formats : mapping of str to str, optional
        Number format per measure, as for :func:`format`; ".3f" by default.
    marked : collection of str, default=()
        Features whose names get an asterisk.
    ax : Axes, optional
        Where to draw; a new figure by default.

    Examples
    --------
    >>> values = pd.DataFrame({"gain": [0.7, 0.3], "shap": [1.25, 0.5]}, index=["energy", "tempo"])
    >>> ax = feature_measures(values, formats={"gain": ".0%"}, marked=["tempo"])
    >>> [text.get_text() for text in ax.texts], [text.get_text() for text in ax.get_yticklabels()]
    (['70%', '1.250', '30%', '0.500'], ['energy', 'tempo *'])
    """
    if not values.size:
        raise ValueError(f"values must hold a feature and a measure, got shape {values.shape}")
    numbers = values.to_numpy(dtype=np.float64)
    # Shuffling a useless feature may improve the accuracy by chance.
    positive = np.clip(numbers, 0.0, None)
    largest = np.nan_to_num(positive).max(axis=0, keepdims=True)
    shares = positive / np.where(largest > 0, largest, 1.0)
    forms = [(formats or {}).get(str(name), ".3f") for name in values.columns]
    texts = [[_written(*cell) for cell in zip(row, forms, strict=True)] for row in numbers]
    # The label of the color bar needs its length, however few the rows.
    ax = style.axes_for(ax, 2.9 + 0.68 * len(forms), 1.9 + max(2.0, 0.34 * len(values)))
    bar = "share of the column's largest"
    draw_cells(ax, shares, texts, colors=_fading(), limits=(0, 1), bar=bar)
    style.dress(ax, grid="none")
    rows = [
        f"{style.label(name)} *" if name in marked else style.label(name) for name in values.index
    ]
    name_cells(ax, rows, [style.label(name, 44) for name in values.columns], turned=True)
    return ax


def _model_matrix(
    values: NDArray[np.float64],
    texts: Sequence[Sequence[str]],
    names: Sequence[str],
    scale: tuple[str | Colormap, tuple[float, float], str],
    ax: Axes | None,
) -> Axes:
    colors, limits, bar = scale
    ax = style.axes_for(ax, 2.9 + 0.72 * len(names), 1.9 + 0.44 * len(names))
    draw_cells(ax, values, texts, colors=colors, limits=limits, bar=bar)
    style.dress(ax, grid="none")
    shown = [style.label(name) for name in names]
    name_cells(ax, shown, shown, turned=True)
    return ax


def _same_names(table: pd.DataFrame, what: str) -> list[str]:
    names = [str(name) for name in table.columns]
    if not names or names != [str(name) for name in table.index]:
        raise ValueError(
            f"{what} must have the same names down and across, at least one, got "
            f"{[str(name) for name in table.index]} down and {names} across"
        )
    return names


def _diverging() -> ListedColormap:
    """Return blue and red that fade to the ground, so that nothing glares on a dark page."""
    at = np.linspace(-1, 1, 256)
    ends = np.where(at[:, None] < 0, to_rgb("#2166AC"), to_rgb("#B2182B"))
    return ListedColormap(np.column_stack([ends, np.abs(at)]), name="blue_red")


def _fading() -> ListedColormap:
    tints = np.tile(to_rgb(style.BLUE), (256, 1))
    return ListedColormap(np.column_stack([tints, np.linspace(0, 0.9, 256)]), name="fading")


def _written(value: float, form: str) -> str:
    if np.isnan(value):
        return _DASH
    text = format(value, form)
    # No sign before what rounds to zero.
    if not any(digit in text for digit in "123456789"):
        text = text.lstrip("-")
    return text.replace("-", _MINUS)


def draw_cells(
    ax: Axes,
    values: NDArray[np.float64],
    texts: Sequence[Sequence[str]],
    *,
    colors: str | Colormap,
    limits: tuple[float, float],
    bar: str,
) -> Any:
    """Draw colored cells, each with a text, and a color bar; NaN is gray."""
    found = matplotlib.colormaps[colors] if isinstance(colors, str) else colors
    palette = found.with_extremes(bad=_NO_VALUE)
    image = ax.imshow(values, cmap=palette, vmin=limits[0], vmax=limits[1], aspect="auto")
    for (row, column), value in np.ndenumerate(values):
        ink = (
            style.ON_PAGE
            if np.isnan(value)
            else style.ink_over(palette(image.norm(np.array(value))))
        )
        text = texts[row][column]
        ax.text(column, row, text, ha="center", va="center", fontsize=style.SMALL, color=ink)
    # Lines between the cells.
    ax.set_xticks(np.arange(values.shape[1] + 1) - 0.5, minor=True)
    ax.set_yticks(np.arange(values.shape[0] + 1) - 0.5, minor=True)
    color_bar = ax.figure.colorbar(image, ax=ax, pad=0.02, aspect=25)
    color_bar.set_label(bar, fontsize=style.LABEL)
    color_bar.ax.tick_params(labelsize=style.TICK)
    color_bar.outline.set_visible(False)
    return color_bar


def name_cells(
    ax: Axes, rows: Sequence[str], columns: Sequence[str], *, turned: bool = False
) -> None:
    """Write the names of rows and columns; separate the cells by lines."""
    ax.set_xticks(range(len(columns)), columns)
    ax.set_yticks(range(len(rows)), rows)
    ax.grid(True, which="minor", color=style.GROUND, linewidth=1.5)
    ax.tick_params(which="both", length=0)
    for spine in ax.spines.values():
        spine.set_visible(False)
    if turned:
        ax.tick_params(axis="x", rotation=40)
        for text in ax.get_xticklabels():
            text.set(ha="right", rotation_mode="anchor")
