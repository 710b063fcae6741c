"""Bar charts: class counts, feature importances, the most frequent confusions."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import StrMethodFormatter
from numpy.typing import ArrayLike

from moodcore.plots.matrices import check_confusion
from moodcore.plots.style import (
    BLUE,
    GROUND,
    ORANGE,
    SMALL,
    axes_for,
    dress,
    label,
    legend_right,
    percentages,
    rows_from_top,
)


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
        for name, count in counts.items():
            if not (np.isfinite(count) and count >= 0):
                raise ValueError(f"{when}[{name!r}] must be a number, 0 or more, got {count!r}")
    height = 0.8 / len(series)
    ax = axes_for(ax, 7.0, 1.1 + (0.26 if after is None else 0.42) * len(before))
    looks = (("before", BLUE, ""), ("after", ORANGE, "///"))
    for position, (when, color, hatch) in enumerate(looks[: len(series)]):
        values = [series[when][name] for name in before]
        at = np.arange(len(before)) + (position - (len(series) - 1) / 2) * height
        bars = ax.barh(
            at, values, 0.94 * height, label=when, color=color, hatch=hatch, edgecolor=GROUND,
            linewidth=0,
        )  # fmt: skip
        ax.bar_label(bars, [f"{value:,}" for value in values], padding=3, fontsize=SMALL)
    dress(ax, x=x, grid="x")
    rows_from_top(ax, before)
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    ax.margins(x=0.12)
    if after is not None:
        legend_right(ax, "balancing")
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
    for name, value in values.items():
        if not (np.isfinite(value) and 0 <= value <= (1 if is_share else np.inf)):
            allowed = "in [0, 1]" if is_share else "a number, 0 or more"
            raise ValueError(f"values[{name!r}] must be {allowed}, got {value!r}")
    names = sorted(values, key=lambda name: -values[name])[:max_features]
    ax = axes_for(ax, 7.0, 1.2 + 0.3 * len(names))
    for text, color, hatch in (("kept", BLUE, ""), ("dropped", ORANGE, "///")):
        places = [at for at, name in enumerate(names) if (name in dropped) == (text == "dropped")]
        widths = [values[names[at]] for at in places]
        bars = ax.barh(
            places, widths, 0.75, label=text, color=color, hatch=hatch, edgecolor=GROUND,
            linewidth=0,
        )  # fmt: skip
        texts = [f"{100 * width:.1f} %" if is_share else f"{width:,.4g}" for width in widths]
        ax.bar_label(bars, texts, padding=3, fontsize=SMALL)
    what = "share of the total gain" if is_share else f"importance ({kind.replace('_', ' ')})"
    dress(ax, x=what, grid="x")
    rows_from_top(ax, names)
    if is_share:
        percentages(ax.xaxis, 0)
    else:
        ax.xaxis.set_major_formatter(StrMethodFormatter("{x:,.6g}"))
    ax.margins(x=0.12)
    if dropped:
        legend_right(ax, "correlation filter")
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
    ax = axes_for(ax, 7.0, 1.2 + 0.3 * max(len(pairs), 1))
    bars = ax.barh(range(len(pairs)), shares, 0.75, color=BLUE)
    texts = [f"{100 * s:.1f} % ({errors[pair]:,})" for s, pair in zip(shares, pairs, strict=True)]
    ax.bar_label(bars, texts, padding=3, fontsize=SMALL)
    dress(ax, x="share of the true class", grid="x")
    arrows = [f"{label(names[i], 16)} \N{RIGHTWARDS ARROW} {label(names[j], 16)}" for i, j in pairs]
    ax.set_yticks(range(len(pairs)), arrows)
    ax.set_ylim(max(len(pairs), 1) - 0.5, -0.7)
    percentages(ax.xaxis)
    ax.margins(x=0.14)
    return ax
