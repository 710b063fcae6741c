"""`moodcore data`: tables made and checked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from moodcore.cli import options
from moodcore.cli.exit_codes import ExitCode

_ENDINGS = (".csv", ".parquet", ".pq")


@click.group("data", short_help="Make songs, or check any table.")
def command() -> None:
    """Make songs, or check any table."""


@command.command("synthesize", short_help="Write synthetic songs.")
@click.option(
    "-o", "--out", type=options.INPUT_FILE, required=True, metavar="FILE", help="CSV or Parquet."
)
@click.option("--songs", type=click.IntRange(min=1), metavar="N", help="[default: 277938]")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, metavar="N")
@options.debug
def synthesize(out: Path, songs: int | None, seed: int) -> int:
    """Write synthetic songs; with seed 0 those that tune has embedded."""
    from moodcore import songs as domain
    from moodcore.files import write_table

    if not out.name.lower().endswith(_ENDINGS):
        raise click.BadParameter(
            f"songs are written as {', '.join(_ENDINGS)}, got {out.name!r}", param_hint="'--out'"
        )
    X, y = domain.synthesize(songs or domain.N_SONGS, random_state=seed)
    uri = [f"{domain.SYNTHETIC_URI}{number}" for number in range(len(X))]
    table = X.assign(**{domain.LABEL: y}).assign(**{domain.URI: uri})
    write_table(out, table)
    click.echo(f"{out}: {len(table):,} synthetic songs", err=True)
    return ExitCode.DONE


@command.command("check", short_help="Show what a table holds.")
@click.argument("file", type=options.INPUT_FILE)
@click.option("--target", metavar="COLUMN", help="The labels of a table that is not songs.")
@click.option("--id", "id", metavar="COLUMN", help="The column that identifies the rows.")
@click.option("--drop", metavar="COLUMNS", help="Columns to leave out, separated by commas.")
@options.bad_rows
@options.duplicates
@options.as_json
@options.debug
def check(file: Path, target: str | None, drop: str | None, as_json: bool, **given: Any) -> int:
    """Read FILE as tune would and show columns, classes and what to check before training."""
    from moodcore.cli.data_check import check_table, report_lines

    chosen = {name: value for name, value in given.items() if value is not None}
    if drop is not None:
        chosen["drop"] = [name.strip() for name in drop.split(",") if name.strip()]
    found = check_table(file, target, **chosen)
    click.echo(json.dumps(found) if as_json else "\n".join(report_lines(found)))
    return ExitCode.DONE
