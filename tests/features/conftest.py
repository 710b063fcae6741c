"""Small studies."""

import sys
from pathlib import Path

import pytest
from sklearn.linear_model import LogisticRegression

from moodcore import feature_study

sys.path.insert(0, str(Path(__file__).parent))

from small_studies import table, trees


@pytest.fixture(scope="session")
def data():
    return table()


@pytest.fixture(scope="session")
def study(data):
    """A study of two quick models with every kind of choice, trained in two processes."""
    return feature_study(
        *data,
        models={"gbt": trees(), "plain": LogisticRegression()},
        sets={"two": ["right", "left"]},
        thresholds=[0.9, 0.5],
        folds=3,
        repeats=3,
        n_jobs=2,
    )
