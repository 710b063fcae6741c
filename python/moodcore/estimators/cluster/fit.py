"""The client side of `fit`: learn classes, columns and bins, start training, keep the result."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from moodcore import _core
from moodcore.errors import TableError
from moodcore.estimators.batches import BatchSource, batch_source, is_batch_source
from moodcore.estimators.checkpoint import checkpoint_of
from moodcore.estimators.cluster.attempts import Training
from moodcore.estimators.cluster.cluster import Cluster
from moodcore.estimators.cluster.parts import (
    delayed_parts,
    file_parts,
    is_collection,
    labels_of,
)
from moodcore.estimators.cluster.rows import (
    held_out_rows,
    hold_rows_out,
    learn_columns,
    learn_labels,
    take_sample,
)
from moodcore.estimators.cluster.training import Progress
from moodcore.estimators.evaluation import EvaluationSet
from moodcore.estimators.gbt import estimator as local
from moodcore.estimators.gbt.auto import resolve
from moodcore.estimators.gbt.metrics import resolve_metrics
from moodcore.estimators.gbt.rows import BoostingRows
from moodcore.estimators.gbt.training import (
    checkpoint_writer,
    evaluation_rows,
    holds_out,
    keep_result,
    progress_of,
    refuse_margin,
    resume_seed,
    rounds_to_train,
    warn_of_training,
)
from moodcore.estimators.progress import progress_listener
from moodcore.estimators.tables import validate_table

if TYPE_CHECKING:
    from distributed import Client

    from moodcore.estimators.cluster.estimator import GBT


def fit(
    estimator: GBT,
    data: tuple[Any, Any, Any, Any],
    passed: Sequence[EvaluationSet],
    *,
    start: local.GBT | None,
    may_continue: bool,
    client: Client | None,
) -> GBT | None:
    """Train on a cluster; return the trained copy, or None if no round remains to be trained."""
    from distributed import default_client

    X, y, sample_weight, base_margin = data
    continues = may_continue and start is not None
    model = estimator._training_copy(fitted=continues)
    if not continues:
        model.seed_ = estimator._draw_seed()
    checkpoint = checkpoint_of(estimator.callbacks)
    resumed = None if checkpoint is None else checkpoint.load(estimator)
    if resumed is not None:
        resume_seed(model, resumed, estimator.random_state)
    if start is not None:
        for name in local.COLUMNS & set(vars(start)):
            setattr(model, name, getattr(start, name))
    cluster = Cluster(client or default_client())
    start_from = Start(start, continues=continues, resumed=resumed)
    with cluster.errors(estimator.callbacks):
        if is_batch_source(X) and not is_collection(X):
            refuse_margin(base_margin)
            source = batch_source(X)
            n_workers = len(cluster.workers())
            cluster.planned = list(file_parts(source, y, sample_weight, n_workers))
            X = _columns_of_files(model, source, (y, sample_weight))
        else:
            cluster.planned = delayed_parts(X, y, sample_weight, base_margin)
        return _fit(model, cluster, X, passed, start_from, has_margins=base_margin is not None)


@dataclass(frozen=True)
class Start:
    """The models that training starts from: an earlier fit, and a checkpoint."""

    model: local.GBT | None
    continues: bool
    resumed: local.GBT | None


def _fit(
    model: GBT,
    cluster: Cluster,
    X: Any,
    passed: Sequence[EvaluationSet],
    start_from: Start,
    *,
    has_margins: bool,
) -> GBT | None:
    start, continues, resumed = start_from.model, start_from.continues, start_from.resumed
    learns = start is None
    _check_columns(model, X, reset=learns)
    cluster.load()
    rows = learn_labels(model, cluster.mapped(labels_of), learns=learns)
    rows = replace(rows, has_margins=has_margins)
    if not passed and holds_out(model):
        rows = hold_rows_out(model, rows)
    counts = learn_columns(model, rows, cluster.mapped) if learns else []
    sample = take_sample(model, rows, cluster.mapped)
    if resumed is not None:
        model.resolved_ = resumed.resolved_
    else:
        model.resolved_ = resolve(model, sample, starts=learns)
    rounds = rounds_to_train(model) if continues else int(model._value("n_estimators"))
    if rounds == 0:
        warnings.warn(
            f"n_estimators is {model._value('n_estimators')}, and the model has that many: "
            "warm_start adds none",
            UserWarning,
            stacklevel=4,
        )
        return None
    first = None if start is None else start.core_model_.slice(0, start.n_predicting_rounds_)
    if first is None:
        bins = _core.GbtBinnedRows.learn(
            sample.for_bins.table,
            sample.repetitions,
            counts,
            0,
            max_bin=model.max_bin,
            threads=model._compute()["threads"],
        ).model()
    else:
        bins = first.slice(0, 0)
    sets = _evaluation_sets(model, passed, sample.for_bins)
    if len(rows.held_out):
        sets = {"validation": held_out_rows(model, rows, cluster.mapped, bins)}
    del sample
    plain = model.to_local()
    plain.callbacks, plain.verbose = None, 0
    training = Training(cluster, plain, rows=rows, sets=sets, bins=bins, start=first, rounds=rounds)
    before = 0 if first is None else first.n_rounds
    _follow_checkpoint(training, model, resumed, list(sets), first=before, rounds=rounds)
    result = training.run(progress_listener(model.callbacks, model.verbose))
    keep_result(model, result, list(sets), resolve_metrics(model.eval_metric))
    weight = None if rows.weight is None else rows.weight[rows.training]
    summary = BoostingRows(np.empty((0, 0)), rows.codes[rows.training], weight, None)
    warn_of_training(model, result, summary)
    return model


def _follow_checkpoint(
    training: Training,
    model: GBT,
    resumed: local.GBT | None,
    sets: list[str],
    *,
    first: int,
    rounds: int,
) -> None:
    """Make the training write the checkpoint in the callbacks and, if any, resume from it."""
    checkpoint, progress = checkpoint_of(model.callbacks), None
    if checkpoint is None:
        return
    if resumed is not None:
        reached = progress_of(checkpoint, model, resumed, sets, first=first, rounds=rounds)
        progress = Progress(resumed.core_model_, *reached)
    training.resume(progress, checkpoint.every, checkpoint_writer(model, sets))


def _columns_of_files(model: GBT, source: BatchSource, others: Sequence[Any]) -> Any:
    """Return a table without rows that has the feature columns of the files."""
    import pandas as pd

    names = getattr(model, "feature_names_in_", None)
    columns = [name for name in source.names if name not in others]
    if names is not None:
        columns = list(names)
        source.require(columns)
    if not columns:
        raise TableError("the training data must have a column besides y and sample_weight")
    return pd.DataFrame(columns=columns)


def _evaluation_sets(
    model: GBT, passed: Sequence[EvaluationSet], training: BoostingRows
) -> dict[str, Any]:
    """Check evaluation sets in memory; sets in files are read by the first worker."""
    sets: dict[str, Any] = {}
    for given in passed:
        if not is_batch_source(given.X):
            sets |= evaluation_rows(model, [given], training)
            continue
        refuse_margin(given.base_margin)
        sets[given.name] = replace(given, X=batch_source(given.X))
    return sets


def _check_columns(model: GBT, X: Any, *, reset: bool) -> None:
    """Check the names and the number of the columns without computing a row."""
    import pandas as pd

    row: Any = np.zeros((1, len(X.columns) if hasattr(X, "columns") else X.shape[1]))
    if hasattr(X, "columns"):
        row = pd.DataFrame(row, columns=X.columns)
    validate_table(model, row, reset=reset)
