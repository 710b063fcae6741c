"""Score functions and scorers of scikit-learn as metrics of evaluation sets.

Their direction and what they are computed from (labels or probabilities) are known to
scikit-learn's scorers, so that `accuracy_score` is maximized and gets labels, and `log_loss` is
minimized and gets probabilities.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from inspect import signature
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin

from moodcore.estimators.gbt.options import takes_weight


@dataclass(frozen=True)
class ScikitLearnMetric:
    """A score function or scorer, with its name and direction."""

    name: str
    greater_is_better: bool
    # Called with an estimator, rows and labels.
    scorer: Callable[..., float]
    takes_weight: bool

    def compute(
        self,
        y: NDArray[Any],
        probabilities: NDArray[np.float64],
        classes: NDArray[Any],
        weight: NDArray[np.float64] | None,
    ) -> float:
        """Compute the metric of predicted probabilities."""
        weights = {"sample_weight": weight} if self.takes_weight and weight is not None else {}
        return self.scorer(_Predicted(classes), probabilities, y, **weights)


class _Predicted(ClassifierMixin, BaseEstimator):
    """A fitted classifier whose rows are their own probabilities."""

    def __init__(self, classes: NDArray[Any]) -> None:
        self.classes_ = classes

    def predict_proba(self, X: NDArray[np.float64]) -> NDArray[np.float64]:
        return X

    def predict(self, X: NDArray[np.float64]) -> NDArray[Any]:
        return self.classes_[X.argmax(axis=1)]


def scikit_learn_metric(entry: Callable[..., Any]) -> ScikitLearnMetric | None:
    """Return a score function (also a partial one) or scorer of scikit-learn; None for others."""
    if hasattr(entry, "_score_func"):
        return _of_scorer(entry)
    function = entry.func if isinstance(entry, partial) else entry
    module = getattr(function, "__module__", None) or ""
    if not module.startswith("sklearn.metrics") or hasattr(entry, "greater_is_better"):
        return None
    return _of_function(entry, function)


def _of_scorer(scorer: Any) -> ScikitLearnMetric:
    from sklearn.metrics import get_scorer, get_scorer_names

    def described(other: Any) -> Any:
        return other._score_func, other._sign, other._kwargs

    registered = (
        name for name in get_scorer_names() if described(get_scorer(name)) == described(scorer)
    )
    name = next(registered, getattr(scorer._score_func, "__name__", type(scorer).__name__))
    return ScikitLearnMetric(name, True, scorer, takes_weight(scorer._score_func))


def _of_function(entry: Callable[..., Any], function: Any) -> ScikitLearnMetric:
    from sklearn.metrics import get_scorer, get_scorer_names, make_scorer

    registered = (
        scorer
        for scorer in map(get_scorer, get_scorer_names())
        if scorer._score_func is function and not scorer._kwargs
    )
    known = next(registered, None)
    name = function.__name__
    if known is None:
        # scikit-learn names functions by their direction, and arguments by what they expect.
        greater = name.endswith("_score")
        expected = set(signature(function).parameters)
        of_labels = not expected & {"y_score", "y_proba", "y_prob"} and "log_loss" not in name
        response: Any = "predict" if of_labels else "predict_proba"
    else:
        greater, response = known._sign > 0, known._response_method
    scorer = make_scorer(entry, response_method=response)
    return ScikitLearnMetric(name, greater, scorer, takes_weight(function))
