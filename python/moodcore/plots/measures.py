"""Many measures of many features, side by side."""

from collections.abc import Collection, Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap, to_rgb

from moodcore.plots.matrices import draw_cells, name_cells
from moodcore.plots.style import BLUE, axes_for, dress

_COLOURS = 256


def _fading() -> ListedColormap:
    """One colour that fades to the ground, so that nothing glares on a dark page."""
    tints = np.tile(to_rgb(BLUE), (_COLOURS, 1))
    return ListedColormap(np.column_stack([tints, np.linspace(0, 0.9, _COLOURS)]), name="fading")


def feature_measures(
    values: pd.DataFrame,
    *,
    formats: Mapping[str, str] | None = None,
    marked: Collection[str] = (),
    ax: Axes | None = None,
) -> Axes:
    """Draw a cell for each feature and measure: the value, coloured by its share of the largest.

    Parameters
    ----------
    values : DataFrame of shape (n_features, n_measures)
        Index: features, from top to bottom. Columns: measures; each has its own unit, and colours
        compare features within one. NaN where not defined, drawn grey.
    formats : mapping of str to str, optional
        How numbers of a measure are written, as for :func:`format`; ".3f" by default.
    marked : collection of str, default=()
        Features whose names get an asterisk.
    ax : Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    Axes

    Raises
    ------
    ValueError
        When there is no feature or no measure.

    Examples
    --------
    >>> values = pd.DataFrame({"gain": [0.7, 0.3], "shap": [1.25, 0.5]}, index=["energy", "tempo"])
    >>> ax = feature_measures(values, formats={"gain": ".0%"}, marked=["tempo"])
    >>> [text.get_text() for text in ax.texts], [one.get_text() for one in ax.get_yticklabels()]
    (['70%', '1.250', '30%', '0.500'], ['energy', 'tempo *'])
    """
    if not values.size:
        raise ValueError(f"values must hold a feature and a measure, got shape {values.shape}")
    numbers = values.to_numpy(dtype=np.float64)
    # Less than nothing is nothing: shuffling a useless feature helps by chance.
    positive = np.clip(numbers, 0.0, None)
    with np.errstate(invalid="ignore"):
        largest = np.nanmax(np.where(np.isnan(positive), 0.0, positive), axis=0, keepdims=True)
        shares = positive / np.where(largest > 0, largest, 1.0)
    forms = [(formats or {}).get(str(name), ".3f") for name in values.columns]
    texts = [[_text(*cell) for cell in zip(row, forms, strict=True)] for row in numbers]
    rows, columns = [str(name) for name in values.index], [str(name) for name in values.columns]
    # The label of the colour bar needs its length, however few the rows.
    ax = axes_for(ax, 2.9 + 0.68 * len(columns), 1.9 + max(2.0, 0.34 * len(rows)))
    bar = "share of the column's largest"
    draw_cells(ax, shares, texts, colours=_fading(), limits=(0, 1), bar=bar)
    dress(ax, grid="none")
    name_cells(ax, [f"{name} *" if name in marked else name for name in rows], columns)
    ax.tick_params(axis="x", rotation=40)
    for label in ax.get_xticklabels():
        label.set(ha="right", rotation_mode="anchor")
    return ax


def _text(value: float, form: str) -> str:
    if np.isnan(value):
        return "\N{EN DASH}"
    text = format(value, form)
    # No sign before what rounds to zero.
    if not any(digit in text for digit in "123456789"):
        text = text.lstrip("-")
    return text.replace("-", "\N{MINUS SIGN}")
