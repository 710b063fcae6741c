"""Training of boosted trees: data and parameters resolved, one call of the core.

The functions take the model that is trained, and set its fitted state.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import _check_sample_weight, _check_y, check_consistent_length

from moodcore import _core
from moodcore.estimators.base import class_factors
from moodcore.estimators.gbt.metrics import Metric, core_metrics, resolve_metrics
from moodcore.estimators.gbt.options import (
    base_shares,
    categorical_mask,
    check_missing,
    core_objective,
    interaction_groups,
    monotone_signs,
    validation_share,
)
from moodcore.estimators.gbt.rows import BoostingRows, drop_weightless, named_eval_sets, read_margin
from moodcore.estimators.table_schema import TableSchema, row_count
from moodcore.estimators.tables import validate_table

if TYPE_CHECKING:
    from moodcore.estimators.gbt.estimator import GBT


def rounds_to_train(model: "GBT") -> int:
    """Return the number of rounds that a warm start still trains.

    Raises
    ------
    ValueError
        If the last fit has more rounds already.
    """
    if model.n_estimators < model.n_iter_:
        raise ValueError(
            f"n_estimators must be at least {model.n_iter_}, the rounds of the last fit, "
            f"with warm_start, got {model.n_estimators}"
        )
    return int(model.n_estimators) - model.n_iter_


def training_rows(
    model: "GBT",
    X: Any,
    y: ArrayLike,
    sample_weight: ArrayLike | None,
    base_margin: ArrayLike | None,
    *,
    learns: bool,
) -> BoostingRows:
    """Check the training data; if ``learns``, set the columns and the classes of the model."""
    if learns:
        raw = validate_table(model, X, reset=True)
        names = getattr(model, "feature_names_in_", None)
        mask = categorical_mask(model.categorical_features, names, model.n_features_in_)
        model.table_schema_ = TableSchema.learn(raw, mask, check_missing(model.missing))
        table = model.table_schema_.table(raw)
    else:
        table = model.read_rows(X)
    labels, weight = _labels_and_weight(model, y, sample_weight, row_count(table))
    table, labels, weight, margin = drop_weightless(table, labels, weight, base_margin)
    codes = model._learn_classes(labels) if learns else model._known_codes(labels)
    weight = _with_class_weight(model, labels, codes, weight)
    margin = read_margin(margin, len(labels), model._n_outputs)
    return BoostingRows.of(table, codes, weight, margin)


def evaluation_rows(
    model: "GBT", eval_set: Any, eval_names: Any, weights: Any, margins: Any
) -> dict[str, BoostingRows]:
    """Check the rows of each evaluation set."""
    sets = {}
    for name, (X, y), weight, margin in named_eval_sets(eval_set, eval_names, weights, margins):
        table = model.read_rows(X)
        labels, weight = _labels_and_weight(model, y, weight, row_count(table))
        table, labels, weight, margin = drop_weightless(table, labels, weight, margin)
        codes = model._known_codes(labels, f"y of evaluation set {name!r}")
        margin = read_margin(margin, len(labels), model._n_outputs)
        sets[name] = BoostingRows.of(table, codes, weight, margin)
    return sets


def hold_out(model: "GBT", rows: BoostingRows) -> tuple[BoostingRows, dict[str, BoostingRows]]:
    """Hold rows out for evaluation where early stopping, or the user, needs some."""
    if model.early_stopping_rounds is None and model.validation_fraction is None:
        return rows, {}
    share = validation_share(model.validation_fraction)
    rows, held_out = rows.split(share, model.seed_ % 2**32)
    return rows, {"validation": held_out}


def boost(
    model: "GBT",
    rows: BoostingRows,
    sets: dict[str, BoostingRows],
    *,
    start: "GBT | None",
    rounds: int,
    on_poll: Callable[[], object] | None,
) -> None:
    """Train the rounds and set what the core returns."""
    metrics = resolve_metrics(model.eval_metric)
    names = getattr(model, "feature_names_in_", None)
    n_features = model.n_features_in_
    result = _core.gbt_fit(
        model._core_parameters(
            n_estimators=rounds,
            monotone_constraints=monotone_signs(
                model.monotone_constraints, model.classes_, names, n_features
            ),
            interaction_constraints=interaction_groups(
                model.interaction_constraints, names, n_features
            ),
        ),
        rows.arrays(),
        len(model.classes_),
        categorical=list(model.table_schema_.categorical),
        base=_base(model, rows),
        start=None if start is None else start.core_model_,
        evaluate=[held_out.arrays() for held_out in sets.values()],
        metrics=core_metrics(metrics, list(sets.values()), model.classes_),
        objective=core_objective(model.objective, rows.y, rows.weight),
        seed=model.seed_,
        on_round=_listener(model, list(sets), [metric.name for metric in metrics]),
        on_poll=on_poll,
        **model._compute(),
    )
    _keep(model, result, list(sets), metrics, 0 if start is None else start.n_iter_)


def _labels_and_weight(
    model: "GBT", y: ArrayLike, sample_weight: ArrayLike | None, n_rows: int
) -> tuple[NDArray[Any], NDArray[np.float64] | None]:
    if y is None:
        raise ValueError(
            f"This {type(model).__name__} estimator requires y to be passed, "
            "but the target y is None"
        )
    labels: NDArray[Any] = _check_y(y, estimator=model)
    if len(labels) != n_rows:
        check_consistent_length(np.empty(n_rows), labels)
    if sample_weight is None:
        return labels, None
    weight = _check_sample_weight(sample_weight, labels, dtype=np.float64, ensure_non_negative=True)
    return labels, weight


def _with_class_weight(
    model: "GBT",
    labels: NDArray[Any],
    codes: NDArray[np.intp],
    weight: NDArray[np.float64] | None,
) -> NDArray[np.float64] | None:
    if model.class_weight is None:
        return weight
    present = np.unique(codes)
    factors = np.ones(len(model.classes_))
    factors[present] = class_factors(model.class_weight, model.classes_[present], labels, weight)
    return factors[codes] if weight is None else weight * factors[codes]


def _base(model: "GBT", rows: BoostingRows) -> list[float] | None:
    """Return the margins before the first tree; None for those of the classes' shares."""
    n_classes = len(model.classes_)
    if model.base_score is not None and n_classes > 1:
        return _core.gbt_base(base_shares(model.base_score, n_classes))
    if model.objective is not None or rows.margin is not None:
        return [0.0] * model._n_outputs
    return None


