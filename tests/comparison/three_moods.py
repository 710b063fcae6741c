"""A small table of three moods."""

import numpy as np
import pandas as pd
from sklearn.datasets import make_classification


def make_table(rows=240, *, shuffled=False, seed=0):
    """Three classes in five columns; labels in no relation to them if shuffled."""
    X, y = make_classification(
        rows, 5, n_informative=4, n_redundant=0, n_classes=3, random_state=seed, class_sep=1.2
    )
    if shuffled:
        np.random.default_rng(seed).shuffle(y)
    names = np.array(["calm", "happy", "sad"])
    return pd.DataFrame(X, columns=[f"column {n}" for n in range(5)]), names[y]
