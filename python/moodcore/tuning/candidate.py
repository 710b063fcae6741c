"""One candidate on one fold, and what its folds say together."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from moodcore.tuning.families import CURVES, Curves, Family, OnPoll, OnStep
from moodcore.tuning.folds import Fold
from moodcore.tuning.space import Params


class StoppedError(Exception):
    """Training ended because the run is being stopped."""


class PrunedError(Exception):
    """Training ended because the pruner saw no hope; holds the curves so far."""

    def __init__(self, curves: Curves) -> None:
        super().__init__("pruned")
        self.curves = curves


@dataclass(frozen=True)
class FoldResult:
    """What one fold says about a candidate."""

    accuracy: float
    balanced_accuracy: float
    train_accuracy: float
    valid_loss: float
    curves: Curves
    diverged: bool
    n_weights: int
    seconds: float


@dataclass(frozen=True)
class CandidateResult:
    """What the search keeps of a candidate.

    Attributes
    ----------
    number : int
        Its place in the fixed order of candidates.
    params : dict
        Encoded hyperparameters that differ between candidates.
    state : {"complete", "pruned"}
        How its training ended.
    accuracy, accuracy_std, balanced_accuracy, train_accuracy, valid_loss : float
        Means over the folds, and the standard deviation of the folds' accuracies; NaN for
        a pruned candidate.
    fold_accuracies : list of float
        Validation accuracy of each fold.
    diverged_folds : int
        Folds whose loss became infinite or NaN.
    n_weights : int
        Numbers that were learned: weights and biases, or leaves; 0 for a pruned candidate.
    curves : dict of str to list of float
        Mean learning curves; those of the first fold for a pruned candidate.
    """

    number: int
    params: Params
    state: str
    accuracy: float
    accuracy_std: float
    balanced_accuracy: float
    train_accuracy: float
    valid_loss: float
    fold_accuracies: list[float]
    diverged_folds: int
    n_weights: int
    curves: Curves

    def to_dict(self) -> dict[str, Any]:
        """Return the result as the study's storage can hold it."""
        return asdict(self)

    @property
    def rank(self) -> tuple[float, int, int]:
        """Sort key, best first: accuracy, then the smaller model, then the lower number."""
        if math.isnan(self.accuracy):
            return math.inf, self.n_weights, self.number
        return -self.accuracy, self.n_weights, self.number


def fit_fold(
    family: Family, arguments: Params, fold: Fold, seed: int, listeners: tuple[OnStep, OnPoll]
) -> FoldResult:
    """Train one candidate on one fold and validate it.

    Parameters
    ----------
    family : Family
        Of models.
    arguments : dict
        Keyword arguments of its class.
    fold : Fold
        The preprocessed fold.
    seed : int
        Seed of every random choice in the training.
    listeners : (callable, callable)
        Called with the curves' last values after every epoch or round, and many times a second
        without arguments; what they raise ends the training.
    """
    begin = time.perf_counter()
    model = family.estimator()(**arguments, n_jobs=1, random_state=seed)
    curves = family.fit(model, fold, seed, *listeners)
    predicted = model.predict(fold.X_valid)
    hits = predicted == fold.y_valid
    recalls = [float(hits[fold.y_valid == code].mean()) for code in np.unique(fold.y_valid)]
    stops_early = any(
        getattr(model, name, None) for name in ("early_stopping", "early_stopping_rounds")
    )
    ended_early = len(curves["train_loss"]) < family.steps(arguments) and not stops_early
    return FoldResult(
        accuracy=float(hits.mean()),
        balanced_accuracy=float(np.mean(recalls)),
        train_accuracy=_train_accuracy(family, model, fold, curves),
        valid_loss=_loss_of(model, curves["valid_loss"]),
        curves=curves,
        diverged=ended_early or not np.isfinite(curves["train_loss"]).all(),
        n_weights=family.size(model),
        seconds=time.perf_counter() - begin,
    )


def _train_accuracy(family: Family, model: Any, fold: Fold, curves: Curves) -> float:
    if family.length is None:
        # Measured when the model was fitted, which has no later state.
        return curves["train_accuracy"][-1]
    return float(model.score(fold.X_train, fold.y_train))


def _loss_of(model: Any, losses: Sequence[float]) -> float:
    """Return the validation loss of the model that predicts: boosting keeps its best round."""
    best = getattr(model, "best_iteration_", None)
    return losses[-1 if best is None else best] if losses else math.nan


def combine(number: int, params: Params, folds: Sequence[FoldResult]) -> CandidateResult:
    """Return the means over the folds."""
    accuracies = [fold.accuracy for fold in folds]
    return CandidateResult(
        number=number,
        params=params,
        state="complete",
        accuracy=float(np.mean(accuracies)),
        accuracy_std=float(np.std(accuracies)),
        balanced_accuracy=float(np.mean([fold.balanced_accuracy for fold in folds])),
        train_accuracy=float(np.mean([fold.train_accuracy for fold in folds])),
        valid_loss=float(np.mean([fold.valid_loss for fold in folds])),
        fold_accuracies=accuracies,
        diverged_folds=sum(fold.diverged for fold in folds),
        n_weights=folds[0].n_weights,
        curves={name: _mean_curve([fold.curves[name] for fold in folds]) for name in CURVES},
    )


def _mean_curve(curves: Sequence[Sequence[float]]) -> list[float]:
    # Folds that stopped early have shorter curves; a mean over fewer folds would jump there.
    shared = min(len(curve) for curve in curves)
    if not shared:
        return []
    return [float(v) for v in np.mean([curve[:shared] for curve in curves], axis=0)]


def pruned(number: int, params: Params, curves: Curves) -> CandidateResult:
    """Return the result of a candidate that the pruner ended."""
    nan = math.nan
    return CandidateResult(number, params, "pruned", nan, nan, nan, nan, nan, [], 0, 0, curves)
