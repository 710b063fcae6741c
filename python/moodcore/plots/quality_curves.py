"""Curves of several models: learning, calibration, precision against recall."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, NullLocator, PercentFormatter

from moodcore.plots.style import AXIS, axes_for, dress, legend_right, line_styles
from moodcore.plots.tables import check_table


def learning_curves(curves: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw the accuracy of every model by the number of rows that it learned from.

    Parameters
    ----------
    curves : DataFrame
        Columns ``model``, ``rows`` (1 or more), ``accuracy``, ``low`` and ``high``, the least and
        the greatest over the folds.
    ax : Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    Axes

    Raises
    ------
    ValueError
        When a column is missing or the table is empty.

    Examples
    --------
    >>> curves = pd.DataFrame({"model": "GBT", "rows": [100, 1600], "accuracy": [0.6, 0.8]})
    >>> ax = learning_curves(curves.assign(low=[0.58, 0.79], high=[0.63, 0.81]))
    >>> [text.get_text() for text in ax.get_xticklabels()]
    ['100', '1,600']
    """
    check_table(curves, ("model", "rows", "accuracy", "low", "high"), "curves")
    ax = axes_for(ax, 7.4, 4.2)
    parts = list(curves.groupby("model", sort=False))
    for (name, part), look in zip(parts, line_styles(len(parts)), strict=True):
        at = part["rows"].to_numpy()
        ax.fill_between(at, part["low"], part["high"], color=look["color"], alpha=0.13, linewidth=0)
        ax.plot(at, part["accuracy"], label=str(name), **look)
    dress(ax, x="training rows", y="accuracy")
    ax.set_xscale("log")
    sizes = np.unique(curves["rows"])
    ax.xaxis.set_major_locator(FixedLocator(sizes.tolist()))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xticks(sizes, [f"{size:,}" for size in sizes])
    ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=None))
    legend_right(ax, "mean and range\nover the folds")
    return ax


def calibration_curves(calibration: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw how often models are right by how sure they are, against what sure should mean.

    Parameters
    ----------
    calibration : DataFrame
        Columns ``model``, ``confidence``, ``accuracy`` (shares in [0, 1]) and ``rows`` of each
        bin; the larger a bin, the larger its marker.
    ax : Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    Axes

    Raises
    ------
    ValueError
        When a column is missing or the table is empty.

    Examples
    --------
    >>> bins = pd.DataFrame({"confidence": [0.5, 0.9], "accuracy": [0.4, 0.8], "rows": [9, 30]})
    >>> ax = calibration_curves(bins.assign(model="GBT"))
    >>> [line.get_label() for line in ax.lines]
    ['as sure as right', 'GBT']
    """
    check_table(calibration, ("model", "confidence", "accuracy", "rows"), "calibration")
    ax = axes_for(ax, 6.6, 4.6)
    ax.plot([0, 1], [0, 1], color=AXIS, linewidth=1.0, label="as sure as right")
    parts = list(calibration.groupby("model", sort=False))
    most = float(calibration["rows"].max())
    for (name, part), look in zip(parts, line_styles(len(parts)), strict=True):
        area = 400 * part["rows"] / most
        ax.plot(part["confidence"], part["accuracy"], label=str(name), **look | {"markersize": 4})
        ax.scatter(
            part["confidence"],
            part["accuracy"],
            s=area,
            color=look["color"],
            alpha=0.22,
            linewidth=0,
        )
    dress(ax, x="probability of the predicted class", y="share of the rows that are right")
    low = float(calibration[["confidence", "accuracy"]].to_numpy().min())
    margin = 0.05 * (1 - low)
    ax.set(xlim=(low - margin, 1 + margin / 2), ylim=(low - margin, 1 + margin / 2))
    legend_right(ax, "large circles:\nmany rows")
    return ax


def precision_recall_curves(
    curves: pd.DataFrame, class_name: str, *, ax: Axes | None = None
) -> Axes:
    """Draw the precision of every model by its recall, for one class against the others.

    Parameters
    ----------
    curves : DataFrame
        Columns ``model``, ``class``, ``recall``, ``precision`` (shares in [0, 1]) and
        ``average_precision``, the same in each row of a curve.
    class_name : str
        The class.
    ax : Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    Axes

    Raises
    ------
    ValueError
        When a column is missing, or there is no curve for the class.

    Examples
    --------
    >>> curves = pd.DataFrame({"recall": [1.0, 0.5, 0.0], "precision": [0.4, 0.8, 1.0]})
    >>> curves = curves.assign(model="GBT", average_precision=0.7, **{"class": "sad"})
    >>> [line.get_label() for line in precision_recall_curves(curves, "sad").lines]
    ['GBT (0.700)']
    """
    columns = ("model", "class", "recall", "precision", "average_precision")
    check_table(curves, columns, "curves")
    mine = curves[curves["class"] == class_name]
    if not len(mine):
        known = ", ".join(str(one) for one in curves["class"].unique())
        raise ValueError(f"class_name must be one of {known}, got {class_name!r}")
    ax = axes_for(ax, 6.6, 4.0)
    parts = list(mine.groupby("model", sort=False))
    for (name, part), look in zip(parts, line_styles(len(parts)), strict=True):
        look = look | {"markersize": 3.5, "markevery": max(1, len(part) // 6)}
        mean = float(part["average_precision"].iloc[0])
        ax.plot(part["recall"], part["precision"], label=f"{name} ({mean:.3f})", **look)
    dress(ax, title=class_name, x="recall", y="precision")
    ax.set(xlim=(-0.02, 1.02))
    ax.set_ylim(top=1.02)
    legend_right(ax, "average precision")
    return ax
