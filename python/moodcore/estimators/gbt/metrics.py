"""Metrics of the evaluation sets, computed after every round."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moodcore import _core
from moodcore.estimators.gbt.options import takes_weight
from moodcore.estimators.gbt.rows import BoostingRows

# Metrics that the core computes.
_OF_THE_CORE = {"logloss": "logloss", "mlogloss": "logloss", "error": "error", "merror": "error"}

_Measure = Callable[
    [NDArray[np.intp], NDArray[np.float64], NDArray[np.float64] | None, NDArray[Any]], float
]


@dataclass(frozen=True)
class Metric:
    """A metric, computed by the core or by `measure`."""

    name: str
    greater_is_better: bool = False
    core_name: str | None = None
    # Takes class codes, probabilities, weights and class labels.
    measure: _Measure | None = None


def resolve_metrics(eval_metric: Any) -> list[Metric]:
    """Return the metrics of ``eval_metric``.

    Raises
    ------
    ValueError, TypeError
        If a metric is unknown, or two have the same name.
    """
    if eval_metric is None:
        eval_metric = "logloss"
    if isinstance(eval_metric, str) or callable(eval_metric):
        eval_metric = [eval_metric]
    metrics = [_resolve(entry) for entry in eval_metric]
    names = [metric.name for metric in metrics]
    if not names or len(set(names)) != len(names):
        raise ValueError(f"eval_metric must hold metrics of different names, got {names}")
    return metrics


def _resolve(entry: Any) -> Metric:
    if callable(entry):
        name = getattr(entry, "__name__", type(entry).__name__)
        greater = bool(getattr(entry, "greater_is_better", False))
        return Metric(name, greater, measure=_of_callable(entry))
    if not isinstance(entry, str):
        raise TypeError(f"eval_metric must be names or callables, got {entry!r}")
    if entry in _OF_THE_CORE:
        return Metric(entry, core_name=_OF_THE_CORE[entry])
    if entry not in _MEASURES:
        known = ", ".join([*_OF_THE_CORE, *_MEASURES])
        raise ValueError(f"eval_metric must be one of {known}, or a callable, got {entry!r}")
    measure, greater = _MEASURES[entry]
    return Metric(entry, greater, measure=measure)


def _of_callable(function: Callable[..., Any]) -> _Measure:
    weighted = takes_weight(function)

    def measure(
        codes: NDArray[np.intp],
        probabilities: NDArray[np.float64],
        weight: NDArray[np.float64] | None,
        classes: NDArray[Any],
    ) -> float:
        named = {"sample_weight": weight} if weighted else {}
        return float(function(classes[codes], probabilities, **named))

    return measure


def _accuracy(
    codes: NDArray[np.intp],
    probabilities: NDArray[np.float64],
    weight: NDArray[np.float64] | None,
    classes: NDArray[Any],
) -> float:
    return float(np.average(probabilities.argmax(axis=1) == codes, weights=weight))


def _brier(
    codes: NDArray[np.intp],
    probabilities: NDArray[np.float64],
    weight: NDArray[np.float64] | None,
    classes: NDArray[Any],
) -> float:
    # Brier (1950); for two classes half of it, as scikit-learn's `brier_score_loss` has it.
    errors = ((probabilities - np.eye(len(classes))[codes]) ** 2).sum(axis=1)
    return float(np.average(errors, weights=weight)) / (2 if len(classes) == 2 else 1)


def _auc(
    codes: NDArray[np.intp],
    probabilities: NDArray[np.float64],
    weight: NDArray[np.float64] | None,
    classes: NDArray[Any],
) -> float:
    from sklearn.metrics import roc_auc_score

    if len(np.unique(codes)) < len(classes):
        absent = sorted(set(range(len(classes))) - set(codes.tolist()))
        raise ValueError(
            f"the metric auc needs rows of every class, got none of {classes[absent].tolist()}"
        )
    scores = probabilities[:, 1] if len(classes) == 2 else probabilities
    return float(roc_auc_score(codes, scores, sample_weight=weight, multi_class="ovr"))


_MEASURES: dict[str, tuple[_Measure, bool]] = {
    "accuracy": (_accuracy, True),
    "auc": (_auc, True),
    "brier": (_brier, False),
}


def core_metrics(
    metrics: Sequence[Metric], sets: Sequence[BoostingRows], classes: NDArray[Any]
) -> list[tuple[str, bool, Callable[[int, NDArray[np.float64]], float] | None]]:
    """Return the metrics as the core calls them: with the number of a set and its margins."""

    def call(metric: Metric) -> Callable[[int, NDArray[np.float64]], float] | None:
        measure = metric.measure
        if measure is None:
            return None

        def value(at: int, margins: NDArray[np.float64]) -> float:
            rows = sets[at]
            probabilities = _core.gbt_probabilities(margins, len(classes))
            return measure(rows.y.astype(np.intp), probabilities, rows.weight, classes)

        return value

    return [
        (metric.core_name or metric.name, metric.greater_is_better, call(metric))
        for metric in metrics
    ]
