"""Offline pages about finished runs.

`build(folder)` writes `report.html` and the figures of a run of any kind; `summary(metrics)`
returns its outcome as text, as the commands print it. Both read the files of the run and compute
nothing anew, so that a page can be rebuilt at any time.

A page is one HTML file: style, figures and tables are in it; nothing is loaded and no script runs.
Each kind of run has two modules: `outcomes/<kind>.py` with `headline(metrics)`, which returns
title, sentences, highlights and checks, and `pages/<kind>.py` with `sections(run)`, which returns
the rest of the page: a list of :class:`Section`, each with its text, tables and figures in order.
To add a kind, write both, name it in `_KINDS` of `build.py`, and add a run to
`tests/report/generic.py`, so that the browser tests open its page.
"""

from moodcore.report.build import build, summary
from moodcore.report.page import (
    SYNTHETIC,
    Figure,
    Folded,
    Headline,
    Page,
    Section,
    Table,
    Text,
    render,
    write,
)

__all__ = [
    "SYNTHETIC",
    "Figure",
    "Folded",
    "Headline",
    "Page",
    "Section",
    "Table",
    "Text",
    "build",
    "render",
    "summary",
    "write",
]
