"""Values of the parameters that are "auto".

If the number of rounds is passed, they have fixed values. Otherwise the number of rounds is chosen
by the log loss on held-out rows, and the others by the size of the table and this loss.
"""

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from moodcore.estimators.gbt.rows import BoostingRows

if TYPE_CHECKING:
    from moodcore.estimators.gbt.estimator import GBT

# The default values of the core (`rust/moodcore/src/gbt/config.rs`).
TEXTBOOK = {
    "n_estimators": 100,
    "learning_rate": 0.1,
    "max_leaves": 31,
    "min_child_samples": 20.0,
    "subsample": 1.0,
    "colsample_bynode": 1.0,
    "boosting": "gbdt",
}

# Maximum number of rounds that the search chooses, and the number with early stopping.
MOST_ROUNDS = 100
MOST_ROUNDS_EARLY_STOPPING = 1000
# The search for the number of rounds multiplies the learning rate by this factor and divides the
# number of rounds by it: the optimum of their product depends little on the learning rate.
FASTER = 3
# Maximum learning rate of the search; above it, the optimum depends on the learning rate.
MOST_RATE = 0.3
# Number of bins in the search: on small tables, searching cut points takes most of the time.
PROBE_BINS = 31
# Number of rounds without improvement after which the search stops early.
PATIENCE = 7
# Tables with fewer rows are searched in three folds, larger ones with one split: the optimum on a
# single small validation set is too noisy.
ROWS_FOR_FOLDS = 10_000
# With this many cells (rows times features), training is slow: the search uses two folds and does
# not try less regularized trees.
CELLS_FOR_FOLDS = 100_000
# If the best number of rounds (at most 99 in the search) is at least this, the loss still falls.
STILL_FALLING = 92
# Values for tables whose loss is still falling.
FURTHER = {
    "n_estimators": 130,
    "learning_rate": 0.15,
    "max_leaves": 31,
    "min_child_samples": 10.0,
    "subsample": 1.0,
    "colsample_bynode": 1.0,
}
# Values that are tried for the other tables if they are searched in folds; they are chosen if their
# loss is below this fraction of the loss of the values by size.
FLEXIBLE = {"max_leaves": 31, "subsample": 1.0, "colsample_bynode": 1.0, "boosting": "gbdt"}
FLEXIBLE_LOSS = 0.985
# Minimum number of rows for a search.
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


class SampledRows(Protocol):
    """Training rows in memory, in files or on a cluster, and the sample used by the search."""

    @property
    def n_rows(self) -> int:
        """Number of training rows."""

    @property
    def sample(self) -> BoostingRows | None:
        """Rows on which the number of rounds is searched."""


def values_by_size(n_rows: int) -> dict[str, Any]:
    """Return the values of the "auto" parameters for a table with this many rows.

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


def resolve(model: "GBT", rows: SampledRows, *, starts: bool) -> dict[str, Any]:
    """Return values for the parameters of a model that are "auto".

    ``model`` is the copy that is trained, with its columns and classes. Unless ``starts``, the
    values of the last fit are kept. The values do not depend on the number of threads.
    """
    names = auto_names(model)
    chosen = TEXTBOOK | vars(model).get("resolved_", {})
    if starts and "n_estimators" in names:
        chosen = TEXTBOOK | values_by_size(rows.n_rows)
        if model.early_stopping_rounds is not None:
            chosen["n_estimators"] = MOST_ROUNDS_EARLY_STOPPING
        elif model.objective is None and rows.n_rows >= FEWEST_ROWS and len(model.classes_) > 1:
            assert rows.sample is not None
            chosen = _choose(model, rows.sample, rows.n_rows, chosen)
    return {name: chosen[name] for name in names}


def _choose(
    model: "GBT", rows: BoostingRows, n_rows: int, chosen: dict[str, Any]
) -> dict[str, Any]:
    """Return the values with the lowest log loss on held-out rows, and their number of rounds.

    More rows need more rounds: the number found is multiplied by the square root of the ratio of
    all rows to the training rows of a fold. ``rows`` is the sample, of ``n_rows`` rows, on which
    large tables are searched.
    """
    seed = model.seed_ % 2**32
    several = len(rows.y) < ROWS_FOR_FOLDS
    parts = rows.folds(3, seed) if several else [rows.split(0.2, seed)]
    wide = several and len(rows.y) * model.n_features_in_ >= CELLS_FOR_FOLDS
    parts = parts[: 2 if wide else None]
    growth = float(np.sqrt((3 / 2 if several else 5 / 4) * n_rows / len(rows.y)))
    best = _search(model, chosen, parts, STILL_FALLING)
    if best is None:
        return chosen
    if best.rounds >= STILL_FALLING:
        # The loss still fell at the end: less regularized trees reach a lower one.
        return chosen | FURTHER
    flexible = chosen | FLEXIBLE
    if several and not wide and any(flexible[name] != chosen[name] for name in auto_names(model)):
        # On most tables one fold is enough to see that they are worse.
        first = _search(model, flexible, parts[:1], np.inf)
        if first is not None and first.losses[0] < best.losses[0] * FLEXIBLE_LOSS:
            other = first.joined(_search(model, flexible, parts[1:], np.inf))
            if other.loss < best.loss * FLEXIBLE_LOSS:
                best = other
    rounds = min(max(1, round(best.rounds * growth)), MOST_ROUNDS)
    return best.values | {"n_estimators": rounds}


@dataclass(frozen=True)
class _Search:
    """The best number of rounds and its log loss for each fold."""

    values: dict[str, Any]
    by_fold: list[float]
    losses: list[float]

    @property
    def rounds(self) -> float:
        """Geometric mean of the numbers of rounds over the folds."""
        return float(np.exp(np.mean(np.log(self.by_fold))))

    @property
    def loss(self) -> float:
        """Mean log loss over the folds."""
        return float(np.mean(self.losses))

    def joined(self, other: "_Search | None") -> "_Search":
        """Return this search with the folds of another of the same values."""
        if other is None:
            return self
        return _Search(self.values, self.by_fold + other.by_fold, self.losses + other.losses)


def _search(
    model: "GBT",
    values: dict[str, Any],
    parts: list[tuple[BoostingRows, BoostingRows]],
    enough: float,
) -> _Search | None:
    """Search the number of rounds for the given values; return None if no fold has a loss.

    If the first two folds need at least ``enough`` rounds, the third is skipped: such tables take
    longest to train, and the third fold would rarely change the result.
    """
    model.resolved_ = {name: values[name] for name in auto_names(model)}
    by_fold, losses = [], []
    for kept, held_out in parts:
        probe = _probe(model, kept, held_out)
        if probe is not None:
            by_fold.append(probe[0])
            losses.append(probe[1])
            if len(by_fold) == 2 and min(by_fold) >= enough:
                break
    return _Search(values, by_fold, losses) if by_fold else None


def _probe(model: "GBT", kept: BoostingRows, held_out: BoostingRows) -> tuple[float, float] | None:
    """Return the best number of rounds and its log loss, None if there is no loss."""
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
    if probe.best_iteration_ is None or probe.best_score_ is None:
        return None
    return (probe.best_iteration_ + 1) * faster, probe.best_score_
