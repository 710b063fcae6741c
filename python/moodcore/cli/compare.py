"""`moodcore compare`: the families on the same folds."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from moodcore.cli import options
from moodcore.cli.exit_codes import ExitCode
from moodcore.cli.run_options import run_options
from moodcore.comparison.settings import COMBINATIONS, MODELS, ComparisonSettings
from moodcore.runs.settings import read_toml, settings_of


@click.command("compare", short_help="Compare the families of models, and say how sure that is.")
@click.option(
    "--models",
    metavar="NAMES",
    help=f"Families to compare, separated by commas.  [default: {','.join(MODELS)}]",
)
@options.data
@options.features
@click.option(
    "--songs",
    type=int,
    metavar="N",
    help="Use so many songs.  [default: all of a file, 40000 of the embedded ones]",
)
@options.bad_rows
@options.duplicates
@click.option(
    "--folds", type=int, metavar="N", help="Folds of each cross-validation.  [default: 5]"
)
@click.option(
    "--repeats",
    type=int,
    metavar="N",
    help="Cross-validations, with other folds each.  [default: 2]",
)
@click.option(
    "--curve-sizes",
    type=int,
    metavar="N",
    help="Points of the learning curves; 0 for none.  [default: 5]",
)
@click.option(
    "--combine",
    type=options.Choice(COMBINATIONS),
    help="Let the models take part together too: by the mean of their probabilities, or by a "
    "logistic regression on them.  [default: vote]",
)
@click.option(
    "--balance/--no-balance",
    default=None,
    help="Train on equal classes, as tune does, or on the mix there is.  [default: --no-balance]",
)
@click.option(
    "--epochs",
    type=int,
    metavar="N",
    help="Epochs, or rounds of boosting, at most.  [default: 300]",
)
@click.option(
    "--tune/--no-tune",
    default=None,
    help="Search hyperparameters inside every training (nested cross-validation).  "
    "[default: --no-tune]",
)
@click.option(
    "--trials", type=int, metavar="N", help="Candidates of such a search, at most.  [default: 8]"
)
@click.option("--inner-folds", type=int, metavar="N", help="Folds of such a search.  [default: 3]")
@click.option(
    "--grid",
    "grid_file",
    type=options.INPUT_FILE,
    metavar="FILE.toml",
    help="What such a search tries: a table for each family, [gbt] and so on, with a value or a "
    "list of choices for each hyperparameter.",
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
    grid_file: Path | None,
    **given: Any,
) -> int:
    """Compare families of models on the same folds, say which differences are real, and report.

    Baselines and a combination of the models take part. Without options it takes 40,000 embedded
    synthetic songs.
    """
    from moodcore.cli.training_progress import make_training_progress
    from moodcore.comparison import comparison_folder
    from moodcore.comparison.song_comparison import SongComparison
    from moodcore.runs.folder import check_free
    from moodcore.runs.processors import available

    if resume and (out or config_file or dry_run):
        raise click.UsageError("--resume goes without --out, --config and --dry-run")
    if out:
        check_free(out)
    base = comparison_folder.existing(resume).config if resume else config_file
    settings = _settings(base, grid_file, given)
    settings.check()
    for name in ("trials", "inner_folds"):
        if given[name] is not None and not settings.tune:
            option = f"--{name.replace('_', '-')}"
            raise click.UsageError(f"{option} is of the search of --tune; ask for --tune too")
    progress = make_training_progress()
    run = SongComparison(
        settings,
        jobs=jobs or available(),
        listener=progress,
        command=shlex.join(["moodcore", *sys.argv[1:]]),
    )
    songs = run.load()
    if songs.synthetic:
        progress.stage(options.SYNTHETIC_NOTICE)
    for note in songs.notes:
        progress.stage(note)
    contest = run.contest(songs)
    if dry_run:
        from moodcore.comparison.estimate import estimate

        plan = estimate(contest, songs.source, run.jobs)
        click.echo(json.dumps(plan.to_dict()) if as_json else plan.to_text())
        return ExitCode.DONE
    folder = (
        comparison_folder.existing(resume)
        if resume
        else comparison_folder.create(out, settings, datetime.now())
    )
    return _run(run, folder, songs, as_json=as_json)


def _settings(
    config_file: Path | None, grid_file: Path | None, given: dict[str, Any]
) -> ComparisonSettings:
    if given["data"] is not None:
        # The run can then be resumed and repeated from any folder.
        given["data"] = str(Path(given["data"]).resolve())
    given["features"] = options.split_features(given["features"])
    if given["models"] is not None:
        given["models"] = [one.strip() for one in given["models"].split(",") if one.strip()]
    values: dict[str, Any] = read_toml(config_file) if config_file else {}
    values |= {name: value for name, value in given.items() if value is not None}
    if grid_file:
        values["grid"] = read_toml(grid_file)
    return settings_of(
        ComparisonSettings, values, where=str(config_file) if config_file else "options"
    )


def _run(run: Any, folder: Any, songs: Any, *, as_json: bool) -> int:
    from moodcore.report import build, summary
    from moodcore.runs.folder import read_json
    from moodcore.tuning.experiment import RunFailedError

    if folder.finished:
        run.claim(folder, songs)
        click.echo(f"{folder.path}: this run is finished; rebuilding its report.", err=True)
        found: Mapping[str, Any] = read_json(folder.metrics)
    else:
        try:
            found = run.run(folder, songs)
        except KeyboardInterrupt:
            _say_how_to_go_on("interrupted", folder)
            return ExitCode.INTERRUPTED
        except RunFailedError:
            _say_how_to_go_on("not finished", folder)
            raise
    run.listener.stage("writing the report")
    build(folder)
    if as_json:
        paths = {"run": str(folder.path), "report": str(folder.report)}
        click.echo(json.dumps({**found, **paths}))
    else:
        click.echo(summary(found))
        click.echo(f"report: {folder.report}")
    return ExitCode.DONE


def _say_how_to_go_on(why: str, folder: Any) -> None:
    click.echo(f"{why}; finished trainings are kept. To go on:", err=True)
    click.echo(f"  moodcore compare --resume {shlex.quote(str(folder.path))}", err=True)
