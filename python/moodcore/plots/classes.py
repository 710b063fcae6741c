"""Curves of one model: each class against the rest, thresholds, and rejected predictions."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from moodcore.plots import style


def class_curves(curves: pd.DataFrame) -> Figure:
    """Draw the ROC curve and the precision-recall curve of each class against the rest.

    Parameters
    ----------
    curves : DataFrame
        Columns ``class``, ``curve`` ("roc" or "precision_recall"), ``x`` and ``y`` (shares in
        [0, 1]: false positive rate and recall, or recall and precision) and ``area``, the same in
        each row of a curve.

    Returns
    -------
    Figure
        With one pair of axes per kind of curve.

    Examples
    --------
    >>> points = {"class": "sad", "x": [0.0, 0.5, 1.0], "y": [0.0, 0.9, 1.0], "area": 0.8}
    >>> roc = pd.DataFrame(points | {"curve": "roc"})
    >>> curves = pd.concat([roc, roc.assign(curve="precision_recall")])
    >>> [ax.get_title(loc="left") for ax in class_curves(curves).axes]
    ['ROC', 'Precision-recall']
    """
    style.check_table(curves, ("class", "curve", "x", "y", "area"), "curves")
    figure = style.new_figure(9.4, 3.9)
    left, right = figure.subplots(1, 2)
    left.plot([0, 1], [0, 1], color=style.AXIS, linewidth=1.0)
    _draw_classes(left, curves[curves["curve"] == "roc"])
    style.dress(left, title="ROC", x="false positive rate", y="recall (true positive rate)")
    _draw_classes(right, curves[curves["curve"] == "precision_recall"])
    style.dress(right, title="Precision-recall", x="recall", y="precision")
    for ax, title in ((left, "area under\nthe curve"), (right, "average\nprecision")):
        ax.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
        style.legend_right(ax, title)
    return figure


def _draw_classes(ax: Axes, curves: pd.DataFrame) -> None:
    parts = list(curves.groupby("class", sort=False))
    for (name, part), look in zip(parts, style.line_styles(len(parts)), strict=True):
        look |= {"markersize": 3.5, "markevery": max(1, len(part) // 6)}
        text = f"{style.label(name)} ({float(part['area'].iloc[0]):.3f})"
        ax.plot(part["x"], part["y"], label=text, **look)


def threshold_curves(thresholds: pd.DataFrame, class_name: str, *, ax: Axes | None = None) -> Axes:
    """Draw precision, recall and F1 of one class by the threshold of its probability.

    Parameters
    ----------
    thresholds : DataFrame
        Columns ``threshold``, ``precision``, ``recall`` and ``f1``, all in [0, 1].
    class_name : str
        The class that is predicted from the threshold on.
    ax : Axes, optional
        Where to draw; a new figure by default.

    Examples
    --------
    >>> rows = {"threshold": [0.2, 0.8], "precision": [0.5, 0.9], "recall": [0.9, 0.4]}
    >>> ax = threshold_curves(pd.DataFrame(rows | {"f1": [0.64, 0.55]}), "yes")
    >>> ax.get_xlabel()
    'threshold of the probability of yes'
    """
    columns = ("threshold", "precision", "recall", "f1")
    style.check_table(thresholds, columns, "thresholds")
    ax = style.axes_for(ax, 6.6, 3.6)
    names = ("precision", "recall", "F1")
    for column, name, look in zip(columns[1:], names, style.line_styles(3), strict=True):
        look |= {"markersize": 3.5, "markevery": max(1, len(thresholds) // 8)}
        ax.plot(thresholds["threshold"], thresholds[column], label=name, **look)
    ax.axvline(0.5, color=style.AXIS, linewidth=1.0)
    style.dress(ax, x=f"threshold of the probability of {style.label(class_name)}", y="share")
    ax.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    style.legend_right(ax)
    return ax


def rejection_curve(rejection: pd.DataFrame, noun: str = "rows", *, ax: Axes | None = None) -> Axes:
    """Draw accuracy and share of the predictions that are kept by the lowest confidence kept.

    Parameters
    ----------
    rejection : DataFrame
        Columns ``confidence``, ``kept`` and ``accuracy``, all in [0, 1].
    noun : str, default="rows"
        What the predictions are about.
    ax : Axes, optional
        Where to draw; a new figure by default.

    Examples
    --------
    >>> rows = {"confidence": [0.5, 0.9], "kept": [1.0, 0.4], "accuracy": [0.8, 0.97]}
    >>> [line.get_label() for line in rejection_curve(pd.DataFrame(rows)).lines]
    ['accuracy of rows kept', 'share of rows kept']
    """
    style.check_table(rejection, ("confidence", "kept", "accuracy"), "rejection")
    ax = style.axes_for(ax, 6.6, 3.6)
    accuracy, kept = style.line_styles(2)
    every: dict[str, Any] = {"markersize": 3.5, "markevery": max(1, len(rejection) // 8)}
    at = rejection["confidence"]
    ax.plot(at, rejection["accuracy"], label=f"accuracy of {noun} kept", **accuracy | every)
    ax.plot(at, rejection["kept"], label=f"share of {noun} kept", **kept | every)
    style.dress(ax, x="lowest confidence kept (probability of the predicted class)", y="share")
    style.percentages(ax.yaxis)
    ax.set_xlim(max(0.0, float(np.min(at)) - 0.02), 1.0)
    ax.set_ylim(-0.02, 1.02)
    style.legend_right(ax)
    return ax
