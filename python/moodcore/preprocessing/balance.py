"""Balancing: as many rows of every class as the smallest has."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.utils import assert_all_finite, check_random_state, get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    _check_feature_names,
    _check_n_features,
    _check_sample_weight,
    check_consistent_length,
    check_is_fitted,
    column_or_1d,
)

from moodcore.estimators.table_containers import (
    as_table,
    named_table,
    native,
    refuse_repeated,
    take_rows,
)


@dataclass(frozen=True)
class Downsampling:
    """Rows that `downsample` keeps.

    Attributes
    ----------
    indices : ndarray of shape (n_kept,)
        Positions of the rows kept, ascending.
    classes : ndarray of shape (n_classes,)
        Class labels, sorted.
    counts_before, counts_after : ndarray of shape (n_classes,)
        Rows of each class.
    """

    indices: NDArray[np.intp]
    classes: NDArray[Any]
    counts_before: NDArray[np.intp]
    counts_after: NDArray[np.intp]


def downsample(y: ArrayLike, *, random_state: Any = None) -> Downsampling:
    """Downsample every class to the size of the smallest one.

    Parameters
    ----------
    y : array-like of shape (n_rows,)
        Class labels.
    random_state : int, RandomState or None, default=None
        Seed of the draw.

    Returns
    -------
    Downsampling
        Rows to keep, and the counts before and after.

    Raises
    ------
    ValueError
        When there are no rows.

    Examples
    --------
    >>> kept = downsample(["a", "a", "a", "b"], random_state=0)
    >>> kept.counts_before.tolist(), kept.counts_after.tolist()
    ([3, 1], [1, 1])
    """
    labels = column_or_1d(y)
    if not len(labels):
        raise ValueError("y must have at least one row to balance, got none")
    random = check_random_state(random_state)
    classes, codes = np.unique(labels, return_inverse=True)
    before = np.bincount(codes)
    smallest = int(before.min())
    drawn = [
        random.choice(np.flatnonzero(codes == code), smallest, replace=False)
        for code in range(len(classes))
    ]
    after = np.full_like(before, smallest)
    return Downsampling(np.sort(np.concatenate(drawn)), classes, before, after)


def _known(X: Any) -> Any:
    """Return a table that any classifier takes, also of one that only has the Arrow interface."""
    frame = named_table(X)
    return X if frame is None else native(frame)


def _seed(classifier: Any, random: np.random.RandomState) -> None:
    """Set every random state of a classifier that is None, those of its parts too."""
    params = sorted(classifier.get_params(deep=True).items())
    open_seeds = [name for name, value in params if value is None and name.endswith("random_state")]
    seeds = {name: random.randint(np.iinfo(np.int32).max) for name in open_seeds}
    classifier.set_params(**seeds)


def _inner_has(method: str) -> Any:
    """Return a check of whether the wrapped classifier has a method."""

    def check(wrapper: Any) -> bool:
        inner = getattr(wrapper, "estimator_", wrapper.estimator)
        getattr(inner, method)
        return True

    return check


class BalancedClassifier(MetaEstimatorMixin, ClassifierMixin, BaseEstimator):
    """Classifier that is fitted on downsampled, balanced classes.

    Because balancing happens inside `fit`, cross-validation balances the training part of each
    fold and leaves the validation part as it is.

    Parameters
    ----------
    estimator : classifier
        What is trained on the rows kept.
    random_state : int, RandomState or None, default=None
        Seed of the draw, and of every `random_state` in the classifier that is None.

    Attributes
    ----------
    estimator_ : classifier
        The fitted classifier.
    downsampling_ : Downsampling
        Rows kept and counts.
    classes_ : ndarray of shape (n_classes,)
        Class labels.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> X, y = [[0.0], [1.0], [2.0], [3.0]], [0, 0, 0, 1]
    >>> model = BalancedClassifier(LogisticRegression(), random_state=0).fit(X, y)
    >>> model.downsampling_.counts_after.tolist()
    [1, 1]
    """

    estimator_: Any
    downsampling_: Downsampling
    classes_: NDArray[Any]

    def __init__(self, estimator: Any, *, random_state: Any = None) -> None:
        self.estimator = estimator
        self.random_state = random_state

    def fit(self, X: Any, y: ArrayLike, sample_weight: Any = None, **fit_params: Any) -> Self:
        """Balance the rows and fit the classifier on those kept.

        Classes are balanced by rows, not by weight; rows with zero weight are ignored.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features)
            Features.
        y : array-like of shape (n_rows,)
            Class labels.
        sample_weight : array-like of shape (n_rows,), default=None
            Weight of each row; the classifier gets those of the rows kept.
        **fit_params
            Passed on to the classifier.

        Returns
        -------
        BalancedClassifier
            This estimator.
        """
        table = as_table(X)
        refuse_repeated(getattr(table, "columns", ()))
        X = native(table)
        _check_feature_names(self, X, reset=True)
        if y is None:
            raise ValueError("BalancedClassifier requires y to be passed, but the target y is None")
        labels = column_or_1d(y, warn=True)
        assert_all_finite(labels, input_name="y")
        check_classification_targets(labels)
        check_consistent_length(X, labels)
        positions = np.arange(len(labels))
        if sample_weight is not None:
            weights = _check_sample_weight(sample_weight, labels, ensure_non_negative=True)
            positions = np.flatnonzero(weights)
        random = None if self.random_state is None else check_random_state(self.random_state)
        drawn = downsample(labels[positions], random_state=random)
        self.downsampling_ = replace(drawn, indices=positions[drawn.indices])
        kept = self.downsampling_.indices
        if sample_weight is not None:
            fit_params["sample_weight"] = weights[kept]
        self.estimator_ = clone(self.estimator)
        if random is not None:
            _seed(self.estimator_, random)
        self.estimator_.fit(native(take_rows(table, kept)), labels[kept], **fit_params)
        self.classes_ = self.estimator_.classes_
        _check_n_features(self, X, reset=True)
        return self

    def predict(self, X: Any) -> NDArray[Any]:
        """Predict the class of each row."""
        return self._inner().predict(_known(X))

    @available_if(_inner_has("predict_proba"))
    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return class probabilities, for equal class frequencies."""
        return self._inner().predict_proba(_known(X))

    @available_if(_inner_has("predict_log_proba"))
    def predict_log_proba(self, X: Any) -> NDArray[np.float64]:
        """Return the logarithms of the probabilities."""
        return self._inner().predict_log_proba(_known(X))

    @available_if(_inner_has("decision_function"))
    def decision_function(self, X: Any) -> NDArray[np.float64]:
        """Return the decision values of the classifier."""
        return self._inner().decision_function(_known(X))

    def _inner(self) -> Any:
        check_is_fitted(self, "estimator_")
        return self.estimator_

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        inner = get_tags(self.estimator)
        tags.input_tags = inner.input_tags
        tags.input_tags.sparse = False
        tags.classifier_tags = inner.classifier_tags
        # What is balanced is one label per row, whatever the classifier could do.
        tags.classifier_tags.multi_label = False
        tags.target_tags.single_output = True
        tags.target_tags.multi_output = False
        return tags
