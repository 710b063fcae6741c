"""`moodcore features`: the worth of features, and the cost of elimination."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from moodcore.cli import options
from moodcore.cli.run_command import RunCommand, data_options, run_options


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
    short_help="Measure what features are worth, and what dropping costs.",
)
@data_options
@click.option(
    "--models",
    metavar="NAMES",
    callback=lambda _ctx, _param, text: options.split_names(text),
    help="Of mlp, gbt, svm, linear-svm and logistic-regression, separated by commas.  "
    "[default: all]",
)
@click.option(
    "--epochs",
    type=int,
    metavar="N",
    help="Maximum number of epochs or boosting rounds.  [default: 100]",
)
@click.option(
    "--thresholds",
    metavar="NUMBERS",
    callback=lambda _ctx, _param, text: options.split_numbers(text, float, "--thresholds"),
    help="Correlations above which the filter drops a feature.  [default: 0.9,0.8,0.7,0.6,0.5]",
)
@click.option(
    "--sizes",
    metavar="NUMBERS",
    callback=lambda _ctx, _param, text: options.split_numbers(text, int, "--sizes"),
    help="Numbers of features that elimination keeps.  [default: every one, or eight of many]",
)
@click.option(
    "--set",
    "sets",
    metavar="NAME=COLUMNS",
    multiple=True,
    callback=_split_sets,
    help="Another set of features to measure, columns separated by commas; repeatable.  "
    "[default: the published seven for songs]",
)
@click.option("--folds", type=int, metavar="N", help="Folds of the cross-validation.  [default: 5]")
@click.option(
    "--repeats",
    type=int,
    metavar="N",
    help="Number of times each feature is shuffled.  [default: 5]",
)
@run_options
def command(**given: Any) -> int:
    """Measure what features are worth, and what leaving some out costs.

    Every model is trained on the same folds with all features, with the named sets, with what a
    correlation filter keeps, and with what elimination by importance keeps. All rows are used in
    the folds; --test adds one test of the recommended model. Without options, 20,000 embedded
    synthetic songs are used.
    """
    from moodcore.features.run import FeatureRun
    from moodcore.features.settings import FeatureSettings

    call = RunCommand("features", given)
    return call.carry_out(FeatureRun(call.settings(FeatureSettings), call.execution()))
