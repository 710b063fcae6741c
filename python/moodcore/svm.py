"""Support vector machines with kernels as a scikit-learn classifier."""

import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import _num_samples, check_is_fitted

from moodcore import _core
from moodcore._rows import as_float32
from moodcore._svm_prediction import SVMPrediction, kernel_matrix
from moodcore.platform import instruction_set, thread_count

__all__ = ["SVM"]

# Parameters that only this side of the seam knows.
_PYTHON_ONLY = frozenset(
    {"class_weight", "decision_function_shape", "break_ties", "n_jobs", "random_state", "verbose"}
)
# Features whose spreads differ by more than this make one of them the kernel.
_UNEVEN = 1e3

Kernel = Literal["linear", "poly", "rbf", "sigmoid", "precomputed"]


class SVM(SVMPrediction):
    r"""A support vector machine for classification: the exact optimum, one class against one.

    Solves the same problem as libsvm (and :class:`sklearn.svm.SVC`), on all threads and in vector
    instructions. Features should be on one scale (:class:`sklearn.preprocessing.StandardScaler`).
    The same rows give the same coefficients to the bit, whatever ``n_jobs`` and the processor.

    Parameters
    ----------
    C : float, default=1.0
        The largest coefficient of a row of weight one, above 0: how much an error costs.
    kernel : {"linear", "poly", "rbf", "sigmoid", "precomputed"} or callable, default="rbf"
        With "precomputed", ``X`` holds kernel values, (n_rows, n_rows) in `fit` and
        (n_rows, n_training_rows) in prediction. A callable gets two arrays of rows and returns
        the matrix of their kernel values.
    gamma : {"scale", "auto"} or float, default="scale"
        Width of "rbf", "poly" and "sigmoid": ``1 / (n_features * X.var())``,
        ``1 / n_features``, or a number of at least 0.
    degree : int, default=3
        Power of "poly", 0 to 100.
    coef0 : float, default=0.0
        Added to the product in "poly" and "sigmoid".
    tol : float, default=1e-3
        The largest violation of the optimality conditions that is left, above 0.
    class_weight : dict, "balanced" or None, default=None
        Factors of C for the classes; "balanced" makes each class weigh the same in all.
    probability : bool, default=False
        Whether `fit` calibrates probabilities, by five folds in each pair of classes.
    shrinking : bool, default=True
        Whether rows that seem settled are put aside until the end. Changes the speed only.
    cache_size : float, default=200
        Megabytes of kernel values that each pair in training may hold at once, above 0. A working
        set takes at most four; all other memory is a small multiple of the data.
    decision_function_shape : {"ovr", "ovo"}, default="ovr"
        What `decision_function` gives for more than two classes.
    break_ties : bool, default=False
        Whether `predict` tells classes with as many votes apart by their decision values.
    max_iter : int, default=-1
        Steps at most for each pair of classes; -1 for no limit.
    n_jobs : int or None, default=None
        Threads, as in scikit-learn. They share pairs of classes and the rows inside a pair.
    random_state : int, RandomState or None, default=None
        Seed of the folds of ``probability``; None draws a new one. Nothing else is random.
    verbose : int, default=0
        Above 0, print steps, objective and gap of each pair.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Class labels, sorted.
    support_ : ndarray of int32
        Numbers of the rows that are support vectors, class by class.
    support_vectors_ : ndarray of shape (n_support_vectors, n_features)
        Their features; empty with a precomputed kernel.
    n_support_ : ndarray of int32, shape (n_classes,)
        How many each class has.
    dual_coef_ : ndarray of float64, shape (n_classes - 1, n_support_vectors)
        Their coefficients against each other class, as scikit-learn lays them out.
    intercept_ : ndarray of float64, shape (n_pairs,)
        Intercepts of the decisions.
    coef_ : ndarray of float64, shape (n_pairs, n_features)
        Weights of the features; with the linear kernel only.
    n_iter_ : ndarray of int64, shape (n_pairs,)
        Steps of two coefficients.
    fit_status_ : int
        0 when all pairs reached ``tol``, else 1.
    dual_objective_ : ndarray of float64, shape (n_pairs,)
        The dual objective, which is minimised, as libsvm prints it.
    duality_gap_ : ndarray of float64, shape (n_pairs,)
        The primal objective less the bound that the dual gives; 0 at the optimum.
    probA_, probB_ : ndarray of float64, shape (n_pairs,)
        The sigmoids; empty without ``probability``.
    class_weight_ : ndarray of float64, shape (n_classes,)
        The factors of C.
    shape_fit_ : tuple of int
        Shape of the training rows.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of str
        Their names, where the training data had names.

    Notes
    -----
    Rows are float32, kernel values single precision, coefficients and sums double. Where single
    precision could hide a violation of ``tol``, the gradient is computed anew in double precision
    and corrected. A row of weight zero is as good as absent. See :doc:`/theory-svm` for the
    method and its sources.

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

    n_iter_: NDArray[np.int64]
    fit_status_: int
    dual_objective_: NDArray[np.float64]
    duality_gap_: NDArray[np.float64]
    class_weight_: NDArray[np.float64]
    shape_fit_: tuple[int, ...]

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
        *,
        start: "SVM | None" = None,
        on_poll: Callable[[], object] | None = None,
    ) -> Self:
        """Find the optimum.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features)
            Finite features, used as float32; or kernel values.
        y : array-like of shape (n_rows,)
            Class labels of any type, of at least two classes.
        sample_weight : array-like of shape (n_rows,), optional
            Factors of C for the rows, at least 0.
        start : SVM, optional
            A machine trained on the same rows, with any ``C`` and kernel: training starts from its
            coefficients, which gives the same optimum sooner.
        on_poll : callable, optional
            Called without arguments some 50 times a second; an exception raised in it ends the
            training and passes to the caller.

        Returns
        -------
        SVM
            This estimator.

        Raises
        ------
        ValueError
            When data or parameters are not what is said above.

        Warns
        -----
        ConvergenceWarning
            When a pair of classes has not reached ``tol``.
        UserWarning
            When the spreads of features differ more than a thousandfold.
        """
        params = self._checked_parameters()
        rows, labels, weight = self._weighty_rows(X, y, sample_weight, reset=True)
        n_rows = _num_samples(X)
        self.shape_fit_ = (n_rows, self.n_features_in_)
        kept = np.arange(n_rows)
        if weight is not None:
            kept = kept[np.broadcast_to(np.asarray(sample_weight) > 0, n_rows)]
        codes = self._learn_classes(labels)
        if len(self.classes_) < 2:
            raise ValueError(
                "y must have at least two classes, got 1 class "
                f"({self.classes_.tolist()[0]!r}): there is nothing to tell apart"
            )
        weight = self._with_class_weight(labels, codes, weight)
        values = self._values(rows, kept)
        started = None if start is None else self._coefficients_of(start, codes, kept)
        seed = self._seed(self.random_state) if self.probability else 0
        result = _core.svm_fit(
            params,
            (
                values,
                codes.astype(np.uint32),
                None if weight is None else weight.astype(np.float32),
            ),
            len(self.classes_),
            start=started,
            seed=seed,
            threads=thread_count(self.n_jobs),
            instructions=instruction_set(),
            on_poll=on_poll,
        )
        self._params = params
        self._take(result, rows, kept)
        return self

    def _checked_parameters(self) -> str:
        names = frozenset(self.get_params(deep=False)) - _PYTHON_ONLY
        resolved = {"kernel": "precomputed"} if callable(self.kernel) else {}
        params = self._core_parameters(names, **resolved)
        _core.svm_check(params)
        if self.decision_function_shape not in ("ovr", "ovo"):
            raise ValueError(
                'decision_function_shape must be "ovr" or "ovo", '
                f"got {self.decision_function_shape!r}"
            )
        return params

    def _with_class_weight(
        self, labels: NDArray[Any], codes: NDArray[np.intp], weight: NDArray[np.float64] | None
    ) -> NDArray[np.float64] | None:
        """Learn ``class_weight_``, and multiply the rows' weights by it."""
        self.class_weight_ = self._class_factors(labels, weight, self.class_weight)
        if self.class_weight is None:
            return weight
        factors = self.class_weight_[codes]
        return factors if weight is None else weight * factors

    def _values(self, rows: NDArray[Any], kept: NDArray[np.intp]) -> NDArray[Any]:
        """Give what the core takes: features, or kernel values of the rows that weigh something."""
        if callable(self.kernel):
            return kernel_matrix(self.kernel, rows, rows)
        if self.kernel == "precomputed":
            if rows.shape[1] != self.shape_fit_[0]:
                raise ValueError(
                    'with kernel="precomputed", X must be a square matrix, '
                    f"got shape {self.shape_fit_}"
                )
            return np.ascontiguousarray(rows[:, kept], dtype=np.float64)
        features = as_float32(rows)
        _warn_of_uneven(features)
        return features

    def _coefficients_of(
        self, start: "SVM", codes: NDArray[np.intp], kept: NDArray[np.intp]
    ) -> tuple[list[NDArray[np.float64]], float]:
        """Lay another machine's coefficients out as the rows of each pair of classes."""
        check_is_fitted(start, "_dual_coef")
        shapes = start.shape_fit_[0], len(start.classes_)
        if shapes != (self.shape_fit_[0], len(self.classes_)):
            raise ValueError(
                f"start must be trained on the same rows, {self.shape_fit_[0]} of "
                f"{len(self.classes_)} classes, got {shapes[0]} of {shapes[1]}"
            )
        full = np.zeros((len(self.classes_) - 1, self.shape_fit_[0]))
        full[:, start.support_] = start._dual_coef
        full = full[:, kept]
        pairs = []
        for a, b in zip(*np.triu_indices(len(self.classes_), k=1), strict=True):
            rows = np.flatnonzero((codes == a) | (codes == b))
            pairs.append(np.where(codes[rows] == a, full[b - 1, rows], full[a, rows]))
        return pairs, float(start.C)

    def _take(self, result: Mapping[str, Any], rows: NDArray[Any], kept: NDArray[np.intp]) -> None:
        places = result["support"]
        self.support_ = kept[places].astype(np.int32)
        precomputed = isinstance(self.kernel, str) and self.kernel == "precomputed"
        vectors = np.empty((0, 0)) if precomputed else rows[places]
        self.support_vectors_ = vectors if callable(self.kernel) else vectors.astype(np.float32)
        self.n_support_ = result["n_support"].astype(np.int32)
        self._gamma = result["gamma"]
        self._dual_coef = result["dual_coef"]
        self._intercept = result["intercept"]
        self.n_iter_ = result["n_iter"]
        self.dual_objective_ = result["dual_objective"]
        self.duality_gap_ = result["duality_gap"]
        self.probA_, self.probB_ = result["sigmoid"]
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
                f"{a} against {b}: {self.n_iter_[at]} steps, "
                f"objective {self.dual_objective_[at]:.6g}, gap {self.duality_gap_[at]:.2g}"
            )

    def _warn_of_limit(self, converged: NDArray[np.bool_]) -> None:
        left = [f"{a!r} and {b!r}" for ok, (a, b) in zip(converged, self._pairs(), strict=True)
                if not ok]  # fmt: skip
        limit = f"max_iter ({self.max_iter})" if self.max_iter >= 0 else "the limits of precision"
        warnings.warn(
            f"training stopped at {limit} before tol ({self.tol}) was reached for "
            f"{', '.join(left[:3])}{' and others' if len(left) > 3 else ''}; scale the features "
            f"(StandardScaler), lower C ({self.C}) or raise max_iter",
            ConvergenceWarning,
            stacklevel=4,
        )


def _warn_of_uneven(features: NDArray[np.float32]) -> None:
    spreads = features.std(axis=0, dtype=np.float64)
    varied = spreads[spreads > 0]
    if varied.size and varied.max() > _UNEVEN * varied.min():
        widest, narrowest = (
            int(spreads.argmax()),
            int(np.where(spreads > 0, spreads, np.inf).argmin()),
        )
        warnings.warn(
            f"features differ by orders of magnitude (standard deviation {spreads[widest]:.3g} in "
            f"column {widest}, {spreads[narrowest]:.3g} in column {narrowest}): the widest decide "
            "alone. Scale them first, as make_pipeline(StandardScaler(), SVM()) does",
            UserWarning,
            stacklevel=4,
        )
