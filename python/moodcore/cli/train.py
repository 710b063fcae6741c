"""`moodcore train`: one model, its hyperparameters those of its class."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from moodcore.cli import options
from moodcore.cli.cluster import chosen_scheduler
from moodcore.cli.exit_codes import ExitCode
from moodcore.cli.run_command import data_options, read_settings
from moodcore.runs.families import FAMILIES

if TYPE_CHECKING:
    from moodcore.tables import Dataset


@click.command(
    "train",
    cls=options.DataCommand,
    short_help="Train one model and save it.",
    heading="Model",
    examples=(
        "moodcore train --data adult.csv --target income --model gbt -o adult.safetensors",
        "moodcore train --data songs/ --target mood --model gbt -o songs.safetensors",
        "moodcore train --data songs/ --target mood --model gbt --engine dask "
        "--scheduler tcp://HOST:8786 -o songs.safetensors",
        "moodcore train --model mlp --set hidden_sizes=[32,32] -o songs.safetensors",
    ),
)
@click.option(
    "--model",
    type=options.Choice(tuple(FAMILIES)),
    help="Model family: neural network, boosted trees or support vector machine.  [default: mlp]",
)
@data_options
@click.option(
    "--set",
    "assignments",
    multiple=True,
    metavar="NAME=VALUE",
    help="A hyperparameter with its value as in TOML, such as learning_rate=0.06 or "
    "hidden_sizes=[16,16]; may be repeated.",
)
@click.option(
    "--weight",
    metavar="COLUMN",
    help="Column of the row weights, for a table that is read in batches.",
)
@click.option(
    "--validation",
    type=options.TABLE,
    metavar="PATH",
    help="Parquet file, folder or pattern on which early stopping measures the model, for a table "
    "that is read in batches; needs --set early_stopping_rounds=N.",
)
@click.option(
    "--checkpoint",
    type=options.INPUT_FILE,
    metavar="FILE",
    help="Model file that is written every ten rounds, for a table that is read in batches. If it "
    "exists, training resumes from it.",
)
@options.engine
@options.scheduler
@options.seed
@click.option(
    "-o",
    "--out",
    type=options.INPUT_FILE,
    required=True,
    metavar="FILE",
    help="File of the model, such as model.safetensors.",
)
@options.debug
def command(out: Path, assignments: tuple[str, ...], **given: Any) -> int:
    """Train one model, test it on a fifth of the rows, and save it.

    With --model gbt, a folder of Parquet files or a pattern such as 'songs/*.parquet' is read in
    batches, and so is a single Parquet file whose columns would take more than a quarter of the
    memory, unless --rows draws a sample. With --engine dask, the workers of a Dask scheduler read
    the files and train the model, which is the same to the byte.
    """
    from moodcore.files import check_writable
    from moodcore.tuning.settings import TuneSettings
    from moodcore.tuning.train import train
    from moodcore.tuning.train_files import FileOptions

    check_writable(out, (".safetensors", ""))
    validation = given.pop("validation")
    files = FileOptions(
        weight=given.pop("weight"),
        validation=None if validation is None else str(Path(validation).resolve()),
        checkpoint=given.pop("checkpoint"),
        scheduler=chosen_scheduler(given.pop("engine"), given.pop("scheduler")),
    )
    settings = read_settings(TuneSettings, given, base={}, where="options")
    test = train(
        settings,
        _parsed(assignments),
        out,
        files=files,
        on_data=_show_notes,
        on_progress=_show_progress,
    )
    click.echo(
        f"test: accuracy {100 * test.accuracy:.1f} %, balanced accuracy "
        f"{100 * test.balanced_accuracy:.1f} % ({test.n_rows:,} held-out rows)"
    )
    click.echo(f"model: {out}")
    return ExitCode.DONE


def _show_progress(line: str) -> None:
    click.echo(line, err=True)


def _show_notes(dataset: Dataset) -> None:
    if dataset.synthetic:
        click.echo(options.SYNTHETIC_NOTICE, err=True)
    for note in dataset.notes:
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
