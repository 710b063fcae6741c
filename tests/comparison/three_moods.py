"""A small table of three moods, and quick comparisons of tables."""

import numpy as np
import pandas as pd
from sklearn.datasets import make_classification

from moodcore.comparison.run import CompareRun
from moodcore.comparison.settings import CompareSettings

QUICK = {"models": ["linear-svm"], "folds": 2, "repeats": 1, "curve_sizes": 0, "n_jobs": 1}


def make_table(rows=240, *, shuffled=False, seed=0):
    """Three classes in five columns; labels in no relation to them if shuffled."""
    X, y = make_classification(
        rows, 5, n_informative=4, n_redundant=0, n_classes=3, random_state=seed, class_sep=1.2
    )
    if shuffled:
        np.random.default_rng(seed).shuffle(y)
    names = np.array(["calm", "happy", "sad"])
    return pd.DataFrame(X, columns=[f"column {n}" for n in range(5)]), names[y]


def run_of(X, y, models=("linear-svm", "gbt"), execution=None, **changes):
    """A run on a table in memory, not begun."""
    named = models if isinstance(models, dict) else {name: name for name in models}
    values = {"folds": 3, "repeats": 1, "curve_sizes": 0} | changes
    settings = CompareSettings(models=tuple(named), **values)
    return CompareRun(settings, execution, table=X, y=y, models=named)


def check_of(result, name):
    return next(check for check in result.metrics["checks"] if check["name"] == name)
