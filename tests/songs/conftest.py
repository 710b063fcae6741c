"""Songs and tables for the tests."""

import numpy as np
import pandas as pd
import pytest

from moodcore import songs


@pytest.fixture(scope="session")
def made():
    """100,000 synthetic songs."""
    return songs.synthesize(100_000, random_state=0)


@pytest.fixture(scope="session")
def _table():
    X, y = songs.synthesize(40, random_state=1)
    ids = [f"spotify:track:{row}" for row in range(len(X))]
    index = {"Unnamed: 0.1": np.arange(len(X)), "Unnamed: 0": np.arange(len(X))}
    table = pd.DataFrame(index | dict(X.items()))
    return table.assign(labels=y, uri=ids)


@pytest.fixture
def table(_table):
    """Forty songs as in the published file: index columns first, labels and uri last."""
    return _table.copy()
