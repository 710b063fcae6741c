"""Offline pages that tell a run, and their pictures.

A page is one HTML file: style, pictures and tables are in it, nothing is loaded and no script
runs. What all pages share is here; what one kind of run tells is a subpackage (`tune`, ...).

How a new kind of page is made
------------------------------
1. A subpackage, say `report/compare/`, with a function `build(folder)` that reads the files of a
   finished run, draws and writes. Nothing is computed anew: a page can be built again at any time.
2. Pictures: `picture(name, title, caption, drawn, table)` takes what a function of
   `moodcore.plots` returns and the numbers behind it. The caption says what to see, in numbers
   of this run where it can.
3. `Page(...)` holds what every run has: title, sentences of the summary, headline numbers, checks,
   provenance, and whether the data are synthetic.
4. A template `report/compare/page.html.j2` extends the base and writes its own sections; the base
   writes header, summary, contents, checks and how it was made, and the list of sections follows
   the template::

       {% extends "base.html.j2" %}
       {% from "parts.html.j2" import section, figure, table with context %}
       {% block content %}
       {% call section("models", "Models") %}
       <p>{{ sentence | prose }}</p>
       {{ figure("calibration") }}
       {{ table(scores, "Each model on the same folds.") }}
       {% endcall %}
       {% endblock %}

   Headings inside a section are `<h3>`. `figure` of a picture that the run does not have writes
   nothing; a picture that no figure shows is an error. `table` takes a DataFrame, whose first
   column names the rows; `prose` (keeps a number and its per cent
   sign on one line), `percent`, `signed` and `thousands` are filters.
5. `write(path, "compare/page.html.j2", page, figures=folder.figures, scores=frame)` writes the page
   and one SVG file a picture.
6. A row in `tests/report/pages.py`: the tests in a browser then look at the page too.
"""

from moodcore.report.page import SYNTHETIC, Highlight, Page, Provenance, render, write
from moodcore.report.pictures import Picture, picture
from moodcore.report.tune import build, summary

__all__ = [
    "SYNTHETIC",
    "Highlight",
    "Page",
    "Picture",
    "Provenance",
    "build",
    "picture",
    "render",
    "summary",
    "write",
]
