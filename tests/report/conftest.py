"""Runs, small, whose pages the tests look at."""

import sys
from datetime import datetime
from functools import cache
from pathlib import Path

import pytest
from moodcore.tuning.experiment import Experiment

import moodcore.report.compare
from moodcore import report
from moodcore.comparison import comparison_folder
from moodcore.comparison.settings import ComparisonSettings
from moodcore.comparison.song_comparison import SongComparison
from moodcore.features.run import FeatureFolder, FeatureRun
from moodcore.features.settings import FeatureSettings
from moodcore.report import features as features_page
from moodcore.tuning import run_folder
from moodcore.tuning.settings import Settings

# `pages` is a plain module beside its tests.
sys.path.insert(0, str(Path(__file__).parent))
from pages import COMPARE, FEATURES, TUNE


class Quiet:
    """A listener that shows nothing."""

    def __getattr__(self, name):
        return lambda *arguments: None


def run_tune(path, **changes):
    grid = {"hidden_sizes": [[4], [4, 4]], "learning_rate": [0.01, 0.05]}
    settings = Settings(**{"songs": 400, "folds": 2, "epochs": 3, "grid": grid} | changes)
    folder = run_folder.RunFolder(path)
    folder.write_settings(settings)
    experiment = Experiment(settings, jobs=1, listener=Quiet(), command="moodcore tune --x '<b>'")
    experiment.run(folder, experiment.check(), experiment.load())
    report.build(folder)
    return folder


def run_compare(path, **changes):
    settings = ComparisonSettings(
        **{"songs": 500, "folds": 2, "repeats": 1, "curve_sizes": 2, "epochs": 3} | changes
    )
    folder = comparison_folder.create(path, settings, datetime.now())
    run = SongComparison(settings, jobs=1, listener=Quiet(), command="moodcore compare --x '<b>'")
    run.run(folder, run.load())
    moodcore.report.compare.build(folder)
    return folder


def run_features(path, **changes):
    settings = FeatureSettings(**changes)
    folder = FeatureFolder(path)
    folder.write_settings(settings)
    run = FeatureRun(settings, jobs=1, listener=Quiet(), command="moodcore features --x '<b>'")
    run.run(folder, run.load())
    features_page.build(folder)
    return folder


@pytest.fixture(scope="session")
def make_run():
    return run_tune


@pytest.fixture(scope="session")
def runs(tmp_path_factory):
    """Gives the run of a name, made when it is first asked for."""

    @cache
    def run(name):
        path = tmp_path_factory.mktemp(name)
        if name in COMPARE:
            return run_compare(path, **COMPARE[name])
        if name in FEATURES:
            return run_features(path, **FEATURES[name])
        return run_tune(path, **TUNE[name])

    return run


@pytest.fixture(scope="session")
def folder(runs):
    """A run of the network, with everything that a search shows."""
    return runs("mlp")


@pytest.fixture(scope="session", params=[*TUNE, *COMPARE, *FEATURES])
def page(request, runs):
    """The page of each kind of run."""
    return runs(request.param).report
