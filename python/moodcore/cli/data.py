"""`moodcore data`: tables of songs made and checked."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from moodcore.cli import options
from moodcore.cli.exit_codes import ExitCode

_ENDINGS = (".csv", ".parquet", ".pq")


@click.group("data", short_help="Make or check tables of songs.")
def command() -> None:
    """Make or check tables of songs."""


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


@command.command("check")
@click.argument("file", type=options.INPUT_FILE)
@options.bad_rows
@options.duplicates
@options.debug
def check(
    file: Path,
    on_bad_rows: Literal["strict", "drop"] | None,
    duplicates: Literal["keep", "drop"] | None,
) -> int:
    """Read FILE as tune would and say what is in it."""
    import numpy as np

    from moodcore import songs

    table = songs.read(
        file,
        on_bad_rows=on_bad_rows or "strict",
        duplicates=duplicates or "keep",
        labels="optional",
    )
    click.echo(f"{file}: {len(table.X):,} usable songs, {table.X.shape[1]} columns")
    for line in str(table.report).splitlines():
        click.echo(line)
    if table.y is None:
        click.echo("no labels")
        return ExitCode.DONE
    for code, count in zip(*np.unique(np.asarray(table.y), return_counts=True), strict=True):
        click.echo(f"  {songs.LABEL_NAMES[code]:<12} {count:,}")
    return ExitCode.DONE
