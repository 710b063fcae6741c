"""A candidate of a search, and its results: on one fold, and over all folds."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from moodcore.metrics import label_score, probability_score
from moodcore.runs.families import Family
from moodcore.runs.families import family as family_of
from moodcore.runs.fits import CURVES, Curves, OnPoll, OnStep
from moodcore.runs.folds import Fold
from moodcore.runs.models import check_learned
from moodcore.runs.selection import SELECTION_METRICS
from moodcore.runs.space import Params


class Candidate(NamedTuple):
    """One candidate: its family, and the encoded hyperparameters that differ between candidates."""

    model: str
    params: Params


#: Metrics of a model on the validation rows, by their names in `FoldResult`.
Measures = dict[str, Any]


class PrunedError(Exception):
    """Training was ended by the pruner; holds the curves so far."""

    def __init__(self, curves: Curves) -> None:
        super().__init__("pruned")
        self.curves = curves


@dataclass(frozen=True)
class FoldResult:
    """Result of a candidate on one fold.

    `score` is the metric of the search, larger is better; `log_loss` is NaN without probabilities,
    and `n_steps` the number of epochs or rounds of the model, 0 where training has none. `stages`
    are the results of its first rounds, if the search chooses their number, up to `most_steps`.
    """

    score: float
    accuracy: float
    balanced_accuracy: float
    train_accuracy: float
    valid_loss: float
    curves: Curves
    diverged: bool
    n_weights: int
    seconds: float = 0.0
    log_loss: float = math.nan
    n_steps: int = 0
    most_steps: int = 0
    stages: tuple[FoldResult, ...] = ()


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
    fold_accuracies, fold_scores, fold_log_losses : list of float
        Validation accuracy, score and log loss of each fold.
    diverged_folds : int
        Folds whose loss became infinite or NaN.
    n_weights : int
        Numbers that were learned: weights and biases, or leaves; 0 for a candidate that is not
        complete.
    curves : dict of str to list of float
        Mean learning curves; those of the first fold for a pruned candidate, none for one that
        failed.
    log_loss : float
        Mean validation log loss; NaN without probabilities.
    n_steps : float
        Mean number of epochs or rounds of the models; 0 where training has none.
    chosen : dict
        Hyperparameters that the search chose by the results of the folds: the number of rounds.
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
    log_loss: float = math.nan
    fold_log_losses: list[float] = field(default_factory=list)
    n_steps: float = 0.0
    chosen: Params = field(default_factory=dict)

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
    as_called: bool = False,
) -> FoldResult:
    """Train one candidate on one fold, as its class does by default if so set, and validate it.

    Raises
    ------
    DivergedError
        If training diverged in the first epoch.
    """
    begin = time.perf_counter()
    model = family.estimator()(**arguments, n_jobs=1, random_state=seed)
    train = family.fit_as_called if as_called else family.fit
    # Around the defaults, candidates that are about as accurate are compared by log loss.
    probabilities = as_called or SELECTION_METRICS[metric].needs_probabilities
    curves = train(model, fold, seed, on_step, on_poll, probabilities=probabilities)
    check_learned(model)
    whole = result_of(
        family,
        model,
        arguments,
        curves,
        measured=_validate(family, model, fold, metric, as_called=as_called),
        train_accuracy=_train_accuracy(family, model, fold, curves),
        as_called=as_called,
    )
    if not as_called or family.length is None:
        whole = replace(whole, valid_loss=_loss_of(model, curves["valid_loss"]))
    stages = _stages(family, model, fold, metric, whole) if as_called else ()
    return replace(whole, stages=tuple(stages), seconds=time.perf_counter() - begin)


def result_of(
    family: Family,
    model: Any,
    arguments: Params,
    curves: Curves,
    *,
    measured: Measures,
    train_accuracy: float,
    as_called: bool,
) -> FoldResult:
    """Return the result of a model that was trained with these arguments and curves."""
    return FoldResult(
        **measured,
        train_accuracy=train_accuracy,
        curves=curves,
        diverged=_has_diverged(family, model, arguments, curves, as_called=as_called),
        n_weights=family.size(model),
        n_steps=0 if family.length is None else _steps_of(model),
        most_steps=family.steps(arguments),
    )


def stage_of(whole: FoldResult, measured: Measures, steps: int, n_weights: int) -> FoldResult:
    """Return the result of the first steps of a model, whose whole result is known."""
    return replace(
        whole,
        **measured,
        train_accuracy=whole.curves["train_accuracy"][steps - 1],
        n_weights=n_weights,
        n_steps=steps,
    )


def _stages(
    family: Family, model: Any, fold: Fold, metric: str, whole: FoldResult
) -> Iterator[FoldResult]:
    """Yield the results of the first rounds of a model, for each number of them to choose from."""
    sizes = family.stages(model)
    if not sizes:
        return
    probabilities = model[: max(sizes)].staged_predict_proba(fold.X_valid)
    for steps, found in enumerate(probabilities, start=1):
        if steps in sizes:
            predicted = model.classes_[found.argmax(axis=1)]
            measured = _measures(metric, fold.y_valid, predicted, model.classes_, found)
            yield stage_of(whole, measured, steps, sizes[steps])


def _validate(family: Family, model: Any, fold: Fold, metric: str, *, as_called: bool) -> Measures:
    """Return the metrics of a model on the validation rows."""
    needed = as_called or SELECTION_METRICS[metric].needs_probabilities
    probabilities = None
    if needed and family.probabilities:
        probabilities = np.asarray(model.predict_proba(fold.X_valid), dtype=np.float64)
    predicted = model.predict(fold.X_valid)
    return _measures(metric, fold.y_valid, predicted, model.classes_, probabilities)


def _measures(
    metric: str,
    y: NDArray[Any],
    predicted: NDArray[Any],
    classes: NDArray[Any],
    probabilities: NDArray[np.float64] | None,
) -> Measures:
    log_loss = roc_auc = math.nan
    if probabilities is not None:
        probabilities = probabilities / probabilities.sum(axis=1, keepdims=True)
        log_loss = probability_score("log_loss", classes, probabilities, y)
        if metric == "roc_auc":
            roc_auc = probability_score("roc_auc", classes, probabilities, y)
    return measures(metric, y, predicted, log_loss=log_loss, roc_auc=roc_auc)


def measures(
    metric: str,
    y: NDArray[Any],
    predicted: NDArray[Any],
    *,
    log_loss: float,
    roc_auc: float,
) -> Measures:
    """Return the metrics of predicted labels, with the score by the metric of the search.

    The metrics of probabilities are passed: `log_loss`, and `roc_auc` if that is the metric.
    """
    hits = predicted == y
    if SELECTION_METRICS[metric].needs_probabilities:
        score = -log_loss if metric == "log_loss" else roc_auc
    else:
        score = label_score(metric, predicted, y)
    recalls = [float(hits[y == label].mean()) for label in np.unique(y)]
    return {
        "score": score,
        "accuracy": float(hits.mean()),
        "balanced_accuracy": float(np.mean(recalls)),
        "valid_loss": log_loss,
        "log_loss": log_loss,
    }


def _has_diverged(
    family: Family, model: Any, arguments: Params, curves: Curves, *, as_called: bool
) -> bool:
    """Whether the loss became infinite or NaN, which also ends the training of a network."""
    if not np.isfinite(curves["train_loss"]).all():
        return True
    stops_early = as_called or any(
        getattr(model, name, None) for name in ("early_stopping", "early_stopping_rounds")
    )
    return len(curves["train_loss"]) < family.steps(arguments) and not stops_early


def _steps_of(model: Any) -> int:
    """Return the number of epochs or rounds that predictions use."""
    best = getattr(model, "best_iteration_", None)
    if best is not None:
        return int(best) + 1
    return int(model.n_iter_)


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
    """Return the means over the folds, of the best number of rounds if the search chooses it."""
    chosen: Params = {}
    steps = _best_stage(folds)
    if steps is not None:
        kept = [next(s for s in fold.stages if s.n_steps == steps) for fold in folds]
        # All training rows are more than those of a fold, and more rows need more rounds: by the
        # square root, as `GBT()` assumes too.
        growth = math.sqrt(len(folds) / (len(folds) - 1))
        rounds = min(round(steps * growth), folds[0].most_steps)
        chosen = {str(family_of(candidate.model).length): rounds}
        folds = kept
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
        log_loss=float(np.mean([fold.log_loss for fold in folds])),
        fold_log_losses=[fold.log_loss for fold in folds],
        n_steps=float(np.mean([fold.n_steps for fold in folds])),
        chosen=chosen,
    )


def _best_stage(folds: Sequence[FoldResult]) -> int | None:
    """Return the number of steps with the lowest mean log loss; None if the model chose it."""
    losses = [{stage.n_steps: stage.log_loss for stage in fold.stages} for fold in folds]
    shared = [steps for steps in losses[0] if all(steps in others for others in losses)]
    if not shared:
        return None
    return min(shared, key=lambda steps: sum(others[steps] for others in losses))


def _mean_curve(curves: Sequence[Sequence[float]]) -> list[float]:
    # Folds that stopped early have shorter curves; a mean over fewer folds would jump there.
    shared = min(len(curve) for curve in curves)
    if not shared:
        return []
    return [float(v) for v in np.mean([curve[:shared] for curve in curves], axis=0)]


def best_of(results: Sequence[CandidateResult]) -> CandidateResult:
    """Return the candidate of the best score; of equals the smaller, then the lower number."""
    return min(results, key=lambda candidate: candidate.rank)


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
