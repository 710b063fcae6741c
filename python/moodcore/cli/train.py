"""`moodcore train`: one model, its options those of its class."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from moodcore.cli import options
from moodcore.cli.exit_codes import ExitCode
from moodcore.runs.families import FAMILIES

if TYPE_CHECKING:
    from moodcore.runs.data import Songs


@click.command("train", short_help="Train one model and save it.")
@click.option(
    "--model",
    type=options.Choice(tuple(FAMILIES)),
    help="Family: neural network, boosted trees or support vector machine.  [default: mlp]",
)
@options.data
@options.features
@options.songs
@options.bad_rows
@options.duplicates
@click.option(
    "--set",
    "assignments",
    multiple=True,
    metavar="NAME=VALUE",
    help="A hyperparameter, the value as in TOML: --set learning_rate=0.06 "
    "--set hidden_sizes=[16,16]. May be given again.",
)
@click.option("--seed", type=int, metavar="N", help="Seed of every random choice.  [default: 0]")
@click.option(
    "-o", "--out", type=options.INPUT_FILE, required=True, metavar="FILE", help="The model's file."
)
@options.debug
def command(out: Path, assignments: tuple[str, ...], **given: Any) -> int:
    """Train one model on balanced classes, test it on a fifth of the songs, and save it."""
    from moodcore.report.cells import percent
    from moodcore.tuning.settings import from_mapping
    from moodcore.tuning.train import train

    given["features"] = options.split_features(given["features"])
    values = {name: value for name, value in given.items() if value is not None}
    settings = from_mapping(values, where="options")
    test = train(settings, _parsed(assignments), out, on_songs=_show_notes)
    click.echo(
        f"test: {percent(test.accuracy)} of {test.n_rows:,} songs right, "
        f"{percent(test.balanced_accuracy)} with all classes equally frequent"
    )
    click.echo(f"model: {out}")
    return ExitCode.DONE


def _show_notes(songs: Songs) -> None:
    if songs.synthetic:
        click.echo(options.SYNTHETIC_NOTICE, err=True)
    for note in songs.notes:
        click.echo(note, err=True)


def _parsed(assignments: tuple[str, ...]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for text in assignments:
        name, equals, value = text.partition("=")
        if not equals:
            raise click.BadParameter(f"{text!r} is not NAME=VALUE", param_hint="--set")
        try:
            found[name.strip()] = tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError:
            # A bare word is text: --set init=normal.
            found[name.strip()] = value.strip()
    return found
