"""A picture of a report, with the numbers behind it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Picture:
    """One picture.

    Attributes
    ----------
    name : str
        Of its file, and of its place in the page: letters, digits, `-` and `_`.
    title : str
        What it is, in a few words.
    caption : str
        What to see in it.
    svg : str
        The picture as a file, on white.
    inline : str
        The picture as a part of a page, in the page's colours.
    table : DataFrame
        The numbers behind it; the first column names the rows.
    """

    name: str
    title: str
    caption: str
    svg: str
    inline: str
    table: pd.DataFrame


def picture(
    name: str, title: str, caption: str, drawn: Axes | Figure, table: pd.DataFrame
) -> Picture:
    """Make a picture of what a function of `moodcore.plots` returned.

    Parameters
    ----------
    name : str
        Of its file, and of its place in the page: letters, digits, `-` and `_`.
    title : str
        What it is, in a few words, without a full stop: "Songs of each class".
    caption : str
        What to see in it, in sentences.
    drawn : Axes or Figure
        The picture.
    table : DataFrame
        The numbers behind it; the first column names the rows.

    Returns
    -------
    Picture

    Raises
    ------
    ValueError
        When the name cannot begin an id, the table is empty, or the axes are of a part of a figure.

    Examples
    --------
    >>> import pandas as pd
    >>> from moodcore import plots
    >>> ax = plots.class_counts({"sad": 3, "calm": 2}, {"sad": 2, "calm": 2})
    >>> table = pd.DataFrame({"class": ["sad", "calm"], "before": [3, 2], "after": [2, 2]})
    >>> found = picture("counts", "Songs of each class", "Sad songs were more.", ax, table)
    >>> found.svg.startswith("<svg"), "var(--fig-blue" in found.inline
    (True, True)
    """
    from matplotlib.figure import Figure

    from moodcore.plots import figure_svg

    if table.empty:
        raise ValueError(f"picture {name!r} must have numbers behind it, got an empty table")
    figure = drawn if isinstance(drawn, Figure) else drawn.figure
    if not isinstance(figure, Figure):
        raise ValueError(f"picture {name!r} must be a whole figure, got axes of a {figure!r}")
    return Picture(
        name,
        title,
        caption,
        figure_svg(figure, name=name),
        figure_svg(figure, name=name, colours="page"),
        table,
    )
