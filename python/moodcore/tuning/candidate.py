"""Results of a candidate: on one fold, and over all folds."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from moodcore.metrics import selection_value
from moodcore.runs.families import CURVES, Curves, Family, OnPoll, OnStep
from moodcore.runs.folds import Fold
from moodcore.runs.models import check_learned
from moodcore.runs.space import Params
from moodcore.tuning.plan import Candidate
from moodcore.tuning.selection import SELECTION_METRICS


class PrunedError(Exception):
    """Training was ended by the pruner; holds the curves so far."""

    def __init__(self, curves: Curves) -> None:
        super().__init__("pruned")
        self.curves = curves


@dataclass(frozen=True)
class FoldResult:
    """Result of a candidate on one fold; `score` is the metric of the search, larger is better."""

    score: float
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
    """Result of a candidate over all folds.

    Attributes
    ----------
    number : int
        Its position in the fixed order of candidates.
    model : str
        Its family.
    params : dict
        Encoded hyperparameters that differ between candidates.
    state : {"complete", "pruned", "failed"}
        How its training ended.
    score : float
        Mean over the folds of the metric by which candidates are compared; larger is better, so
        that a log loss is negative.
    accuracy, accuracy_std, balanced_accuracy, train_accuracy, valid_loss : float
        Means over the folds, and the standard deviation of the folds' accuracies; NaN for
        a candidate that is not complete.
    fold_accuracies, fold_scores : list of float
        Validation accuracy and score of each fold.
    diverged_folds : int
        Folds whose loss became infinite or NaN.
    n_weights : int
        Numbers that were learned: weights and biases, or leaves; 0 for a candidate that is not
        complete.
    curves : dict of str to list of float
        Mean learning curves; those of the first fold for a pruned candidate, none for one that
        failed.
    reason : str
        Why it failed or what went wrong in it; empty if nothing did.
    """

    number: int
    model: str
    params: Params
    state: str
    score: float
    accuracy: float
    accuracy_std: float
    balanced_accuracy: float
    train_accuracy: float
    valid_loss: float
    fold_accuracies: list[float]
    fold_scores: list[float]
    diverged_folds: int
    n_weights: int
    curves: Curves
    reason: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the result as the study's storage can hold it."""
        return asdict(self)

    @property
    def rank(self) -> tuple[float, int, int]:
        """Sort key, best first: score, then the smaller model, then the lower number."""
        score = -math.inf if math.isnan(self.score) else self.score
        return -score, self.n_weights, self.number


def fit_fold(
    family: Family,
    arguments: Params,
    fold: Fold,
    *,
    seed: int,
    metric: str,
    on_step: OnStep,
    on_poll: OnPoll,
) -> FoldResult:
    """Train one candidate on one fold and validate it.

    Raises
    ------
    DivergedError
        If training diverged in the first epoch.
    """
    begin = time.perf_counter()
    model = family.estimator()(**arguments, n_jobs=1, random_state=seed)
    kind = SELECTION_METRICS[metric]
    curves = family.fit(model, fold, seed, on_step, on_poll, probabilities=kind.needs_probabilities)
    check_learned(model)
    predicted = model.predict(fold.X_valid)
    hits = predicted == fold.y_valid
    accuracy = float(hits.mean())
    score = accuracy
    if metric != "accuracy":
        value = selection_value(metric, model, fold.X_valid, fold.y_valid)
        score = value if kind.greater_is_better else -value
    recalls = [float(hits[fold.y_valid == label].mean()) for label in np.unique(fold.y_valid)]
    stops_early = any(
        getattr(model, name, None) for name in ("early_stopping", "early_stopping_rounds")
    )
    ended_early = len(curves["train_loss"]) < family.steps(arguments) and not stops_early
    return FoldResult(
        score=score,
        accuracy=accuracy,
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


def combine(number: int, candidate: Candidate, folds: Sequence[FoldResult]) -> CandidateResult:
    """Return the means over the folds."""
    accuracies = [fold.accuracy for fold in folds]
    diverged = sum(fold.diverged for fold in folds)
    return CandidateResult(
        number=number,
        model=candidate.model,
        params=candidate.params,
        state="complete",
        score=float(np.mean([fold.score for fold in folds])),
        accuracy=float(np.mean(accuracies)),
        accuracy_std=float(np.std(accuracies)),
        balanced_accuracy=float(np.mean([fold.balanced_accuracy for fold in folds])),
        train_accuracy=float(np.mean([fold.train_accuracy for fold in folds])),
        valid_loss=float(np.mean([fold.valid_loss for fold in folds])),
        fold_accuracies=accuracies,
        fold_scores=[fold.score for fold in folds],
        diverged_folds=diverged,
        n_weights=folds[0].n_weights,
        curves={name: _mean_curve([fold.curves[name] for fold in folds]) for name in CURVES},
        reason=f"diverged in {diverged} of {len(folds)} folds" if diverged else "",
    )


def _mean_curve(curves: Sequence[Sequence[float]]) -> list[float]:
    # Folds that stopped early have shorter curves; a mean over fewer folds would jump there.
    shared = min(len(curve) for curve in curves)
    if not shared:
        return []
    return [float(v) for v in np.mean([curve[:shared] for curve in curves], axis=0)]


def pruned(number: int, candidate: Candidate, curves: Curves) -> CandidateResult:
    """Return the result of a candidate that the pruner ended."""
    return _without_accuracy(number, candidate, "pruned", curves, "")


def failed(number: int, candidate: Candidate, reason: str) -> CandidateResult:
    """Return the result of a candidate that could not be trained."""
    return _without_accuracy(number, candidate, "failed", {name: [] for name in CURVES}, reason)


def _without_accuracy(
    number: int, candidate: Candidate, state: str, curves: Curves, reason: str
) -> CandidateResult:
    nan = math.nan
    return CandidateResult(
        number, *candidate, state, nan, nan, nan, nan, nan, nan, [], [], 0, 0, curves, reason
    )


def failure(where: str, error: Exception) -> str:
    """Return the reason for which training failed, in one line; `where` is a fold, for example."""
    kind = "out of memory" if isinstance(error, MemoryError) else type(error).__name__
    said = " ".join(str(error).split())
    return f"{where}: {kind}{f': {said}' if said else ''}"
