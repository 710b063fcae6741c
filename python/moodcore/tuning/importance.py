"""What the trees use of all the features, beside what the correlation filter throws away."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moodcore.runs.data import Split
from moodcore.runs.seeds import Stream, derive
from moodcore.tuning.settings import Settings


def describe_importance(
    parts: Split, arguments: Mapping[str, Any], settings: Settings
) -> dict[str, Any]:
    """Train the winner on every feature, and tell how much each is used.

    Parameters
    ----------
    parts : Split
        Of which the training part is used.
    arguments : mapping of str to Any
        Of the winner.
    settings : Settings
        Of which `model` and `seed` count.

    Returns
    -------
    dict
        `gain`: share of each feature in the gain of all splits; `filtered`: the features that
        `CorrelationFilter` would drop on the same rows.
    """
    from moodcore import songs
    from moodcore.preprocessing import CorrelationFilter
    from moodcore.songs import FEATURES

    seed = derive(settings.seed, Stream.IMPORTANCE)
    model = songs.pipeline(
        settings.family.estimator()(**arguments, random_state=seed),
        features="all",
        balance=True,
        random_state=seed,
    ).fit(parts.X_train, parts.y_train)
    gains = model.named_steps["classify"].estimator_.importances("total_gain")
    # Trees of one leaf each have no split.
    shares = gains / gains.sum() if gains.any() else gains
    chosen = CorrelationFilter().fit(parts.X_train[list(FEATURES)], parts.y_train)
    kept = set(chosen.get_feature_names_out())
    return {
        "gain": dict(zip(FEATURES, shares.tolist(), strict=True)),
        "filtered": [name for name in FEATURES if name not in kept],
    }
