"""Preprocessing and features of a search as plain numbers, all measured on the training rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from moodcore.runs.describe import class_counts
from moodcore.runs.families import family
from moodcore.runs.folds import Split, balanced_rows, kept_columns
from moodcore.runs.seeds import Stream, derive
from moodcore.tuning.settings import TuneSettings

if TYPE_CHECKING:
    import pandas as pd

    from moodcore.tables import Dataset

# Enough rows to tell a leak from chance, few enough to take no time; features likewise.
_CHECK_ROWS = 20_000
_CHECK_FEATURES = 100
_CHECK_LEAVES = 16


def describe_preprocessing(
    dataset: Dataset, parts: Split, preparation: Any, settings: TuneSettings
) -> dict[str, Any]:
    """Return balancing, correlations and the choice of columns."""
    kept = kept_columns(preparation)
    numbers = _numeric(dataset, parts.X_train)
    correlation: Any = numbers.corr().fillna(0.0)
    learned = parts.y_train
    if settings.is_balanced(dataset):
        learned = learned[balanced_rows(learned, 0)]
    left_out = [str(name) for name in _candidates(dataset, parts.X_train) if name not in kept]
    return {
        "counts_before": class_counts(dataset, parts.y_train),
        "counts_after": class_counts(dataset, learned),
        "features": list(kept),
        "dropped": [_dropped(name, kept, correlation) for name in left_out],
        "correlation": {
            str(row): {str(column): float(value) for column, value in values.items()}
            for row, values in correlation.to_dict().items()
        },
        "single_features": _single_features(parts, kept, settings),
    }


def _candidates(dataset: Dataset, X: pd.DataFrame) -> Sequence[str]:
    """Return the columns that could be features."""
    if dataset.preset == "songs":
        from moodcore.songs import FEATURES

        return [name for name in FEATURES if name in X.columns]
    return list(X.columns)


def _numeric(dataset: Dataset, X: pd.DataFrame) -> pd.DataFrame:
    """Return the columns of numbers."""
    numbers = X[_candidates(dataset, X)].select_dtypes("number")
    return numbers.astype(float)


def _dropped(name: str, kept: Sequence[str], correlation: pd.DataFrame) -> dict[str, Any]:
    """Return why a column is not used: the strongest partner among those that are, if numeric."""
    if name not in correlation:
        return {"column": name, "reason": "left out by the preparation"}
    partners: Any = correlation.loc[name].drop(name)
    staying = partners[[other for other in kept if other in partners]]
    strongest = staying if len(staying) else partners
    if not len(strongest):
        return {"column": name, "reason": "left out by the preparation"}
    partner = str(strongest.abs().idxmax())
    return {
        "column": name,
        "reason": f"correlated with {partner}",
        "partner": partner,
        "correlation": float(partners[partner]),
    }


def _single_features(parts: Split, kept: Sequence[str], settings: TuneSettings) -> dict[str, float]:
    """Return the balanced accuracy of a small tree on each feature alone."""
    from sklearn.metrics import balanced_accuracy_score
    from sklearn.tree import DecisionTreeClassifier

    rng = np.random.default_rng(derive(settings.seed, Stream.CHECKS))
    rows = rng.permutation(len(parts.y_train))[:_CHECK_ROWS]
    half = len(rows) // 2
    y = parts.y_train[rows]
    found = {}
    for name in kept[:_CHECK_FEATURES]:
        x = _codes(parts.X_train[name].iloc[rows])
        tree = DecisionTreeClassifier(
            max_leaf_nodes=_CHECK_LEAVES, class_weight="balanced", random_state=0
        ).fit(x[:half], y[:half])
        found[name] = float(balanced_accuracy_score(y[half:], tree.predict(x[half:])))
    return found


def _codes(column: pd.Series[Any]) -> Any:
    """Return a column as numbers: categories by the order of their labels."""
    from pandas.api.types import is_bool_dtype, is_numeric_dtype

    if is_numeric_dtype(column) and not is_bool_dtype(column):
        return column.to_frame().to_numpy(dtype=float, na_value=np.nan)
    codes = column.astype("category").cat.codes
    return codes.to_frame().to_numpy(dtype=float)


def describe_importance(
    dataset: Dataset, parts: Split, model: str, arguments: Mapping[str, Any], settings: TuneSettings
) -> dict[str, Any]:
    """Train the best trees on every feature, and return the share of each in the gain.

    Returns
    -------
    dict
        `gain`: share of each feature in the gain of all splits; `filtered`: the numeric features
        that `CorrelationFilter` would drop on the same rows.
    """
    from moodcore.preprocessing import CorrelationFilter

    seed = derive(settings.seed, Stream.IMPORTANCE)
    balance = settings.is_balanced(dataset)
    trees = dataset.pipeline(
        family(model).estimator()(**arguments, random_state=seed),
        features="all",
        balance=balance,
        random_state=seed,
    ).fit(parts.X_train, parts.y_train)
    classifier = trees.named_steps["classify"]
    gains = getattr(classifier, "estimator_", classifier).importances("total_gain")
    # Trees of one leaf each have no split.
    shares = gains / gains.sum() if gains.any() else gains
    numbers = _numeric(dataset, parts.X_train)
    numbers = numbers.loc[:, numbers.notna().all() & (numbers.nunique() > 1)]
    filtered: list[str] = []
    if numbers.shape[1] > 1:
        chosen = CorrelationFilter().fit(numbers, parts.y_train)
        kept = set(chosen.get_feature_names_out())
        filtered = [str(name) for name in numbers.columns if name not in kept]
    return {
        "gain": dict(zip(kept_columns(trees), shares.tolist(), strict=True)),
        "filtered": filtered,
    }
