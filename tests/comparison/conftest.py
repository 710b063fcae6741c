"""A small table, and a comparison on it."""

import sys
from pathlib import Path

import pytest

# `three_moods` is a plain module next to its tests.
sys.path.insert(0, str(Path(__file__).parent))

from three_moods import make_table

from moodcore.comparison import compare


@pytest.fixture(scope="session")
def table():
    return make_table()


@pytest.fixture(scope="session")
def small(table):
    """A comparison with every part of one."""
    return compare(*table, folds=3, repeats=2, curve_sizes=3, random_state=5, n_jobs=1)
