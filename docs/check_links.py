"""Check the links inside built pages: that each file exists, and each anchor in it.

Usage: python docs/check_links.py FOLDER

Prints one line per broken link and exits with code 1 if there are any. Links to other hosts are not
followed.
"""

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class PageParser(HTMLParser):
    """The link targets and the anchors of one page."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors = {"", "top"}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect what a tag refers to, and what it can be referred to by."""
        for name, value in attrs:
            if value is None:
                continue
            if name == "id" or (tag == "a" and name == "name"):
                self.anchors.add(value)
            if name in {"href", "src"}:
                self.links.append(value)


def parse(path: Path) -> PageParser:
    """Read one page."""
    parser = PageParser()
    parser.feed(path.read_text(encoding="utf-8"))
    return parser


def broken_links(folder: Path) -> list[str]:
    """List the links of all pages of a folder that lead to no file or to no anchor."""
    pages = {path.resolve(): parse(path) for path in folder.rglob("*.html")}
    broken = []
    for page, parser in sorted(pages.items()):
        for link in parser.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            known = target not in pages or unquote(parts.fragment) in pages[target].anchors
            if not target.is_file() or not known:
                broken.append(f"{page.relative_to(folder.resolve())}: {link}")
    return broken


def main(folder: str) -> int:
    """Print the broken links of a folder and return the exit code."""
    broken = broken_links(Path(folder))
    for line in broken:
        print(line)
    print(f"{len(broken)} broken links")
    return int(bool(broken))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
