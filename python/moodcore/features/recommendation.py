"""The recommended choice of features."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from moodcore.features.choices import ALL

if TYPE_CHECKING:
    import pandas as pd


def recommend(features: pd.DataFrame, choices: pd.DataFrame, folds: int) -> dict[str, Any] | None:
    """Return the most accurate model, and the fewest features that cost it no accuracy.

    A choice costs accuracy where its 95 % interval excludes zero, or where it loses more than one
    standard error of the accuracy with all features (the one-standard-error rule of Breiman et al.
    1984, section 3.4.3): few folds cannot show that a large loss is harmless.

    Parameters
    ----------
    features, choices : DataFrame
        As in :class:`~moodcore.features.FeatureStudy`.
    folds : int
        Number of folds.

    Returns
    -------
    dict or None
        `model`; its `accuracy` with all features; `features`, those that elimination keeps
        longest, or all of them; `accuracy_kept`, that with as many features selected by
        elimination; `sufficient`, a size for each model and for "all models", None where a model
        needs all features; `largest_size`, the largest number of features below all that was
        measured with the model. None if no model could be trained.
    """
    usable = choices[choices["accuracy"].notna()]
    full = usable[usable["choice"] == ALL]
    if full.empty:
        return None
    best = full.iloc[int(full["accuracy"].to_numpy().argmax())]
    model = str(best["model"])
    eliminated = usable[(usable["kind"] == "elimination") & (usable["model"] == model)]
    sufficient = {
        str(name): sufficient_size(usable[usable["model"] == name], folds) for name in full["model"]
    }
    size = sufficient[model]
    kept = eliminated[eliminated["level"] == size]
    order = features.sort_values("elimination_rank", kind="stable")["feature"].tolist()
    chosen = set(order[: len(order) if size is None else size])
    return {
        "model": model,
        "accuracy": float(best["accuracy"]),
        "features": [name for name in features["feature"] if name in chosen],
        "accuracy_kept": float((best if kept.empty else kept.iloc[0])["accuracy"]),
        "sufficient": sufficient | {"all models": sufficient_size(usable, folds)},
        "largest_size": None if eliminated.empty else int(eliminated["level"].max()),
    }


def sufficient_size(choices: pd.DataFrame, folds: int) -> int | None:
    """Return the smallest number of features with which elimination costs no model accuracy.

    `choices` has the rows of one model or more, those of all features included.
    """
    error = choices[choices["choice"] == ALL].set_index("model")["accuracy_std"] / folds**0.5
    rows = choices[choices["kind"] == "elimination"]
    # The cost of a choice without an effect may be a rounding error above zero.
    beyond_error = rows["cost"] > rows["model"].map(error).astype(float) + 1e-12
    costly = (rows["beyond_spread"] & (rows["cost"] > 0)) | beyond_error
    sizes = rows["level"][~costly.groupby(rows["level"]).transform("any")]
    return int(sizes.min()) if len(sizes) else None
