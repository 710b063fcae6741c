"""Runs, small, whose pages the tests look at."""

import sys
from functools import cache
from pathlib import Path

import pytest

from moodcore import report
from moodcore.tuning import run_folder
from moodcore.tuning.experiment import Experiment
from moodcore.tuning.settings import Settings

# `pages` is a plain module beside its tests.
sys.path.insert(0, str(Path(__file__).parent))
from pages import TUNE


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


@pytest.fixture(scope="session")
def make_run():
    return run_tune


@pytest.fixture(scope="session")
def runs(tmp_path_factory):
    """Gives the run of a name, made when it is first asked for."""

    @cache
    def run(name):
        return run_tune(tmp_path_factory.mktemp(name), **TUNE[name])

    return run


@pytest.fixture(scope="session")
def folder(runs):
    """A run of the network, with everything that a search shows."""
    return runs("mlp")


@pytest.fixture(scope="session", params=TUNE)
def page(request, runs):
    """The page of each kind of run."""
    return runs(request.param).report
