"""Bar charts: class counts, feature importances, the most frequent confusions."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import StrMethodFormatter
from numpy.typing import ArrayLike

from moodcore.plots import style
from moodcore.plots.matrices import check_confusion


def class_counts(
    before: Mapping[str, int],
    after: Mapping[str, int] | None = None,
    *,
    x: str = "number of rows",
    ax: Axes | None = None,
) -> Axes:
    """Draw the number of rows per class, before and after balancing.

    Parameters
    ----------
    before, after : mapping of str to int
        Rows per class, 0 or more; both name the same classes. No `after` means no balancing.
    x : str, default="number of rows"
        Label of the axis.
    ax : Axes, optional
        Where to draw; a new figure by default.

    Examples
    --------
    >>> ax = class_counts({"sad": 82, "calm": 42}, {"sad": 42, "calm": 42})
    >>> [text.get_text() for text in ax.get_yticklabels()]
    ['sad', 'calm']
    """
    if not before:
        raise ValueError("before must count at least one class, got none")
    series = {"before": before} | ({} if after is None else {"after": after})
    for when, counts in series.items():
        if set(before) != set(counts):
            raise ValueError(
                f"before and after must name the same classes, got {sorted(before)} and "
                f"{sorted(counts)}"
            )
        style.check_values(counts, when)
    height = 0.8 / len(series)
    ax = style.axes_for(ax, 7.0, 1.1 + (0.26 if after is None else 0.42) * len(before))
    looks = (("before", style.BLUE, ""), ("after", style.ORANGE, "///"))
    for position, (when, color, hatch) in enumerate(looks[: len(series)]):
        values = [series[when][name] for name in before]
        at = np.arange(len(before)) + (position - (len(series) - 1) / 2) * height
        texts = [f"{value:,}" for value in values]
        look = {"height": 0.94 * height, "color": color, "hatch": hatch}
        style.bars(ax, at.tolist(), values, texts, label=when, **look)
    style.dress(ax, x=x, grid="x")
    style.rows_from_top(ax, before)
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    ax.margins(x=0.12)
    if after is not None:
        style.legend_right(ax, "balancing")
    return ax


def feature_importance(
    values: Mapping[str, float],
    *,
    kind: str = "gain",
    max_features: int = 20,
    dropped: Collection[str] = (),
    ax: Axes | None = None,
) -> Axes:
    """Draw the importances of features, the largest on top.

    Parameters
    ----------
    values : mapping of str to float
        The importance of each feature, 0 or more.
    kind : str, default="gain"
        Kind of importance, for the axis; "share" for shares of the total gain, in percent.
    max_features : int, default=20
        Maximum number of features, at least 1.
    dropped : collection of str, default=()
        Features that a correlation filter would drop; their bars are hatched.
    ax : Axes, optional
        Where to draw; a new figure by default.

    Examples
    --------
    >>> ax = feature_importance({"tempo": 0.2, "energy": 0.8}, kind="share", dropped=["tempo"])
    >>> [text.get_text() for text in ax.get_yticklabels()]
    ['energy', 'tempo']
    >>> [text.get_text() for text in ax.texts]
    ['80.0 %', '20.0 %']
    """
    is_share = kind == "share"
    if not values or max_features < 1:
        raise ValueError(f"there must be a feature to draw, got {len(values)} and {max_features=}")
    style.check_values(values, "values", 1 if is_share else np.inf)
    names = sorted(values, key=lambda name: -values[name])[:max_features]
    ax = style.axes_for(ax, 7.0, 1.2 + 0.3 * len(names))
    for text, color, hatch in (("kept", style.BLUE, ""), ("dropped", style.ORANGE, "///")):
        at = [at for at, name in enumerate(names) if (name in dropped) == (text == "dropped")]
        lengths = [values[names[place]] for place in at]
        texts = [f"{100 * v:.1f} %" if is_share else f"{v:,.4g}" for v in lengths]
        style.bars(ax, at, lengths, texts, height=0.75, label=text, color=color, hatch=hatch)
    what = "share of the total gain" if is_share else f"importance ({style.words(kind)})"
    style.dress(ax, x=what, grid="x")
    style.rows_from_top(ax, names)
    if is_share:
        style.percentages(ax.xaxis, 0)
    else:
        ax.xaxis.set_major_formatter(StrMethodFormatter("{x:,.6g}"))
    ax.margins(x=0.12)
    if dropped:
        style.legend_right(ax, "correlation filter")
    return ax


def top_confusions(
    matrix: ArrayLike, label_names: Sequence[str], *, max_pairs: int = 15, ax: Axes | None = None
) -> Axes:
    """Draw the most frequent confusions, as shares of the true class.

    Parameters
    ----------
    matrix : array-like of int, shape (n_classes, n_classes)
        Entry (i, j): rows of class i that were predicted as j.
    label_names : sequence of str, length n_classes
        Names of the classes.
    max_pairs : int, default=15
        Maximum number of bars, by number of rows.
    ax : Axes, optional
        Where to draw; a new figure by default.

    Examples
    --------
    >>> ax = top_confusions([[9, 1], [2, 8]], ["sad", "calm"])
    >>> [text.get_text() for text in ax.get_yticklabels()]
    ['calm → sad', 'sad → calm']
    >>> [text.get_text() for text in ax.texts]
    ['20.0 % (2)', '10.0 % (1)']
    """
    counts, names = check_confusion(matrix, label_names)
    errors = counts - np.diag(np.diag(counts))
    order = np.argsort(-errors, axis=None, kind="stable")[:max_pairs]
    pairs = [divmod(int(at), len(names)) for at in order if errors.flat[at]]
    shares = [errors[pair] / counts[pair[0]].sum() for pair in pairs]
    ax = style.axes_for(ax, 7.0, 1.2 + 0.3 * max(len(pairs), 1))
    texts = [f"{100 * s:.1f} % ({errors[pair]:,})" for s, pair in zip(shares, pairs, strict=True)]
    style.bars(ax, range(len(pairs)), shares, texts, height=0.75, color=style.BLUE)
    style.dress(ax, x="share of the true class", grid="x")
    short = [style.label(name, 14) for name in names]
    style.rows_from_top(ax, [f"{short[i]} \N{RIGHTWARDS ARROW} {short[j]}" for i, j in pairs])
    style.percentages(ax.xaxis)
    ax.margins(x=0.14)
    return ax
