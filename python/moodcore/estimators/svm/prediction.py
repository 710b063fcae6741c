"""What a trained kernel machine tells of rows."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import _ovr_decision_function
from sklearn.utils.validation import check_is_fitted, validate_data

from moodcore import _core
from moodcore.estimators.base import CoreClassifier
from moodcore.estimators.rows import as_float32, readable
from moodcore.platform import instruction_set, thread_count


def _is_calibrated(model: Any) -> bool:
    """Refuse probabilities of a machine that was not asked for them."""
    if not model.probability:
        raise AttributeError("predict_proba is not available when probability=False")
    return True


class SVMPrediction(CoreClassifier):
    """Decision values, classes and probabilities from support vectors."""

    kernel: Any
    probability: bool
    break_ties: bool
    decision_function_shape: str
    n_jobs: int | None
    support_: NDArray[np.int32]
    support_vectors_: NDArray[Any]
    n_support_: NDArray[np.int32]
    probA_: NDArray[np.float64]  # noqa: N815 (scikit-learn's name)
    probB_: NDArray[np.float64]  # noqa: N815
    _params: str
    _gamma: float
    # As the core has them: the first class of a pair is the positive one, also of two classes.
    _dual_coef: NDArray[np.float64]
    _intercept: NDArray[np.float64]

    @property
    def dual_coef_(self) -> NDArray[np.float64]:
        """Coefficients of the support vectors, shape (n_classes - 1, n_support_vectors)."""
        check_is_fitted(self, "_dual_coef")
        return -self._dual_coef if len(self.classes_) == 2 else self._dual_coef.copy()

    @property
    def intercept_(self) -> NDArray[np.float64]:
        """Intercepts of the decisions, shape (n_pairs,)."""
        check_is_fitted(self, "_intercept")
        return -self._intercept if len(self.classes_) == 2 else self._intercept.copy()

    @property
    def coef_(self) -> NDArray[np.float64]:
        """Weights of the features, shape (n_pairs, n_features); for the linear kernel alone."""
        if self.kernel != "linear":
            raise AttributeError('coef_ is only available with kernel="linear"')
        check_is_fitted(self, "_dual_coef")
        ends = np.cumsum(self.n_support_)
        parts = [slice(end - n, end) for end, n in zip(ends, self.n_support_, strict=True)]
        vectors = self.support_vectors_.astype(np.float64)
        weights = [
            self.dual_coef_[b - 1, parts[a]] @ vectors[parts[a]]
            + self.dual_coef_[a, parts[b]] @ vectors[parts[b]]
            for a in range(len(parts))
            for b in range(a + 1, len(parts))
        ]
        return np.array(weights)

    def decision_function(self, X: ArrayLike) -> NDArray[np.float64]:
        """Give how far rows are on the side of each class.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features)
            With ``kernel="precomputed"``, the kernel values with all training rows.

        Returns
        -------
        ndarray of float64
            For two classes of shape (n_rows,), above zero for ``classes_[1]``. For more, of shape
            (n_rows, n_classes) with ``decision_function_shape="ovr"``: votes of the pairs, ties
            told apart by their sizes; with "ovo" of shape (n_rows, n_pairs), above zero for the
            first class of the pairs (0, 1), (0, 2) and so on.
        """
        decisions = self._pairwise(X)
        n_classes = len(self.classes_)
        if n_classes == 2:
            return -decisions[:, 0]
        if self.decision_function_shape == "ovr":
            votes: NDArray[np.float64] = _ovr_decision_function(
                decisions < 0, -decisions, n_classes
            )
            return votes
        return decisions

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Give the class of each row, shape (n_rows,): the one that wins most pairs.

        The first of those that win as many; with ``break_ties=True`` the one of the largest
        decision value.
        """
        decisions = self._pairwise(X)
        n_classes = len(self.classes_)
        if self.break_ties and n_classes > 2:
            if self.decision_function_shape == "ovo":
                raise ValueError('break_ties=True needs decision_function_shape="ovr", got "ovo"')
            codes = _ovr_decision_function(decisions < 0, -decisions, n_classes).argmax(axis=1)
        else:
            first, second = np.triu_indices(n_classes, k=1)
            winner = np.where(decisions > 0, first, second)
            votes = np.zeros((len(winner), n_classes), dtype=np.intp)
            rows = np.arange(len(winner))
            for pair in range(winner.shape[1]):
                votes[rows, winner[:, pair]] += 1
            codes = votes.argmax(axis=1)
        return self.classes_[codes]

    @available_if(_is_calibrated)
    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Give the probability of each class in the order of ``classes_``.

        Available with ``probability=True``. Sigmoids turn the decision of each pair into a
        probability (Lin, Lin and Weng 2007); those of all pairs are coupled (Wu, Lin and Weng
        2004). The likeliest class need not be the one that `predict` gives.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features)

        Returns
        -------
        ndarray of float64, shape (n_rows, n_classes)
            Rows sum to one.
        """
        decisions = self._pairwise(X)
        sigmoids = (self.probA_, self.probB_)
        return _core.svm_probabilities(decisions, sigmoids, len(self.classes_))

    @available_if(_is_calibrated)
    def predict_log_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Give the logarithms of the probabilities."""
        return np.log(self.predict_proba(X))

    def _pairwise(self, X: ArrayLike) -> NDArray[np.float64]:
        """Give the decision value of each pair, above zero for its first class."""
        check_is_fitted(self, "_dual_coef")
        vectors, rows = self._vectors_and_rows(X)
        return _core.svm_decide(
            self._params,
            self._gamma,
            (self.n_support_.astype(np.uint32), self._dual_coef, self._intercept),
            vectors,
            rows,
            threads=thread_count(self.n_jobs),
            instructions=instruction_set(),
        )

    def _vectors_and_rows(self, X: ArrayLike) -> tuple[NDArray[Any], NDArray[Any]]:
        precomputed = isinstance(self.kernel, str) and self.kernel == "precomputed"
        dtype = [np.float32, np.float64] if isinstance(self.kernel, str) else np.float64
        checked: NDArray[Any] = validate_data(self, X, dtype=dtype, order="C", reset=False)
        if precomputed:
            return self.support_.astype(np.uint32), checked.astype(np.float64)
        if callable(self.kernel):
            values = kernel_matrix(self.kernel, checked, self.support_vectors_)
            return np.arange(len(self.support_), dtype=np.uint32), values
        return self.support_vectors_, as_float32(checked)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.pairwise = isinstance(self.kernel, str) and self.kernel == "precomputed"
        return tags


def kernel_matrix(kernel: Any, X: NDArray[Any], Z: NDArray[Any]) -> NDArray[np.float64]:
    """Call a user's kernel and check what it gives."""
    values = readable(kernel(X, Z), np.float64)
    if values.shape != (len(X), len(Z)):
        raise ValueError(
            f"the kernel must give an array of shape {(len(X), len(Z))}, got {values.shape}"
        )
    if not np.isfinite(values).all():
        row, column = np.argwhere(~np.isfinite(values))[0]
        raise ValueError(
            f"kernel values must be finite, got {values[row, column]} for rows {row} and {column}"
        )
    return values
