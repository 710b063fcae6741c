"""Options that several commands share."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])

SYNTHETIC_NOTICE = "The songs are synthetic: made by a program, not measured."


class Choice(click.Choice[str]):
    """A choice that names the nearest of its words for a wrong one."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the value, or say what was meant."""
        near = difflib.get_close_matches(str(value), list(self.choices), n=1)
        if value in self.choices or not near:
            return super().convert(value, param, ctx)
        allowed = ", ".join(self.choices)
        self.fail(f"{value!r} does not exist; did you mean {near[0]!r}? (one of {allowed})", param)


INPUT_FILE = click.Path(path_type=Path)
debug = click.option(
    "--debug", is_flag=True, expose_value=False, help="Show the traceback of an error."
)
as_json = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object on stdout and nothing else."
)
data = click.option(
    "--data",
    metavar="PATH",
    help="Songs as CSV or Parquet.  [default: embedded synthetic songs]",
)
features = click.option(
    "--features",
    metavar="WHICH",
    help="published, all, uncorrelated (a filter chooses), or names separated by commas.  "
    "[default: published]",
)
songs = click.option("--songs", type=int, metavar="N", help="Use so many songs.  [default: all]")
bad_rows = click.option(
    "--bad-rows",
    "on_bad_rows",
    type=Choice(["strict", "drop"]),
    help="Refuse unusable rows, or drop them and say so.  [default: strict]",
)
duplicates = click.option(
    "--duplicates",
    type=Choice(["keep", "drop"]),
    help="What to do with repeated rows.  [default: keep]",
)


def positive(_ctx: click.Context, _param: click.Parameter, value: float | None) -> float | None:
    """Check that a number is finite and above 0 (click's ranges let NaN through)."""
    if value is not None and not 0 < value < math.inf:
        raise click.BadParameter(f"must be finite and above 0, got {value:g}")
    return value


def split_features(text: str | None) -> str | list[str] | None:
    """Return `--features` as the settings know it: a keyword, or a list of names."""
    from moodcore.songs.features import FEATURE_CHOICES

    if text is None or text in FEATURE_CHOICES:
        return text
    return [name.strip() for name in text.split(",") if name.strip()]


def split_numbers(text: str | None, kind: Callable[[str], float], option: str) -> list[Any] | None:
    """Return numbers separated by commas; none at all for an empty text.

    Raises
    ------
    click.BadParameter
        If one is not a number of the kind.
    """
    if text is None:
        return None
    found = []
    for word in filter(None, (part.strip() for part in text.split(","))):
        try:
            found.append(kind(word))
        except ValueError:
            raise click.BadParameter(
                f"{word!r} is not a {'whole ' if kind is int else ''}number", param_hint=option
            ) from None
    return found
