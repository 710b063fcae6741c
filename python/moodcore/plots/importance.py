"""How much a model uses each feature."""

from collections.abc import Collection, Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter, StrMethodFormatter

from moodcore.plots.style import BLUE, GROUND, ORANGE, SMALL, axes_for, dress, legend_right


def feature_importance(
    values: Mapping[str, float],
    *,
    kind: str = "gain",
    max_features: int = 20,
    dropped: Collection[str] = (),
    ax: Axes | None = None,
) -> Axes:
    """Draw the importances of features as bars, the largest on top.

    Parameters
    ----------
    values : mapping of str to float
        The importance of each feature, 0 or more.
    kind : str, default="gain"
        What is counted, for the axis; "share" for shares of the gain of all splits, each in
        [0, 1], which are written in per cent.
    max_features : int, default=20
        The number of features that are drawn at most, at least 1.
    dropped : collection of str, default=()
        Features to mark: those that a correlation filter would throw away.
    ax : Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    Axes

    Raises
    ------
    ValueError
        When there is no feature, or an importance is below 0, not a number, or above 1 as a
        share.

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
    for label, colour, hatch in (("kept", BLUE, ""), ("dropped", ORANGE, "///")):
        places = [at for at, name in enumerate(names) if (name in dropped) == (label == "dropped")]
        widths = [values[names[at]] for at in places]
        texts = [f"{100 * one:.1f} %" if is_share else f"{one:,.4g}" for one in widths]
        bars = ax.barh(
            places, widths, 0.75, label=label, color=colour, hatch=hatch, edgecolor=GROUND,
            linewidth=0,
        )  # fmt: skip
        ax.bar_label(bars, texts, padding=3, fontsize=SMALL)
    what = kind.replace("_", " ")
    dress(ax, x="share of the gain of all splits" if is_share else f"importance ({what})", grid="x")
    ax.set_yticks(range(len(names)), names)
    ax.invert_yaxis()
    ax.xaxis.set_major_formatter(
        PercentFormatter(1.0, decimals=0) if is_share else StrMethodFormatter("{x:,.6g}")
    )
    ax.margins(x=0.12)
    if dropped:
        legend_right(ax, "correlation filter")
    return ax
