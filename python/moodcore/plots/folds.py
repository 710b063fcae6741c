"""Models on the same folds, fold by fold."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter
from numpy.typing import NDArray

from moodcore.plots.style import AXIS, BLUE, GROUND, SMALL, VERMILION, axes_for, dress, legend_right

_BEHIND_TEXT = {"boxstyle": "square,pad=0.1", "facecolor": GROUND, "edgecolor": "none"}


def fold_accuracies(accuracies: Mapping[str, Sequence[float]], *, ax: Axes | None = None) -> Axes:
    """Draw the accuracy of each model on each fold, in the order given, and their means.

    A grey line joins what one fold says of all models: where the lines run alike, the folds agree
    on which is better, whatever their spread.

    Parameters
    ----------
    accuracies : mapping of str to sequence of float, shape (n_folds,)
        By model, each in [0, 1]; all have the same folds in the same order.
    ax : Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    Axes

    Raises
    ------
    ValueError
        When there is no model or no fold, their numbers of folds differ, or an accuracy is not in
        [0, 1].

    Examples
    --------
    >>> ax = fold_accuracies({"trees": [0.82, 0.84], "network": [0.80, 0.81]})
    >>> [text.get_text() for text in ax.texts]
    ['83.0 %', '80.5 %']
    """
    values = _check(accuracies)
    names = list(accuracies)
    rows = np.arange(len(names))
    ax = axes_for(ax, 7.0, 1.3 + 0.55 * len(names))
    ax.plot(values, rows, color=AXIS, linewidth=0.7, alpha=0.7, zorder=1)
    ax.plot(values, rows, "o", color=BLUE, markersize=5, zorder=2)
    ax.plot([], [], "o", color=BLUE, label="a fold")
    means = values.mean(axis=1)
    mark: dict[str, Any] = {"marker": "|", "ls": "", "color": VERMILION, "markeredgewidth": 2.5}
    ax.plot(means, rows, markersize=20, **mark)
    ax.plot([], [], markersize=11, label="mean", **mark)
    for row, mean in zip(rows, means, strict=True):
        place = (mean, row - 0.24)
        text = f"{100 * mean:.1f} %"
        ax.text(*place, text, ha="center", va="bottom", fontsize=SMALL, bbox=_BEHIND_TEXT)
    dress(ax, x="validation accuracy", grid="x")
    ax.set_yticks(rows, names)
    ax.set_ylim(len(names) - 0.5, -0.75)
    ax.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=1))
    ax.margins(x=0.08)
    legend_right(ax)
    return ax


def _check(accuracies: Mapping[str, Sequence[float]]) -> NDArray[np.float64]:
    lengths = {name: len(one) for name, one in accuracies.items()}
    if not lengths or 0 in lengths.values() or len(set(lengths.values())) > 1:
        raise ValueError(
            f"accuracies must hold the same folds of every model, at least one, got {lengths}"
        )
    for name, one in accuracies.items():
        for fold, value in enumerate(one):
            if not (np.isfinite(value) and 0 <= value <= 1):
                raise ValueError(f"accuracies[{name!r}][{fold}] must be in [0, 1], got {value!r}")
    return np.array([accuracies[name] for name in accuracies], dtype=np.float64)
