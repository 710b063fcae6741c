"""What the report tells about the songs and their preprocessing, as plain numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from moodcore.runs.data import Songs, Split
from moodcore.runs.seeds import Stream, derive
from moodcore.tuning.folds import kept_columns
from moodcore.tuning.settings import Settings

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

# Enough songs to tell a leak from chance, few enough to take no time.
_CHECK_ROWS = 20_000
_CHECK_LEAVES = 16
_STATISTICS: list[Any] = ["mean", "std", "min", "median", "max"]


def names_of(y: NDArray[np.int64]) -> list[str]:
    """Return the names of the label codes that occur, in ascending order of the codes."""
    from moodcore.songs import LABEL_NAMES

    return [
        LABEL_NAMES[code] if 0 <= code < len(LABEL_NAMES) else str(code)
        for code in np.unique(y).tolist()
    ]


def class_counts(y: NDArray[np.int64]) -> dict[str, int]:
    """Return the number of songs of each class, by name."""
    return dict(zip(names_of(y), np.unique(y, return_counts=True)[1].tolist(), strict=True))


def describe_data(songs: Songs, parts: Split, sha256: str) -> dict[str, Any]:
    """Return source, size, classes and ranges of the songs."""
    summary: Any = songs.X.agg(_STATISTICS)
    return {
        "source": songs.source,
        "synthetic": songs.synthetic,
        "notes": list(songs.notes),
        "sha256": sha256,
        "songs": len(songs.y),
        "train_songs": len(parts.y_train),
        "test_songs": len(parts.y_test),
        "counts": class_counts(songs.y),
        "columns": {
            str(name): dict(zip(_STATISTICS, summary[name].tolist(), strict=True))
            for name in songs.X.columns
        },
    }


def describe_preprocessing(parts: Split, transform: Pipeline, settings: Settings) -> dict[str, Any]:
    """Return balancing, correlations and the choice of columns, all on the training part."""
    from moodcore.preprocessing import downsample
    from moodcore.songs import FEATURES

    kept = kept_columns(transform)
    features = [name for name in FEATURES if name in parts.X_train.columns]
    correlation: Any = parts.X_train[features].corr().fillna(0.0)
    balanced = parts.y_train[downsample(parts.y_train, random_state=0).indices]
    return {
        "counts_before": class_counts(parts.y_train),
        "counts_after": class_counts(balanced),
        "features": list(kept),
        "dropped": [_reason(name, kept, correlation) for name in features if name not in kept],
        "correlation": {
            str(row): {str(column): float(correlation.loc[row, column]) for column in features}
            for row in features
        },
        "single_features": _single_features(parts, kept, settings),
    }


def _reason(name: str, kept: tuple[str, ...], correlation: Any) -> dict[str, Any]:
    partners = correlation.loc[name].drop(name)
    # The strongest partner that stays, for it is the reason; if none stays, any.
    staying = partners[[one for one in kept if one in partners]]
    partner = str((staying if len(staying) else partners).abs().idxmax())
    return {
        "column": name,
        "partner": partner,
        "correlation": float(partners[partner]),
    }


def _single_features(parts: Split, kept: tuple[str, ...], settings: Settings) -> dict[str, float]:
    """Return the balanced accuracy of a small tree on each feature alone."""
    from sklearn.metrics import balanced_accuracy_score
    from sklearn.tree import DecisionTreeClassifier

    rng = np.random.default_rng(derive(settings.seed, Stream.CHECKS))
    rows = rng.permutation(len(parts.y_train))[:_CHECK_ROWS]
    half = len(rows) // 2
    y = parts.y_train[rows]
    found = {}
    for name in kept:
        x = parts.X_train[[name]].to_numpy()[rows]
        tree = DecisionTreeClassifier(
            max_leaf_nodes=_CHECK_LEAVES, class_weight="balanced", random_state=0
        ).fit(x[:half], y[:half])
        found[name] = float(balanced_accuracy_score(y[half:], tree.predict(x[half:])))
    return found
