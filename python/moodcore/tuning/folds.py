"""The folds of the cross-validation: preprocessed once, used by every candidate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from moodcore.runs.folds import cut
from moodcore.runs.seeds import Stream, derive
from moodcore.songs.features import selection
from moodcore.tuning.settings import Settings

if TYPE_CHECKING:
    import pandas as pd
    from sklearn.pipeline import Pipeline


@dataclass(frozen=True)
class Fold:
    """One fold, ready for the network.

    Attributes
    ----------
    X_train : ndarray of shape (n_train, n_features), float32, C-contiguous
        Training rows, the classes balanced.
    y_train : ndarray of shape (n_train,)
        Their labels.
    X_valid : ndarray of shape (n_valid, n_features), float32, C-contiguous
        Validation rows in their natural mix.
    y_valid : ndarray of shape (n_valid,)
        Their labels.
    columns : tuple of str
        The features that were kept.
    """

    X_train: NDArray[np.float32]
    y_train: NDArray[np.int64]
    X_valid: NDArray[np.float32]
    y_valid: NDArray[np.int64]
    columns: tuple[str, ...]


def preprocessing(settings: Settings) -> Pipeline:
    """Return select, min-max and standardize: the song pipeline without its classifier."""
    from sklearn.pipeline import Pipeline

    from moodcore import MLP, songs

    return Pipeline(songs.pipeline(MLP(), features=selection(settings.features)).steps[:-1])


def kept_columns(fitted: Pipeline) -> tuple[str, ...]:
    """Return the features that fitted preprocessing keeps."""
    return tuple(str(name) for name in fitted[0].get_feature_names_out())


def make_folds(X: pd.DataFrame, y: NDArray[np.int64], settings: Settings) -> Sequence[Fold]:
    """Cut the training part into stratified folds and preprocess each.

    Scalers and filters see the training rows of the fold and nothing else; balancing drops
    training rows only.

    Parameters
    ----------
    X : DataFrame of shape (n_rows, n_columns)
        Songs of the training part.
    y : ndarray of shape (n_rows,)
        Their labels.
    settings : Settings
        Of which `folds`, `features` and `seed` count.

    Returns
    -------
    sequence of Fold
    """
    return [
        _make_fold((X, y), train, valid, number, settings)
        for number, (train, valid) in enumerate(cut(y, settings.folds, settings.seed))
    ]


def _make_fold(
    table: tuple[pd.DataFrame, NDArray[np.int64]],
    train: NDArray[np.intp],
    valid: NDArray[np.intp],
    number: int,
    settings: Settings,
) -> Fold:
    from moodcore.preprocessing import downsample

    X, y = table
    transform = preprocessing(settings).fit(X.iloc[train], y[train])
    seed = derive(settings.seed, Stream.BALANCE, number)
    balanced = train[downsample(y[train], random_state=seed).indices]
    return Fold(
        X_train=np.ascontiguousarray(transform.transform(X.iloc[balanced]), dtype=np.float32),
        y_train=y[balanced],
        X_valid=np.ascontiguousarray(transform.transform(X.iloc[valid]), dtype=np.float32),
        y_valid=y[valid],
        columns=kept_columns(transform),
    )
