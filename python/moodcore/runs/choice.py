"""The choice among the candidates: the best, unless it is not clearly better than the defaults.

The best of many candidates looks better on the folds that selected it than it is on new rows (the
winner's curse), and most candidates around good defaults are about as good as these. Two rules
follow the one-standard-error rule of Breiman et al. (1984, *Classification and Regression Trees*),
with the variance of Nadeau and Bengio (see `moodcore.runs.statistics`):

1. Metrics of predicted labels, such as the accuracy, vary much between folds. Candidates within one
   standard error of the best are therefore compared by log loss, which varies less.
2. The default model is kept unless the candidate is better than it by more than a part of the
   standard error.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from moodcore.runs.candidate import CandidateResult, best_of
from moodcore.runs.families import family
from moodcore.runs.selection import SELECTION_METRICS
from moodcore.runs.statistics import TTest, corrected_t_test

#: Standard errors within which candidates count as equally good by a metric of labels.
EQUAL: Final = 1.0
#: Standard errors by which a candidate must be better than the defaults. Measured on public
#: tables: one whole error keeps the defaults too often, none takes what is better by chance.
CLEAR: Final = 0.5
CONFIDENCE: Final = 0.95
# The defaults of the first of these that is searched are what others are compared with.
_REFERENCES: Final = ("gbt", "mlp", "svm", "linear-svm")


@dataclass(frozen=True)
class Choice:
    """The candidate that is trained on all training rows.

    Attributes
    ----------
    best : CandidateResult
        The chosen candidate.
    default : CandidateResult or None
        The default model that it was compared with; None if the search has none that is complete.
    rival : CandidateResult
        The candidate that would have been chosen without the default; `best` if that was not kept.
    """

    best: CandidateResult
    default: CandidateResult | None
    rival: CandidateResult

    @property
    def keeps_default(self) -> bool:
        """Whether no other candidate was clearly better than the default model."""
        return self.best is self.default

    def describe(self) -> dict[str, Any] | None:
        """Return the measured gain over the default model; None if there is none to compare with.

        Returns
        -------
        dict or None
            `model`, `number` and `score` of the default candidate, whether it was kept as
            `kept_default`, `folds`, `confidence`, number and family of the other as `candidate`
            and `candidate_model`, and by how much its score is above that of the default:
            `difference`, `low` and `high`. `log_loss` has the same three for the log loss, where
            lower is better; None without probabilities.
        """
        if self.default is None:
            return None
        log_loss = _log_loss_gain(self.rival, self.default)
        return {
            "model": self.default.model,
            "number": self.default.number,
            "score": self.default.score,
            "kept_default": self.keeps_default,
            "candidate": self.rival.number,
            "candidate_model": self.rival.model,
            "folds": len(self.default.fold_scores),
            "confidence": CONFIDENCE,
            **_interval(_gain(self.rival, self.default)),
            "log_loss": None if log_loss is None else _interval(log_loss, sign=-1.0),
        }


def choose(
    results: Sequence[CandidateResult], metric: str, *, around_defaults: bool = True
) -> Choice:
    """Return the candidate to train on all training rows, complete if any is."""
    highest = best_of(results)
    default = default_of(results) if around_defaults else None
    if default is None:
        return Choice(highest, None, highest)
    rival = _selected(results, highest, metric)
    if rival is default or _is_clearly_better(rival, default, highest, metric):
        return Choice(rival, default, rival)
    return Choice(default, default, rival)


def default_of(results: Sequence[CandidateResult]) -> CandidateResult | None:
    """Return the default candidate that others are compared with, None if none is complete."""
    defaults = {
        candidate.model: candidate
        for candidate in results
        if not candidate.params and candidate.state == "complete"
    }
    return next((defaults[model] for model in _REFERENCES if model in defaults), None)


def default_call(model: str) -> str:
    """Return the call of a class without arguments, such as "GBT()"."""
    return f"{family(model).estimator().__name__}()"


def _selected(
    results: Sequence[CandidateResult], highest: CandidateResult, metric: str
) -> CandidateResult:
    """Return the best candidate by the first rule."""
    if SELECTION_METRICS[metric].needs_probabilities:
        return highest
    equal = [
        candidate
        for candidate in results
        if candidate.state == "complete"
        and not math.isnan(candidate.log_loss)
        and (candidate is highest or _gain(highest, candidate).statistic <= EQUAL)
    ]
    order = lambda found: (found.log_loss, found.n_weights, found.number)  # noqa: E731
    return min(equal, key=order, default=highest)


def _is_clearly_better(
    rival: CandidateResult, default: CandidateResult, highest: CandidateResult, metric: str
) -> bool:
    """Return the second rule."""
    if SELECTION_METRICS[metric].needs_probabilities:
        return _gain(rival, default).statistic > CLEAR
    if highest is not default and _gain(highest, default).statistic > EQUAL:
        return True
    log_loss = _log_loss_gain(rival, default)
    return (_gain(rival, default) if log_loss is None else log_loss).statistic > CLEAR


def _gain(candidate: CandidateResult, other: CandidateResult) -> TTest:
    """Compare the scores of two candidates on the same folds; larger scores are better."""
    return _compared(candidate.fold_scores, other.fold_scores)


def _log_loss_gain(candidate: CandidateResult, other: CandidateResult) -> TTest | None:
    """Compare the log losses likewise: positive if that of the candidate is lower."""
    if math.isnan(candidate.log_loss) or math.isnan(other.log_loss):
        return None
    return _compared(np.negative(candidate.fold_log_losses), np.negative(other.fold_log_losses))


def _compared(first: Any, second: Any) -> TTest:
    return corrected_t_test(first, second, 1 / (len(second) - 1), confidence=CONFIDENCE)


def _interval(test: TTest, sign: float = 1.0) -> dict[str, float]:
    found = test.difference
    low, high = sorted((sign * found.low, sign * found.high))
    return {"difference": sign * found.mean, "low": low, "high": high}
