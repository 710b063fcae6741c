"""The folds of the cross-validation: preprocessed once, used by every candidate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from moodcore.tuning.seeds import Stream, derive
from moodcore.tuning.settings import ConfigError, Settings, unknown_name

if TYPE_CHECKING:
    import pandas as pd
    from sklearn.pipeline import Pipeline

FEATURE_CHOICES = ("published", "all", "uncorrelated")


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


def check_features(features: str | tuple[str, ...]) -> None:
    """Check the choice of features before any data is read.

    Raises
    ------
    ConfigError
        For a name that is neither a feature nor a choice, or no names at all.
    """
    from moodcore.songs import DURATION, FEATURES

    if isinstance(features, str):
        if features not in FEATURE_CHOICES:
            raise unknown_name("features", features, FEATURE_CHOICES)
        return
    if not features:
        raise ConfigError("features must name at least one, got none")
    for name in features:
        if name not in (DURATION, *FEATURES):
            raise unknown_name("features: name", name, (DURATION, *FEATURES))


def selection(features: str | tuple[str, ...]) -> Any:
    """Return what `moodcore.songs.pipeline` takes for a choice of features."""
    from moodcore.preprocessing import CorrelationFilter

    return CorrelationFilter() if features == "uncorrelated" else features


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
