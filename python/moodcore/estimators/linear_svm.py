"""Linear support vector machine as a scikit-learn classifier."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any, Literal, Self

import numpy as np
import scipy.sparse
from numpy.typing import ArrayLike, NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted

from moodcore import _core
from moodcore.estimators.base import Classifier, class_factors
from moodcore.estimators.linear_rotation import Rotation
from moodcore.estimators.progress import current_poll
from moodcore.estimators.rows import TrainingRows, core_features, readable
from moodcore.estimators.svm.kernels import warn_of_uneven_spreads
from moodcore.estimators.tables import is_plain_matrix, validate_numbers

__all__ = ["LinearSVM"]


class LinearSVM(Classifier):
    r"""Linear support vector machine for the problems of scikit-learn's ``LinearSVC``.

    With labels :math:`y_i = \pm 1` (one class against the rest) it minimizes
    :math:`P(w) + C \sum_i s_i\,L(y_i(w^T x_i + b))`, where :math:`L` is the hinge or squared hinge
    loss and :math:`P` the penalty. The objective is within a relative ``tol / 100`` of the optimum.
    Features should be on one scale (:class:`sklearn.preprocessing.StandardScaler`). The same seed
    gives the same weights to the bit, for any ``n_jobs`` and CPU.

    Parameters
    ----------
    C : float, default=1.0
        Regularization parameter, above 0; larger C fits the training data more closely.
    loss : {"squared_hinge", "hinge"}, default="squared_hinge"
        The loss.
    penalty : {"l2", "l1"}, default="l2"
        Half the sum of squared weights, or the sum of absolute weights, which makes many of them
        zero. "l1" requires the squared hinge loss.
    dual : {"auto", True, False}, default="auto"
        Whether to solve the dual problem (not with "l1") or the primal (not with the hinge loss).
        "auto" chooses by the shape of the table (see Notes).
    multi_class : {"ovr", "crammer_singer"}, default="ovr"
        One-vs-rest, or one joint problem, which ignores ``loss``, ``penalty`` and ``dual``.
    fit_intercept : bool, default=True
        Whether to fit an intercept: the weight of a constant feature, regularized like the others.
    intercept_scaling : float, default=1.0
        Value of the constant feature, above 0; larger values regularize the intercept less.
    tol : float, default=1e-4
        100 times the allowed relative distance from the optimum, above 0.
    class_weight : dict, "balanced" or None, default=None
        Factors of C by class. As in LIBLINEAR, with more than two classes a factor applies to the
        rows of the class that is separated from the rest, not to the rest.
    max_iter : int, default=1000
        Maximum number of iterations or passes over the rows, at least 1.
    n_jobs : int or None, default=None
        Number of threads, as in scikit-learn; used for classes and for blocks of rows.
    random_state : int, RandomState or None, default=None
        Seed of the order of rows or columns in coordinate descent; other solvers do not use it.
    verbose : int, default=0
        Above 0, print solver, iterations and objective of every problem.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Class labels, sorted.
    coef_ : ndarray of float64, shape (n_classes, n_features) or (1, n_features) for two classes
        Weights; read-only.
    intercept_ : ndarray of float64, shape (n_classes,) or (1,)
        Intercepts; zeros without ``fit_intercept``; read-only.
    n_iter_ : int
        Maximum number of iterations over all classes.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of str
        Feature names, if the training data had names.
    core_model_ : moodcore._core.LinearSvmModel
        The weights in the compiled core.
    takes_float64_ : bool
        Whether rows are float64 in prediction, because float32 would change the differences
        between training rows.

    Notes
    -----
    Solvers of "auto"; columns include the constant feature:

    ==================== ============================ ===================================
    problem              table                        solver
    ==================== ============================ ===================================
    squared hinge, l2    up to 128 columns            Newton's method
    squared hinge, l2    more, no more than rows      Newton with conjugate gradients
    squared hinge, l2    more than 128 and than rows  dual coordinate descent
    hinge, l2            up to 128 columns            interior point
    hinge, l2            more                         dual coordinate descent
    squared hinge, l1    up to 128 columns            proximal Newton
    squared hinge, l1    more                         coordinate descent, then proximal
                                                      Newton in the columns that matter
    Crammer and Singer   up to 256 unknowns           interior point
    Crammer and Singer   more                         dual descent, row by row
    ==================== ============================ ===================================

    The number of unknowns is columns times (classes - 1). Rows with zero weight are ignored, and a
    row of weight two equals two rows.

    Features are float32, unless rounding would change their differences (a column of 1e6 plus or
    minus 1). The problem is then rotated in double precision so that it can be solved in float32,
    with the same weights and objective; with ``penalty="l1"`` that is not possible, and a warning
    advises centering the features.

    References
    ----------
    .. [1] Fan, Chang, Hsieh, Wang and Lin (2008), LIBLINEAR: A Library for Large Linear
       Classification, JMLR 9.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> X, y = load_iris(return_X_y=True)
    >>> model = make_pipeline(StandardScaler(), LinearSVM()).fit(X, y)
    >>> model.score(X, y) > 0.9
    True
    >>> model[-1].coef_.shape
    (3, 4)

    There is no ``predict_proba``; scikit-learn calibrates the decision values:

    >>> from sklearn.calibration import CalibratedClassifierCV
    >>> calibrated = CalibratedClassifierCV(LinearSVM(random_state=0), ensemble=False).fit(X, y)
    >>> calibrated.predict_proba(X).shape
    (150, 3)
    """

    core_model_: _core.LinearSvmModel
    n_iter_: int
    takes_float64_: bool = False
    # Only while a model is trained.
    _rotation: Rotation | None

    _LEARNER = "linear_svm"
    _SPARSE = "csr"
    _PYTHON_ONLY = frozenset({"class_weight", "n_jobs", "random_state", "verbose"})

    def __init__(
        self,
        C: float = 1.0,
        *,
        loss: Literal["squared_hinge", "hinge"] = "squared_hinge",
        penalty: Literal["l2", "l1"] = "l2",
        dual: Literal["auto"] | bool = "auto",
        multi_class: Literal["ovr", "crammer_singer"] = "ovr",
        fit_intercept: bool = True,
        intercept_scaling: float = 1.0,
        tol: float = 1e-4,
        class_weight: Mapping[Any, float] | Literal["balanced"] | None = None,
        max_iter: int = 1000,
        n_jobs: int | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ) -> None:
        self.C = C
        self.loss = loss
        self.penalty = penalty
        self.dual = dual
        self.multi_class = multi_class
        self.fit_intercept = fit_intercept
        self.intercept_scaling = intercept_scaling
        self.tol = tol
        self.class_weight = class_weight
        self.max_iter = max_iter
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Find the weights.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features)
            Finite features; used as float32 where that is precise enough (see Notes).
        y : array-like of shape (n_rows,)
            Class labels of any type, at least two classes.
        sample_weight : array-like of shape (n_rows,), optional
            Factors of C, at least 0.

        Returns
        -------
        LinearSVM
            This estimator.

        Raises
        ------
        ValueError
            If data or parameters are not as described above.

        Warns
        -----
        ConvergenceWarning
            If ``max_iter`` is reached before ``tol``.
        UserWarning
            If features with ``penalty="l1"`` are so far from zero that float32 changes their
            differences.
        """
        params = self._checked_parameters()
        model = self._training_copy()
        rows = model._training_rows(X, y, sample_weight, None)
        if len(model.classes_) < 2:
            raise ValueError(
                "LinearSVM needs samples of at least 2 classes in the data, but the data contains "
                f"only one class: {model.classes_.tolist()[0]!r}"
            )
        rotation = model._rotation
        if rotation is not None:
            params = self._core_parameters(fit_intercept=False)
        elif not scipy.sparse.issparse(rows.X):
            warn_of_uneven_spreads(
                rows.X,
                "Scale them first, as make_pipeline(StandardScaler(), LinearSVM()) does",
                "the penalty keeps the weights of the narrowest near zero",
                stacklevel=3,
            )
        result = _core.linear_svm_fit(
            params,
            rows.arrays(),
            len(model.classes_),
            class_weight=model._class_weight(rows),
            seed=self._draw_seed(),
            on_poll=current_poll(),
            **self._compute(),
        )
        model.core_model_ = result["model"]
        model.takes_float64_ = rotation is not None
        if rotation is not None:
            model.core_model_ = _core.LinearSvmModel(*rotation.weights(result["model"].coef))
        model.n_iter_ = max(result["iterations"])
        model._report(result)
        return self._take_over(model)

    @property
    def coef_(self) -> NDArray[np.float64]:
        """Weights, shape (n_classes, n_features), or (1, n_features) for two classes."""
        return self.core_model_.coef

    @property
    def intercept_(self) -> NDArray[np.float64]:
        """Intercepts, shape (n_classes,), or (1,) for two classes; zeros without any."""
        return self.core_model_.intercept

    def decision_function(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the decision values, shape (n_rows, n_classes).

        For two classes of shape (n_rows,), above zero for the second.
        """
        check_is_fitted(self)
        rows = self.read_rows(X)
        if self.takes_float64_:
            scores = np.tile(self.intercept_, (len(rows), 1))
            for values, weights in zip(rows.T, self.coef_.T, strict=True):
                scores += values[:, np.newaxis] * weights
        else:
            scores = self.core_model_.decide(core_features(rows), **self._compute())
        return scores[:, 0] if scores.shape[1] == 1 else scores

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Return the class of the highest decision value for each row, shape (n_rows,)."""
        check_is_fitted(self)
        if not self.takes_float64_ and is_plain_matrix(X, self):
            known = self.core_model_.classify(readable(X), **self._compute())
            # Other rows get all checks, and their messages.
            if known is not None:
                return self.classes_[known]
        scores = self.decision_function(X)
        codes = (scores > 0).astype(np.intp) if scores.ndim == 1 else scores.argmax(axis=1)
        return self.classes_[codes]

    def read_rows(self, X: ArrayLike) -> Any:
        """Check rows as `predict` does.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features)

        Returns
        -------
        ndarray of shape (n_rows, n_features)
            The features that the model computes with: float32, or float64 if the training rows
            needed it.

        Raises
        ------
        ValueError
            For other columns than those of the training rows, or values that are not finite.
        """
        if not self.takes_float64_:
            return super().read_rows(X)
        rows: Any = X
        rows = rows.toarray() if scipy.sparse.issparse(rows) else rows
        return validate_numbers(self, rows, dtype=np.float64, order="C", reset=False)

    def _learn_features(
        self, features: NDArray[Any], weight: NDArray[np.float64] | None
    ) -> NDArray[Any]:
        """Return rotated rows if float32 does not hold the features."""
        self._rotation = None
        if scipy.sparse.issparse(features) or features.dtype == np.float32:
            return features
        constant = self.intercept_scaling if self.fit_intercept else None
        rotation = Rotation.of_far_rows(features, constant)
        if rotation is None:
            return features
        if self.penalty == "l1" and self.multi_class == "ovr":
            warnings.warn(
                "features are so far from zero that float32 changes their differences; center them "
                "(StandardScaler), or use penalty='l2', which does it",
                stacklevel=4,
            )
            return features
        self._rotation = rotation
        return rotation.rows(features)

    def _class_weight(self, rows: TrainingRows) -> NDArray[np.float64] | None:
        if self.class_weight is None:
            return None
        weight = None if rows.weight is None else rows.weight.astype(np.float64)
        factors = class_factors(self.class_weight, self.classes_, self.classes_[rows.y], weight)
        return np.ascontiguousarray(factors, dtype=np.float64)

    def _report(self, result: dict[str, Any]) -> None:
        """Print the result of each problem if verbose; warn of those that did not converge."""
        names = self.classes_.tolist()
        if len(result["iterations"]) < len(names):
            names = ["all classes" if len(names) > 2 else names[1]]
        endings = [result[key] for key in ("iterations", "objective", "converged")]
        if self.verbose:
            for name, iterations, objective, _ in zip(names, *endings, strict=True):
                print(f"{name}: {result['solver']}, {iterations} iterations, "
                      f"objective {objective:.10g}")  # fmt: skip
        late = [name for name, done in zip(names, result["converged"], strict=True) if not done]
        if late:
            advice = "raise max_iter, " if self.n_iter_ >= self.max_iter else ""
            warnings.warn(
                f"{result['solver']} ended after {self.n_iter_} iterations (max_iter="
                f"{self.max_iter}) before tol ({self.tol}) was reached for "
                f"{', '.join(map(str, late))}; {advice}scale the features or lower C",
                ConvergenceWarning,
                stacklevel=3,
            )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
