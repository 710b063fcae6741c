"""Models side by side: scores with intervals, folds, costs of feature selections."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import NDArray

from moodcore.plots import style

_KINDS = {
    "model": (style.BLUE, "o", "model"),
    "combination": (style.VERMILION, "D", "combination of models"),
    "baseline": (style.ORANGE, "s", "baseline"),
}
_BEHIND_TEXT = {"boxstyle": "square,pad=0.1", "facecolor": style.GROUND, "edgecolor": "none"}


def score_intervals(
    summary: pd.DataFrame, metric: str = "accuracy", *, ax: Axes | None = None
) -> Axes:
    """Draw the mean of a metric for every model, with its confidence interval.

    Parameters
    ----------
    summary : DataFrame of shape (n_models, n_columns)
        Columns ``model``, ``kind`` ("model", "combination" or "baseline"), and those of the
        metric: its name, and its name with ``_low`` and ``_high``. The first model is on top;
        models without the metric are left out.
    metric : str, default="accuracy"
        The metric.
    ax : Axes, optional
        Where to draw; a new figure by default.

    Examples
    --------
    >>> summary = pd.DataFrame({"model": ["GBT", "MLP"], "kind": "model", "accuracy": [0.8, 0.7]})
    >>> summary = summary.assign(accuracy_low=[0.78, 0.66], accuracy_high=[0.82, 0.74])
    >>> [text.get_text() for text in score_intervals(summary).get_yticklabels()]
    ['GBT', 'MLP']
    """
    low, high = f"{metric}_low", f"{metric}_high"
    style.check_table(summary, ("model", "kind", metric, low, high), "summary")
    drawn = summary[summary[metric].notna()].reset_index(drop=True)
    if not len(drawn):
        raise ValueError(f"summary must have a model with {metric}, got none")
    ax = style.axes_for(ax, 7.4, 1.1 + 0.34 * len(drawn))
    for kind, (color, marker, text) in _KINDS.items():
        rows = drawn[drawn["kind"] == kind]
        if len(rows):
            look = {"fmt": marker, "markersize": 6, "elinewidth": 1.8, "capsize": 3}
            _intervals(ax, rows, (metric, low, high), rows.index, color=color, label=text, **look)
    for place, value in enumerate(drawn[metric]):
        ax.annotate(
            f"{value:.3f}", (value, place), xytext=(0, 5), textcoords="offset points", ha="center",
            va="bottom", fontsize=style.SMALL, color=style.SOFT,
        )  # fmt: skip
    style.dress(ax, x=f"{style.words(metric)}, mean and 95 % confidence interval", grid="x")
    style.rows_from_top(ax, drawn["model"])
    ax.margins(x=0.08)
    style.legend_right(ax)
    return ax


def _intervals(
    ax: Axes, rows: pd.DataFrame, columns: tuple[str, str, str], at: Any, **look: Any
) -> None:
    middle, low, high = (rows[name].to_numpy(float) for name in columns)
    ax.errorbar(middle, np.asarray(at), xerr=np.abs([middle - low, high - middle]), **look)


def fold_accuracies(accuracies: Mapping[str, Sequence[float]], *, ax: Axes | None = None) -> Axes:
    """Draw the accuracy of each model on each fold, in the order given, and the means.

    A gray line joins the results of one fold: where the lines are parallel, the folds agree on the
    order of the models, whatever their spread.

    Parameters
    ----------
    accuracies : mapping of str to sequence of float, shape (n_folds,)
        By model, each in [0, 1]; all have the same folds in the same order.
    ax : Axes, optional
        Where to draw; a new figure by default.

    Examples
    --------
    >>> ax = fold_accuracies({"trees": [0.82, 0.84], "network": [0.80, 0.81]})
    >>> [text.get_text() for text in ax.texts]
    ['83.0 %', '80.5 %']
    """
    values = _check_folds(accuracies, "accuracies")
    ax = _draw_folds(
        values, list(accuracies), [f"{100 * mean:.1f} %" for mean in values.mean(1)], ax
    )
    style.dress(ax, x="validation accuracy", grid="x")
    style.percentages(ax.xaxis, 1)
    return ax


def fold_differences(
    differences: Mapping[str, Sequence[float]], *, label: str, ax: Axes | None = None
) -> Axes:
    """Draw by how much each candidate differs from a reference on each fold, and the means.

    Parameters
    ----------
    differences : mapping of str to sequence of float, shape (n_folds,)
        By candidate; all have the same folds in the same order.
    label : str
        Text of the axis: the metric, its unit and the reference.
    ax : Axes, optional
        Where to draw; a new figure by default.

    Examples
    --------
    >>> ax = fold_differences({"C 3": [0.5, 1.5], "C 10": [-0.25, 0.0]}, label="points")
    >>> [text.get_text() for text in ax.texts]
    ['+1', '-0.125']
    """
    values = _check_folds(differences, "differences")
    texts = [f"{mean:+.3g}" if mean else "0" for mean in values.mean(axis=1)]
    ax = _draw_folds(values, list(differences), texts, ax)
    ax.axvline(0.0, color=style.BLACK, linewidth=0.8, zorder=0)
    style.dress(ax, x=label, grid="x")
    return ax


def _draw_folds(
    values: NDArray[np.float64], names: Sequence[str], texts: Sequence[str], ax: Axes | None
) -> Axes:
    rows = np.arange(len(values))
    ax = style.axes_for(ax, 7.0, 1.3 + 0.55 * len(rows))
    ax.plot(values, rows, color=style.AXIS, linewidth=0.7, alpha=0.7, zorder=1)
    ax.plot(values, rows, "o", color=style.BLUE, markersize=5, zorder=2)
    ax.plot([], [], "o", color=style.BLUE, label="one fold")
    means = values.mean(axis=1)
    mark: dict[str, Any] = {
        "marker": "|",
        "ls": "",
        "color": style.VERMILION,
        "markeredgewidth": 2.5,
    }
    ax.plot(means, rows, markersize=20, **mark)
    ax.plot([], [], markersize=11, label="mean", **mark)
    for row, mean, text in zip(rows, means, texts, strict=True):
        look: dict[str, Any] = {"ha": "center", "va": "bottom", "bbox": _BEHIND_TEXT}
        ax.text(mean, row - 0.24, text, fontsize=style.SMALL, **look)
    style.rows_from_top(ax, names)
    ax.margins(x=0.08)
    style.legend_right(ax)
    return ax


def _check_folds(by_name: Mapping[str, Sequence[float]], argument: str) -> NDArray[np.float64]:
    lengths = {name: len(values) for name, values in by_name.items()}
    if not lengths or 0 in lengths.values() or len(set(lengths.values())) > 1:
        raise ValueError(
            f"{argument} must hold the same folds of every model, at least one, got {lengths}"
        )
    if argument == "accuracies":
        for name, values in by_name.items():
            style.check_values(dict(enumerate(values)), f"{argument}[{name!r}]", 1)
    return np.array(list(by_name.values()), dtype=np.float64)


def elimination_costs(
    choices: pd.DataFrame, *, titles: Mapping[str, str] | None = None, ax: Axes | None = None
) -> Axes:
    """Draw the accuracy that each subset of features costs, in points, with its 95 % interval.

    Parameters
    ----------
    choices : DataFrame
        Columns ``choice``, ``model``, ``n_features``, ``cost``, ``cost_low`` and ``cost_high``
        (shares of rows), drawn from top to bottom.
    titles : mapping of str to str, optional
        Names of the models in the legend.
    ax : Axes, optional
        Where to draw; a new figure by default.

    Examples
    --------
    >>> choices = pd.DataFrame({"choice": ["seven"], "model": ["gbt"], "n_features": [7.0]})
    >>> choices = choices.assign(cost=0.08, cost_low=0.07, cost_high=0.09)
    >>> [text.get_text() for text in elimination_costs(choices).get_yticklabels()]
    ['seven (7)']
    """
    columns = ("cost", "cost_low", "cost_high")
    style.check_table(choices, ("choice", "model", "n_features", *columns), "choices")
    found = choices[np.isfinite(choices["cost"].to_numpy(dtype=float))]
    if found.empty:
        raise ValueError("choices must hold a cost that is a number, got none")
    points = found.assign(**{name: 100 * found[name] for name in columns})
    names = list(dict.fromkeys(found["choice"]))
    models = list(dict.fromkeys(found["model"]))
    ax = style.axes_for(ax, 7.6, 1.3 + 0.42 * len(names))
    # Models of one choice lie below each other, apart from those of the next.
    offsets = np.linspace(-0.3, 0.3, len(models)) if len(models) > 1 else np.zeros(1)
    looks = style.line_styles(len(models))
    for name, offset, look in zip(models, offsets, looks, strict=True):
        rows = points[points["model"] == name]
        at = np.array([names.index(choice) for choice in rows["choice"]]) + offset
        mark = {"fmt": look["marker"], "markersize": 4.5, "elinewidth": 1.1, "capsize": 2}
        text = style.label((titles or {}).get(name, name))
        _intervals(ax, rows, columns, at, color=look["color"], label=text, **mark)
    ax.axvline(0.0, color=style.AXIS, linewidth=1.0)
    style.dress(ax, x="loss of accuracy compared with all features (points)", grid="x")
    sizes = found.groupby("choice")["n_features"].mean().to_dict()
    shown = [(name, f"{round(sizes[name], 1):g}") for name in names]
    style.rows_from_top(ax, [n if n.endswith(f" {k}") else f"{n} ({k})" for n, k in shown])
    ax.set_ylim(len(names) - 0.5, -0.5)
    for edge in range(1, len(names)):
        ax.axhline(edge - 0.5, color=style.AXIS, linewidth=0.4, alpha=0.4)
    style.legend_right(ax)
    return ax
