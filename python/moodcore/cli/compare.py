"""`moodcore compare`: models on the same folds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from moodcore.cli import options
from moodcore.cli.run_command import RunCommand, data_options, read_settings, run_options
from moodcore.comparison.settings import COMBINATIONS, MODELS, CompareSettings
from moodcore.runs.settings import read_toml


@click.command(
    "compare",
    cls=options.DataCommand,
    short_help="Compare model families and test their differences.",
    heading="Comparison",
    examples=(
        "moodcore compare --data adult.csv --target income",
        "moodcore compare --data adult.csv --target income --models gbt,svm --tune --jobs 4",
        "moodcore compare --data adult.csv --target income --dry-run",
    ),
)
@click.option(
    "--models",
    metavar="NAMES",
    callback=lambda _ctx, _param, text: options.split_names(text),
    shell_complete=options.completion(*MODELS),
    help=f"Families to compare, separated by commas.  [default: {','.join(MODELS)}]",
)
@click.option(
    "--baselines/--no-baselines",
    default=None,
    help="Whether to add majority class, logistic regression and nearest neighbors.  "
    "[default: --baselines]",
)
@data_options
@click.option(
    "--folds", type=int, metavar="N", help="Number of folds of each cross-validation.  [default: 5]"
)
@click.option(
    "--repeats",
    type=int,
    metavar="N",
    help="Number of cross-validations, each with other folds.  [default: 2]",
)
@click.option(
    "--curve-sizes",
    type=int,
    metavar="N",
    help="Number of points of the learning curves; 0 for none.  [default: 5]",
)
@click.option(
    "--combine",
    type=options.Choice(COMBINATIONS),
    help="How to combine models with probabilities: by their mean (vote), or by logistic "
    "regression on them (stack).  [default: vote]",
)
@click.option(
    "--epochs",
    type=int,
    metavar="N",
    help="Number of epochs, and maximum number of boosting rounds; with --tune, of all candidates "
    "but the default one.  [default: 300 for songs; else each model chooses]",
)
@click.option(
    "--tune/--no-tune",
    default=None,
    help="Search hyperparameters inside every training (nested cross-validation): for songs in the "
    "grids of the experiment, else around the defaults as moodcore tune does.  "
    "[default: --no-tune]",
)
@click.option(
    "--trials",
    type=int,
    metavar="N",
    help="Maximum number of candidates of a search.  [default: 8]",
)
@click.option("--inner-folds", type=int, metavar="N", help="Folds of a search.  [default: 3]")
@click.option(
    "--grid",
    "grid_file",
    type=options.INPUT_FILE,
    metavar="FILE.toml",
    help="Hyperparameters to search: one table per family, such as [gbt], or around the defaults "
    "several, such as [[gbt]], with a value or a list of choices for each hyperparameter.",
)
@run_options
def command(**given: Any) -> int:
    """Compare models on the same folds and test rows, and test their differences.

    Without options, four model families are compared on 40,000 embedded synthetic songs; with
    --data and --target, on any table.
    """
    from moodcore.comparison.run import CompareRun

    grid_file: Path | None = given.pop("grid_file")
    call = RunCommand("compare", given)
    base, where = call.base()
    if grid_file:
        base["grid"] = read_toml(grid_file)
    settings = read_settings(CompareSettings, given, base=base, where=where)
    for name in ("trials", "inner_folds"):
        if given[name] is not None and not settings.tune:
            raise click.UsageError(f"--{name.replace('_', '-')} needs --tune")
    return call.carry_out(CompareRun(settings, call.execution()))
