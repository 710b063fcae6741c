"""The look of all figures, and figures as text and bytes.

Figures are made without pyplot: nothing global is touched and no window system is needed.
Colours are those of Okabe and Ito (2008), which colour-blind readers can tell apart; line styles
repeat what colours say.
"""

import io
import re
from itertools import cycle, islice
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Okabe and Ito's eight without black and yellow, which is hard to see on white.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
STYLES = ("-", "--", "-.", ":")

_RC = {
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.labelsize": 10,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    # Text stays text, so that reports can be searched; ids depend on the content alone.
    "svg.fonttype": "none",
    "svg.hashsalt": "moodcore",
}


def new_axes(ax: Axes | None, size: tuple[float, float] = (6.4, 4.0)) -> Axes:
    """Give the caller's axes, or those of a new figure of the given inches."""
    if ax is not None:
        return ax
    with rc_context(_RC):
        return Figure(figsize=size, layout="constrained").add_subplot()


def new_figure(size: tuple[float, float]) -> Figure:
    """Give an empty figure of the given inches."""
    with rc_context(_RC):
        return Figure(figsize=size, layout="constrained")


def grid_of_axes(figure: Figure, rows: int, columns: int) -> list[Axes]:
    """Give small axes that share their scales, row by row."""
    with rc_context(_RC):
        return list(figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).flat)


def looks(count: int) -> list[dict[str, Any]]:
    """Give as many pairs of colour and line style, no two alike up to twelve."""
    pairs = zip(cycle(COLORS), cycle(STYLES), strict=False)
    return [{"color": color, "linestyle": style} for color, style in islice(pairs, count)]


def figure_svg(figure: Figure) -> str:
    """Draw a figure as an ``<svg>`` element for a page; the same figure gives the same text.

    Parameters
    ----------
    figure : Figure
        What to draw.

    Returns
    -------
    str
        The element, without XML declaration, document type, or metadata.
    """
    buffer = io.StringIO()
    with rc_context(_RC):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    return re.sub(r"<metadata>.*?</metadata>\s*", "", text, flags=re.DOTALL)


def figure_png(figure: Figure, dpi: int = 150) -> bytes:
    """Draw a figure as a PNG file of ``dpi`` dots an inch."""
    buffer = io.BytesIO()
    with rc_context(_RC):
        figure.savefig(buffer, format="png", dpi=dpi, metadata={"Software": None})
    return buffer.getvalue()
