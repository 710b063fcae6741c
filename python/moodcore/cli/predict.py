"""`moodcore predict`: labels and probabilities for songs."""

from __future__ import annotations

from pathlib import Path

import click

from moodcore.cli import options
from moodcore.cli.exit_codes import ExitCode


@click.command("predict", short_help="Add labels and probabilities to songs.")
@click.argument("model", type=options.INPUT_FILE)
@click.argument("songs", type=options.INPUT_FILE)
@click.option(
    "-o",
    "--out",
    type=options.INPUT_FILE,
    metavar="FILE",
    help="Where to write: CSV, or Parquet where the name ends in .parquet.  "
    "[default: CSV to stdout]",
)
@options.debug
def command(model: Path, songs: Path, out: Path | None) -> int:
    """Add the label and the probability of each class to every song of SONGS."""
    from moodcore._atomic import is_parquet, write_table
    from moodcore.song_predictions import load_song_model, predict_songs

    # From CSV to CSV, what was in the file comes out as it was.
    as_text = out is None or not is_parquet(out)
    table = predict_songs(load_song_model(model), songs, as_text=as_text)
    if out is None:
        click.echo(table.to_csv(index=False, lineterminator="\n"), nl=False)
    else:
        write_table(out, table)
        click.echo(f"{out}: {len(table):,} songs", err=True)
    return ExitCode.DONE
