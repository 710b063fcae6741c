"""`moodcore data`: tables made and checked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from moodcore.cli import options
from moodcore.cli.exit_codes import ExitCode

_ENDINGS = (".csv", ".parquet", ".pq")


@click.group("data", short_help="Synthesize songs, or check a table.")
def command() -> None:
    """Synthesize songs, or check a table."""


@command.command(
    "synthesize",
    cls=options.Command,
    short_help="Write synthetic songs.",
    examples=("moodcore data synthesize -o songs.parquet --songs 10000",),
)
@click.option(
    "-o",
    "--out",
    type=options.INPUT_FILE,
    required=True,
    metavar="FILE",
    help="File of the songs, CSV or Parquet by its ending.",
)
@click.option(
    "--songs",
    type=click.IntRange(min=1),
    metavar="N",
    help="Number of songs.  [default: 277938]",
)
@options.seed
@options.debug
def synthesize(out: Path, songs: int | None, seed: int | None) -> int:
    """Write synthetic songs; with seed 0, those that are embedded."""
    from moodcore import songs as domain
    from moodcore.files import check_writable, write_table

    if not out.name.lower().endswith(_ENDINGS):
        raise click.BadParameter(
            f"songs are written as {', '.join(_ENDINGS)}, got {out.name!r}", param_hint="'--out'"
        )
    check_writable(out)
    X, y = domain.synthesize(songs or domain.N_SONGS, random_state=seed or 0)
    uri = [f"{domain.SYNTHETIC_URI}{number}" for number in range(len(X))]
    table = X.assign(**{domain.LABEL: y}).assign(**{domain.URI: uri})
    write_table(out, table)
    click.echo(f"{out}: {len(table):,} synthetic songs", err=True)
    return ExitCode.DONE


@command.command(
    "check",
    cls=options.Command,
    short_help="Show columns, classes and problems of a table.",
    examples=("moodcore data check adult.csv --target income",),
)
@click.argument("file", type=options.INPUT_FILE)
@options.target
@options.id_column
@options.drop
@options.bad_rows
@options.duplicates
@options.as_json
@options.debug
def check(file: Path, target: str | None, as_json: bool, **given: Any) -> int:
    """Read FILE as tune does, and show its columns, classes and possible problems."""
    from moodcore.cli.data_check import check_table, report_lines

    chosen = {name: value for name, value in given.items() if value is not None}
    found = check_table(file, target, **chosen)
    click.echo(json.dumps(found) if as_json else "\n".join(report_lines(found)))
    return ExitCode.DONE
