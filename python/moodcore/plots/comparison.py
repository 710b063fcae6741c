"""Models beside each other: scores with their intervals, differences, agreement."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from moodcore.plots.matrices import diverging, draw_cells, name_cells
from moodcore.plots.style import BLUE, ORANGE, SMALL, SOFT, VERMILION, axes_for, dress, legend_right
from moodcore.plots.tables import check_table, words

_KINDS = {
    "model": (BLUE, "o", "model"),
    "combination": (VERMILION, "D", "combination of models"),
    "baseline": (ORANGE, "s", "baseline"),
}


def score_intervals(
    summary: pd.DataFrame, metric: str = "accuracy", *, ax: Axes | None = None
) -> Axes:
    """Draw the mean of a metric for every model, with its confidence interval.

    Parameters
    ----------
    summary : DataFrame of shape (n_models, n_columns)
        Columns ``model``, ``kind`` ("model", "combination" or "baseline"), and those of the
        metric: its name, and its name with ``_low`` and ``_high``. The first model stands on top;
        models without the metric are left out.
    metric : str, default="accuracy"
        Which.
    ax : Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    Axes

    Raises
    ------
    ValueError
        When a column is missing or no model has the metric.

    Examples
    --------
    >>> summary = pd.DataFrame({"model": ["GBT", "MLP"], "kind": "model", "accuracy": [0.8, 0.7]})
    >>> summary = summary.assign(accuracy_low=[0.78, 0.66], accuracy_high=[0.82, 0.74])
    >>> [text.get_text() for text in score_intervals(summary).get_yticklabels()]
    ['GBT', 'MLP']
    """
    ends = (f"{metric}_low", f"{metric}_high")
    check_table(summary, ("model", "kind", metric, *ends), "summary")
    drawn = summary[summary[metric].notna()].reset_index(drop=True)
    if not len(drawn):
        raise ValueError(f"summary must have a model with {metric}, got none")
    ax = axes_for(ax, 7.4, 1.1 + 0.34 * len(drawn))
    for kind, (colour, marker, label) in _KINDS.items():
        mine = drawn[drawn["kind"] == kind]
        if not len(mine):
            continue
        middle = mine[metric].to_numpy(float)
        reach = [middle - mine[ends[0]].to_numpy(float), mine[ends[1]].to_numpy(float) - middle]
        ax.errorbar(
            middle, mine.index.to_numpy(), xerr=reach, fmt=marker, color=colour, ecolor=colour,
            label=label, markersize=6, elinewidth=1.8, capsize=3,
        )  # fmt: skip
    for place, row in drawn.iterrows():
        text = f"{row[metric]:.3f}"
        ax.annotate(
            text, (row[metric], place), xytext=(0, 5), textcoords="offset points", ha="center",
            va="bottom", fontsize=SMALL, color=SOFT,
        )  # fmt: skip
    dress(ax, x=f"{words(metric)}, mean and 95 % confidence interval", grid="x")
    ax.set_yticks(range(len(drawn)), drawn["model"].astype(str))
    ax.set_ylim(len(drawn) - 0.5, -0.7)
    ax.margins(x=0.08)
    legend_right(ax)
    return ax


def difference_matrix(pairs: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw by how many points of accuracy the model of a row lies before that of a column.

    Only differences that are real are coloured; the others are written on grey.

    Parameters
    ----------
    pairs : DataFrame
        Columns ``first``, ``second``, ``difference`` (a share, first minus second) and
        ``verdict`` ("better" where the difference is real); a row for each pair.
    ax : Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    Axes

    Raises
    ------
    ValueError
        When a column is missing or there is no pair.

    Examples
    --------
    >>> pairs = pd.DataFrame({"first": ["GBT"], "second": ["MLP"], "difference": [0.021]})
    >>> difference_matrix(pairs.assign(verdict="better")).texts[1].get_text()
    '+2.10'
    """
    check_table(pairs, ("first", "second", "difference", "verdict"), "pairs")
    names = list(dict.fromkeys([*pairs["first"], *pairs["second"]]))
    place = {name: at for at, name in enumerate(names)}
    values = np.full((len(names), len(names)), np.nan)
    texts = [[""] * len(names) for _ in names]
    for row in pairs.to_dict("records"):
        for sign, one, other in ((1, "first", "second"), (-1, "second", "first")):
            at = place[row[one]], place[row[other]]
            points = 100 * sign * float(row["difference"])
            texts[at[0]][at[1]] = f"{points:+.2f}".replace("-", "\N{MINUS SIGN}")
            if row["verdict"] == "better":
                values[at] = points
    reach = float(np.nanmax(np.abs(values))) if np.isfinite(values).any() else 1.0
    ax = axes_for(ax, 2.9 + 0.72 * len(names), 1.9 + 0.44 * len(names))
    bar = "points of accuracy"
    draw_cells(ax, values, texts, colours=diverging(), limits=(-reach, reach), bar=bar)
    dress(ax, grid="none")
    _name_turned(ax, names)
    return ax


def agreement_matrix(agreement: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw on how many rows each two models say the same.

    Parameters
    ----------
    agreement : DataFrame of shape (n_models, n_models)
        Shares in [0, 1]; index and columns are the same names in the same order.
    ax : Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    Axes

    Raises
    ------
    ValueError
        When the names down and across differ, or a share is outside [0, 1].

    Examples
    --------
    >>> table = pd.DataFrame([[1.0, 0.9], [0.9, 1.0]], ["GBT", "MLP"], ["GBT", "MLP"])
    >>> [text.get_text() for text in agreement_matrix(table).texts]
    ['', '90.0 %', '90.0 %', '']
    """
    names = [str(name) for name in agreement.columns]
    if not names or names != [str(name) for name in agreement.index]:
        raise ValueError(
            "agreement must have the same names down and across, at least one, got "
            f"{[str(name) for name in agreement.index]} down and {names} across"
        )
    values = agreement.to_numpy(dtype=np.float64).copy()
    if not ((values >= 0) & (values <= 1)).all():
        raise ValueError(f"agreement must be shares in [0, 1], got {values.min()}, {values.max()}")
    # That each agrees with itself would take most of the colours.
    np.fill_diagonal(values, np.nan)
    texts = [["" if np.isnan(v) else f"{100 * v:.1f} %" for v in row] for row in values]
    least = float(np.nanmin(values)) if np.isfinite(values).any() else 0.0
    ax = axes_for(ax, 2.9 + 0.72 * len(names), 1.9 + 0.44 * len(names))
    draw_cells(ax, values, texts, colours="cividis", limits=(least, 1), bar="share of the rows")
    dress(ax, grid="none")
    _name_turned(ax, names)
    return ax


def _name_turned(ax: Axes, names: list[str]) -> None:
    name_cells(ax, names, names)
    ax.tick_params(axis="x", rotation=40)
    for label in ax.get_xticklabels():
        label.set(ha="right", rotation_mode="anchor")
