"""Figures as files: the same figure gives the same bytes."""

import io
import re
from typing import Literal

import matplotlib
from matplotlib.figure import Figure

# Dates and addresses of vocabularies would make each page another, and not an offline one.
_NO_METADATA = {"Creator": None, "Date": None, "Format": None, "Type": None}
# Where an id is given, and where one is referred to.
_ID = re.compile(r'(\bid="|href="#|url\(#)')


def figure_svg(figure: Figure, *, name: str = "figure") -> str:
    """Give a figure as an ``<svg>`` element to put into an HTML page.

    Parameters
    ----------
    figure : Figure
        The figure; ``ax.figure`` of what the drawing functions return.
    name : str, default="figure"
        Put before every id, so that several pictures share a page. Letters, digits, ``-``, ``_``.

    Returns
    -------
    str
        The element, without XML declaration, date or outside references. Text is drawn as paths,
        so that it looks the same everywhere.

    Raises
    ------
    ValueError
        When the name cannot begin an id.

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
    buffer = io.StringIO()
    # The salt can only be set here; it is put back at once.
    with matplotlib.rc_context({"svg.hashsalt": "moodcore", "svg.fonttype": "path"}):
        figure.savefig(buffer, format="svg", bbox_inches=_bounds(figure), metadata=_NO_METADATA)
    text = buffer.getvalue()
    return _ID.sub(rf"\g<1>{name}-", text[text.index("<svg") :])


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
