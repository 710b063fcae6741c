"""Curves of several models: learning, calibration, precision against recall, elimination."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, NullLocator

from moodcore.errors import check_choice
from moodcore.plots import style

_FILTER_STROKE = (0, (2, 1.2))
_WAYS: dict[str, tuple[str, dict[str, Any]]] = {
    "elimination": ("recursive elimination", {"linestyle": "-", "linewidth": 1.7}),
    "filter": ("correlation filter", {"linestyle": _FILTER_STROKE, "linewidth": 1.3}),
    "named": ("named set", {"linestyle": "none", "marker": "*", "markersize": 10}),
}


def _by_model(table: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame, dict[str, Any]]]:
    """Yield name, rows and style of each model, in the order of the table."""
    parts = list(table.groupby("model", sort=False))
    for (name, part), look in zip(parts, style.line_styles(len(parts)), strict=True):
        yield str(name), part, look


def _band(ax: Axes, at: Any, low: Any, high: Any, color: str) -> None:
    ax.fill_between(at, low, high, color=color, alpha=0.13, linewidth=0)


def learning_curves(curves: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw the accuracy of every model by the number of training rows.

    Parameters
    ----------
    curves : DataFrame
        Columns ``model``, ``rows`` (1 or more), ``accuracy``, ``low`` and ``high``, the range
        over the folds.
    ax : Axes, optional
        Where to draw; a new figure by default.

    Examples
    --------
    >>> curves = pd.DataFrame({"model": "GBT", "rows": [100, 1600], "accuracy": [0.6, 0.8]})
    >>> ax = learning_curves(curves.assign(low=[0.58, 0.79], high=[0.63, 0.81]))
    >>> [text.get_text() for text in ax.get_xticklabels()]
    ['100', '1,600']
    """
    style.check_table(curves, ("model", "rows", "accuracy", "low", "high"), "curves")
    ax = style.axes_for(ax, 7.4, 4.2)
    for name, part, look in _by_model(curves):
        _band(ax, part["rows"], part["low"], part["high"], look["color"])
        ax.plot(part["rows"], part["accuracy"], label=style.label(name), **look)
    style.dress(ax, x="training rows", y="accuracy")
    ax.set_xscale("log")
    sizes = np.unique(curves["rows"])
    ax.xaxis.set_major_locator(FixedLocator(sizes.tolist()))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xticks(sizes, [f"{size:,}" for size in sizes])
    style.percentages(ax.yaxis)
    style.legend_right(ax, "mean and range\nover the folds")
    return ax


