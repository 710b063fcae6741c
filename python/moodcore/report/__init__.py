"""Offline pages about finished runs.

`build(folder)` writes `report.html` and the figures of a run of any kind; `summary(metrics)`
returns its outcome as text, as the commands print it. Both read the files of the run and compute
nothing anew, so that a page can be rebuilt at any time.

A page is one HTML file: style, figures and tables are in it; nothing is loaded and no script runs.
A kind of run is a module here (`tune`, `compare`, `features`) with two functions:
`headline(metrics)` returns title, sentences, highlights and checks, and `sections(run)` returns
the rest of the page as a list of :class:`Section`, each with its text, tables and figures in
order. To add a kind: write such a module, name it in `_KINDS` of `build.py`, and add a run to
`tests/report/pages.py`, so that the browser tests open its page.
"""

from moodcore.report.build import build, summary
from moodcore.report.page import (
    SYNTHETIC,
    Figure,
    Folded,
    Heading,
    Headline,
    Note,
    Page,
    Section,
    Table,
    render,
    write,
)

__all__ = [
    "SYNTHETIC",
    "Figure",
    "Folded",
    "Heading",
    "Headline",
    "Note",
    "Page",
    "Section",
    "Table",
    "build",
    "render",
    "summary",
    "write",
]
