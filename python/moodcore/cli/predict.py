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
    metavar="FILE.csv",
    help="Where to write.  [default: stdout]",
)
@options.debug
def command(model: Path, songs: Path, out: Path | None) -> int:
    """Add the label and the probability of each class to every song of SONGS."""
    from moodcore._atomic import write_text
    from moodcore.song_predictions import load_song_model, predict_songs

    text = predict_songs(load_song_model(model), songs).to_csv(index=False, lineterminator="\n")
    if out is None:
        click.echo(text, nl=False)
    else:
        write_text(out, text)
        click.echo(f"{out}: {text.count(chr(10)) - 1:,} songs", err=True)
    return ExitCode.DONE
