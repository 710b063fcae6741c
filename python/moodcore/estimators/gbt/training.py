"""Training of boosted trees: checks of data and parameters around the call of the core.

The functions take the model that is trained, and set its fitted state.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import _check_sample_weight, _check_y, check_consistent_length

from moodcore import _core
from moodcore.estimators.batches import is_batch_source
from moodcore.estimators.checkpoint import Checkpoint, checkpoint_of
from moodcore.estimators.evaluation import EvaluationSet
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
from moodcore.estimators.gbt.rows import (
    BoostingRows,
    class_weighted,
    drop_weightless,
    read_margin,
)
from moodcore.estimators.gbt.streamed import BinnedRows, evaluation_bins, training_bins
from moodcore.estimators.progress import current_poll, progress_listener
from moodcore.estimators.table_schema import TableSchema, row_count
from moodcore.estimators.tables import validate_table

if TYPE_CHECKING:
    from moodcore.estimators.gbt.estimator import GBT


# Rows in memory, or bins of rows that were read from files.
Rows = BoostingRows | BinnedRows


def rounds_to_train(model: "GBT") -> int:
    """Return the number of rounds that remain to be trained with a warm start.

    Raises
    ------
    ValueError
        If the last fit has more rounds already.
    """
    n_rounds = model.n_predicting_rounds_
    wanted = int(model._value("n_estimators"))
    if wanted < n_rounds:
        raise ValueError(
            f"n_estimators must be at least {n_rounds}, the rounds of the last fit, "
            f"with warm_start, got {wanted}"
        )
    return wanted - n_rounds


def training_rows(
    model: "GBT",
    X: Any,
    y: ArrayLike,
    sample_weight: ArrayLike | None,
    base_margin: ArrayLike | None,
    *,
    start: "GBT | None",
    evaluated: bool,
) -> Rows:
    """Check the training data; without ``start``, set the columns and the classes of the model.

    ``evaluated`` is whether evaluation sets were passed; if so, no rows are held out.
    """
    learns = start is None
    if is_batch_source(X):
        refuse_margin(base_margin)
        held = not evaluated and holds_out(model)
        return training_bins(model, X, y, sample_weight, start=start, holds_out=held)
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
    weight = class_weighted(model, codes, weight)
    if learns:
        schema, table = model.table_schema_.keep_frequent(table, weight, model.max_bin)
        model.table_schema_ = schema
    margin = read_margin(margin, len(labels), model._n_outputs)
    return BoostingRows.of(table, codes, weight, margin)


def evaluation_rows(model: "GBT", sets: Sequence[EvaluationSet], training: Rows) -> dict[str, Rows]:
    """Check the rows of each evaluation set."""
    rows: dict[str, Rows] = {}
    for passed in sets:
        if is_batch_source(passed.X):
            refuse_margin(passed.base_margin)
            if not isinstance(training, BinnedRows):
                raise TypeError(
                    f"evaluation set {passed.name!r} must be a table in memory, because the "
                    "training data are; pass both as files, or read the set"
                )
            rows[passed.name] = evaluation_bins(model, passed, training)
            continue
        table = model.read_rows(passed.X)
        labels, weight = _labels_and_weight(model, passed.y, passed.sample_weight, row_count(table))
        table, labels, weight, margin = drop_weightless(table, labels, weight, passed.base_margin)
        codes = model._known_codes(labels, f"y of evaluation set {passed.name!r}")
        margin = read_margin(margin, len(labels), model._n_outputs)
        rows[passed.name] = BoostingRows.of(table, codes, weight, margin)
    return rows


def hold_out(model: "GBT", rows: Rows) -> tuple[Rows, dict[str, Rows]]:
    """Hold out rows for evaluation if early stopping or ``validation_fraction`` requires it."""
    if not holds_out(model):
        return rows, {}
    if isinstance(rows, BinnedRows):
        return rows, {} if rows.held_out is None else {"validation": rows.held_out}
    share = validation_share(model.validation_fraction)
    rows, held_out = rows.split(share, model.seed_ % 2**32)
    return rows, {"validation": held_out}


def boost(
    model: "GBT",
    rows: Rows,
    sets: Mapping[str, Rows],
    *,
    start: "GBT | None",
    rounds: int,
    resumed: "GBT | None" = None,
) -> None:
    """Train the rounds and set what the core returns.

    ``resumed`` is the model of a checkpoint, from which this training resumes.
    """
    metrics = resolve_metrics(model.eval_metric)
    # Training continues from the best round; later rounds are dropped.
    first = 0 if start is None else start.n_predicting_rounds_
    core_start = None if start is None else start.core_model_.slice(0, first)
    checkpoint, resume = checkpoint_of(model.callbacks), None
    if checkpoint is not None:
        refuse_dart(model)
        if resumed is not None:
            resume = progress_of(checkpoint, model, resumed, list(sets), first=first, rounds=rounds)
            core_start = resumed.core_model_
    write = checkpoint_writer(model, list(sets))
    result = run_core(
        model,
        rows,
        sets,
        start=core_start,
        rounds=rounds,
        resume=resume,
        checkpoint=None if checkpoint is None else (checkpoint.every, write),
    )
    keep_result(model, result, list(sets), metrics)
    warn_of_training(model, result, rows)


def run_core(
    model: "GBT",
    rows: Rows,
    sets: Mapping[str, Rows],
    *,
    start: _core.GbtModel | None,
    rounds: int,
    **more: Any,
) -> dict[str, Any]:
    """Train in the core with the additional arguments ``more``, and return its result."""
    metrics = resolve_metrics(model.eval_metric)
    names = getattr(model, "feature_names_in_", None)
    n_features = model.n_features_in_
    return _core.gbt_fit(
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
        start=start,
        evaluate=[held_out.arrays() for held_out in sets.values()],
        metrics=core_metrics(metrics, list(sets.values()), model.classes_),
        objective=core_objective(model.objective, rows.y, rows.weight),
        seed=model.seed_,
        on_round=_listener(model, list(sets), [metric.name for metric in metrics]),
        on_poll=current_poll(),
        **(model._compute() | more),
    )


def holds_out(model: "GBT") -> bool:
    """Return whether rows are held out if no evaluation set is passed."""
    return model.early_stopping_rounds is not None or model.validation_fraction is not None


def refuse_margin(base_margin: Any) -> None:
    """Raise a TypeError for base margins of a table in files."""
    if base_margin is not None:
        raise TypeError("base_margin must be None for tables that are read from files")


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


def resume_seed(model: "GBT", resumed: "GBT", random_state: Any) -> None:
    """Set the seed of the model to that of the checkpoint.

    Raises
    ------
    ValueError
        If ``random_state`` is an int that gives another seed.
    """
    checkpoint = checkpoint_of(model.callbacks)
    if isinstance(random_state, int | np.integer) and model.seed_ != resumed.seed_:
        assert checkpoint is not None
        raise checkpoint.error(f"another seed than that of random_state={random_state!r}")
    model.seed_ = resumed.seed_


def refuse_dart(model: "GBT") -> None:
    """Raise a ValueError for a model with a checkpoint whose training cannot resume."""
    boosting = model._value("boosting")
    if "dart" in (boosting, boosting.get("kind") if isinstance(boosting, Mapping) else None):
        raise ValueError(
            "callbacks must not contain a Checkpoint with boosting='dart': training cannot resume "
            "to the same bytes, because each round scales earlier trees; use another boosting"
        )


def progress_of(
    checkpoint: Checkpoint,
    model: "GBT",
    resumed: "GBT",
    sets: list[str],
    *,
    first: int,
    rounds: int,
) -> tuple[int, list[list[list[float]]], int | None, float | None]:
    """Return the progress stored in a checkpoint, in the form that the core takes.

    The training has ``rounds`` after the ``first`` ones of a model that it continues from.

    Raises
    ------
    ValueError
        If the file was written by another training than that of the model.
    """
    checkpoint.check(model, resumed)
    known = {name: list(curves) for name, curves in resumed.evals_result_.items()}
    metrics = [metric.name for metric in resolve_metrics(model.eval_metric)]
    named = dict.fromkeys(sets, metrics)
    if known != named:
        raise checkpoint.error(f"evaluation sets and metrics {known}, got {named}")
    n_rounds = resumed.core_model_.n_rounds
    if n_rounds > first + rounds:
        raise checkpoint.error(f"{n_rounds} rounds, got n_estimators={rounds}")
    history = [list(resumed.evals_result_[name].values()) for name in sets]
    best = resumed.best_iteration_
    return first, history, None if best is None else best + 1, resumed.best_score_


def checkpoint_writer(model: "GBT", sets: list[str]) -> Callable[..., None]:
    """Return the function that writes the rounds so far to the file of the checkpoint."""
    checkpoint, metrics = checkpoint_of(model.callbacks), resolve_metrics(model.eval_metric)

    def write(
        core: _core.GbtModel,
        history: list[list[list[float]]],
        best_round: int | None,
        best_score: float | None,
    ) -> None:
        assert checkpoint is not None
        snapshot = model._training_copy(fitted=True)
        best = {"best_round": best_round, "best_score": best_score}
        keep_result(snapshot, {"model": core, "history": history, **best}, sets, metrics)
        snapshot.save(checkpoint.path)

    return write


def _base(model: "GBT", rows: Rows) -> list[float] | None:
    """Return the margins before the first tree; None for those of the class frequencies."""
    n_classes = len(model.classes_)
    if model.base_score is not None and n_classes > 1:
        return _core.gbt_base(base_shares(model.base_score, n_classes))
    if model.objective is not None or rows.margin is not None:
        return [0.0] * model._n_outputs
    return None


def keep_result(
    model: "GBT", result: dict[str, Any], sets: list[str], metrics: Sequence[Metric]
) -> None:
    """Set the fitted state from the result of the core."""
    model.evals_result_ = {
        name: {metric.name: values for metric, values in zip(metrics, curves, strict=True)}
        for name, curves in zip(sets, result["history"], strict=True)
    }
    stops_early = model.early_stopping_rounds is not None and result["best_round"] is not None
    model.best_iteration_ = result["best_round"] - 1 if stops_early else None
    model.best_score_ = result["best_score"] if stops_early else None
    model.core_model_ = result["model"]


def warn_of_training(model: "GBT", result: dict[str, Any], rows: Rows) -> None:
    """Warn if early stopping could not choose a round, or no tree could be split."""
    n_classes = len(model.classes_)
    if n_classes > 1 and model.early_stopping_rounds is not None and result["best_round"] is None:
        warnings.warn(
            "the metric of early stopping was NaN after every round: no round was chosen, and "
            "predictions use all",
            ConvergenceWarning,
            stacklevel=4,
        )
    if n_classes > 1 and result["n_splits"] == 0:
        warnings.warn(
            f"no tree has a split, so that predictions are the same for all rows: "
            f"{_why_no_split(model, rows)}",
            ConvergenceWarning,
            stacklevel=4,
        )


def _why_no_split(model: "GBT", rows: Rows) -> str:
    n_rows = len(rows.y)
    least = model._value("min_child_samples")
    if n_rows < 2 * least:
        return (
            f"{n_rows} training rows are fewer than two leaves of min_child_samples="
            f"{least} need; lower min_child_samples"
        )
    total = n_rows if rows.weight is None else rows.weight.sum()
    # The Hessian of a row is at most a quarter of its weight.
    if model.objective is None and total / 4 < 2 * model.min_child_weight:
        return (
            f"the row weights sum to {total:.3g}, too little for two leaves of min_child_weight="
            f"{model.min_child_weight}; scale the weights up, or lower min_child_weight"
        )
    return (
        "all features are constant, or no split gains more than gamma, reg_lambda, reg_alpha and "
        "the minimum sizes of leaves allow; lower these"
    )


def _listener(
    model: "GBT", sets: list[str], metrics: list[str]
) -> Callable[[int, list[list[float]], tuple[float, float]], bool] | None:
    """Return the function that the core calls after each round; None without a listener."""
    on_iteration = progress_listener(model.callbacks, model.verbose, model._value("n_estimators"))
    if on_iteration is None:
        return None

    def on_round(round_: int, values: list[list[float]], training: tuple[float, float]) -> bool:
        loss, error = training
        measured = {"training": {"logloss": loss, "accuracy": 1.0 - error}}
        for name, row in zip(sets, values, strict=True):
            measured[name] = dict(zip(metrics, row, strict=True))
        return on_iteration(round_ - 1, measured)

    return on_round
