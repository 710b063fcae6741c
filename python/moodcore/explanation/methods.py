"""Contributions of features for each family of models."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moodcore.explanation.shapley import EXACT, shapley_values


@dataclass(frozen=True)
class Contributions:
    """Contributions of features to margins; see `moodcore.Explanation`."""

    values: NDArray[np.float64]
    base: NDArray[np.float64]
    margins: NDArray[np.float64]
    method: str


def final_classifier(model: Any) -> tuple[Any, Any]:
    """Return the classifier at the end of a model, and the fitted steps before it, or None.

    Raises
    ------
    TypeError
        For models of other packages.
    """
    from sklearn.pipeline import Pipeline
    from sklearn.utils.validation import check_is_fitted

    from moodcore.preprocessing import BalancedClassifier

    check_is_fitted(model)
    steps = None
    classifier = model
    if isinstance(model, Pipeline):
        classifier = model[-1]
        steps = model[:-1] if len(model.steps) > 1 else None
    if isinstance(classifier, BalancedClassifier):
        classifier = classifier.estimator_
    kinds = _kinds()
    if not isinstance(classifier, tuple(kinds)):
        names = ", ".join(sorted(kind.__name__ for kind in kinds))
        raise TypeError(f"model must be or end in one of {names}; got {type(classifier).__name__}")
    return classifier, steps


def takes_background(model: Any) -> bool:
    """Return whether the method takes background rows."""
    from moodcore import GBT

    return not isinstance(final_classifier(model)[0], GBT)


def contributions_of(
    classifier: Any,
    rows: Any,
    background: Any,
    features: NDArray[np.intp] | None,
    *,
    origin: str,
    seed: int | None,
    n_samples: int | None,
) -> Contributions:
    """Compute the contributions to each row, from the mean over a background, for trees None.

    `features` is the feature that each column belongs to, `origin` the background in words; for the
    others see `moodcore.explanation.shapley.shapley_values`.
    """
    from moodcore import GBT, LinearSVM

    measured = f"measured from {origin}"
    if isinstance(classifier, GBT):
        if background is not None:
            raise ValueError(
                "GBT takes no background: TreeSHAP uses the training rows counted in its nodes"
            )
        found = _of_trees(classifier, rows)
    elif isinstance(classifier, LinearSVM):
        found = _of_lines(classifier, rows, background, measured)
    else:
        given = np.ascontiguousarray(classifier.read_rows(rows), dtype=np.float64)
        known = np.ascontiguousarray(classifier.read_rows(background), dtype=np.float64)
        margin = _margin(classifier)
        features = np.arange(given.shape[1]) if features is None else features
        values = shapley_values(margin, given, known, features, n_samples=n_samples, seed=seed)
        kind = "exact" if n_samples is None and features.max() < EXACT else "sampled"
        method = f"{kind} Shapley values (interventional), {measured}"
        return Contributions(values, margin(known).mean(axis=0), margin(given), method)
    if features is None:
        return found
    parts = [found.values[:, features == at].sum(axis=1) for at in range(features.max() + 1)]
    return replace(found, values=np.stack(parts, axis=1))


def _of_trees(model: Any, rows: Any) -> Contributions:
    found = model.predict_contributions(rows)
    # (rows, outputs, features and base)
    found = found[:, None] if found.ndim == 2 else found
    margins = _columns(model.decision_function(rows))
    base = found[0, :, -1] if len(found) else np.zeros(margins.shape[1])
    return Contributions(
        values=np.ascontiguousarray(found[:, :, :-1].transpose(0, 2, 1)),
        base=base,
        margins=margins,
        method="exact Shapley values of the trees (TreeSHAP), measured from the mean margin of "
        "the training rows",
    )


def _of_lines(model: Any, rows: Any, background: Any, measured: str) -> Contributions:
    """With independent features, weight times distance from the mean (Lundberg and Lee 2017)."""
    given = model.read_rows(rows).astype(np.float64)
    mean = model.read_rows(background).astype(np.float64).mean(axis=0)
    values = (given - mean)[:, :, None] * model.coef_.T
    base = model.coef_ @ mean + model.intercept_
    margins = _columns(model.decision_function(rows))
    return Contributions(
        values, base, margins, f"exact Shapley values of the linear model, {measured}"
    )


def _margin(model: Any) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    """Return the function from rows to margins, one column per output."""
    # It is called with arrays, about which a model with feature names would warn.
    nameless = copy.copy(model)
    vars(nameless).pop("feature_names_in_", None)
    decide = next(decide for kind, decide in _kinds().items() if isinstance(model, kind))
    return lambda rows: _columns(decide(nameless, rows))


def _kinds() -> dict[type, Callable[[Any, Any], NDArray[np.float64]]]:
    from moodcore import GBT, MLP, SVM, LinearSVM

    def decide(model: Any, rows: Any) -> NDArray[np.float64]:
        return np.asarray(model.decision_function(rows))

    return {MLP: _scores_of_network, GBT: decide, SVM: decide, LinearSVM: decide}


def _scores_of_network(model: Any, rows: Any) -> NDArray[np.float64]:
    """Return the scores before the softmax; of two classes their difference, the log odds."""
    scores: NDArray[np.float64] = model.logits(rows)
    return scores[:, 1] - scores[:, 0] if scores.shape[1] == 2 else scores


def _columns(margins: NDArray[np.float64]) -> NDArray[np.float64]:
    return margins[:, None] if margins.ndim == 1 else margins
