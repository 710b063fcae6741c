"""How much a model uses each feature."""

from collections.abc import Collection, Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from moodcore.plots.style import BLUE, ORANGE, SMALL, axes_for, dress, legend_right


def feature_shares(
    shares: Mapping[str, float], dropped: Collection[str] = (), *, ax: Axes | None = None
) -> Axes:
    """Draw the share of each feature in the gain of all splits, the largest first.

    Parameters
    ----------
    shares : mapping of str to float
        By feature, each in [0, 1].
    dropped : collection of str, default=()
        Features to mark: those that a filter would throw away.
    ax : Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    Axes

    Raises
    ------
    ValueError
        When there is no feature, or a share is not in [0, 1].

    Examples
    --------
    >>> ax = feature_shares({"tempo": 0.2, "energy": 0.8}, dropped=["tempo"])
    >>> [text.get_text() for text in ax.get_yticklabels()]
    ['energy', 'tempo']
    """
    if not shares:
        raise ValueError("shares must hold at least one feature, got none")
    for name, share in shares.items():
        if not 0 <= share <= 1:
            raise ValueError(f"shares[{name!r}] must be in [0, 1], got {share!r}")
    names = sorted(shares, key=lambda name: -shares[name])
    ax = axes_for(ax, 7.0, 1.2 + 0.3 * len(names))
    looks = (("kept", BLUE, "", False), ("dropped", ORANGE, "///", True))
    for label, colour, hatch, is_dropped in looks:
        places = [at for at, name in enumerate(names) if (name in dropped) == is_dropped]
        if not places:
            continue
        widths = [shares[names[at]] for at in places]
        bars = ax.barh(
            places, widths, 0.75, label=label, color=colour, hatch=hatch, edgecolor="white",
            linewidth=0,
        )  # fmt: skip
        ax.bar_label(bars, [f"{100 * width:.1f} %" for width in widths], padding=3, fontsize=SMALL)
    dress(ax, x="share of the gain of all splits", grid="x")
    ax.set_yticks(np.arange(len(names)), names)
    ax.invert_yaxis()
    ax.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    ax.margins(x=0.12)
    if dropped:
        legend_right(ax, "correlation filter")
    return ax
