"""Measures of features on the rows of one fold.

Everything is computed from the training rows of the fold; only Shapley values and permutation
importances use validation rows, which the model has not seen.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

OnPoll = Callable[[], object]

# Mutual information is estimated from nearest neighbors, whose search is superlinear in the rows.
_NEIGHBOR_ROWS = 20_000


def describe_columns(
    X: pd.DataFrame,
    y: NDArray[np.int64],
    *,
    numbers: Collection[str],
    thresholds: Sequence[float],
    seed: int,
    on_poll: OnPoll,
) -> dict[str, Any]:
    """Measure how features relate to the class and to each other, without any model.

    Parameters
    ----------
    X, y : DataFrame of shape (n_rows, n_features), ndarray of shape (n_rows,)
        Training rows and their class codes.
    numbers : collection of str
        Names of the numeric features; the others are categories.
    thresholds : sequence of float
        Thresholds of the correlation filter.
    seed : int
        Seed of the noise that mutual information adds to break ties (Kraskov et al. 2004).
    on_poll : callable
        Called between features.

    Returns
    -------
    dict
        `mutual_information` (nats) and `label_correlation` by feature; `correlation`, the Pearson
        correlations of the numeric features; `filters`, the features that the filter keeps, by
        threshold.
    """
    from sklearn.feature_selection import mutual_info_classif

    plain = _plain(X, numbers)
    rows = np.random.default_rng(seed).permutation(len(X))[:_NEIGHBOR_ROWS]
    information, relation = {}, {}
    for position, name in enumerate(X.columns):
        on_poll()
        discrete, values = name not in numbers, plain[name].to_numpy()
        (estimate,) = mutual_info_classif(
            values[rows, None], y[rows], discrete_features=[discrete], random_state=seed + position
        )
        information[name] = float(estimate)
        relation[name] = label_correlation(values, y, discrete=discrete)
    numeric = plain[[name for name in X.columns if name in numbers]]
    filters = {}
    for threshold in thresholds:
        on_poll()
        filters[str(threshold)] = _kept_by_filter(numeric, y, threshold) + [
            name for name in X.columns if name not in numbers
        ]
    return {
        "mutual_information": information,
        "label_correlation": relation,
        # A constant column has no correlation.
        "correlation": numeric.corr().fillna(0.0).to_dict(),
        "filters": filters,
    }


def _plain(X: pd.DataFrame, numbers: Collection[str]) -> pd.DataFrame:
    """Return numbers only: medians for missing numbers, codes for categories."""
    import pandas as pd

    from moodcore.tables.roles import to_numbers, to_texts

    columns = {}
    for name in X.columns:
        if name in numbers:
            values = pd.Series(to_numbers(X[name])[0])
            columns[name] = values.fillna(values.median()).fillna(0.0)
        else:
            columns[name] = pd.Series(to_texts(X[name])[0].astype(np.float64))
    return pd.DataFrame(columns)


def _kept_by_filter(X: pd.DataFrame, y: NDArray[np.int64], threshold: float) -> list[str]:
    from moodcore.preprocessing import CorrelationFilter

    if X.shape[1] < 2:
        return list(X.columns)
    return [str(name) for name in CorrelationFilter(threshold).fit(X, y).get_feature_names_out()]


def label_correlation(
    values: NDArray[np.float64], y: NDArray[np.int64], *, discrete: bool
) -> float:
    """Return the strength of the relation between a feature and the class, in [0, 1].

    For numbers the correlation ratio (Fisher 1925, section 45): the root of the share of the
    variance between the classes; for two classes, the absolute Pearson correlation. For
    categories Cramér's V (Cramér 1946, section 21.9). Zero for a constant column.

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
    centered = values - values.mean()
    # Squares of huge and tiny values stay in range.
    centered = centered / np.abs(centered).max()
    counts = np.bincount(y)
    sums = np.bincount(y, weights=centered)
    between = float((sums[counts > 0] ** 2 / counts[counts > 0]).sum())
    return float(np.sqrt(np.clip(between / float(centered @ centered), 0.0, 1.0)))


def tree_measures(pipeline: Any, X: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Return the use of each feature in a fitted pipeline that ends in boosted trees.

    `gain` is the share of the gain of all splits, `shap` the mean absolute Shapley value over
    rows and classes (log-odds); both are zero for features that the preparation left out.
    """
    names = prepared_names(pipeline)
    values = np.abs(classifier(pipeline).predict_contributions(pipeline[:-1].transform(X)))
    means = values[..., :-1].reshape(-1, values.shape[-1] - 1).mean(axis=0)
    shapley = dict(zip(names, means.tolist(), strict=True))
    none = dict.fromkeys(X.columns, 0.0)
    return {"gain": none | gains(pipeline), "shap": none | shapley}


def gains(pipeline: Any) -> dict[str, float]:
    """Return the share of each prepared feature in the gain of all splits."""
    found = classifier(pipeline).importances("total_gain")
    # Trees without a split have no gain.
    shares = found / found.sum() if found.any() else found
    return dict(zip(prepared_names(pipeline), shares.tolist(), strict=True))


def prepared_names(pipeline: Any) -> list[str]:
    """Return the names of the columns that the classifier of a fitted pipeline gets."""
    return [str(name) for name in pipeline[:-1].get_feature_names_out()]


def classifier(pipeline: Any) -> Any:
    """Return the classifier that a pipeline has fitted."""
    last = pipeline[-1]
    return getattr(last, "estimator_", last)


def permutation(
    model: Any,
    X: pd.DataFrame,
    y: NDArray[Any],
    *,
    repeats: int,
    seed: int,
    on_poll: OnPoll,
) -> dict[str, dict[str, float]]:
    """Return the accuracy lost when each feature is shuffled (Breiman 2001, section 10).

    The result has `mean` and `std` over the repeats, each by feature. `on_poll` is called before
    each prediction.
    """
    from sklearn.inspection import permutation_importance

    def accuracy(fitted: Any, rows: Any, labels: NDArray[Any]) -> float:
        on_poll()
        return float(np.mean(fitted.predict(rows) == labels))

    measured = permutation_importance(
        model, X, y, scoring=accuracy, n_repeats=repeats, random_state=seed
    )
    names = list(X.columns)
    return {
        "mean": dict(zip(names, measured.importances_mean.tolist(), strict=True)),
        "std": dict(zip(names, measured.importances_std.tolist(), strict=True)),
    }


def elimination(
    shares: Callable[[Sequence[str]], Mapping[str, float]], names: Sequence[str]
) -> list[str]:
    """Eliminate features one after another, each time the one that the trees use least.

    Recursive feature elimination (Guyon et al. 2002) by the share of each feature in the gain of
    all splits; the trees are trained again after each step. scikit-learn's `RFE` takes arrays of
    numbers only, and would lose the categories. Of more than forty features, a step drops a
    twentieth.

    Parameters
    ----------
    shares : callable
        Trains trees on some of the features and returns the share of each; those that the
        preparation left out are missing.
    names : sequence of str
        All features.

    Returns
    -------
    list of str
        The features, from the last to be eliminated to the first.
    """
    left = list(names)
    gone: list[str] = []
    while len(left) > 1:
        share = shares(left)
        # Of equal shares the later column is dropped first.
        ascending = sorted(left, key=lambda name: (share.get(name, -1.0), -left.index(name)))
        dropped = ascending[: max(1, len(left) // 20)]
        gone += dropped
        left = [name for name in left if name not in dropped]
    return [*left, *reversed(gone)]
