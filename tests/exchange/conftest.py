"""Songs, tables with gaps and categories, and models of them."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from moodcore import songs

# The models are a plain module beside the tests.
sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def song_rows():
    """Songs to train on, their labels, and others to predict."""
    X, y = songs.synthesize(900, random_state=0)
    new, _ = songs.synthesize(3_000, random_state=5)
    return X, np.asarray(y), new


@pytest.fixture(scope="session")
def table():
    """A table of single precision with missing values, and labels of three classes."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(3_000, 4)).astype(np.float32)
    y = (X[:, 0] > 0).astype(int) + (X[:, 1] * X[:, 2] > 0.3)
    X[::7, 1] = np.nan
    new = rng.normal(size=(4_000, 4))
    new[::5, 1] = np.nan
    new[::6, 0] = np.nan
    # Rows of the training table lie on thresholds.
    return X, y, np.concatenate([new, X])


@pytest.fixture(scope="session")
def mixed_table():
    """A frame with gaps, categories of text and of numbers; labels that depend on all of it."""
    rng = np.random.default_rng(1)

    def frame(n_rows, moods, keys):
        made = pd.DataFrame({"energy": rng.normal(size=n_rows), "tempo": rng.normal(size=n_rows)})
        made.loc[rng.random(n_rows) < 0.2, "energy"] = np.nan
        made["mood"] = pd.Categorical(rng.choice(moods, n_rows))
        made["key"] = pd.Categorical(rng.choice(keys, n_rows))
        return made

    moods = [f"mood {at}" for at in range(60)]
    X = frame(2_000, moods, np.arange(12))
    y = X["mood"].cat.codes % 3 + (X["key"].cat.codes % 5 == 1) + (X["energy"] > 1)
    new = frame(800, [*moods, "unheard of"], np.arange(15))
    new.loc[::9, ["mood", "key"]] = None
    return X, np.array(["a", "b", "c", "d", "e"])[y], new
