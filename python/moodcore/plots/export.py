"""Figures as files: the same figure gives the same bytes."""

import io
import re
from typing import Literal

import matplotlib
from matplotlib.figure import Figure

from moodcore.plots.style import ROLES

# Dates and addresses of vocabularies would make each page another, and not an offline one.
_NO_METADATA = {"Creator": None, "Date": None, "Format": None, "Type": None}
# Where an id is given, and where one is referred to.
_ID = re.compile(r'(\bid="|href="#|url\(#)')
# A colour in a style, or in an attribute of its own as the patterns of hatches have it.
_STYLE_COLOUR = re.compile(r"(?<=[:] )#[0-9a-f]{6}(?=[;\"])")
_ATTRIBUTE_COLOUR = re.compile(r' (fill|stroke)="(#[0-9a-f]{6})"')
# It would hold for the whole page.
_STYLE_SHEET = re.compile(r"\s*<style.*?</style>", re.DOTALL)

Colours = Literal["paper", "page"]


def figure_svg(figure: Figure, *, name: str = "figure", colours: Colours = "paper") -> str:
    """Give a figure as an ``<svg>`` element to put into an HTML page.

    Parameters
    ----------
    figure : Figure
        The figure; ``ax.figure`` of what the drawing functions return.
    name : str, default="figure"
        Put before every id, so that several pictures share a page. Letters, digits, ``-``, ``_``.
    colours : {"paper", "page"}, default="paper"
        "paper" draws on white, for a file. "page" follows the page's variables, ``--fig-ink``,
        ``--fig-ground``, ``--fig-blue`` and so on, one for each colour in
        `moodcore.plots.style.ROLES`, and draws text in the page's ``fill``; a page that does not
        set them gets the colours of paper.

    Returns
    -------
    str
        The element, without XML declaration, date or outside references. Text is drawn as paths,
        so that it looks the same everywhere.

    Raises
    ------
    ValueError
        When the name cannot begin an id, or the colours are neither.

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
    if colours not in ("paper", "page"):
        raise ValueError(f"colours must be 'paper' or 'page', got {colours!r}")
    buffer = io.StringIO()
    # The salt can only be set here; it is put back at once.
    with matplotlib.rc_context({"svg.hashsalt": "moodcore", "svg.fonttype": "path"}):
        figure.savefig(buffer, format="svg", bbox_inches=_bounds(figure), metadata=_NO_METADATA)
    text = buffer.getvalue()
    text = _ID.sub(rf"\g<1>{name}-", text[text.index("<svg") :])
    return text if colours == "paper" else _follow_page(text)


def _follow_page(text: str) -> str:
    """Put the page's variables in the place of the colours that have a role."""

    def variable(colour: str) -> str:
        return f"var(--fig-{ROLES[colour]}, {colour})" if colour in ROLES else colour

    text = _STYLE_SHEET.sub("", text)
    # Variables stand in styles only.
    text = _ATTRIBUTE_COLOUR.sub(r' style="\1: \2"', text)
    return _STYLE_COLOUR.sub(lambda found: variable(found[0]), text)


def figure_png(figure: Figure, *, dpi: float = 150) -> bytes:
    """Give a figure as the bytes of a PNG file.

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

    Raises
    ------
    ValueError
        When `dpi` is not above 0.
    """
    if not dpi > 0:
        raise ValueError(f"dpi must be above 0, got {dpi!r}")
    buffer = io.BytesIO()
    figure.savefig(
        buffer, format="png", dpi=dpi, bbox_inches=_bounds(figure), metadata={"Software": None}
    )
    return buffer.getvalue()


def _bounds(figure: Figure) -> Literal["tight"] | None:
    """Give what savefig needs to clip nothing: a figure with a layout has room for everything.

    A layout moves a little with every drawing; it is run once and then kept, so that the same
    figure gives the same file.
    """
    if figure.get_layout_engine():
        figure.draw_without_rendering()
        figure.set_layout_engine("none")
    return None if figure.get_layout_engine() else "tight"
