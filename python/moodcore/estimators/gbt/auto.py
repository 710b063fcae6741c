"""Values of the parameters that are "auto".

With a number of rounds given, they have the values of the textbook. Otherwise they are chosen by
the size of the table, and the number of rounds by the log loss on held-out rows.
"""

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from moodcore.estimators.gbt.rows import BoostingRows
from moodcore.estimators.gbt.streamed import BinnedRows

if TYPE_CHECKING:
    from moodcore.estimators.gbt.estimator import GBT

# The values of the core (`rust/moodcore/src/gbt/config.rs`).
TEXTBOOK = {
    "n_estimators": 100,
    "learning_rate": 0.1,
    "max_leaves": 31,
    "min_child_samples": 20.0,
    "subsample": 1.0,
    "colsample_bynode": 1.0,
    "boosting": "gbdt",
}

# Most rounds; of a model that stops early, many more.
MOST_ROUNDS = 100
MOST_ROUNDS_EARLY_STOPPING = 1000
# The search of the number of rounds multiplies the learning rate by this and divides the number of
# rounds by it: the optimum of their product depends little on the learning rate.
FASTER = 3
# Above this learning rate the optimum does depend on it.
MOST_RATE = 0.3
# Bins of the search: on small tables most of the time is spent on looking for cut points.
PROBE_BINS = 31
# Rounds of the search without improvement after which no better number is looked for.
PATIENCE = 7
# Tables of fewer rows than this are held out in three folds, larger ones once: the number of rounds
# that one small part suggests is a matter of luck.
ROWS_FOR_FOLDS = 10_000
# Values with which the most rounds go further, where the loss still fell after them.
FURTHER = {"learning_rate": 0.2, "max_leaves": 31, "boosting": "gbdt"}
# Fewer rows than this are too few to choose by.
FEWEST_ROWS = 50


def auto_names(model: "GBT") -> list[str]:
    """Return the parameters that are "auto".

    Examples
    --------
    >>> from moodcore import GBT
    >>> auto_names(GBT(max_leaves=7, subsample=0.5, boosting="dart"))
    ['n_estimators', 'learning_rate', 'min_child_samples', 'colsample_bynode']
    """
    values = {name: getattr(model, name) for name in TEXTBOOK}
    return [name for name, value in values.items() if isinstance(value, str) and value == "auto"]


def values_by_size(n_rows: int) -> dict[str, Any]:
    """Return the values of the parameters that depend on the number of rows alone.

    Examples
    --------
    >>> values_by_size(1000)["max_leaves"], values_by_size(5000)["max_leaves"]
    (8, 15)
    """
    return {
        "learning_rate": 0.1,
        "max_leaves": 8 if n_rows < 2000 else 15 if n_rows < 20_000 else 31,
        "min_child_samples": 5.0,
        "subsample": 0.8,
        "colsample_bynode": 0.7,
        "boosting": {"kind": "extra_trees", "extra_rate": 0.5},
    }


def resolve(model: "GBT", rows: BoostingRows | BinnedRows, *, starts: bool) -> dict[str, Any]:
    """Return values for the parameters of a model that are "auto".

    ``model`` is the copy that is trained, with its columns and classes. Where it does not start
    anew, values of the last fit are kept. The values do not depend on the number of threads.
    """
    names = auto_names(model)
    chosen = TEXTBOOK | vars(model).get("resolved_", {})
    if starts and "n_estimators" in names:
        chosen = TEXTBOOK | values_by_size(rows.n_rows)
        if model.early_stopping_rounds is not None:
            chosen["n_estimators"] = MOST_ROUNDS_EARLY_STOPPING
        elif model.objective is None and rows.n_rows >= FEWEST_ROWS and len(model.classes_) > 1:
            model.resolved_ = {name: chosen[name] for name in names}
            assert rows.sample is not None
            rounds = _choose_rounds(model, rows.sample, rows.n_rows)
            if rounds is not None:
                chosen["n_estimators"] = min(rounds, MOST_ROUNDS)
                if rounds >= MOST_ROUNDS:
                    # The loss still fell at the end: the same number of rounds goes further.
                    chosen |= FURTHER
    return {name: chosen[name] for name in names}


def _choose_rounds(model: "GBT", rows: BoostingRows, n_rows: int) -> int | None:
    """Return the number of rounds with the lowest log loss on held-out rows, None if no loss is.

    With more rows more rounds pay: the square root of the factor by which all rows are more than
    the training rows of a fold. Large tables are searched on the rows from which their cut
    points are learned, ``rows`` of ``n_rows``.
    """
    seed = model.seed_ % 2**32
    if len(rows.y) < ROWS_FOR_FOLDS:
        parts, more = rows.folds(3, seed), 3 / 2
    else:
        parts, more = [rows.split(0.2, seed)], 5 / 4
    growth = float(np.sqrt(more * (n_rows / len(rows.y))))
    logarithms = []
    for kept, held_out in parts:
        rounds = _best_rounds(model, kept, held_out)
        if rounds is not None:
            logarithms.append(np.log(rounds))
            if len(logarithms) == 2 and min(logarithms) >= np.log(MOST_ROUNDS / growth):
                # Such tables take longest to train, and the last fold would rarely disagree.
                return MOST_ROUNDS
    return max(1, round(float(np.exp(np.mean(logarithms))) * growth)) if logarithms else None


def _best_rounds(model: "GBT", kept: BoostingRows, held_out: BoostingRows) -> float | None:
    from moodcore.estimators.gbt.training import boost

    # The loss of a class without training rows does not depend on the number of rounds.
    known = np.isin(held_out.y, kept.y)
    if not known.any():
        return None
    if not known.all():
        held_out = held_out.part(np.flatnonzero(known))
    probe = model._training_copy(fitted=True)
    rate = model._value("learning_rate")
    probe.learning_rate = max(rate, min(rate * FASTER, MOST_RATE))
    faster = probe.learning_rate / rate
    probe.max_bin = min(model.max_bin, PROBE_BINS)
    probe.early_stopping_rounds = PATIENCE
    probe.eval_metric = probe.callbacks = None
    probe.verbose = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rounds = round(MOST_ROUNDS / faster)
        boost(probe, kept, {"held out": held_out}, start=None, rounds=rounds)
    return None if probe.best_iteration_ is None else (probe.best_iteration_ + 1) * faster