def _keep(
    model: "GBT", result: dict[str, Any], sets: list[str], metrics: Sequence[Metric], first: int
) -> None:
    history = result["history"]
    model.evals_result_ = {
        name: {metric.name: values for metric, values in zip(metrics, curves, strict=True)}
        for name, curves in zip(sets, history, strict=True)
    }
    best = result["best_round"] if model.early_stopping_rounds is not None else None
    model.best_iteration_ = None if best is None else best - 1
    model.best_score_ = None if best is None else history[-1][-1][best - 1 - first]
    model.core_model_ = result["model"]


def _listener(
    model: "GBT", sets: list[str], metrics: list[str]
) -> Callable[[int, list[list[float]]], bool | None] | None:
    """Return what the core calls after each round, if anything listens."""
    callbacks, every = list(model.callbacks or ()), int(model.verbose)
    if not callbacks and not every:
        return None

    def listen(round_: int, values: list[list[float]]) -> bool:
        iteration = round_ - 1
        measured = [dict(zip(metrics, curve, strict=True)) for curve in values]
        record = {"iteration": iteration, **dict(zip(sets, measured, strict=True))}
        if every and iteration % every == 0:
            printed = (
                f"{name} {metric}={value:.5f}"
                for name, row in zip(sets, measured, strict=True)
                for metric, value in row.items()
            )
            print(f"iteration {iteration}:", *printed)
        answers = [callback(record) for callback in callbacks]
        return any(isinstance(answer, bool | np.bool_) and answer for answer in answers)

    return listen
