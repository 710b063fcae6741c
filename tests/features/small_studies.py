"""A table and trees for small studies."""

import numpy as np
import pandas as pd

from moodcore import GBT


def table(rows=400, seed=0):
    """Two features that decide together, a copy of one, noise, and a category that helps."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(rng.normal(size=(rows, 4)), columns=["left", "right", "copy", "noise"])
    X["copy"] = X["left"] + 0.05 * X["copy"]
    X["key"] = pd.Categorical(rng.choice(["C", "D", "E"], size=rows))
    score = X["left"] + X["right"] + 2.0 * (X["key"] == "C")
    return X, np.where(score > 0.7, "loud", "quiet")


def trees(**changes):
    return GBT(**{"n_estimators": 20, "max_leaves": 6} | changes)
