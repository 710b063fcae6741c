"""Settings of Sphinx; `make docs` builds the pages."""

import inspect
import re
import sys
from pathlib import Path

from moodcore import __version__

sys.path.insert(0, str(Path(__file__).parent / "_extensions"))

project = "moodcore"
author = "the moodcore developers"
version = release = __version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx_click",
    "mathml",
    "project_files",
]
exclude_patterns = ["_build"]
templates_path = ["_templates"]

html_theme = "furo"
html_title = f"moodcore {version}"
html_static_path = ["_static"]
html_css_files = ["moodcore.css"]
html_math_renderer = "mathml"
html_show_sourcelink = False
html_copy_source = False
html_show_copyright = False
# Two hyphens begin an option; they are no dash.
smartquotes = False

myst_enable_extensions = ["amsmath", "dollarmath"]
myst_heading_anchors = 3

# One page for each object that docs/reference/api/index.md lists. The pages show the members
# themselves, so numpydoc need not list them.
autosummary_generate = True
numpydoc_show_class_members = False
autodoc_typehints = "none"


def skip_inherited(_app, _kind, _name, obj, *_):
    """Leave out what scikit-learn's base classes add: their documentation has it."""
    inherited = str(getattr(obj, "__module__", "moodcore")).partition(".")[0] == "sklearn"
    return inherited or "metadata_routing" in (inspect.getdoc(obj) or "") or None


def escape_asterisks(_app, _context, lines):
    """Keep the asterisks of a command's text: reStructuredText would read them as emphasis."""
    lines[:] = [line.replace("*", r"\*") for line in lines]


def wrap_code(_app, _page, _template, context, _doctree):
    """Let code in tables, titles and signatures wrap between words, and keep options whole."""

    def mark(text):
        return re.sub(r"(?<=\w[/._])(?=\w)", "<wbr>", text[0])

    def mark_all(part):
        opened = '<span class="sig-paren">(</span>'
        text = part[0].replace(opened, f"{opened}<wbr>")
        return re.sub(r'(?<=<span class="pre">)[^<]*', mark, text)

    def keep(option):
        return f'<span class="unbroken">{option[0]}</span>'

    def keep_all(code):
        return re.sub(r"(?<![\w-])--[a-z][a-z-]*", keep, code[0])

    body = context.get("body", "")
    for part in (r"<table.*?</table>", r'<dt class="sig .*?</dt>'):
        body = re.sub(part, mark_all, body, flags=re.DOTALL)
    body = re.sub(r"(?<=<h1>)[^<]*", mark, body)
    body = body.replace('<span class="classifier">', '<wbr><span class="classifier">')
    body = re.sub(r'(?<=<span class="pre">)--[a-z][a-z-]*', keep, body)
    shell = r'(?<=<div class="highlight-sh ).*?</pre>'
    context["body"] = re.sub(shell, keep_all, body, flags=re.DOTALL)
    for side in ("prev", "next"):
        if context.get(side):
            title = re.sub(r"^[^<]*", mark, context[side]["title"])
            context[side] = context[side] | {"title": title}


def setup(app):
    """Register the handlers of this project."""
    app.connect("autodoc-skip-member", skip_inherited)
    app.connect("html-page-context", wrap_code)
    for part in ("description", "options", "arguments"):
        app.connect(f"sphinx-click-process-{part}", escape_asterisks)
