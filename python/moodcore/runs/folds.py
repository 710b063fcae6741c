"""Stratified folds, the same for whatever is measured on them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from moodcore.runs.seeds import Stream, derive


def cut(
    y: NDArray[Any], folds: int, seed: int, *, repeat: int = 0
) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Return the rows of training and of validation of each fold, the classes in proportion.

    Parameters
    ----------
    y : ndarray of shape (n_rows,)
        Labels.
    folds : int
        How many, at least 2.
    seed : int
        The seed of the run; the same folds for whatever is measured on them.
    repeat : int, default=0
        Which cross-validation, each with folds of its own.

    Examples
    --------
    >>> [(len(train), len(valid)) for train, valid in cut(np.array([0, 0, 0, 1, 1, 1]), 3, 0)]
    [(4, 2), (4, 2), (4, 2)]
    """
    from sklearn.model_selection import StratifiedKFold

    random_state = derive(seed, Stream.FOLDS, *([repeat] if repeat else []))
    splitter = StratifiedKFold(folds, shuffle=True, random_state=random_state)
    return list(splitter.split(np.zeros(len(y)), y))
