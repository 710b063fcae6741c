"""`moodcore evaluate`: a saved model against labelled songs."""

from __future__ import annotations

import json
from pathlib import Path

import click

from moodcore.cli import options
from moodcore.cli.exit_codes import ExitCode


@click.command("evaluate", short_help="Test a saved model on labelled songs.")
@click.argument("model", type=options.INPUT_FILE)
@click.argument("songs", type=options.INPUT_FILE)
@options.as_json
@options.debug
def command(model: Path, songs: Path, as_json: bool) -> int:
    """Compare what MODEL says about SONGS with their labels."""
    from moodcore.predict.song_models import evaluate_songs, load_song_model

    found = evaluate_songs(load_song_model(model), songs)
    if as_json:
        head = {"format": "moodcore-evaluation", "version": 1}
        click.echo(json.dumps(head | found.to_dict()))
        return ExitCode.DONE
    click.echo(f"songs              {found.n_rows:,}")
    click.echo(f"accuracy           {100 * found.accuracy:.2f} %")
    click.echo(f"balanced accuracy  {100 * found.balanced_accuracy:.2f} %")
    click.echo(f"macro F1           {found.macro_f1:.4f}")
    # Some models give no probabilities that could be judged.
    for title, value in (("log loss", found.log_loss), ("Brier score", found.brier)):
        if value is not None:
            click.echo(f"{title:<18} {value:.4f}")
    for one in found.classes:
        click.echo(
            f"  {one.name:<12} precision {one.precision:.3f}  recall {one.recall:.3f}  "
            f"F1 {one.f1:.3f}  songs {one.support:,}"
        )
    return ExitCode.DONE
