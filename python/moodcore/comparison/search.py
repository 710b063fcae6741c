"""The inner search of a comparison around the defaults: the search of `moodcore tune`, as a model.

What a training chooses belongs to the training: nested cross-validation (Varma and Simon 2006).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Self

from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.utils.metaestimators import available_if

from moodcore.errors import RunFailedError
from moodcore.estimators.progress import current_poll
from moodcore.preprocessing import BalancedClassifier
from moodcore.runs.candidate import (
    Candidate,
    CandidateResult,
    combine,
    failed,
    failure,
    fit_fold,
)
from moodcore.runs.choice import choose
from moodcore.runs.families import family
from moodcore.runs.folds import Fold, cut, prepare_fold
from moodcore.runs.interrupts import StoppedError
from moodcore.runs.seeds import Stream, derive

# The metric by which models are compared, and by default also that of `moodcore tune`.
_METRIC = "accuracy"


def _has(method: str) -> Any:
    """Return a check of whether the searched classifier has a method."""

    def check(search: SearchedClassifier) -> bool:
        getattr(getattr(search, "best_estimator_", search.pipeline), method)
        return True

    return check


class SearchedClassifier(MetaEstimatorMixin, ClassifierMixin, BaseEstimator):
    """Classifier that chooses its hyperparameters around the defaults when it is fitted.

    Parameters
    ----------
    pipeline : Pipeline
        Preparation and default classifier, perhaps in a `BalancedClassifier`.
    model : str
        Family of the classifier.
    candidates : sequence of mapping
        Hyperparameters of each candidate; an empty one is the default model.
    length : int or None, default=None
        Epochs or rounds of all candidates but the default one; None means their own.
    n_folds : int, default=3
        Folds of the search, at least 2.
    random_state : int or None, default=None
        Seed of the folds and of the trainings in them.

    Attributes
    ----------
    best_params_ : dict
        Chosen hyperparameters; empty if the defaults were kept.
    best_estimator_ : Pipeline
        The chosen candidate, trained on all rows.
    results_ : list of CandidateResult
    classes_ : ndarray of shape (n_classes,)
    """

    best_params_: dict[str, Any]
    best_estimator_: Any
    results_: list[CandidateResult]
    classes_: NDArray[Any]

    def __init__(
        self,
        pipeline: Any,
        model: str,
        candidates: Sequence[Mapping[str, Any]],
        *,
        length: int | None = None,
        n_folds: int = 3,
        random_state: int | None = None,
    ) -> None:
        self.pipeline = pipeline
        self.model = model
        self.candidates = candidates
        self.length = length
        self.n_folds = n_folds
        self.random_state = random_state

    def fit(self, X: Any, y: NDArray[Any]) -> Self:
        """Evaluate the candidates in folds of the rows, and train the chosen one on all rows.

        Parameters
        ----------
        X : DataFrame of shape (n_rows, n_columns)
            Table.
        y : ndarray of shape (n_rows,)
            Labels.

        Raises
        ------
        RunFailedError
            If no candidate could be trained.
        """
        folds = list(self._folds(X, y))
        results = [
            self._evaluate(number, dict(params), folds)
            for number, params in enumerate(self.candidates)
        ]
        chosen = choose(results, _METRIC).best
        if chosen.state != "complete":
            raise RunFailedError(f"no candidate could be trained; the first, in {chosen.reason}")
        best = clone(self.pipeline)
        arguments = family(self.model).arguments_around_defaults(chosen.params, self.length)
        _classifier(best).set_params(**arguments | chosen.chosen)
        best.fit(X, y)
        self.results_ = results
        self.best_params_ = chosen.params | chosen.chosen
        self.best_estimator_ = best
        self.classes_ = best.classes_
        return self

    @property
    def _seed(self) -> int:
        return self.random_state or 0

    def _folds(self, X: Any, y: NDArray[Any]) -> Iterator[Fold]:
        is_balanced = isinstance(self.pipeline[-1], BalancedClassifier)
        for number, (train, valid) in enumerate(cut(y, self.n_folds, self._seed)):
            yield prepare_fold(
                clone(self.pipeline[:-1]),
                (X, y),
                train=train,
                valid=valid,
                balance=derive(self._seed, Stream.BALANCE, number) if is_balanced else None,
            )

    def _evaluate(
        self, number: int, params: dict[str, Any], folds: Sequence[Fold]
    ) -> CandidateResult:
        kind, candidate = family(self.model), Candidate(self.model, params)
        on_poll = current_poll() or (lambda: None)
        found = []
        for index, fold in enumerate(folds):
            on_poll()
            try:
                result = fit_fold(
                    kind,
                    kind.arguments_around_defaults(params, self.length),
                    fold,
                    seed=derive(self._seed, Stream.FIT, number, index),
                    metric=_METRIC,
                    on_step=lambda _: None,
                    on_poll=on_poll,
                    as_called=True,
                )
            except StoppedError:
                raise
            except Exception as error:
                # Whatever a model raises for its hyperparameters, the other candidates continue.
                return failed(number, candidate, failure(f"fold {index + 1}", error))
            found.append(result)
        return combine(number, candidate, found)

    def predict(self, X: Any) -> Any:
        """Predict the class of each row with the chosen candidate."""
        return self.best_estimator_.predict(X)

    @available_if(_has("predict_proba"))
    def predict_proba(self, X: Any) -> Any:
        """Predict class probabilities with the chosen candidate."""
        return self.best_estimator_.predict_proba(X)

    @available_if(_has("decision_function"))
    def decision_function(self, X: Any) -> Any:
        """Compute decision values with the chosen candidate."""
        return self.best_estimator_.decision_function(X)


def _classifier(pipeline: Any) -> Any:
    """Return the classifier at the end of a pipeline."""
    last = pipeline[-1]
    return last.estimator if isinstance(last, BalancedClassifier) else last
