"""How kernel machines are trained: rows and parameters resolved, one call of the core."""

import copy
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import _num_samples, check_is_fitted

from moodcore import _core
from moodcore.estimators.rows import as_float32, readable
from moodcore.estimators.svm.prediction import SVMPrediction, kernel_matrix
from moodcore.platform import instruction_set, thread_count

# Parameters that only this side of the seam knows.
_PYTHON_ONLY = frozenset(
    {"class_weight", "decision_function_shape", "break_ties", "n_jobs", "random_state", "verbose"}
)
# Features whose spreads differ by more than this make one of them the kernel.
_UNEVEN = 1e3


@dataclass(frozen=True)
class _Trained:
    """What the core gave for each C, and the rows that it saw.

    Attributes
    ----------
    results : list of dict
    rows : ndarray
        Those that weigh something.
    kept : ndarray of int
        Their numbers among all.
    """

    results: list[dict[str, Any]]
    rows: NDArray[Any]
    kept: NDArray[np.intp]


class SVMTraining(SVMPrediction):
    """The parts of `SVM.fit`."""

    C: float
    tol: float
    max_iter: int
    verbose: int
    random_state: Any
    class_weight: Mapping[Any, float] | Literal["balanced"] | None
    n_iter_: NDArray[np.int64]
    fit_status_: int
    dual_objective_: NDArray[np.float64]
    duality_gap_: NDArray[np.float64]
    class_weight_: NDArray[np.float64]
    shape_fit_: tuple[int, ...]

    def _path(
        self,
        cs: Sequence[float],
        data: tuple[ArrayLike, ArrayLike, ArrayLike | None],
        start: Any,
        on_poll: Callable[[], object] | None,
    ) -> list[Self]:
        """Train a machine for each C, in this order, each from the last."""
        trained = self._train(cs, data, (start, None), on_poll)
        machines = []
        for C, result in zip(cs, trained.results, strict=True):
            machine = copy.copy(self)
            machine.C = C
            machine._take(result, trained)
            machines.append(machine)
        return machines

    def _train(
        self,
        cs: Sequence[float],
        data: tuple[ArrayLike, ArrayLike, ArrayLike | None],
        started: tuple[Any, ArrayLike | None],
        on_poll: Callable[[], object] | None,
    ) -> _Trained:
        """Check the data, learn the classes, and find the optimum for each C."""
        X, y, sample_weight = data
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
        results = _core.svm_fit(
            params,
            (
                values,
                codes.astype(np.uint32),
                None if weight is None else weight.astype(np.float32),
            ),
            len(self.classes_),
            [float(C) for C in cs],
            start=self._coefficients_of(*started, codes, kept),
            seed=self._seed(self.random_state) if self.probability else 0,
            threads=thread_count(self.n_jobs),
            instructions=instruction_set(),
            on_poll=on_poll,
        )
        return _Trained(results, rows, kept)

    def _checked_parameters(self) -> str:
        names = frozenset(self.get_params(deep=False)) - _PYTHON_ONLY
        resolved = {"kernel": "precomputed"} if callable(self.kernel) else {}
        params = self._core_parameters(names, **resolved)
        _core.svm_check(params)
        self._check_switches("break_ties")
        self._check_verbose()
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
        if not self.class_weight_.all():
            label = self.classes_[self.class_weight_.argmin()]
            raise ValueError(f"class_weight must be above 0, got 0 for class {label!r}")
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
            return readable(rows[:, kept], np.float64)
        features = as_float32(rows)
        _warn_of_uneven(features)
        return features

    def _coefficients_of(
        self,
        start: Any,
        start_rows: ArrayLike | None,
        codes: NDArray[np.intp],
        kept: NDArray[np.intp],
    ) -> tuple[list[NDArray[np.float64]], float] | None:
        """Lay another machine's coefficients out as the rows of each pair of classes."""
        if start is None:
            if start_rows is not None:
                raise ValueError("start_rows says where rows are in start, but start is None")
            return None
        if not isinstance(start, SVMTraining):
            raise TypeError(f"start must be an SVM, got {type(start).__name__}")
        check_is_fitted(start, "_dual_coef")
        if not np.array_equal(start.classes_, self.classes_):
            raise ValueError(
                f"start must know the same classes, {self.classes_.tolist()}, "
                f"got {start.classes_.tolist()}"
            )
        n_rows, n_started = self.shape_fit_[0], start.shape_fit_[0]
        known = np.zeros((len(self.classes_) - 1, n_started + 1))
        known[:, start.support_] = start._dual_coef
        # The last, zero, is for -1.
        full = known[:, _places(start_rows, n_rows, n_started)][:, kept]
        pairs = []
        for a, b in zip(*np.triu_indices(len(self.classes_), k=1), strict=True):
            rows = np.flatnonzero((codes == a) | (codes == b))
            pairs.append(np.where(codes[rows] == a, full[b - 1, rows], full[a, rows]))
        return pairs, float(start.C)

    def _take(self, result: Mapping[str, Any], trained: _Trained) -> None:
        places = result["support"]
        self._params = self._checked_parameters()
        self.support_ = trained.kept[places].astype(np.int32)
        precomputed = isinstance(self.kernel, str) and self.kernel == "precomputed"
        vectors = np.empty((0, 0)) if precomputed else trained.rows[places]
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


def _places(start_rows: ArrayLike | None, n_rows: int, n_started: int) -> NDArray[np.intp]:
    """Check where rows are among those of another machine; -1 for nowhere."""
    if start_rows is None:
        if n_rows != n_started:
            raise ValueError(
                f"start must be trained on the same rows, or start_rows must say which they are: "
                f"got {n_rows} rows, and {n_started} in start"
            )
        return np.arange(n_rows)
    places = np.asarray(start_rows)
    if places.shape != (n_rows,) or places.dtype.kind not in "iu":
        raise ValueError(
            f"start_rows must hold a whole number for each of {n_rows} rows, "
            f"got shape {places.shape} of {places.dtype}"
        )
    wrong = np.flatnonzero((places < -1) | (places >= n_started))
    if wrong.size:
        raise ValueError(
            f"start_rows must be from 0 to {n_started - 1}, or -1 for a new row, "
            f"got {places[wrong[0]]} in row {wrong[0]}"
        )
    return places.astype(np.intp)


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
            stacklevel=5,
        )
