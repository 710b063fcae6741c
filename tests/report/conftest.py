"""Runs, small, whose pages the tests look at."""

import sys
from functools import cache
from pathlib import Path

import pytest

import moodcore
from moodcore import report

# Plain modules beside the tests.
sys.path.insert(0, str(Path(__file__).parent))
import generic
from pages import TUNE


def run_tune(path, X=None, **changes):
    grid = {"hidden_sizes": [[4], [4, 4]], "learning_rate": [0.01, 0.05]}
    settings = {"rows": 400, "folds": 2, "epochs": 3, "grid": grid} | changes
    moodcore.tune(X, out=path, n_jobs=1, **settings)
    return path


@pytest.fixture(scope="session")
def make_run():
    return run_tune


@pytest.fixture(scope="session")
def runs(tmp_path_factory):
    """Gives the folder of the run of a name, made when it is first asked for."""

    @cache
    def run(name):
        path = tmp_path_factory.mktemp(name) / "run"
        if name in TUNE:
            return run_tune(path, **TUNE[name])
        make, classes, features, *more = generic.RUNS[name]
        make(path, classes, features, *more)
        report.build(path)
        return path

    return run


@pytest.fixture(scope="session", params=[*TUNE, *generic.RUNS])
def page(request, runs):
    """The page of each kind of run."""
    return runs(request.param) / "report.html"
