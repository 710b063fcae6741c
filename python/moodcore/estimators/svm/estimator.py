"""Support vector machines with kernels as a scikit-learn classifier."""

from collections.abc import Callable, Mapping
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from moodcore.estimators.svm.training import SVMTraining

__all__ = ["SVM"]

Kernel = Literal["linear", "poly", "rbf", "sigmoid", "precomputed"]


class SVM(SVMTraining):
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
        start_rows: ArrayLike | None = None,
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
            A machine of the same classes, with any ``C`` and kernel: training starts from its
            coefficients, which gives the same optimum, as a rule sooner.
        start_rows : array-like of int, shape (n_rows,), optional
            For each row its number among those that ``start`` was trained on, -1 where it was not
            there, as with another fold; by default the rows are the same.
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
        data, started = (X, y, sample_weight), (start, start_rows)
        trained = self._train([self.C], data, started, on_poll)
        self._take(trained.results[0], trained)
        return self
