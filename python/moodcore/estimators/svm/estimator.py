"""Support vector machine with kernels as a scikit-learn classifier."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import issparse
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import _ovr_decision_function
from sklearn.utils.validation import _num_samples, check_is_fitted

from moodcore import _core
from moodcore.errors import check_choice
from moodcore.estimators.base import Classifier, class_factors
from moodcore.estimators.progress import current_poll
from moodcore.estimators.rows import (
    check_finite_scores,
    core_features,
    float32_weights,
    plain_spreads,
    readable,
    sorted_rows,
)
from moodcore.estimators.svm.kernels import (
    in_sufficient_precision,
    kernel_matrix,
    support_vectors,
    warn_of_uneven_spreads,
)
from moodcore.estimators.tables import validate_numbers

__all__ = ["SVM"]


Kernel = Literal["linear", "poly", "rbf", "sigmoid", "precomputed"]


def _is_calibrated(model: Any) -> bool:
    if not model.probability:
        raise AttributeError("predict_proba is not available when probability=False")
    return True


def _check_sigmoids(model: Any) -> None:
    if not model.core_model_.sigmoids[0].size:
        raise NotFittedError(
            "predict_proba needs the Platt scaling parameters that fit learns with "
            "probability=True; this model was fitted with probability=False: fit it again"
        )


class SVM(Classifier):
    r"""Support vector machine (C-SVC) with one-vs-one multiclass.

    Solves the same problem as libsvm and :class:`sklearn.svm.SVC`, with threads and vector
    instructions. Features should be on one scale (:class:`sklearn.preprocessing.StandardScaler`).
    The same rows give the same coefficients to the bit, for any ``n_jobs`` and CPU.

    Parameters
    ----------
    C : float, default=1.0
        Regularization parameter, above 0; larger C fits the training data more closely.
    kernel : {"linear", "poly", "rbf", "sigmoid", "precomputed"} or callable, default="rbf"
        With "precomputed", ``X`` contains kernel values, (n_rows, n_rows) in `fit` and
        (n_rows, n_training_rows) in prediction. A callable takes two arrays of rows and returns
        the matrix of their kernel values.
    gamma : {"scale", "auto"} or float, default="scale"
        Kernel coefficient of "rbf", "poly" and "sigmoid": ``1 / (n_features * X.var())``,
        ``1 / n_features``, or a number of at least 0.
    degree : int, default=3
        Degree of "poly", 0 to 100.
    coef0 : float, default=0.0
        Independent term of "poly" and "sigmoid".
    tol : float, default=1e-3
        Maximum violation of the optimality conditions, above 0.
    class_weight : dict, "balanced" or None, default=None
        Factors of C by class; "balanced" gives every class the same total weight.
    probability : bool, default=False
        Whether `fit` calibrates probabilities by Platt scaling on five folds per pair of classes.
    shrinking : bool, default=True
        Whether to use the shrinking heuristic. Changes the speed only.
    cache_size : float, default=200
        Megabytes of kernel values that each pair of classes in training may keep, above 0; at most
        four are used per working set.
    decision_function_shape : {"ovr", "ovo"}, default="ovr"
        Shape of `decision_function` for more than two classes.
    break_ties : bool, default=False
        Whether `predict` breaks ties of votes by decision values.
    max_iter : int, default=-1
        Maximum number of iterations per pair of classes; -1 for no limit.
    n_jobs : int or None, default=None
        Number of threads, as in scikit-learn; used for pairs of classes and within a pair.
    random_state : int, RandomState or None, default=None
        Seed of the folds of ``probability``; None draws a new one. Nothing else is random.
    verbose : int, default=0
        Above 0, print iterations, objective and duality gap of each pair.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Class labels, sorted.
    support_ : ndarray of int32
        Row indices of the support vectors, class by class.
    support_vectors_ : ndarray of shape (n_support_vectors, n_features)
        The support vectors; ``csr_array`` if the training rows were sparse; empty with a
        precomputed kernel; read-only.
    n_support_ : ndarray of int32, shape (n_classes,)
        Number of support vectors of each class.
    dual_coef_ : ndarray of float64, shape (n_classes - 1, n_support_vectors)
        Dual coefficients against each other class, in scikit-learn's layout.
    intercept_ : ndarray of float64, shape (n_pairs,)
        Intercepts of the decision functions.
    coef_ : ndarray of float64, shape (n_pairs, n_features)
        Feature weights; with the linear kernel only.
    n_iter_ : ndarray of int64, shape (n_pairs,)
        SMO iterations.
    fit_status_ : int
        0 if all pairs reached ``tol``, else 1.
    dual_objective_ : ndarray of float64, shape (n_pairs,)
        The dual objective, which is minimized, as libsvm prints it.
    duality_gap_ : ndarray of float64, shape (n_pairs,)
        Primal minus dual objective; 0 at the optimum.
    probA_, probB_ : ndarray of float64, shape (n_pairs,)
        Platt scaling parameters; empty without ``probability``.
    class_weight_ : ndarray of float64, shape (n_classes,)
        Factors of C by class.
    shape_fit_ : tuple of int
        Shape of the training rows.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of str
        Feature names, if the training data had names.
    core_model_ : moodcore._core.SvmModel
        Support vectors, coefficients and kernel in the compiled core.

    Notes
    -----
    Rows are float32, or float64 if rounding would change their differences. Kernel values have
    single precision, or double precision if single cannot tell rows apart or makes no progress;
    coefficients and sums are double. If single precision could hide a violation of ``tol``, the
    gradient is recomputed in double precision. Rows with zero weight are ignored. See
    :doc:`/explanation/svm` for the method and its sources.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> model = SVM(C=10.0).fit(X, y)
    >>> model.score(X, y) > 0.95
    True
    >>> bool((model.duality_gap_ < 0.1).all())
    True
    """

    class_weight_: NDArray[np.float64]
    dual_objective_: NDArray[np.float64]
    duality_gap_: NDArray[np.float64]
    fit_status_: int
    n_iter_: NDArray[np.int64]
    shape_fit_: tuple[int, ...]
    support_: NDArray[np.int32]
    # The support vectors that a callable kernel is called with.
    callable_vectors_: NDArray[Any]
    core_model_: _core.SvmModel

    _LEARNER = "svm"
    _SPARSE = "csr"
    _PYTHON_ONLY = frozenset(
        {
            "class_weight",
            "decision_function_shape",
            "break_ties",
            "n_jobs",
            "random_state",
            "verbose",
        }
    )
    _SWITCHES = ("break_ties",)
    _CALLABLE = "kernel"

    def __init__(
        self,
        C: float = 1.0,
        *,
        kernel: Kernel | Callable[[NDArray[Any], NDArray[Any]], ArrayLike] = "rbf",
        gamma: Literal["scale", "auto"] | float = "scale",
        degree: int = 3,
        coef0: float = 0.0,
        tol: float = 1e-3,
        class_weight: Mapping[Any, float] | Literal["balanced"] | None = None,
        probability: bool = False,
        shrinking: bool = True,
        cache_size: float = 200,
        decision_function_shape: Literal["ovr", "ovo"] = "ovr",
        break_ties: bool = False,
        max_iter: int = -1,
        n_jobs: int | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ) -> None:
        self.C = C
        self.kernel = kernel
        self.gamma = gamma
        self.degree = degree
        self.coef0 = coef0
        self.tol = tol
        self.class_weight = class_weight
        self.probability = probability
        self.shrinking = shrinking
        self.cache_size = cache_size
        self.decision_function_shape = decision_function_shape
        self.break_ties = break_ties
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
        """Solve the problem of each pair of classes.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_rows, n_features)
            Finite features, used as float32; or kernel values, which must be an array.
        y : array-like of shape (n_rows,)
            Class labels of any type, of at least two classes.
        sample_weight : array-like of shape (n_rows,), optional
            Factors of C for the rows, at least 0.

        Returns
        -------
        SVM
            This estimator.

        Raises
        ------
        ValueError
            If data or parameters are not as described above.

        Warns
        -----
        ConvergenceWarning
            If a pair of classes has not reached ``tol``.
        UserWarning
            If the standard deviations of features differ by more than a factor of 1,000.
        """
        params = self._checked_parameters()
        model = self._training_copy()
        rows, labels, weight = model._weighted_rows(X, y, sample_weight, reset=True)
        n_rows = _num_samples(y)
        model.shape_fit_ = (n_rows, model.n_features_in_)
        kept = np.arange(n_rows)
        if weight is not None:
            kept = kept[np.broadcast_to(np.asarray(sample_weight) > 0, n_rows)]
        codes = model._learn_classes(labels)
        if len(model.classes_) < 2:
            raise ValueError(
                "y must have at least two classes, got 1 class "
                f"({model.classes_.tolist()[0]!r}): there is nothing to tell apart"
            )
        weight = model._with_class_weight(labels, codes, weight)
        result = _core.svm_fit(
            params,
            (
                core_features(model._kernel_rows(rows, kept)),
                codes.astype(np.uint32),
                None if weight is None else float32_weights(weight),
            ),
            len(model.classes_),
            seed=self._draw_seed() if self.probability else 0,
            on_poll=current_poll(),
            **self._compute(),
        )
        model._keep(result, rows, kept)
        return self._take_over(model)

    @property
    def support_vectors_(self) -> Any:
        """Features of the support vectors; empty with a precomputed kernel.

        A ``csr_array`` if the training rows were sparse.
        """
        check_is_fitted(self)
        if hasattr(self, "callable_vectors_"):
            return self.callable_vectors_
        return support_vectors(self.core_model_)

    @property
    def n_support_(self) -> NDArray[np.int32]:
        """Number of support vectors of each class, shape (n_classes,)."""
        check_is_fitted(self)
        return self.core_model_.n_support.astype(np.int32)

    @property
    def dual_coef_(self) -> NDArray[np.float64]:
        """Coefficients of the support vectors, shape (n_classes - 1, n_support_vectors)."""
        check_is_fitted(self)
        # In the core the first class of a pair is the positive one, also of two classes.
        coef = self.core_model_.dual_coef
        return -coef if len(self.classes_) == 2 else coef

    @property
    def intercept_(self) -> NDArray[np.float64]:
        """Intercepts of the decisions, shape (n_pairs,)."""
        check_is_fitted(self)
        intercept = self.core_model_.intercept
        return -intercept if len(self.classes_) == 2 else intercept

    @property
    def probA_(self) -> NDArray[np.float64]:  # noqa: N802 (scikit-learn's name)
        """Slopes of Platt scaling, shape (n_pairs,); empty without ``probability``."""
        return self.core_model_.sigmoids[0]

    @property
    def probB_(self) -> NDArray[np.float64]:  # noqa: N802
        """Offsets of Platt scaling, shape (n_pairs,); empty without ``probability``."""
        return self.core_model_.sigmoids[1]

    @property
    def coef_(self) -> NDArray[np.float64]:
        """Weights of the features, shape (n_pairs, n_features); for the linear kernel alone."""
        if self.kernel != "linear":
            raise AttributeError('coef_ is only available with kernel="linear"')
        check_is_fitted(self)
        n_support, coef = self.n_support_, self.dual_coef_
        ends = np.cumsum(n_support)
        parts = [slice(end - n, end) for end, n in zip(ends, n_support, strict=True)]
        vectors = self.support_vectors_.astype(np.float64)
        weights = [
            coef[b - 1, parts[a]] @ vectors[parts[a]] + coef[a, parts[b]] @ vectors[parts[b]]
            for a in range(len(parts))
            for b in range(a + 1, len(parts))
        ]
        return np.array(weights)

    def decision_function(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the decision values of each row.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_rows, n_features)
            With ``kernel="precomputed"``, the kernel values with all training rows.

        Returns
        -------
        ndarray of float64
            For two classes of shape (n_rows,), above zero for ``classes_[1]``. For more, of shape
            (n_rows, n_classes) with ``decision_function_shape="ovr"``: the votes of the pairs,
            with ties broken by decision values; with "ovo" of shape (n_rows, n_pairs), above zero
            for the first class of the pairs (0, 1), (0, 2) and so on.
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
        """Return the class that wins most pairs for each row, shape (n_rows,).

        Ties go to the first class, or with ``break_ties=True`` to the largest decision value.
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
        """Return class probabilities, shape (n_rows, n_classes), in the order of ``classes_``.

        Available with ``probability=True``. Platt scaling gives a probability per pair of classes
        (Lin, Lin and Weng 2007); these are coupled (Wu, Lin and Weng 2004). The most probable class
        may differ from that of `predict`.
        """
        check_is_fitted(self)
        _check_sigmoids(self)
        return self.core_model_.probabilities(self._pairwise(X))

    @available_if(_is_calibrated)
    def predict_log_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the logarithms of the probabilities."""
        return np.log(self.predict_proba(X))

    def _checked_parameters(self, **resolved: Any) -> str:
        if isinstance(self.C, float) and np.inf == self.C:
            raise ValueError(
                "C must be finite and above 0, got inf; for a hard margin set it to a number that "
                "no coefficient reaches, such as 1e6"
            )
        if callable(self.kernel):
            resolved = {"kernel": "precomputed", **resolved}
        params = super()._checked_parameters(**resolved)
        check_choice("decision_function_shape", self.decision_function_shape, ("ovr", "ovo"))
        return params

    def _is_precomputed(self) -> bool:
        return isinstance(self.kernel, str) and self.kernel == "precomputed"

    def _sparse_formats(self) -> str | bool:
        # Kernel values, and what a callable is called with, are arrays.
        return not (callable(self.kernel) or self._is_precomputed()) and "csr"

    def _with_class_weight(
        self, labels: NDArray[Any], codes: NDArray[np.intp], weight: NDArray[np.float64] | None
    ) -> NDArray[np.float64] | None:
        """Set ``class_weight_``, and multiply the rows' weights by it."""
        self.class_weight_ = class_factors(self.class_weight, self.classes_, labels, weight)
        if self.class_weight is None:
            return weight
        if not self.class_weight_.all():
            label = self.classes_[self.class_weight_.argmin()]
            raise ValueError(f"class_weight must be above 0, got 0 for class {label!r}")
        factors = self.class_weight_[codes]
        return factors if weight is None else weight * factors

    def _kernel_rows(self, rows: Any, kept: NDArray[np.intp]) -> Any:
        """Return features, or kernel values of the rows whose weight is not zero."""
        if callable(self.kernel):
            return kernel_matrix(self.kernel, rows, rows)
        if self._is_precomputed():
            if rows.shape[1] != self.shape_fit_[0]:
                raise ValueError(
                    'with kernel="precomputed", X must be a square matrix, '
                    f"got shape {self.shape_fit_}"
                )
            return readable(rows[:, kept], np.float64)
        spreads = plain_spreads(rows)
        features = in_sufficient_precision(rows) if spreads is None else readable(rows, np.float32)
        advice = "Scale them first, as make_pipeline(StandardScaler(), SVM()) does"
        warn_of_uneven_spreads(features, advice, spreads=spreads)
        return features

    def _keep(self, result: Mapping[str, Any], rows: NDArray[Any], kept: NDArray[np.intp]) -> None:
        """Set the fitted state."""
        support = result["support"]
        self.core_model_ = result["model"]
        self.support_ = kept[support].astype(np.int32)
        if callable(self.kernel):
            self.callable_vectors_ = rows[support]
        self.n_iter_ = result["n_iter"]
        self.dual_objective_ = result["dual_objective"]
        self.duality_gap_ = result["duality_gap"]
        self.fit_status_ = int(not result["converged"].all())
        if self.verbose:
            self._report()
        if self.fit_status_:
            self._warn_of_limit(result["converged"])

    def _pairs(self) -> Iterator[tuple[Any, Any]]:
        first, second = np.triu_indices(len(self.classes_), k=1)
        return zip(self.classes_[first].tolist(), self.classes_[second].tolist(), strict=True)

    def _report(self) -> None:
        for at, (a, b) in enumerate(self._pairs()):
            print(
                f"{a} against {b}: {self.n_iter_[at]} iterations, "
                f"objective {self.dual_objective_[at]:.6g}, gap {self.duality_gap_[at]:.2g}"
            )

    def _warn_of_limit(self, converged: NDArray[np.bool_]) -> None:
        """Warn of the pairs that have not reached ``tol``, with the reason."""
        left = np.flatnonzero(~converged)
        pairs = [f"{a!r} and {b!r}" for a, b in self._pairs()]
        names = ", ".join(pairs[at] for at in left[:3]) + (" and others" if len(left) > 3 else "")
        iterations = self.n_iter_[left]
        if self.max_iter >= 0 and (iterations >= self.max_iter).all():
            reason = f"stopped at max_iter ({self.max_iter})"
            advice = "raise max_iter, "
        else:
            reason = f"stopped after {iterations.max()} iterations at the limits of precision"
            advice = ""
        warnings.warn(
            f"training {reason} before tol ({self.tol}) was reached for {names}; {advice}"
            f"scale the features (StandardScaler) or lower C ({self.C})",
            ConvergenceWarning,
            stacklevel=4,
        )

    def _pairwise(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the decision value of each pair, above zero for its first class."""
        check_is_fitted(self)
        rows = self._rows(X)
        decisions = self.core_model_.decide(core_features(rows), **self._compute())
        return check_finite_scores(decisions, rows)

    def _rows(self, X: ArrayLike) -> Any:
        """Return the features, or the kernel values with each support vector."""
        if hasattr(self, "callable_vectors_"):
            rows = validate_numbers(self, X, dtype=np.float64, order="C", reset=False)
            return kernel_matrix(self.kernel, rows, self.callable_vectors_)
        if self.core_model_.kernel == "precomputed":
            values = validate_numbers(self, X, dtype=[np.float32, np.float64], reset=False)
            return readable(values[:, self.support_], np.float64)
        return self.read_rows(X)

    def read_rows(self, X: ArrayLike) -> Any:
        """Check rows as `predict` does.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_rows, n_features)

        Returns
        -------
        ndarray or csr_array of shape (n_rows, n_features)
            The features that the model computes with, in the type of its support vectors: float32,
            or float64 if the training rows needed it.

        Raises
        ------
        ValueError
            For other columns than those of the training rows, or values that are not finite.
        """
        if support_vectors(self.core_model_).dtype == np.float64:
            rows = validate_numbers(
                self, X, dtype=np.float64, order="C", reset=False, accept_sparse="csr"
            )
            return sorted_rows(rows) if issparse(rows) else rows
        return super().read_rows(X)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.pairwise = self._is_precomputed()
        tags.input_tags.sparse = not (callable(self.kernel) or self._is_precomputed())
        return tags
