"""`moodcore features`: what features are worth, and what elimination costs."""

from __future__ import annotations

import json
import shlex
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from moodcore.cli import options
from moodcore.cli.exit_codes import ExitCode
from moodcore.cli.run_options import run_options


@click.command("features", short_help="Measure what features are worth, and what dropping costs.")
@options.data
@click.option(
    "--songs",
    type=int,
    metavar="N",
    help="Use so many songs.  [default: all of a file, 20000 of the embedded ones]",
)
@options.bad_rows
@options.duplicates
@click.option(
    "--models",
    metavar="NAMES",
    help="Of mlp, gbt, svm, linear-svm and logistic-regression, separated by commas.  "
    "[default: all]",
)
@click.option(
    "--epochs", type=int, metavar="N", help="Epochs, or rounds of boosting at most.  [default: 100]"
)
@click.option(
    "--thresholds",
    metavar="NUMBERS",
    help="Correlations above which the filter drops a feature.  [default: 0.9,0.8,0.7,0.6,0.5]",
)
@click.option(
    "--sizes",
    metavar="NUMBERS",
    help="Numbers of features that elimination leaves.  [default: 9 to 1]",
)
@click.option("--folds", type=int, metavar="N", help="Folds of the cross-validation.  [default: 5]")
@click.option(
    "--repeats", type=int, metavar="N", help="How often each feature is shuffled.  [default: 5]"
)
@run_options
@options.as_json
@options.debug
def command(
    *,
    jobs: int | None,
    out: Path | None,
    resume: Path | None,
    dry_run: bool,
    as_json: bool,
    config_file: Path | None,
    **given: Any,
) -> int:
    """Hold correlation against usefulness: what features are worth, and what dropping them costs.

    Every model is trained on the same folds with all features, with the seven of the published
    experiment, with what a correlation filter leaves, and with what elimination by importance
    leaves. Without options it takes embedded synthetic songs.
    """
    from moodcore.cli.training_progress import make_training_progress
    from moodcore.features.run import FeatureFolder, FeatureRun, existing
    from moodcore.runs.folder import check_free, make
    from moodcore.runs.processors import available

    if resume and (out or config_file or dry_run):
        raise click.UsageError("--resume goes without --out, --config and --dry-run")
    if out:
        check_free(out)
    settings = _settings(existing(resume).config if resume else config_file, given)
    progress = make_training_progress()
    command = shlex.join(["moodcore", *sys.argv[1:]])
    run = FeatureRun(settings, jobs=jobs or available(), listener=progress, command=command)
    if settings.data is None:
        progress.stage(options.SYNTHETIC_NOTICE)
    if dry_run:
        from moodcore.features.estimate import estimate

        plan = estimate(run)
        click.echo(json.dumps(plan.to_dict()) if as_json else plan.to_text())
        return ExitCode.DONE
    songs = run.load()
    for note in songs.notes:
        progress.stage(note)
    if songs.synthetic and settings.data is not None:
        progress.stage(options.SYNTHETIC_NOTICE)
    if resume:
        folder = existing(resume)
    else:
        folder = FeatureFolder(make(out, settings.seed, datetime.now()))
        folder.write_settings(settings)
    return _run(run, folder, songs, as_json=as_json)


def _settings(config_file: Path | None, given: dict[str, Any]) -> Any:
    from moodcore.features.run import read_settings
    from moodcore.features.settings import FeatureSettings
    from moodcore.runs.settings import settings_of

    if given["data"] is not None:
        # The run can then be resumed and repeated from any folder.
        given["data"] = str(Path(given["data"]).resolve())
    if given["models"] is not None:
        given["models"] = [one.strip() for one in given["models"].split(",") if one.strip()]
    for name, kind in (("thresholds", float), ("sizes", int)):
        given[name] = options.split_numbers(given[name], kind, f"--{name}")
    values = {name: value for name, value in given.items() if value is not None}
    if config_file:
        return read_settings(config_file, **values)
    return settings_of(FeatureSettings, values, where="options")


def _run(run: Any, folder: Any, songs: Any, *, as_json: bool) -> int:
    from moodcore.report.features import build, summary
    from moodcore.runs.folder import read_json
    from moodcore.runs.tasks import RunInterruptedError

    if folder.finished:
        run.claim(folder, run.table(songs))
        click.echo(f"{folder.path}: this run is finished; rebuilding its report.", err=True)
        metrics = read_json(folder.metrics)
    else:
        try:
            metrics = run.run(folder, songs)
        except (RunInterruptedError, KeyboardInterrupt):
            click.echo("interrupted; finished parts are kept. To go on:", err=True)
            click.echo(f"  moodcore features --resume {shlex.quote(str(folder.path))}", err=True)
            return ExitCode.INTERRUPTED
    run.listener.stage("writing the report")
    build(folder)
    if as_json:
        click.echo(json.dumps(metrics | {"run": str(folder.path), "report": str(folder.report)}))
    else:
        click.echo(summary(metrics))
        click.echo(f"report: {folder.report}")
    return ExitCode.DONE
