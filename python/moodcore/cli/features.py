"""`moodcore features`: the worth of features, and the cost of elimination."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from moodcore.cli import options
from moodcore.cli.run_command import RunCommand, data_options, run_options

# As in moodcore.features.models, which takes long to import.
_MODELS = ("mlp", "gbt", "svm", "linear-svm", "logistic-regression")


def _split_sets(
    _ctx: click.Context, _param: click.Parameter, texts: Sequence[str]
) -> dict[str, list[str]] | None:
    sets = {}
    for text in texts:
        name, equals, names = text.partition("=")
        if not equals or not name.strip():
            raise click.BadParameter(f"must be NAME=COLUMN,COLUMN,..., got {text!r}")
        sets[name.strip()] = options.split_names(names) or []
    return sets or None


@click.command(
    "features",
    cls=options.DataCommand,
    short_help="Measure feature importance and the cost of dropping features.",
    heading="Study",
    examples=(
        "moodcore features --data adult.csv --target income --models gbt",
        "moodcore features --data adult.csv --target income --set few=age,education",
    ),
)
@data_options
@click.option(
    "--models",
    metavar="NAMES",
    callback=lambda _ctx, _param, text: options.split_names(text),
    shell_complete=options.completion(*_MODELS),
    help=f"Models to train, separated by commas: {', '.join(_MODELS)}.  [default: all]",
)
@click.option(
    "--epochs",
    type=int,
    metavar="N",
    help="Maximum number of epochs or boosting rounds.  [default: 100 for songs; else each model "
    "chooses]",
)
@click.option(
    "--thresholds",
    metavar="NUMBERS",
    callback=lambda _ctx, _param, text: options.split_numbers(text, float, "--thresholds"),
    help="Correlations above which the filter drops a feature, separated by commas.  "
    "[default: 0.9,0.8,0.7,0.6,0.5]",
)
@click.option(
    "--sizes",
    metavar="NUMBERS",
    callback=lambda _ctx, _param, text: options.split_numbers(text, int, "--sizes"),
    help="Numbers of features to keep in recursive elimination, separated by commas.  "
    "[default: every number; eight of them for more than twelve features]",
)
@click.option(
    "--set",
    "sets",
    metavar="NAME=COLUMNS",
    multiple=True,
    callback=_split_sets,
    help="A set of features to measure, columns separated by commas; may be repeated.  "
    "[default: the published seven for songs]",
)
@click.option("--folds", type=int, metavar="N", help="Number of folds.  [default: 5]")
@click.option(
    "--repeats",
    type=int,
    metavar="N",
    help="Number of permutations per feature.  [default: 5]",
)
@run_options
def command(**given: Any) -> int:
    """Measure feature importance and the cost of dropping features.

    Every model is trained on the same folds with all features, with the sets of --set, with those
    that a correlation filter keeps, and with those that recursive elimination keeps. All rows are
    used in the folds; --test adds a test of the recommended model. Without options, 20,000
    embedded synthetic songs are used.
    """
    from moodcore.features.run import FeatureRun
    from moodcore.features.settings import FeatureSettings

    call = RunCommand("features", given)
    return call.carry_out(FeatureRun(call.settings(FeatureSettings), call.execution()))
