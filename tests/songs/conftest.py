"""Songs and tables for the tests."""

import numpy as np
import pandas as pd
import pytest

from moodcore import songs
from moodcore.songs import SongTableError, read


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


@pytest.fixture
def write():
    """A function that writes a table to a file, whose name says how."""

    def write(table, path):
        if ".csv" in path.name:
            table.to_csv(path, index=False)
        else:
            table.to_parquet(path, index=False)
        return path

    return write


@pytest.fixture
def refusal():
    """A function that gives the lines of the error, without the one that names the source."""

    def refusal(source, **options):
        with pytest.raises(SongTableError) as caught:
            read(source, **options)
        head, *lines = str(caught.value).splitlines()
        assert head.endswith(" cannot be used:")
        return [line.removeprefix("  ") for line in lines]

    return refusal
