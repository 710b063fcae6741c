"""Songs of each class, before and after balancing."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import StrMethodFormatter

from moodcore.plots.style import BLUE, GROUND, ORANGE, SMALL, axes_for, dress, legend_right


def class_counts(
    before: Mapping[str, int], after: Mapping[str, int], *, ax: Axes | None = None
) -> Axes:
    """Draw how many songs each class has, before and after balancing.

    Parameters
    ----------
    before, after : mapping of str to int
        Songs of each class, 0 or more; both name the same classes.
    ax : Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    Axes

    Raises
    ------
    ValueError
        When there is no class, the classes differ, or a count is below 0 or not a number.

    Examples
    --------
    >>> ax = class_counts({"sad": 82, "calm": 42}, {"sad": 42, "calm": 42})
    >>> [text.get_text() for text in ax.get_xticklabels()]
    ['sad', 'calm']
    """
    _check(before, after)
    ax = axes_for(ax, 7.0, 3.8)
    positions, width = np.arange(len(before)), 0.4
    looks = (("before", before, BLUE, "", -1), ("after", after, ORANGE, "///", 1))
    for label, counts, colour, hatch, side in looks:
        heights = [counts[name] for name in before]
        bars = ax.bar(
            positions + side * width / 2,
            heights,
            width * 0.94,
            label=label,
            color=colour,
            hatch=hatch,
            edgecolor=GROUND,
            linewidth=0,
        )
        ax.bar_label(bars, [f"{height:,}" for height in heights], padding=2, fontsize=SMALL)
    dress(ax, y="number of songs", grid="y")
    ax.set_xticks(positions, list(before))
    ax.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    ax.margins(y=0.1)
    legend_right(ax, "balancing")
    return ax


def _check(before: Mapping[str, int], after: Mapping[str, int]) -> None:
    if not before:
        raise ValueError("before must count at least one class, got none")
    if set(before) != set(after):
        raise ValueError(
            f"before and after must name the same classes, got {sorted(before)} and {sorted(after)}"
        )
    for when, counts in (("before", before), ("after", after)):
        for name, count in counts.items():
            if not (np.isfinite(count) and count >= 0):
                raise ValueError(f"{when}[{name!r}] must be a number, 0 or more, got {count!r}")
