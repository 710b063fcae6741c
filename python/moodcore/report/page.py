"""What every page has, and how it becomes one HTML file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moodcore.files import write_text
from moodcore.report.cells import TableView, percent, prose, signed, table_view
from moodcore.report.pictures import Picture

if TYPE_CHECKING:
    from jinja2 import Environment

SYNTHETIC = (
    "The songs of this run are synthetic: made by a program to resemble published figures. "
    "Nothing here is a finding about music."
)


@dataclass(frozen=True)
class Highlight:
    """A number that the summary begins with.

    Attributes
    ----------
    value : str
        The number, with its unit: "83.9 %".
    label : str
        What it is, in a few words.
    """

    value: str
    label: str


@dataclass(frozen=True)
class Provenance:
    """How a run was made.

    Attributes
    ----------
    command : str
        What was typed.
    finished : str
        When, as ISO 8601.
    seed, jobs : int
        Of the run.
    seconds : mapping of str to float
        Time of each part.
    versions : mapping of str to str
        Of this package, its dependencies and the machine: `moodcore.platform.versions()`.
    data : mapping of str to str
        What the data are, by name of the fact: source, checksum.
    settings : str
        The settings as a file that repeats the run.
    """

    command: str
    finished: str
    seed: int
    jobs: int
    seconds: Mapping[str, float]
    versions: Mapping[str, str]
    data: Mapping[str, str]
    settings: str = ""


@dataclass(frozen=True)
class Page:
    """What every kind of run tells.

    Attributes
    ----------
    title : str
        The heading.
    kind : str
        The command that makes such runs, without `moodcore`: "tune".
    summary : sequence of str
        The outcome, a sentence or two each; the first is set larger.
    provenance : Provenance
        How it was made.
    synthetic : bool
        Whether the data are synthetic; the page then says so first.
    highlights : sequence of Highlight
        The numbers beside the summary.
    checks : sequence of mapping
        `{"name", "ok", "text"}` each: what a careful reader would look for.
    pictures : mapping of str to Picture
        By name.
    """

    title: str
    kind: str
    summary: Sequence[str]
    provenance: Provenance
    synthetic: bool
    highlights: Sequence[Highlight] = ()
    checks: Sequence[Mapping[str, Any]] = ()
    pictures: Mapping[str, Picture] = field(default_factory=dict)


class _Contents:
    """The sections and figures of a page, in the order in which the template writes them."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self.sections: list[tuple[str, str]] = []
        self.figures: list[str] = []

    def section(self, name: str, title: str) -> str:
        """Note a section."""
        self.sections.append((name, title))
        return ""

    def figure(self, name: str) -> int:
        """Note a figure; returns its number."""
        self.figures.append(name)
        return len(self.figures)

    def check(self) -> None:
        """Raise a `ValueError` unless every picture is shown, and once."""
        missing = [name for name in self._page.pictures if name not in self.figures]
        twice = sorted({name for name in self.figures if self.figures.count(name) > 1})
        if missing or twice:
            raise ValueError(
                f"every picture must stand in the page once; missing: {missing}, twice: {twice}"
            )


def render(template: str, page: Page, **more: Any) -> str:
    """Return the text of a page.

    Parameters
    ----------
    template : str
        Path of the template below `moodcore/report`; it extends `base.html.j2`.
    page : Page
        What every run has.
    **more : Any
        What the template asks for besides.

    Raises
    ------
    ValueError
        When the template leaves a picture out or shows it twice.
    jinja2.UndefinedError
        When the template asks for what it was not given.
    """
    contents = _Contents(page)
    text = _environment().get_template(template).render(page=page, contents=contents, **more)
    contents.check()
    return text


def write(path: Path, template: str, page: Page, *, figures: Path, **more: Any) -> None:
    """Write a page, and its pictures as files of their own.

    Parameters
    ----------
    path : Path
        Of the page.
    template, page, **more
        See `render`.
    figures : Path
        Folder for the pictures; made if it is not there.

    Raises
    ------
    OSError
        When something cannot be written.
    """
    text = render(template, page, **more)
    figures.mkdir(exist_ok=True)
    for one in page.pictures.values():
        write_text(figures / f"{one.name}.svg", one.svg)
    write_text(path, text)


def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader("moodcore.report", package_path=""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "percent": percent,
        "prose": prose,
        "signed": signed,
        "thousands": "{:,}".format,
        "view": _view,
        "svg": Markup,
    }
    environment.globals["synthetic_notice"] = SYNTHETIC
    return environment


def _view(table: Any) -> TableView:
    return table if isinstance(table, TableView) else table_view(table)
