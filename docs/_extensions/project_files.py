"""Show CONTRIBUTING.md and CHANGELOG.md as pages, and let links to them lead to these pages."""

import posixpath
import re
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.util.typing import ExtensionMetadata

PAGES = {"contributing": "CONTRIBUTING.md", "changes": "CHANGELOG.md"}


def _read(app: Sphinx, docname: str, source: list[str]) -> None:
    folder = posixpath.dirname(docname)
    if docname in PAGES:
        text = (Path(app.srcdir).parent / PAGES[docname]).read_text(encoding="utf-8")
        source[0] = re.sub(r"\]\((?![a-z]+:|#)", "](../", text)
    for page, file in PAGES.items():
        from_root = posixpath.relpath(posixpath.join("..", file), folder or ".")
        source[0] = source[0].replace(
            f"]({from_root}", f"]({posixpath.relpath(page, folder or '.')}.md"
        )
    source[0] = source[0].replace("](../docs/", "](")


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the change of sources."""
    app.connect("source-read", _read)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
