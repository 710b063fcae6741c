"""Models of a run: passed as families or classifiers, given seeds, and saved."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from moodcore.errors import ConfigError, DivergedError, unknown_name

if TYPE_CHECKING:
    from moodcore.tables import Dataset


def named_models(
    models: Iterable[Any] | Mapping[str, Any] | None, allowed: Iterable[str]
) -> dict[str, Any]:
    """Return families and classifiers by name.

    Parameters
    ----------
    models : iterable of str or classifier, mapping of str to str or classifier, or None
        Families, or scikit-learn classifiers; those of an iterable are named for their class.
        None means all of `allowed`.
    allowed : iterable of str
        Names of families.

    Raises
    ------
    ConfigError
        For a family that does not exist, a name that occurs twice, or no models.
    TypeError
        For an object that is not a classifier.

    Examples
    --------
    >>> from sklearn.naive_bayes import GaussianNB
    >>> named_models(["gbt", GaussianNB()], ["mlp", "gbt"])
    {'gbt': 'gbt', 'GaussianNB': GaussianNB()}
    >>> named_models({"trees": "gbt"}, ["mlp", "gbt"])
    {'trees': 'gbt'}
    """
    from sklearn.base import is_classifier

    names = list(allowed)
    if models is None:
        return {name: name for name in names}
    if isinstance(models, str):
        raise ConfigError(f"models must be a list or a mapping, got the str {models!r}")
    if isinstance(models, Mapping):
        pairs = [(str(name), model) for name, model in models.items()]
    else:
        pairs = [
            (model if isinstance(model, str) else type(model).__name__, model) for model in models
        ]
    if not pairs:
        raise ConfigError("models must have at least one model, got none")
    for name, model in pairs:
        if isinstance(model, str):
            if model not in names:
                raise unknown_name("models: family", model, names)
        elif isinstance(model, type) or not (hasattr(model, "fit") and is_classifier(model)):
            raise TypeError(
                f"models[{name!r}] must be a scikit-learn classifier or one of "
                f"{', '.join(map(repr, names))}, got {model!r}"
            )
    found = dict(pairs)
    if len(found) < len(pairs):
        repeated = next(name for name, _ in pairs if [n for n, _ in pairs].count(name) > 1)
        raise ConfigError(f"models: {repeated!r} is the name of two models; pass a mapping")
    return found


def seeded(estimator: Any, seed: int) -> Any:
    """Return a clone of an estimator in which every open random choice has a seed."""
    from sklearn.base import clone

    model = clone(estimator)
    changes: dict[str, Any] = {}
    for name, value in model.get_params(deep=True).items():
        last = name.rpartition("__")[2]
        if last == "random_state" and value is None:
            changes[name] = seed
        elif last == "cv" and getattr(value, "shuffle", False) and value.random_state is None:
            changes[name] = type(value)(value.n_splits, shuffle=True, random_state=seed)
    return model.set_params(**changes)


def prepared(
    dataset: Dataset, model: Any, *, features: Any, balance: bool, random_state: int | None
) -> Any:
    """Return a classifier behind the preparation of a data set.

    A pipeline, or a search over one, prepares the table itself: it is balanced at most.
    """
    if not hasattr(getattr(model, "estimator", model), "steps"):
        return dataset.pipeline(
            model, features=features, balance=balance, random_state=random_state
        )
    from moodcore.preprocessing import BalancedClassifier

    return BalancedClassifier(model, random_state=random_state) if balance else model


def check_learned(model: Any) -> None:
    """Check that a fitted classifier, alone or inside of others, has learned something.

    Raises
    ------
    DivergedError
        If its loss became infinite or NaN in the first epoch: its weights are those of the start,
        or of a few updates.
    """
    while True:
        if hasattr(model, "steps"):
            inner = model.steps[-1][1]
        else:
            inner = getattr(model, "best_estimator_", getattr(model, "estimator_", None))
        if inner is None:
            break
        model = inner
    # Networks of others have a loss_ too, of any type.
    loss = getattr(model, "loss_", 0.0)
    if isinstance(loss, float) and math.isnan(loss):
        raise DivergedError(
            "training diverged in the first epoch; lower learning_rate or scale the features"
        )


def save_model(model: Any, path: str | os.PathLike[str], metrics: Mapping[str, Any]) -> None:
    """Write a fitted model with its provenance."""
    from moodcore import model_files
    from moodcore.platform import versions

    data = metrics["data"]
    provenance = {
        "versions": versions(),
        "settings": metrics["settings"],
        **{name: data[name] for name in ("source", "synthetic", "preset", "target", "sha256")},
        "test": metrics["test"],
    }
    model_files.save(model, path, provenance=provenance)
