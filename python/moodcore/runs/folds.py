"""Stratified splits, the same for whatever is measured on them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from moodcore.runs.seeds import Stream, derive

if TYPE_CHECKING:
    import pandas as pd

    from moodcore.tables import Dataset

TEST_SHARE = 0.2
Rows = NDArray[np.intp]


@dataclass(frozen=True)
class Split:
    """Training and test rows; the test rows are used once.

    Attributes
    ----------
    X_train, X_test : DataFrame
        Features.
    y_train, y_test : ndarray
        Labels.
    groups_train : ndarray or None
        Group of each training row; rows of a group stay on one side of every split.
    """

    X_train: pd.DataFrame
    y_train: NDArray[Any]
    X_test: pd.DataFrame
    y_test: NDArray[Any]
    groups_train: NDArray[Any] | None = None


@dataclass(frozen=True)
class Fold:
    """One fold of a cross-validation, prepared for a model.

    Attributes
    ----------
    X_train, X_valid : ndarray of float32, C-contiguous, or DataFrame
        Prepared training rows, perhaps balanced, and validation rows as they are distributed.
    y_train, y_valid : ndarray
        Their labels.
    columns : tuple of str
        Features that the preparation kept.
    """

    X_train: Any
    y_train: NDArray[Any]
    X_valid: Any
    y_valid: NDArray[Any]
    columns: tuple[str, ...]


def split(dataset: Dataset, seed: int) -> Split:
    """Return training and test rows: those of `--test`, or a stratified fifth."""
    X, y, groups = dataset.X, dataset.y, dataset.groups
    if dataset.test is not None:
        X_test, y_test = dataset.test
        return Split(X, y, X_test, y_test, groups)
    train, test = split_rows(y, seed, groups=groups)
    kept = None if groups is None else groups[train]
    return Split(X.iloc[train], y[train], X.iloc[test], y[test], kept)


def split_rows(
    y: NDArray[Any],
    seed: int,
    *,
    test_share: float = TEST_SHARE,
    groups: NDArray[Any] | None = None,
) -> tuple[Rows, Rows]:
    """Return the positions of training and of test rows, both ascending.

    Parameters
    ----------
    y : ndarray of shape (n_rows,)
        Labels.
    seed : int
        Seed of the run.
    test_share : float, default=0.2
        Share of the test rows, in (0, 1).
    groups : ndarray of shape (n_rows,) or None, default=None
        Rows of a group stay on one side.
    """
    from sklearn.model_selection import StratifiedGroupKFold, train_test_split

    random_state = derive(seed, Stream.SPLIT)
    if groups is None:
        train, test = train_test_split(
            np.arange(len(y)), test_size=test_share, stratify=y, random_state=random_state
        )
    else:
        parts = max(2, round(1 / test_share))
        splitter = StratifiedGroupKFold(parts, shuffle=True, random_state=random_state)
        train, test = next(splitter.split(np.zeros(len(y)), y, groups))
    return np.sort(train), np.sort(test)


def cut(
    y: NDArray[Any],
    folds: int,
    seed: int,
    *,
    repeat: int = 0,
    groups: NDArray[Any] | None = None,
) -> list[tuple[Rows, Rows]]:
    """Return training and validation rows of each stratified fold.

    Parameters
    ----------
    y : ndarray of shape (n_rows,)
        Labels.
    folds : int
        Number of folds, at least 2.
    seed : int
        Seed of the run.
    repeat : int, default=0
        Number of the cross-validation; each has its own folds.
    groups : ndarray of shape (n_rows,) or None, default=None
        Rows of a group stay in one fold.

    Examples
    --------
    >>> [(len(train), len(valid)) for train, valid in cut(np.array([0, 0, 0, 1, 1, 1]), 3, 0)]
    [(4, 2), (4, 2), (4, 2)]
    """
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    random_state = derive(seed, Stream.FOLDS, *([repeat] if repeat else []))
    kind = StratifiedKFold if groups is None else StratifiedGroupKFold
    splitter = kind(folds, shuffle=True, random_state=random_state)
    return list(splitter.split(np.zeros(len(y)), y, groups))


def prepare_fold(
    preparation: Any,
    table: tuple[pd.DataFrame, NDArray[Any]],
    *,
    train: Rows,
    valid: Rows,
    balance: int | None,
) -> Fold:
    """Fit a preparation on the training rows of a fold, and prepare all its rows.

    Parameters
    ----------
    preparation : Pipeline
        Not fitted yet.
    table : (DataFrame, ndarray)
        Features and labels of all rows.
    train, valid : ndarray of int
        Positions of the rows of the fold.
    balance : int or None
        Seed with which training rows are downsampled to equal classes; None keeps them all.
    """
    X, y = table
    preparation.fit(X.iloc[train], y[train])
    learned = train if balance is None else train[balanced_rows(y[train], balance)]
    return Fold(
        X_train=contiguous(preparation.transform(X.iloc[learned])),
        y_train=y[learned],
        X_valid=contiguous(preparation.transform(X.iloc[valid])),
        y_valid=y[valid],
        columns=kept_columns(preparation),
    )


def balanced_rows(y: NDArray[Any], seed: int) -> Rows:
    """Return the positions of a sample with equal classes."""
    from moodcore.preprocessing import downsample

    rows: Rows = downsample(y, random_state=seed).indices
    return rows


def contiguous(prepared: Any) -> Any:
    """Return prepared rows as the learners read them: float32, or a data frame as it is."""
    if hasattr(prepared, "iloc"):
        return prepared
    return np.ascontiguousarray(prepared, dtype=np.float32)


def kept_columns(fitted: Any) -> tuple[str, ...]:
    """Return the columns of the table that a fitted preparation uses."""
    first = fitted[0]
    if hasattr(first, "columns_"):
        return tuple(getattr(column, "name", column) for column in first.columns_)
    return tuple(str(name) for name in first.get_feature_names_out())
