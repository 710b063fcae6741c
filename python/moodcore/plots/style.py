"""The look that all figures share, and helpers for axes, names and tables."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from itertools import cycle, islice
from typing import Any, Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import (
    LogLocator,
    MaxNLocator,
    NullFormatter,
    PercentFormatter,
    StrMethodFormatter,
)
from numpy.typing import NDArray

# Okabe and Ito, Color Universal Design, 2008. Yellow is left out: too faint for a line on white.
BLUE, VERMILION, GREEN = "#0072B2", "#D55E00", "#009E73"
PURPLE, ORANGE, SKY, BLACK = "#CC79A7", "#E69F00", "#56B4E9", "#000000"
_COLORS = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, BLACK)
_STROKES = ("-", (0, (5, 1.5)), (0, (1, 1)), (0, (6, 1.5, 1, 1.5)), (0, (3, 1, 1, 1, 1, 1)))
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
_GRID, AXIS, SOFT, GROUND = "#D9D9D9", "#808080", "#505050", "#FFFFFF"
# Text on a colored cell, which has the same color on a dark page. Not quite black and white, which
# follow the page.
ON_LIGHT, ON_DARK = "#010101", "#FEFEFE"
# Text on a translucent cell.
ON_PAGE = "#020202"

#: The role of each color: a page in other colors replaces them by role.
ROLES = {
    color.lower(): role
    for color, role in (
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
# Longer names are cut in the middle.
_NAME_LENGTH = 32
# Losses whose range is wider than this have a logarithmic axis.
_LOG_RATIO = 12.0

Grid = Literal["both", "x", "y", "none"]


def new_figure(width: float, height: float) -> Figure:
    """Make a figure, in inches, that pyplot does not know."""
    return Figure(figsize=(width, height), layout="constrained", facecolor=GROUND)


def axes_for(ax: Axes | None, width: float, height: float) -> Axes:
    """Return the axes passed in, or those of a new figure of this size in inches."""
    return new_figure(width, height).add_subplot() if ax is None else ax


def dress(ax: Axes, *, title: str = "", x: str = "", y: str = "", grid: Grid = "both") -> None:
    """Label the axes and draw a light grid behind the data."""
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
    """Return `n` styles of lines that differ in color, stroke and marker."""
    looks = zip(cycle(_COLORS), cycle(_STROKES), cycle(_MARKERS), strict=False)
    return [
        {"color": c, "linestyle": s, "marker": m, "linewidth": 1.7, "markersize": 4.5}
        for c, s, m in islice(looks, n)
    ]


def legend_right(ax: Axes, title: str | None = None) -> None:
    """Put the legend to the right of the axes, where it covers no data."""
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


def rows_from_top(
    ax: Axes, names: Iterable[object], *, above: float = 0.7, below: float = 0.5
) -> None:
    """Name the rows of a chart, the first on top, with space above the first and below the last."""
    labels = [label(name) for name in names]
    ax.set_yticks(range(len(labels)), labels)
    ax.set_ylim(max(len(labels), 1) - 1 + below, -above)


def bars(
    ax: Axes, at: Sequence[float], lengths: Sequence[float], texts: Sequence[str], **look: Any
) -> None:
    """Draw horizontal bars with texts at their ends."""
    drawn = ax.barh(at, lengths, edgecolor=GROUND, linewidth=0, **look)
    ax.bar_label(drawn, texts, padding=3, fontsize=SMALL)


def whole_numbers(ax: Axes) -> None:
    """Put ticks of the x axis at integers only, also where there is just one."""
    ax.xaxis.set_major_locator(
        MaxNLocator("auto", integer=True, min_n_ticks=1, steps=[1, 2, 5, 10])
    )


def percentages(axis: Any, decimals: int | None = None) -> None:
    """Write the shares on an axis in percent."""
    axis.set_major_formatter(PercentFormatter(1.0, decimals=decimals))


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


def ink_over(color: Any) -> str:
    """Return the text color for a cell: black, white, or the page's where the page shines through.

    Black or white is whichever has the higher contrast (W3C relative luminance). A translucent
    color that takes black on a white page takes the page's text color.
    """
    *rgb, alpha = color
    light = _luminance(alpha * np.asarray(rgb) + 1 - alpha) > _MIDDLE
    return (ON_LIGHT if alpha == 1 else ON_PAGE) if light else ON_DARK


# The luminance on which black and white have the same contrast: (L + 0.05)² = 0.05 · 1.05.
_MIDDLE = np.sqrt(0.05 * 1.05) - 0.05


def _luminance(rgb: Any) -> float:
    rgb = np.asarray(rgb)
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


# Names.


def label(name: object, length: int = _NAME_LENGTH) -> str:
    r"""Return a name from the data as matplotlib can draw it.

    Long names are cut in the middle, dollar signs do not begin a formula, and characters that the
    font lacks become squares.

    Examples
    --------
    >>> label("a" * 20 + "b" * 20), label("$50K")
    ('aaaaaaaaaaaaaaaaaaaab…bbbbbbbbbb', '\\$50K')
    """
    text = " ".join(str(name).split())
    if len(text) > length:
        tail = length // 3
        text = f"{text[: length - tail - 1]}\N{HORIZONTAL ELLIPSIS}{text[len(text) - tail :]}"
    known = _characters()
    drawn = "".join(c if ord(c) in known else "\N{WHITE SQUARE}" for c in text)
    return re.sub(r"(?<!\\)\$", r"\\$", drawn)


@cache
def _characters() -> frozenset[int]:
    from matplotlib.font_manager import FontProperties, findfont, get_font

    return frozenset(get_font(findfont(FontProperties())).get_charmap())


def words(parameter: str) -> str:
    """Return the name of a hyperparameter with spaces."""
    return parameter.replace("_", " ")


def level_key(value: object) -> tuple[int, tuple[float, ...]]:
    """Order the values of a hyperparameter: numbers by size, layouts by depth, then text.

    Examples
    --------
    >>> sorted([10.0, 1.0], key=level_key), sorted(["16-16", "8"], key=level_key)
    ([1.0, 10.0], ['8', '16-16'])
    >>> sorted(["full", "32"], key=level_key)
    ['32', 'full']
    """
    if isinstance(value, str):
        widths = tuple(int(width) for width in value.split("-") if width.isdigit())
        return (len(widths), widths) if widths else (1 << 10, ())
    return 0, (float(value),)  # type: ignore[arg-type]


# Checks.


def check_values(values: Mapping[Any, float], what: str, high: float = np.inf) -> None:
    """Raise a `ValueError` for a value that is not a number between 0 and `high`."""
    allowed = "a number, 0 or more" if np.isinf(high) else f"in [0, {high:g}]"
    for name, value in values.items():
        if not (np.isfinite(value) and 0 <= value <= high):
            raise ValueError(f"{what}[{name!r}] must be {allowed}, got {value!r}")


def check_table(table: pd.DataFrame, columns: Sequence[str], name: str) -> None:
    """Raise a `ValueError` for a table that is empty or lacks a column."""
    missing = [column for column in columns if column not in table.columns]
    if missing:
        raise ValueError(
            f"{name} must have the columns {', '.join(columns)}; missing: {', '.join(missing)}"
        )
    if table.empty:
        raise ValueError(f"{name} must have at least one row, got none")
