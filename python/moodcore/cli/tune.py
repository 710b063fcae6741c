"""`moodcore tune`: the whole experiment."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from moodcore.cli import machines, options
from moodcore.cli.exit_codes import ExitCode
from moodcore.cli.run_options import run_options
from moodcore.runs.settings import read_toml
from moodcore.tuning.settings import (
    MODELS,
    PRUNERS,
    SAMPLERS,
    STUDIES,
    Settings,
    complete_grid,
    from_mapping,
)


@click.command("tune", short_help="Search the best model, test it, and leave a report.")
@click.option(
    "--model",
    type=options.Choice(MODELS),
    help="Family: neural network, boosted trees, support vector machine (kernel or linear), or "
    "all of them in one search.  [default: mlp]",
)
@options.data
@options.features
@options.songs
@options.bad_rows
@options.duplicates
@click.option("--folds", type=int, metavar="N", help="Folds of the cross-validation.  [default: 5]")
@click.option(
    "--epochs",
    type=int,
    metavar="N",
    help="Epochs, or rounds of boosting, at most.  [default: 300]",
)
@click.option(
    "--grid",
    "grid_file",
    type=options.INPUT_FILE,
    metavar="FILE.toml",
    help="Hyperparameters to change in the model's own grid: a value, a list of choices, or "
    "for random and tpe a range such as {low = 0.001, high = 0.1, log = true}; with --model all "
    "in a table for each family, such as [gbt].",
)
@click.option("--sampler", type=options.Choice(SAMPLERS), help="[default: grid]")
@click.option(
    "--trials",
    type=int,
    metavar="N",
    help="Candidates to try.  [default: whole grid; 24 of each family for random and tpe]",
)
@click.option(
    "--minutes",
    type=float,
    callback=options.positive,
    metavar="M",
    help="Time for the search: then no other candidate begins, and what is tried by then counts; "
    "one candidate is always finished.  [default: no end]",
)
@click.option(
    "--pruner", type=options.Choice(PRUNERS), help="End hopeless candidates early.  [default: none]"
)
@click.option(
    "--study",
    type=options.Choice(STUDIES),
    help="The whole experiment, or only the network's optimizers.  [default: grid]",
)
@run_options
@machines.options
@options.as_json
@options.debug
def command(
    *,
    jobs: int | None,
    minutes: float | None,
    out: Path | None,
    resume: Path | None,
    dry_run: bool,
    as_json: bool,
    config_file: Path | None,
    grid_file: Path | None,
    **given: Any,
) -> int:
    """Search the best model by cross-validation, refit and test it, and write a report.

    Without options the whole experiment runs on embedded synthetic songs.
    """
    from moodcore.cli.progress import make_progress
    from moodcore.runs.folder import check_free
    from moodcore.runs.processors import available
    from moodcore.tuning import run_folder
    from moodcore.tuning.experiment import Experiment
    from moodcore.tuning.study import settings_of

    if resume and (out or config_file or dry_run):
        raise click.UsageError("--resume goes without --out, --config and --dry-run")
    where = machines.Machines.take(
        given, {"resume": resume, "out": out, "config_file": config_file, "dry_run": dry_run}
    )
    if given["data"] is not None:
        # The run can then be resumed and repeated from any folder.
        given["data"] = str(Path(given["data"]).resolve())
    given["features"] = options.split_features(given["features"])
    if out:
        check_free(out)
    base = run_folder.existing(resume).config if resume else config_file
    begun = settings_of(where.storage) if where.worker and where.storage else {}
    settings = _settings(base, grid_file, given, begun)
    progress = make_progress()
    experiment = Experiment(
        settings,
        jobs=jobs or available(),
        listener=progress,
        command=where.command(sys.argv[1:]),
        storage=where.storage,
        scheduler=where.scheduler,
        minutes=minutes,
    )
    if dry_run and settings.study == "optimizers":
        raise click.UsageError("--dry-run plans a search; --study optimizers has none")
    if settings.data is None:
        progress.stage(options.SYNTHETIC_NOTICE)
    if dry_run:
        return _dry_run(experiment, as_json=as_json)
    experiment.reach()
    if where.worker:
        return machines.work(experiment, as_json=as_json)
    space = experiment.check()
    songs = experiment.load()
    for note in songs.notes:
        progress.stage(note)
    if songs.synthetic and settings.data is not None:
        progress.stage(options.SYNTHETIC_NOTICE)
    if where.storage and not resume:
        # A study of others may refuse us, and a refused run leaves no folder.
        experiment.claim(where.storage, songs)
    folder = (
        run_folder.existing(resume) if resume else run_folder.create(out, settings, datetime.now())
    )
    where.note(folder)
    return _run(experiment, folder, space, songs, as_json=as_json)


def _settings(
    config_file: Path | None,
    grid_file: Path | None,
    given: Mapping[str, Any],
    begun: Mapping[str, Any],
) -> Settings:
    values = read_toml(config_file) if config_file else dict(begun)
    values |= {name: value for name, value in given.items() if value is not None}
    if grid_file:
        model = values.get("model", Settings.model)
        values["grid"] = complete_grid(model, values.get("grid"), read_toml(grid_file))
    return from_mapping(values, where=str(config_file) if config_file else "options")


def _run(experiment: Any, folder: Any, space: Any, songs: Any, *, as_json: bool) -> int:
    from moodcore import report
    from moodcore.runs.folder import read_json
    from moodcore.runs.tasks import RunInterruptedError

    if folder.complete:
        experiment.claim(experiment.storage_for(folder), songs)
        click.echo(f"{folder.path}: this run is finished; rebuilding its report.", err=True)
        metrics = read_json(folder.metrics)
    else:
        try:
            metrics = experiment.run(folder, space, songs)
        except (RunInterruptedError, KeyboardInterrupt):
            _say_how_to_go_on("interrupted", folder)
            return ExitCode.INTERRUPTED
        except ConnectionError:
            _say_how_to_go_on("cut off", folder)
            raise
    experiment.listener.stage("writing the report")
    report.build(folder)
    if not folder.complete:
        click.echo("the time was over; to try the other candidates:", err=True)
        click.echo(f"  moodcore tune --resume {shlex.quote(str(folder.path))}", err=True)
    if as_json:
        click.echo(json.dumps(metrics | {"run": str(folder.path), "report": str(folder.report)}))
    else:
        click.echo(report.summary(metrics))
        click.echo(f"report: {folder.report}")
    return ExitCode.DONE


def _say_how_to_go_on(what: str, folder: Any) -> None:
    click.echo(f"{what}; finished candidates are kept. To go on:", err=True)
    click.echo(f"  moodcore tune --resume {shlex.quote(str(folder.path))}", err=True)


def _dry_run(experiment: Any, *, as_json: bool) -> int:
    from moodcore.tuning.estimate import estimate

    found = estimate(experiment)
    click.echo(json.dumps(found.to_dict()) if as_json else found.to_text())
    return ExitCode.DONE
