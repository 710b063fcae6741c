"""Metrics of the evaluation sets, computed after every round."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moodcore import _core
from moodcore.errors import check_choice
from moodcore.estimators.gbt.options import takes_weight
from moodcore.estimators.gbt.rows import BoostingRows
from moodcore.estimators.gbt.scikit_learn_metrics import ScikitLearnMetric, scikit_learn_metric
from moodcore.estimators.gbt.streamed import BinnedRows

# Metrics that the core computes.
_OF_THE_CORE = {"logloss": "logloss", "mlogloss": "logloss", "error": "error", "merror": "error"}


@dataclass(frozen=True)
class Evaluated:
    """Rows with their probabilities, of which a metric is computed."""

    codes: NDArray[np.intp]
    probabilities: NDArray[np.float64]
    weight: NDArray[np.float64] | None
    classes: NDArray[Any]


_Measure = Callable[[Evaluated], float]


@dataclass(frozen=True)
class Metric:
    """A metric, computed by the core or by `measure`."""

    name: str
    greater_is_better: bool = False
    core_name: str | None = None
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
    if not isinstance(eval_metric, list | tuple):
        raise TypeError(
            f"eval_metric must be a str, a callable or a list of these, got {eval_metric!r}"
        )
    metrics = [_resolve(entry) for entry in eval_metric]
    names = [metric.name for metric in metrics]
    if not names or len(set(names)) != len(names):
        raise ValueError(f"eval_metric must hold metrics of different names, got {names}")
    return metrics


def _resolve(entry: Any) -> Metric:
    if callable(entry):
        scoring = scikit_learn_metric(entry)
        if scoring is not None:
            return Metric(scoring.name, scoring.greater_is_better, measure=_of_scorer(scoring))
        name = getattr(entry, "__name__", type(entry).__name__)
        greater = bool(getattr(entry, "greater_is_better", False))
        return Metric(name, greater, measure=_of_callable(name, entry))
    if not isinstance(entry, str):
        raise TypeError(
            f"eval_metric must be a str, a callable or a list of these, got one of {entry!r}"
        )
    if entry in _OF_THE_CORE:
        return Metric(entry, core_name=_OF_THE_CORE[entry])
    check_choice("eval_metric", entry, [*_OF_THE_CORE, *_MEASURES])
    measure, greater = _MEASURES[entry]
    return Metric(entry, greater, measure=measure)


def _of_callable(name: str, function: Callable[..., Any]) -> _Measure:
    weighted = takes_weight(function)

    def measure(rows: Evaluated) -> float:
        named = {"sample_weight": rows.weight} if weighted else {}
        return _number(name, function(rows.classes[rows.codes], rows.probabilities, **named))

    return measure


def _of_scorer(scoring: ScikitLearnMetric) -> _Measure:
    def measure(rows: Evaluated) -> float:
        y = rows.classes[rows.codes]
        value = scoring.compute(y, rows.probabilities, rows.classes, rows.weight)
        return _number(scoring.name, value)

    return measure


def _number(name: str, value: Any) -> float:
    """Return the value of a metric as a float; a TypeError names one that returns none."""
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value.item()
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | float | np.number):
        hint = ""
        if isinstance(value, tuple):
            hint = "; return the value alone, and set metric.greater_is_better = True to maximize"
        raise TypeError(
            f"eval_metric {name!r} must return a float, got {type(value).__name__}{hint}"
        )
    return float(value)


def _accuracy(rows: Evaluated) -> float:
    hits = rows.probabilities.argmax(axis=1) == rows.codes
    return float(np.average(hits, weights=rows.weight))


def _brier(rows: Evaluated) -> float:
    # Brier (1950); for two classes half of it, as scikit-learn's `brier_score_loss` has it.
    n_classes = len(rows.classes)
    errors = ((rows.probabilities - np.eye(n_classes)[rows.codes]) ** 2).sum(axis=1)
    return float(np.average(errors, weights=rows.weight)) / (2 if n_classes == 2 else 1)


def _auc(rows: Evaluated) -> float:
    from sklearn.metrics import roc_auc_score

    absent = np.setdiff1d(np.arange(len(rows.classes)), rows.codes)
    if absent.size:
        raise ValueError(
            f"the metric auc needs rows of every class, got none of {rows.classes[absent].tolist()}"
        )
    scores = rows.probabilities[:, 1] if len(rows.classes) == 2 else rows.probabilities
    return float(roc_auc_score(rows.codes, scores, sample_weight=rows.weight, multi_class="ovr"))


_MEASURES: dict[str, tuple[_Measure, bool]] = {
    "accuracy": (_accuracy, True),
    "auc": (_auc, True),
    "brier": (_brier, False),
}


def core_metrics(
    metrics: Sequence[Metric], sets: Sequence[BoostingRows | BinnedRows], classes: NDArray[Any]
) -> list[tuple[str, bool, Callable[[int, NDArray[np.float64]], float] | None]]:
    """Return the metrics as the core calls them: with the number of a set and its margins."""

    def call(metric: Metric) -> Callable[[int, NDArray[np.float64]], float] | None:
        measure = metric.measure
        if measure is None:
            return None

        def value(at: int, margins: NDArray[np.float64]) -> float:
            rows = sets[at]
            probabilities = _core.gbt_probabilities(margins, len(classes))
            return measure(Evaluated(rows.y.astype(np.intp), probabilities, rows.weight, classes))

        return value

    return [
        (metric.core_name or metric.name, metric.greater_is_better, call(metric))
        for metric in metrics
    ]
