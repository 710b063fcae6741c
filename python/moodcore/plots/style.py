"""The look that all pictures share."""

from itertools import cycle, islice
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, StrMethodFormatter
from numpy.typing import NDArray

# Okabe and Ito, Color Universal Design, 2008. Yellow is left out: too faint for a line on white.
BLUE, VERMILION, GREEN = "#0072B2", "#D55E00", "#009E73"
PURPLE, ORANGE, SKY, BLACK = "#CC79A7", "#E69F00", "#56B4E9", "#000000"
_COLOURS = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, BLACK)
_STROKES = ("-", (0, (5, 1.5)), (0, (1, 1)), (0, (6, 1.5, 1, 1.5)), (0, (3, 1, 1, 1, 1, 1)))
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
_GRID, AXIS, SOFT, GROUND = "#D9D9D9", "#808080", "#505050", "#FFFFFF"
# Text on a coloured cell: it belongs to the cell, whatever the page's colours are. Not quite black
# and white, which are the page's.
ON_LIGHT, ON_DARK = "#010101", "#FEFEFE"
# Text on a cell that lets the page shine through.
ON_PAGE = "#020202"

#: What each colour is for: a page in other colours puts its own in their place.
ROLES = {
    colour.lower(): role
    for colour, role in (
        (GROUND, "ground"),
        (BLACK, "ink"),
        (SOFT, "soft"),
        (AXIS, "axis"),
        (_GRID, "grid"),
        (ON_PAGE, "cell"),
        (BLUE, "blue"),
        (VERMILION, "vermilion"),
        (GREEN, "green"),
        (PURPLE, "purple"),
        (ORANGE, "orange"),
        (SKY, "sky"),
    )
}

LOSS = "cross-entropy loss (nats)"
TITLE, LABEL, TICK, SMALL = 11, 10, 9, 8

Grid = Literal["both", "x", "y", "none"]

# A range of losses this wide is read on a logarithmic axis.
_LOG_RATIO = 12.0


def new_figure(width: float, height: float) -> Figure:
    """Make a figure, in inches, that only its holder knows."""
    return Figure(figsize=(width, height), layout="constrained", facecolor=GROUND)


def axes_for(ax: Axes | None, width: float, height: float) -> Axes:
    """Give the axes to draw into: those passed in, or new ones of a size in inches."""
    return new_figure(width, height).add_subplot() if ax is None else ax


def dress(ax: Axes, *, title: str = "", x: str = "", y: str = "", grid: Grid = "both") -> None:
    """Label the axes; draw a light grid behind the data ("both", "x", "y" or "none")."""
    if title:
        ax.set_title(title, fontsize=TITLE, loc="left")
    ax.set_xlabel(x, fontsize=LABEL)
    ax.set_ylabel(y, fontsize=LABEL)
    ax.tick_params(labelsize=TICK, color=_GRID, which="both")
    for side, spine in ax.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(AXIS)
    ax.set_axisbelow(True)
    if grid == "none":
        ax.grid(False)
    else:
        ax.grid(True, axis=grid, color=_GRID, linewidth=0.6)


def line_styles(n: int) -> list[dict[str, Any]]:
    """Give `n` looks for lines, told apart by colour, stroke and marker."""
    looks = zip(cycle(_COLOURS), cycle(_STROKES), cycle(_MARKERS), strict=False)
    return [
        {"color": c, "linestyle": s, "marker": m, "linewidth": 1.7, "markersize": 4.5}
        for c, s, m in islice(looks, n)
    ]


def legend_right(ax: Axes, title: str | None = None) -> None:
    """Put the legend beside the axes, where it covers no data."""
    legend = ax.legend(
        loc="upper left",
        bbox_to_anchor=(1.01, 1.0),
        borderaxespad=0.0,
        frameon=False,
        fontsize=TICK,
        title=title,
        title_fontsize=TICK,
        handlelength=3.2,
    )
    legend.set_alignment("left")


def whole_numbers(ax: Axes) -> None:
    """Put ticks of the x axis at whole numbers only, also where there is just one."""
    ax.xaxis.set_major_locator(
        MaxNLocator("auto", integer=True, min_n_ticks=1, steps=[1, 2, 5, 10])
    )


def loss_scale(ax: Axes, losses: NDArray[np.float64]) -> None:
    """Make the y axis logarithmic where the losses span more than a decade."""
    finite = losses[np.isfinite(losses)]
    if not finite.size or finite.min() <= 0 or finite.max() < _LOG_RATIO * finite.min():
        return
    ax.set_yscale("log")
    if finite.max() < 1e4 * finite.min():
        ax.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        ax.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    ax.yaxis.set_minor_formatter(NullFormatter())


def ink_over(colour: Any) -> str:
    """Give the ink for a cell: black or white, or the page's where the page shines through.

    Black or white is what reads better on the colour (W3C relative luminance). A colour with an
    alpha that takes black on a white page takes the page's ink, for on a dark one it is dark.
    """
    *rgb, alpha = colour
    light = _luminance(alpha * np.asarray(rgb) + 1 - alpha) > _MIDDLE
    return (ON_LIGHT if alpha == 1 else ON_PAGE) if light else ON_DARK


# The luminance on which black and white read alike: (L + 0.05)² = 0.05 · 1.05.
_MIDDLE = np.sqrt(0.05 * 1.05) - 0.05


def _luminance(rgb: Any) -> float:
    rgb = np.asarray(rgb)
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])
