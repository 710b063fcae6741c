"""What the rows of one fold say about each feature.

Everything is computed from the training rows of the fold; only Shapley values and permutations
are of validation rows, which the model has not seen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from moodcore.features.table import numbers_of

if TYPE_CHECKING:
    import pandas as pd

OnPoll = Callable[[], object]

# Mutual information is estimated from nearest neighbours, whose search grows faster than the rows.
_NEIGHBOUR_ROWS = 20_000


def describe_columns(
    X: pd.DataFrame,
    y: NDArray[np.int64],
    thresholds: tuple[float, ...],
    seed: int,
    on_poll: OnPoll,
) -> dict[str, Any]:
    """Return what the columns say of the label and of each other, without any model.

    Parameters
    ----------
    X : DataFrame of shape (n_rows, n_features)
        Training rows.
    y : ndarray of shape (n_rows,)
        Their classes.
    thresholds : tuple of float
        Of the correlation filter.
    seed : int
        Of the noise that mutual information adds to break ties (Kraskov et al. 2004).
    on_poll : callable
        Called between features.

    Returns
    -------
    dict
        `mutual_information` (nats) and `label_correlation` (see `label_correlation`) by feature;
        `correlation`, a table of Pearson correlations of the numbers; `filters`, the features
        that the filter leaves, by threshold.
    """
    from sklearn.feature_selection import mutual_info_classif

    filled = _filled(X)
    numbers = list(numbers_of(X))
    rows = np.random.default_rng(seed).permutation(len(X))[:_NEIGHBOUR_ROWS]
    information, correlation = {}, {}
    for number, name in enumerate(X.columns):
        on_poll()
        discrete = name not in numbers
        values = filled[name].to_numpy()
        found = mutual_info_classif(
            values[rows, None], y[rows], discrete_features=[discrete], random_state=seed + number
        )
        information[name] = float(found[0])
        correlation[name] = label_correlation(values, y, discrete=discrete)
    filters = {}
    for threshold in thresholds:
        on_poll()
        filters[str(threshold)] = _left_by_filter(filled[numbers], y, threshold) + [
            name for name in X.columns if name not in numbers
        ]
    return {
        "mutual_information": information,
        "label_correlation": correlation,
        # A constant column has no correlation.
        "correlation": filled[numbers].corr().fillna(0.0).to_dict(),
        "filters": filters,
    }


def _left_by_filter(X: pd.DataFrame, y: NDArray[np.int64], threshold: float) -> list[str]:
    from moodcore.preprocessing import CorrelationFilter

    if X.shape[1] < 2:
        return list(X.columns)
    return [str(n) for n in CorrelationFilter(threshold).fit(X, y).get_feature_names_out()]


def label_correlation(
    values: NDArray[np.float64], y: NDArray[np.int64], *, discrete: bool
) -> float:
    """Return how strongly a feature goes with the class, in [0, 1].

    For numbers the correlation ratio (Fisher 1925, section 45): the root of the share of the
    variance that lies between the classes; with two classes, the absolute Pearson correlation. For
    categories Cramér's V (Cramér 1946, section 21.9). Zero for a constant column.

    Parameters
    ----------
    values : ndarray of shape (n_rows,)
        Numbers, or codes of categories.
    y : ndarray of shape (n_rows,)
        Classes, from 0.
    discrete : bool
        Whether the values are codes.

    Examples
    --------
    >>> y = np.array([0, 0, 1, 1])
    >>> label_correlation(np.array([1.0, 1.0, 3.0, 3.0]), y, discrete=False)
    1.0
    >>> round(label_correlation(np.array([0.0, 1.0, 0.0, 1.0]), y, discrete=True), 3)
    0.0
    """
    if len(np.unique(values)) < 2:
        return 0.0
    if discrete:
        from scipy.stats.contingency import association, crosstab

        return float(association(crosstab(values, y).count, method="cramer"))
    centred = values - values.mean()
    # Squares of huge and tiny values stay in range.
    centred = centred / np.abs(centred).max()
    counts = np.bincount(y)
    sums = np.bincount(y, weights=centred)
    between = float((sums[counts > 0] ** 2 / counts[counts > 0]).sum())
    return float(np.sqrt(np.clip(between / float(centred @ centred), 0.0, 1.0)))


def mean_shapley(trees: Any, X: pd.DataFrame) -> dict[str, float]:
    """Return the mean absolute Shapley value of each feature over rows and classes.

    Parameters
    ----------
    trees : GBT
        Fitted.
    X : DataFrame of shape (n_rows, n_features)
        Rows that it has not seen.

    Returns
    -------
    dict of str to float
        In units of the margin, log-odds.
    """
    values = np.abs(trees.predict_contributions(X))[..., :-1]
    means = values.reshape(-1, values.shape[-1]).mean(axis=0)
    return dict(zip(X.columns, means.tolist(), strict=True))


def gains(trees: Any, names: Sequence[str]) -> dict[str, float]:
    """Return the share of each feature in the gain of all splits."""
    found = trees.importances("total_gain")
    # Trees of one leaf each have no split.
    shares = found / found.sum() if found.any() else found
    return dict(zip(names, shares.tolist(), strict=True))


def permutation(
    model: Any,
    X: pd.DataFrame,
    y: NDArray[np.int64],
    *,
    repeats: int,
    seed: int,
    on_poll: OnPoll,
) -> dict[str, dict[str, float]]:
    """Return the accuracy that shuffling each feature costs (Breiman 2001, section 10).

    Parameters
    ----------
    model : Pipeline
        Fitted.
    X, y : DataFrame of shape (n_rows, n_features), ndarray of shape (n_rows,)
        Rows that it has not seen.
    repeats : int
        How often each feature is shuffled.
    seed : int
        Of the shuffling.
    on_poll : callable
        Called before each prediction.

    Returns
    -------
    dict
        `mean` and `std` over the repeats, each by feature.
    """
    from sklearn.inspection import permutation_importance

    def accuracy(fitted: Any, rows: Any, labels: NDArray[np.int64]) -> float:
        on_poll()
        return float(np.mean(fitted.predict(rows) == labels))

    found = permutation_importance(
        model, X, y, scoring=accuracy, n_repeats=repeats, random_state=seed
    )
    names = list(X.columns)
    return {
        "mean": dict(zip(names, found.importances_mean.tolist(), strict=True)),
        "std": dict(zip(names, found.importances_std.tolist(), strict=True)),
    }


def elimination(
    fit_trees: Callable[[Sequence[str]], Any], names: Sequence[str]
) -> tuple[list[str], Any]:
    """Eliminate features one after another, each time the one that the trees use least.

    Recursive feature elimination (Guyon et al. 2002) with the share of each feature in the gain of
    all splits; the trees are trained anew after each step. scikit-learn's `RFE` takes arrays of
    numbers only, in which categories would be lost. Beyond forty features a step drops a
    twentieth.

    Parameters
    ----------
    fit_trees : callable
        Trains trees on some of the features.
    names : sequence of str
        All features.

    Returns
    -------
    list of str, GBT
        The features, from the last one to be eliminated to the first; the trees on all of them.
    """
    left = list(names)
    gone: list[str] = []
    first = None
    while len(left) > 1:
        trees = fit_trees(left)
        first = trees if first is None else first
        share = gains(trees, left)
        # Of equals the later column goes first.
        ascending = sorted(left, key=lambda name: (share[name], -left.index(name)))
        dropped = ascending[: max(1, len(left) // 20)]
        gone += dropped
        left = [name for name in left if name not in dropped]
    return [*left, *reversed(gone)], first


def _filled(X: pd.DataFrame) -> pd.DataFrame:
    """Return numbers alone: medians for missing numbers, codes for categories."""
    import pandas as pd

    numbers = numbers_of(X)
    columns: Mapping[str, Any] = {
        name: X[name].fillna(X[name].median()).fillna(0.0)
        if name in numbers
        else X[name].cat.codes.astype(np.float64)
        for name in X.columns
    }
    return pd.DataFrame(columns, index=X.index)
