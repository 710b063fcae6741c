"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])

SYNTHETIC_NOTICE = "The songs are synthetic: made by a program, not measured."
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
    type=click.Choice(["strict", "drop"]),
    help="Refuse unusable rows, or drop them and say so.  [default: strict]",
)
duplicates = click.option(
    "--duplicates",
    type=click.Choice(["keep", "drop"]),
    help="What to do with repeated rows.  [default: keep]",
)


def split_features(text: str | None) -> str | list[str] | None:
    """Return `--features` as the settings know it: a keyword, or a list of names."""
    from moodcore.tuning.folds import FEATURE_CHOICES

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