def calibration_curves(calibration: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw accuracy by confidence, the probability of the predicted class.

    Parameters
    ----------
    calibration : DataFrame
        Columns ``model``, ``confidence``, ``accuracy`` (shares in [0, 1]) and ``rows`` of each
        bin; bins with more rows have larger markers.
    ax : Axes, optional
        Where to draw; a new figure by default.

    Examples
    --------
    >>> bins = pd.DataFrame({"confidence": [0.5, 0.9], "accuracy": [0.4, 0.8], "rows": [9, 30]})
    >>> ax = calibration_curves(bins.assign(model="GBT"))
    >>> [line.get_label() for line in ax.lines]
    ['perfectly calibrated', 'GBT']
    """
    style.check_table(calibration, ("model", "confidence", "accuracy", "rows"), "calibration")
    ax = style.axes_for(ax, 6.6, 4.6)
    ax.plot([0, 1], [0, 1], color=style.AXIS, linewidth=1.0, label="perfectly calibrated")
    most = float(calibration["rows"].max())
    for name, part, look in _by_model(calibration):
        at, accuracy = part["confidence"], part["accuracy"]
        ax.plot(at, accuracy, label=style.label(name), **look | {"markersize": 4})
        circles: dict[str, Any] = {"color": look["color"], "alpha": 0.22, "linewidth": 0}
        ax.scatter(at, accuracy, s=400 * part["rows"] / most, **circles)
    style.dress(ax, x="confidence (probability of the predicted class)", y="accuracy")
    low = float(calibration[["confidence", "accuracy"]].to_numpy().min())
    margin = 0.05 * (1 - low)
    ax.set(xlim=(low - margin, 1 + margin / 2), ylim=(low - margin, 1 + margin / 2))
    style.legend_right(ax, "large circles:\nmany rows")
    return ax


def precision_recall_curves(
    curves: pd.DataFrame, class_name: str, *, ax: Axes | None = None
) -> Axes:
    """Draw precision by recall for every model, for one class against the rest.

    Parameters
    ----------
    curves : DataFrame
        Columns ``model``, ``class``, ``recall``, ``precision`` (shares in [0, 1]) and
        ``average_precision``, the same in each row of a curve.
    class_name : str
        The class.
    ax : Axes, optional
        Where to draw; a new figure by default.

    Examples
    --------
    >>> curves = pd.DataFrame({"recall": [1.0, 0.5, 0.0], "precision": [0.4, 0.8, 1.0]})
    >>> curves = curves.assign(model="GBT", average_precision=0.7, **{"class": "sad"})
    >>> [line.get_label() for line in precision_recall_curves(curves, "sad").lines]
    ['GBT (0.700)']
    """
    columns = ("model", "class", "recall", "precision", "average_precision")
    style.check_table(curves, columns, "curves")
    rows = curves[curves["class"] == class_name]
    if not len(rows):
        check_choice("class_name", class_name, curves["class"].unique())
    ax = style.axes_for(ax, 6.6, 4.0)
    for name, part, look in _by_model(rows):
        look |= {"markersize": 3.5, "markevery": max(1, len(part) // 6)}
        text = f"{style.label(name)} ({float(part['average_precision'].iloc[0]):.3f})"
        ax.plot(part["recall"], part["precision"], label=text, **look)
    style.dress(ax, title=style.label(class_name), x="recall", y="precision")
    ax.set(xlim=(-0.02, 1.02))
    ax.set_ylim(top=1.02)
    style.legend_right(ax, "average precision")
    return ax


def elimination_curves(
    choices: pd.DataFrame, *, titles: Mapping[str, str] | None = None, ax: Axes | None = None
) -> Axes:
    """Draw accuracy by number of features and by how they were selected.

    A solid line per model is recursive elimination, with a band of one standard deviation over the
    folds; a dashed line is the correlation filter; a star is a named set.

    Parameters
    ----------
    choices : DataFrame
        Columns ``choice``, ``kind`` ("all", "named", "filter" or "elimination"), ``model``,
        ``n_features``, ``accuracy`` and ``accuracy_std`` (shares of rows): the `choices` of a
        :class:`moodcore.features.FeatureStudy`.
    titles : mapping of str to str, optional
        Names of the models in the legend.
    ax : Axes, optional
        Where to draw; a new figure by default.

    Examples
    --------
    >>> choices = pd.DataFrame(
    ...     [("all", "all", 2, 0.9), ("eliminated to 1", "elimination", 1, 0.8)],
    ...     columns=["choice", "kind", "n_features", "accuracy"],
    ... ).assign(model="gbt", accuracy_std=0.01)
    >>> ax = elimination_curves(choices, titles={"gbt": "GBT"})
    >>> ax.lines[0].get_ydata().tolist()
    [0.8, 0.9]
    """
    columns = ("choice", "kind", "model", "n_features", "accuracy", "accuracy_std")
    style.check_table(choices, columns, "choices")
    found = choices[np.isfinite(choices["accuracy"].to_numpy(dtype=float))]
    if found.empty:
        raise ValueError("choices must hold an accuracy that is a number, got none")
    ax = style.axes_for(ax, 7.6, 4.8)
    for name, part, look in _by_model(found):
        _draw_model(ax, part, look, style.label((titles or {}).get(name, name)))
    style.dress(ax, x="number of features kept", y="validation accuracy")
    style.whole_numbers(ax)
    style.percentages(ax.yaxis)
    for kind, (text, look) in _WAYS.items():
        if kind in set(found["kind"]):
            ax.add_line(Line2D([], [], color=style.AXIS, label=text, **look))
    style.legend_right(ax)
    return ax


def _draw_model(ax: Axes, rows: pd.DataFrame, look: Mapping[str, Any], text: str) -> None:
    color, marker = look["color"], look["marker"]
    line = _ordered(rows, ["all", "elimination"])
    at, mean, spread = line["n_features"], line["accuracy"], line["accuracy_std"]
    _band(ax, at, mean - spread, mean + spread, color)
    ax.plot(at, mean, color=color, marker=marker, markersize=4.5, linewidth=1.7, label=text)
    filtered = _ordered(rows, ["all", "filter"])
    if len(filtered) > 1:
        ax.plot(
            filtered["n_features"], filtered["accuracy"], color=color, linewidth=1.3,
            linestyle=_FILTER_STROKE, marker=marker, markersize=3, markerfacecolor="none",
        )  # fmt: skip
    named = rows[rows["kind"] == "named"]
    star: dict[str, Any] = {"linestyle": "none", "marker": "*", "markersize": 10}
    ax.plot(named["n_features"], named["accuracy"], color=color, markeredgewidth=0.4, **star)


def _ordered(rows: pd.DataFrame, kinds: Sequence[str]) -> pd.DataFrame:
    return rows[rows["kind"].isin(kinds)].drop_duplicates("n_features").sort_values("n_features")
