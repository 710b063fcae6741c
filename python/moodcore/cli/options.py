"""Options that several commands share."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

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


def completion(*words: str) -> Callable[..., list[str]]:
    """Return what shells complete the value of an option with: words, or a list of them."""

    def complete(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
        before, comma, last = incomplete.rpartition(",")
        return [f"{before}{comma}{word}" for word in words if word.startswith(last)]

    return complete


_GROUPS = {
    "Data": (
        *("--data", "--target", "--test", "--id", "--drop", "--features", "--rows", "--bad-rows"),
        *("--duplicates", "--balance"),
    ),
    "Workers": ("--jobs", "--engine", "--scheduler", "--storage", "--study-name", "--worker"),
    "Output": (*("--out", "--resume", "--dry-run", "--json", "--rejected", "--keep", "--format"),),
    "General": ("--seed", "--config", "--minutes", "--debug", "--help"),
}


class Command(click.Command):
    """A command whose --help lists its options in groups: first its own, then the shared ones.

    Parameters
    ----------
    heading : str, default="Options"
        Heading of the command's own options.
    examples : sequence of str, default=()
        Command lines that the help shows.
    """

    def __init__(
        self, *args: Any, heading: str = "Options", examples: Sequence[str] = (), **others: Any
    ) -> None:
        super().__init__(*args, **others)
        self._heading = heading
        self.examples = examples

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options group by group."""
        rows: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            # Arguments are described in the text above.
            if record is not None and isinstance(param, click.Option):
                named = (t for t, names in _GROUPS.items() if not set(names).isdisjoint(param.opts))
                rows.setdefault(next(named, self._heading), []).append(record)
        for title in (self._heading, *_GROUPS):
            if title in rows:
                with formatter.section(title):
                    formatter.write_dl(rows[title])

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples."""
        if self.examples:
            with formatter.section("Examples"):
                for example in self.examples:
                    formatter.write(f"{' ' * formatter.current_indent}{example}\n")


class DataCommand(Command):
    """A command that takes its table with --data, and says so where the option is missing."""

    allow_extra_args = True

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the options; refuse arguments."""
        rest = super().parse_args(ctx, args)
        if rest and not ctx.resilient_parsing:
            ctx.fail(f"unexpected argument {rest[0]!r}; a table is given as --data FILE")
        return rest


INPUT_FILE = click.Path(path_type=Path)
# A table: a file, a folder, a pattern, or - for standard input. Shells complete its name.
TABLE = click.Path(allow_dash=True)
debug = click.option(
    "--debug", is_flag=True, expose_value=False, help="Show the traceback of an error."
)
as_json = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object on stdout and nothing else."
)
data = click.option(
    "--data",
    type=TABLE,
    metavar="PATH",
    help="Table: CSV, TSV, Parquet or Arrow, also .zip, .gz or .zst; or a folder of Parquet files, "
    "or a pattern such as 'songs/*.parquet'.  [default: embedded synthetic songs]",
)
target = click.option(
    "--target",
    metavar="COLUMN",
    help="Column of the labels; not needed for songs.",
)
test = click.option(
    "--test",
    type=TABLE,
    metavar="PATH",
    help="Table for the test.  [default: a fifth of the rows]",
)
id_column = click.option(
    "--id", metavar="COLUMN", help="Column that identifies rows in the results."
)
drop = click.option(
    "--drop",
    metavar="COLUMNS",
    callback=lambda _ctx, _param, text: split_names(text),
    help="Columns to leave out, separated by commas.",
)
features = click.option(
    "--features",
    metavar="WHICH",
    callback=lambda _ctx, _param, text: split_features(text),
    help="Columns to learn from: all, or names separated by commas; for songs also published, or "
    "uncorrelated (a correlation filter chooses).  [default: published for songs, all for other "
    "tables]",
)
rows = click.option(
    "--rows",
    "--songs",
    "rows",
    type=int,
    metavar="N",
    help="Use a stratified sample of this many rows.  [default: all]",
)
bad_rows = click.option(
    "--bad-rows",
    "on_bad_rows",
    type=Choice(["strict", "drop"]),
    help="Rows that cannot be used: stop with an error, or drop them with a note.  "
    "[default: strict]",
)
duplicates = click.option(
    "--duplicates",
    type=Choice(["keep", "drop"]),
    help="Keep or drop repeated rows.  [default: keep]",
)
balance = click.option(
    "--balance/--no-balance",
    default=None,
    help="Downsample training rows to equal classes, or not.  "
    "[default: balanced for songs in tune, train and features]",
)
seed = click.option(
    "--seed",
    type=click.IntRange(min=0),
    metavar="N",
    help="Seed of every random choice.  [default: 0]",
)
engine = click.option(
    "--engine",
    type=Choice(("local", "dask")),
    default="local",
    help="Where the work is done: on this host, or on the workers of a Dask scheduler.  "
    "[default: local]",
)
scheduler = click.option(
    "--scheduler",
    metavar="ADDRESS",
    help="Dask scheduler for --engine dask, such as tcp://HOST:8786.",
)


def positive(_ctx: click.Context, _param: click.Parameter, value: float | None) -> float | None:
    """Check that a number is finite and above 0 (click's ranges let NaN through)."""
    if value is not None and not 0 < value < math.inf:
        raise click.BadParameter(f"must be finite and above 0, got {value:g}")
    return value


def split_names(text: str | None) -> list[str] | None:
    """Return names separated by commas."""
    if text is None:
        return None
    return [name.strip() for name in text.split(",") if name.strip()]


def split_features(text: str | None) -> str | list[str] | None:
    """Return `--features` as the settings hold it: a keyword, or a list of names."""
    from moodcore.songs.schema import FEATURE_CHOICES

    return text if text in FEATURE_CHOICES else split_names(text)


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
