"""`moodcore tune`: the whole experiment."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from moodcore.cli import options
from moodcore.cli.exit_codes import ExitCode
from moodcore.cli.run_command import RunCommand, data_options, read_settings, run_options
from moodcore.runs.folder import RunFolder, read_json, write_json
from moodcore.runs.selection import SELECTION_METRICS
from moodcore.runs.settings import default_base, read_toml
from moodcore.tuning.settings import (
    MODELS,
    PRUNERS,
    REFITS,
    SAMPLERS,
    STUDIES,
    TuneSettings,
    complete_grid,
)

if TYPE_CHECKING:
    from moodcore.runs.storage import Storage
    from moodcore.tuning.run import TuneRun

# A worker leaves no files, and its settings are those of the study.
_NOT_FOR_WORKERS = ("resume", "out", "config_file", "dry_run", "study")


@click.command(
    "tune",
    cls=options.DataCommand,
    short_help="Search the best model, test it, and write a report.",
    heading="Search",
    examples=(
        "moodcore tune",
        "moodcore tune --data adult.csv --target income --model gbt",
        "moodcore tune --data adult.csv --target income --model all --sampler tpe --minutes 30",
        "moodcore tune --resume runs/20260101-120000-seed0",
    ),
)
@click.option(
    "--model",
    type=options.Choice(MODELS),
    help="Model family: neural network, boosted trees, support vector machine (kernel or linear), "
    "or all of them in one search.  [default: mlp]",
)
@click.option(
    "--metric",
    type=options.Choice(tuple(SELECTION_METRICS)),
    help="Metric by which candidates are compared.  [default: accuracy]",
)
@data_options
@click.option("--folds", type=int, metavar="N", help="Number of folds.  [default: 5]")
@click.option(
    "--epochs",
    type=int,
    metavar="N",
    help="Maximum number of epochs or boosting rounds.  [default: 300 for songs; else each model "
    "chooses its own]",
)
@click.option(
    "--grid",
    "grid_file",
    type=options.INPUT_FILE,
    metavar="FILE.toml",
    help="Hyperparameters to search: a value or a list of choices for each; for the "
    "samplers random and tpe also a range such as {low = 0.001, high = 0.1, log = true}. With "
    "--model all, one table per family, such as [gbt].",
)
@click.option(
    "--sampler",
    type=options.Choice(SAMPLERS),
    help="How candidates are chosen.  [default: grid]",
)
@click.option(
    "--trials",
    type=int,
    metavar="N",
    help="Number of candidates.  [default: whole grid; 24 per family for random and tpe]",
)
@click.option(
    "--pruner",
    type=options.Choice(PRUNERS),
    help="Stop unpromising candidates early.  [default: none]",
)
@click.option(
    "--refit",
    type=options.Choice(REFITS),
    help="Rows on which the saved model is trained after the test.  [default: all; for songs: "
    "training]",
)
@click.option(
    "--study",
    type=options.Choice(STUDIES),
    help="A search, or only a comparison of the network's optimizers.  [default: grid]",
)
@click.option(
    "--storage",
    metavar="URL",
    help="Database of the search, such as postgresql://USER@HOST/DATABASE; all processes with the "
    "same database share the search.",
)
@click.option(
    "--study-name", metavar="NAME", help="Name of the study in --storage.  [default: moodcore]"
)
@click.option(
    "--worker",
    is_flag=True,
    help="Train candidates for the study in --storage, with its settings, and write no files.",
)
@run_options
def command(**given: Any) -> int:
    """Search the best model by cross-validation, refit and test it, and write a report.

    Without options, the search runs on embedded synthetic songs; with --data and --target, on any
    table. There, the default model of each family is a candidate, and is kept unless another is
    clearly better. With --model gbt, a folder of Parquet files or a pattern is read in batches, and
    so is a single Parquet file whose columns would take more than a quarter of the memory.
    """
    from moodcore.tuning.file_run import tune_run
    from moodcore.tuning.study import settings_of

    grid_file: Path | None = given.pop("grid_file")
    worker: bool = given.pop("worker")
    _check_worker(worker, given)
    storage = _storage(worker, given)
    call = RunCommand("tune", given)
    base, where = call.base()
    if worker and storage:
        base = settings_of(storage)
    if grid_file:
        values = base | {name: value for name, value in given.items() if value is not None}
        base["grid"] = complete_grid(
            values.get("model", TuneSettings.model),
            base.get("grid"),
            read_toml(grid_file),
            base=values.get("base", default_base(values)),
            sampler=values.get("sampler", TuneSettings.sampler),
        )
    settings = read_settings(TuneSettings, given, base=base, where=where)
    execution = call.execution(storage=storage, command=_command(storage, sys.argv[1:]))
    run = tune_run(settings, execution)
    if worker:
        return _work(run, as_json=call.as_json)

    def prepared(folder: RunFolder) -> None:
        if storage is not None:
            write_json(folder.storage, {"url": storage.shown, "name": storage.name})

    claim = None
    if storage is not None and not call.resume:
        # A study of others may refuse this run, and a refused run leaves no folder.
        claim = lambda dataset: run.claim(storage, dataset)  # noqa: E731
    return call.carry_out(run, before=claim, prepared=prepared)


def _check_worker(worker: bool, given: dict[str, Any]) -> None:
    unused = [name for name in _NOT_FOR_WORKERS if given.get(name)]
    if worker and unused:
        option = "config" if unused[0] == "config_file" else unused[0].replace("_", "-")
        raise click.UsageError(f"--worker cannot be combined with --{option}")


def _storage(worker: bool, given: dict[str, Any]) -> Storage | None:
    """Take the options of the shared study out of `given`, and return its storage."""
    from moodcore.runs.storage import DEFAULT_NAME, Storage

    url, name = given.pop("storage"), given.pop("study_name")
    kept = _kept(given["resume"]) if url is None else {}
    url = url or kept.get("url")
    for option, value in {"worker": worker, "study-name": name}.items():
        if value and url is None:
            raise click.UsageError(f"--{option} needs --storage URL")
    if url and given["study"] == "optimizers":
        raise click.UsageError("--storage shares a search; --study optimizers has none")
    return Storage.of_url(url, name or kept.get("name") or DEFAULT_NAME) if url else None


def _kept(resumed: Path | None) -> dict[str, Any]:
    path = RunFolder(resumed).storage if resumed else None
    return read_json(path) if path and path.is_file() else {}


def _command(storage: Storage | None, arguments: Sequence[str]) -> str:
    """Return the command line without the password of the database."""
    words = ["moodcore", *arguments]
    if storage is not None:
        for number, word in enumerate(words):
            if word.startswith("--storage="):
                words[number] = f"--storage={storage.shown}"
            elif words[number - 1] == "--storage":
                words[number] = storage.shown
    return shlex.join(words)


def _work(run: TuneRun, *, as_json: bool) -> int:
    """Train for the shared study until it is complete, and print how much was done here."""
    from moodcore.runs.interrupts import RunInterruptedError

    run.execution.check_connections()
    run.check()
    try:
        trained, candidates = run.work(run.load())
    except (RunInterruptedError, KeyboardInterrupt):
        click.echo("interrupted; open candidates were given back to the study.", err=True)
        return ExitCode.INTERRUPTED
    if as_json:
        counts = {"trained": trained, "candidates": candidates}
        click.echo(json.dumps({"format": "moodcore-worker", "version": 1} | counts))
    else:
        click.echo(f"the study is complete: {candidates} candidates, {trained} trained here")
    return ExitCode.DONE
