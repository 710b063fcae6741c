"""Settings of Sphinx; the pages are built with `make docs`."""

from moodcore import __version__

project = "moodcore"
author = "the moodcore developers"
version = release = __version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
]
exclude_patterns = ["_build"]
html_theme = "alabaster"

myst_enable_extensions = ["amsmath", "dollarmath"]
myst_heading_anchors = 3
# Links to files of the project that are no pages: tests/test_documentation.py follows them.
suppress_warnings = ["myst.xref_missing"]

# docs/api.md names each object once; numpydoc's own tables of members would name them again.
numpydoc_show_class_members = False
autosummary_generate = False
autodoc_typehints = "none"
