"""What leaving features out costs."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import PercentFormatter

from moodcore.plots.style import (
    AXIS,
    axes_for,
    dress,
    legend_right,
    line_styles,
    whole_numbers,
)
from moodcore.plots.tables import check_table

_CURVES = ("choice", "kind", "model", "n_features", "accuracy", "accuracy_std")
_COSTS = ("choice", "model", "n_features", "cost", "cost_low", "cost_high")
_FILTER_STROKE = (0, (2, 1.2))


def elimination_curves(
    choices: pd.DataFrame, *, titles: Mapping[str, str] | None = None, ax: Axes | None = None
) -> Axes:
    """Draw accuracy by the number of features kept, and by who chose them.

    A solid line for each model is elimination by importance, its band a standard deviation over
    the folds to either side; a dashed line is the correlation filter; a star is a named set.

    Parameters
    ----------
    choices : DataFrame
        Columns ``choice``, ``kind`` ("all", "named", "filter" or "elimination"), ``model``,
        ``n_features``, ``accuracy`` and ``accuracy_std`` (shares of rows): the `choices` of a
        :class:`moodcore.features.FeatureStudy`.
    titles : mapping of str to str, optional
        What the legend calls each model.
    ax : Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    Axes

    Raises
    ------
    ValueError
        When a column is missing, or no accuracy is a number.

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
    check_table(choices, _CURVES, "choices")
    found = choices[np.isfinite(choices["accuracy"].to_numpy(dtype=float))]
    if found.empty:
        raise ValueError("choices must hold an accuracy that is a number, got none")
    ax = axes_for(ax, 7.6, 4.8)
    models = list(dict.fromkeys(found["model"]))
    looks = dict(zip(models, line_styles(len(models)), strict=True))
    for name in models:
        own = found[found["model"] == name]
        _draw_model(ax, own, looks[name], (titles or {}).get(name, name))
    dress(ax, x="number of features kept", y="validation accuracy")
    whole_numbers(ax)
    ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=None))
    for way in _ways(found["kind"].unique().tolist()):
        ax.add_line(way)
    legend_right(ax)
    return ax


def _draw_model(ax: Axes, own: pd.DataFrame, look: Mapping[str, object], label: str) -> None:
    colour, marker = look["color"], look["marker"]
    line = _ordered(own, "elimination")
    at, mean = line["n_features"].to_numpy(), line["accuracy"].to_numpy()
    spread = line["accuracy_std"].to_numpy()
    ax.fill_between(at, mean - spread, mean + spread, color=colour, alpha=0.13, linewidth=0)
    ax.plot(at, mean, color=colour, marker=marker, markersize=4.5, linewidth=1.7, label=label)
    filtered = _ordered(own, "filter")
    if len(filtered) > 1:
        ax.plot(
            filtered["n_features"], filtered["accuracy"], color=colour, linewidth=1.3,
            linestyle=_FILTER_STROKE, marker=marker, markersize=3, markerfacecolor="none",
        )  # fmt: skip
    named = own[own["kind"] == "named"]
    ax.plot(
        named["n_features"], named["accuracy"], color=colour, linestyle="none", marker="*",
        markersize=10, markeredgewidth=0.4,
    )  # fmt: skip


def _ordered(own: pd.DataFrame, kind: str) -> pd.DataFrame:
    """Give one way of choosing, all features at its end, by the number of features."""
    rows = own[own["kind"].isin(["all", kind])]
    return rows.drop_duplicates("n_features").sort_values("n_features")


def _ways(kinds: Sequence[str]) -> list[Line2D]:
    """Give lines without points that say in the legend who chose."""
    looks = {
        "elimination": ("eliminated by importance", {"linestyle": "-", "linewidth": 1.7}),
        "filter": ("correlation filter", {"linestyle": _FILTER_STROKE, "linewidth": 1.3}),
        "named": ("named set", {"linestyle": "none", "marker": "*", "markersize": 10}),
    }
    return [
        Line2D([], [], color=AXIS, label=label, **look)  # type: ignore[arg-type]
        for kind, (label, look) in looks.items()
        if kind in kinds
    ]


def elimination_costs(
    choices: pd.DataFrame, *, titles: Mapping[str, str] | None = None, ax: Axes | None = None
) -> Axes:
    """Draw what each choice of features costs each model, with the interval of the cost.

    Parameters
    ----------
    choices : DataFrame
        Columns ``choice``, ``model``, ``n_features``, ``cost``, ``cost_low`` and ``cost_high``
        (shares of rows), drawn from top to bottom.
    titles : mapping of str to str, optional
        What the legend calls each model.
    ax : Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    Axes

    Raises
    ------
    ValueError
        When a column is missing, or no cost is a number.

    Examples
    --------
    >>> choices = pd.DataFrame({"choice": ["seven"], "model": ["gbt"], "n_features": [7.0]})
    >>> choices = choices.assign(cost=0.08, cost_low=0.07, cost_high=0.09)
    >>> [text.get_text() for text in elimination_costs(choices).get_yticklabels()]
    ['seven (7)']
    """
    check_table(choices, _COSTS, "choices")
    found = choices[np.isfinite(choices["cost"].to_numpy(dtype=float))]
    if found.empty:
        raise ValueError("choices must hold a cost that is a number, got none")
    names = list(dict.fromkeys(found["choice"]))
    models = list(dict.fromkeys(found["model"]))
    ax = axes_for(ax, 7.6, 1.3 + 0.42 * len(names))
    # Models of one choice lie under each other, apart from those of the next.
    offsets = np.linspace(-0.3, 0.3, len(models)) if len(models) > 1 else np.zeros(1)
    for name, offset, look in zip(models, offsets, line_styles(len(models)), strict=True):
        own = found[found["model"] == name]
        at = np.array([names.index(one) for one in own["choice"]]) + offset
        cost = 100 * own["cost"].to_numpy()
        reach = [cost - 100 * own["cost_low"].to_numpy(), 100 * own["cost_high"].to_numpy() - cost]
        ax.errorbar(
            cost, at, xerr=np.abs(reach), fmt=look["marker"], color=look["color"], markersize=4.5,
            elinewidth=1.1, capsize=2, label=(titles or {}).get(name, name),
        )  # fmt: skip
    ax.axvline(0.0, color=AXIS, linewidth=1.0)
    dress(ax, x="accuracy lost against all features (points)", grid="x")
    sizes = found.groupby("choice")["n_features"].mean()
    ax.set_yticks(range(len(names)), [f"{name} ({_count(sizes[name])})" for name in names])
    ax.set_ylim(len(names) - 0.5, -0.5)
    for edge in range(1, len(names)):
        ax.axhline(edge - 0.5, color=AXIS, linewidth=0.4, alpha=0.4)
    legend_right(ax)
    return ax


def _count(number: float) -> str:
    return f"{number:.0f}" if float(number).is_integer() else f"{number:.1f}"
