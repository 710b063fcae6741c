"""Values of the parameters that are "auto".

With a number of rounds given, they have the values of the textbook. Otherwise they are chosen by
the size of the table, and the number of rounds by the log loss on held-out rows.
"""

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from moodcore.estimators.gbt.rows import BoostingRows

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
# With this many cells trees take long: two folds are used, and less regularized trees not tried.
CELLS_FOR_FOLDS = 100_000
# Rounds in the search, of at most 99, from which the loss still falls at the end.
STILL_FALLING = 92
# Values where it does.
FURTHER = {
    "n_estimators": 130,
    "learning_rate": 0.15,
    "max_leaves": 31,
    "min_child_samples": 10.0,
    "subsample": 1.0,
    "colsample_bynode": 1.0,
}
# Values that are tried where it did not, on tables that are held out in folds, and the part of the
# loss below which they are taken.
FLEXIBLE = {"max_leaves": 31, "subsample": 1.0, "colsample_bynode": 1.0, "boosting": "gbdt"}
FLEXIBLE_LOSS = 0.985
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


class SampledRows(Protocol):
    """Training rows, wherever they are, and those of them on which the rounds are searched."""

    @property
    def n_rows(self) -> int:
        """The number of rows."""

    @property
    def sample(self) -> BoostingRows | None:
        """The rows from which cut points are learned."""


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


def resolve(model: "GBT", rows: SampledRows, *, starts: bool) -> dict[str, Any]:
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
            assert rows.sample is not None
            chosen = _choose(model, rows.sample, rows.n_rows, chosen)
    return {name: chosen[name] for name in names}


def _choose(
    model: "GBT", rows: BoostingRows, n_rows: int, chosen: dict[str, Any]
) -> dict[str, Any]:
    """Return the values with the lowest log loss on held-out rows, and their number of rounds.

    With more rows more rounds pay: the square root of the factor by which all rows are more than
    the training rows of a fold. Large tables are searched on the rows from which their cut
    points are learned, ``rows`` of ``n_rows``.
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
        # The loss still fell at the end: less regularized trees go further.
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
    """Numbers of rounds with the lowest log loss, and this loss, by fold."""

    values: dict[str, Any]
    by_fold: list[float]
    losses: list[float]

    @property
    def rounds(self) -> float:
        """The geometric mean over the folds."""
        return float(np.exp(np.mean(np.log(self.by_fold))))

    @property
    def loss(self) -> float:
        """The mean over the folds."""
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
    """Search the number of rounds with some values on each fold, None if no fold has a loss.

    If the first two folds ask for ``enough`` rounds, the third is left out: such tables take
    longest to train, and it would rarely disagree.
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
