"""Figures as files: the same figure gives the same bytes."""

from __future__ import annotations

import io
import re
from html import escape
from typing import Literal

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from moodcore.plots.style import ROLES

# Dates would make every file different; addresses of vocabularies are not offline.
_NO_METADATA = {"Creator": None, "Date": None, "Format": None, "Type": None}
# Definitions of ids and references to them.
_ID = re.compile(r'(\bid="|href="#|url\(#)')
# A color in a style, or in an attribute, as in the patterns of hatches.
_STYLE_COLOR = re.compile(r"(?<=[:] )#[0-9a-f]{6}(?=[;\"])")
_ATTRIBUTE_COLOR = re.compile(r' (fill|stroke)="(#[0-9a-f]{6})"')
# It would apply to the whole page.
_STYLE_SHEET = re.compile(r"\s*<style.*?</style>", re.DOTALL)

# Points of a curve that show their values, and the most curves and axes of which points do.
_HOVER_POINTS, _HOVER_LINES, _HOVER_AXES = 25, 12, 4

Colors = Literal["paper", "page"]


def figure_svg(figure: Figure, *, name: str = "figure", colors: Colors = "paper") -> str:
    """Return a figure as an ``<svg>`` element for an HTML page.

    Parameters
    ----------
    figure : Figure
        The figure; ``ax.figure`` of what the drawing functions return.
    name : str, default="figure"
        Prefix of every id, so that a page can have several figures. Letters, digits, ``-``, ``_``.
    colors : {"paper", "page"}, default="paper"
        "paper" draws on white, for a file. "page" uses the CSS variables of the page,
        ``--fig-ink``, ``--fig-ground``, ``--fig-blue`` and so on, one per color in
        `moodcore.plots.style.ROLES`, and its ``fill`` for text; the colors of paper are the
        fallback.

    Returns
    -------
    str
        The element, without XML declaration, date or external references. Text is drawn as paths,
        so that it looks the same everywhere.

    Examples
    --------
    >>> from moodcore import plots
    >>> ax = plots.class_counts({"sad": 3}, {"sad": 3})
    >>> plots.figure_svg(ax.figure) == plots.figure_svg(ax.figure)
    True
    """
    if not re.fullmatch(r"[A-Za-z][\w-]*", name, flags=re.ASCII):
        raise ValueError(
            f"name must be a letter and then letters, digits, '-' or '_', got {name!r}"
        )
    if colors not in ("paper", "page"):
        raise ValueError(f"colors must be 'paper' or 'page', got {colors!r}")
    buffer = io.StringIO()
    bounds = _bounds(figure)
    # The salt can only be set here; it is restored at once.
    with matplotlib.rc_context({"svg.hashsalt": "moodcore", "svg.fonttype": "path"}):
        figure.savefig(buffer, format="svg", bbox_inches=bounds, metadata=_NO_METADATA)
    text = buffer.getvalue()
    text = _ID.sub(rf"\g<1>{name}-", text[text.index("<svg") :])
    if colors == "paper":
        return text
    # Cropping moves the drawing by an amount that only the file knows.
    values = _hover_values(figure) if bounds is None else ""
    return _follow_page(text.replace("</svg>", f"{values}</svg>"))


def _hover_values(figure: Figure) -> str:
    """Return an invisible circle with a title, which browsers show, on points of each curve."""
    scale, height = 72 / figure.dpi, 72 * figure.get_figheight()
    circles = []
    for ax in figure.axes if len(figure.axes) <= _HOVER_AXES else []:
        named = [line for line in ax.lines if not str(line.get_label()).startswith("_")]
        x_name = ax.get_xlabel() or figure.get_supxlabel() or "x"
        y_name = ax.get_ylabel() or figure.get_supylabel() or "y"
        for line in named if len(named) <= _HOVER_LINES else []:
            points = np.asarray(line.get_xydata(), dtype=np.float64)
            places = np.linspace(0, max(len(points) - 1, 0), min(_HOVER_POINTS, len(points)))
            for x, y in points[np.unique(places.round().astype(int))]:
                if not ax.viewLim.contains(x, y):
                    continue
                across, up = scale * ax.transData.transform((x, y))
                title = escape(f"{line.get_label()}: {x_name} {x:.4g}, {y_name} {y:.4g}")
                circles.append(
                    f'<circle cx="{across:.1f}" cy="{height - up:.1f}" r="5" fill="none" '
                    f'pointer-events="all"><title>{title}</title></circle>'
                )
    return "\n".join(circles)


def _follow_page(text: str) -> str:
    """Replace the colors that have a role by the variables of the page."""

    def variable(color: str) -> str:
        return f"var(--fig-{ROLES[color]}, {color})" if color in ROLES else color

    text = _STYLE_SHEET.sub("", text)
    # Variables are allowed in styles only.
    text = _ATTRIBUTE_COLOR.sub(r' style="\1: \2"', text)
    return _STYLE_COLOR.sub(lambda found: variable(found[0]), text)


def figure_png(figure: Figure, *, dpi: float = 150) -> bytes:
    """Return a figure as the bytes of a PNG file.

    Parameters
    ----------
    figure : Figure
        The figure.
    dpi : float, default=150
        Pixels per inch, above 0.

    Returns
    -------
    bytes
        The file, without date or software version.
    """
    if not dpi > 0:
        raise ValueError(f"dpi must be above 0, got {dpi!r}")
    buffer = io.BytesIO()
    figure.savefig(
        buffer, format="png", dpi=dpi, bbox_inches=_bounds(figure), metadata={"Software": None}
    )
    return buffer.getvalue()


def _bounds(figure: Figure) -> Literal["tight"] | None:
    """Return the `bbox_inches` that clips nothing: a figure with a layout has room for everything.

    A layout moves a little with every drawing; it is run once and then fixed, so that the same
    figure gives the same file.
    """
    if figure.get_layout_engine():
        figure.draw_without_rendering()
        figure.set_layout_engine("none")
    return None if figure.get_layout_engine() else "tight"
