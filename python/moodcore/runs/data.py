"""The table of a run: loaded as its settings say, and split once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from moodcore.datasets import load_dataset
from moodcore.runs.seeds import Stream, derive
from moodcore.tables.dataset import Dataset

if TYPE_CHECKING:
    import pandas as pd

TEST_FRACTION = 0.2
Songs = Dataset


@dataclass(frozen=True)
class Split:
    """The training part and the test part, which is used once."""

    X_train: pd.DataFrame
    y_train: NDArray[Any]
    X_test: pd.DataFrame
    y_test: NDArray[Any]


def load(settings: Any) -> Dataset:
    """Load the table that the settings of a run name.

    Raises
    ------
    ValueError
        If it is not a table that can be learned from.
    OSError
        If it cannot be read.
    """
    return load_dataset(
        settings.data,
        rows=settings.songs,
        on_bad_rows=settings.on_bad_rows,
        duplicates=settings.duplicates,
        folds=settings.folds,
        seed=derive(settings.seed, Stream.SONGS),
    )


def split(dataset: Dataset, seed: int) -> Split:
    """Hold out a stratified fifth of the rows for the test."""
    train, test = split_rows(dataset.y, seed)
    X, y = dataset.X, dataset.y
    return Split(X.iloc[train], y[train], X.iloc[test], y[test])


def split_rows(
    y: NDArray[Any], seed: int, *, test_size: float = TEST_FRACTION
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the positions of the rows to learn from, and of those held out, both ascending."""
    from sklearn.model_selection import train_test_split

    train, test = train_test_split(
        np.arange(len(y)),
        test_size=test_size,
        stratify=y,
        random_state=derive(seed, Stream.SPLIT),
    )
    train.sort()
    test.sort()
    return train, test
