"""Base class of the classifiers: validation, classes, weights, parameters, fitted state."""

from __future__ import annotations

import json
import math
import sys
import warnings
from collections.abc import Callable, Mapping
from functools import cache
from inspect import signature
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state, compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight

from moodcore import _core
from moodcore.estimators.rows import TrainingRows, as_float32, check_small_columns
from moodcore.estimators.saveable import Saveable
from moodcore.estimators.tables import validate_numbers
from moodcore.platform import instruction_set, thread_count

# Up to this many rows a label per row is no sign of a regression problem, as in scikit-learn.
_FEW_ROWS = 20


class Classifier(Saveable, ClassifierMixin, BaseEstimator):
    """A scikit-learn classifier whose training loop is in the core.

    Attributes whose names end with an underscore are the fitted state. `fit` never writes them
    here: it trains a copy (`_training_copy`) and takes its state over in one assignment
    (`_take_over`), so that a fit that fails or is interrupted leaves the old model whole.
    """

    n_jobs: int | None
    random_state: Any
    verbose: int
    classes_: NDArray[Any]
    n_features_in_: int

    # The learner's name in the core, the parameters that the core does not take, and those among
    # them that are True or False.
    _LEARNER: ClassVar[str]
    _PYTHON_ONLY: ClassVar[frozenset[str]]
    _SWITCHES: ClassVar[tuple[str, ...]] = ()
    # The formats of sparse rows that `fit` and `predict` take; none if they must be dense.
    _SPARSE: ClassVar[str | bool] = False
    # The one that may be a callable besides the names that the core has.
    _CALLABLE: ClassVar[str | None] = None

    def check_parameters(self) -> None:
        """Check all parameters that can be checked without data.

        Raises
        ------
        ValueError, TypeError
            For the first parameter that is not allowed.
        """
        self._checked_parameters()

    def read_rows(self, X: ArrayLike) -> Any:
        """Check rows as `predict` does.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features)

        Returns
        -------
        ndarray of float32, shape (n_rows, n_features)
            The features that the model computes with.

        Raises
        ------
        ValueError
            For other columns than those of the training rows, or values that are not finite.
        """
        features: NDArray[Any] = validate_numbers(
            self,
            X,
            dtype=[np.float32, np.float64],
            order="C",
            reset=False,
            accept_sparse=self._sparse_formats(),
        )
        return as_float32(features)

    def _training_copy(self, *, fitted: bool = False) -> Self:
        """Return a copy to train; with its fitted state where training continues."""
        copied = object.__new__(type(self))
        copied.__dict__ = {
            name: value
            for name, value in vars(self).items()
            if fitted or not _is_fitted_state(name)
        }
        copied.__dict__.pop("provenance_", None)
        return copied

    def _take_over(self, trained: Self) -> Self:
        """Take the fitted state of a trained copy over, and drop that of earlier fits."""
        kept = {name: value for name, value in vars(self).items() if not _is_fitted_state(name)}
        learned = {name: value for name, value in vars(trained).items() if _is_fitted_state(name)}
        self.__dict__ = kept | learned
        return self

    def _core_parameters(self, **resolved: Any) -> str:
        """Return the parameters as the one JSON object that the core takes.

        Those in ``resolved`` have these values in place of the user's.
        """
        kind: Any = type(self)
        values = {name: getattr(self, name) for name in _core_names(kind)} | resolved
        return json.dumps(_json_value(values, _described))

    def _checked_parameters(self, **resolved: Any) -> str:
        """Check all parameters; return those that the core takes as JSON."""
        params = self._core_parameters(**resolved)
        _core.check(self._LEARNER, params, callable=self._CALLABLE)
        thread_count(self.n_jobs)
        self._random_generator()
        for name in self._SWITCHES:
            value = getattr(self, name)
            if not isinstance(value, bool | np.bool_):
                raise ValueError(f"{name} must be a bool, got {value!r}")
        verbose = self.verbose
        if not isinstance(verbose, int | np.integer | np.bool_) or verbose < 0:
            raise ValueError(f"verbose must be an int of at least 0, got {verbose!r}")
        return params

    def _compute(self) -> dict[str, Any]:
        """Return the arguments of the core that say how to compute."""
        return {"threads": thread_count(self.n_jobs), "instructions": instruction_set()}

    def _training_rows(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None, class_weight: Any
    ) -> TrainingRows:
        """Check the training data; set ``classes_`` and ``n_features_in_``."""
        features, labels, weight = self._weighted_rows(X, y, sample_weight, reset=True)
        codes = self._learn_classes(labels)
        if class_weight is not None:
            factors = class_factors(class_weight, self.classes_, labels, weight)
            weight = factors[codes] if weight is None else weight * factors[codes]
            if not factors.all():
                kept = weight > 0
                if not kept.any():
                    raise ValueError("class_weight must be above 0 for at least one class, got 0")
                features, codes, weight = features[kept], codes[kept], weight[kept]
        features = self._learn_features(features, weight)
        rows = TrainingRows.of(features, codes, weight)
        check_small_columns(features, rows.X)
        return rows

    def _learn_features(
        self, features: NDArray[Any], weight: NDArray[np.float64] | None
    ) -> NDArray[Any]:
        """Return what is trained on in place of the features."""
        return features

    def _known_rows(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> TrainingRows:
        """Check more data of the classes and features of the training data."""
        features, labels, weight = self._weighted_rows(X, y, sample_weight, reset=False)
        return TrainingRows.of(features, self._known_codes(labels), weight)

    def _weighted_rows(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None, *, reset: bool
    ) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.float64] | None]:
        """Check features, labels and weights, and leave out rows of weight zero."""
        features, labels = validate_numbers(
            self,
            X,
            y,
            dtype=[np.float32, np.float64],
            order="C",
            reset=reset,
            accept_sparse=self._sparse_formats(),
        )
        if sample_weight is None:
            return features, labels, None
        weight = _check_sample_weight(
            sample_weight, features, dtype=np.float64, ensure_non_negative=True
        )
        kept = weight > 0
        if not kept.any():
            raise ValueError("sample_weight must be above zero in at least one row, got none")
        return features[kept], labels[kept], weight[kept]

    def _learn_classes(self, labels: NDArray[Any], n_rows: int | None = None) -> NDArray[np.intp]:
        """Set ``classes_``; return each label's position in it.

        With ``n_rows``, the labels are the distinct ones of this many rows.
        """
        n_rows = len(labels) if n_rows is None else n_rows
        distinct, codes = _distinct(labels)
        if labels.dtype.kind not in "biuU":
            # Integers and text are classes by their type; other values must be looked at.
            with warnings.catch_warnings():
                # The warning below is that of scikit-learn, for labels of any type.
                warnings.filterwarnings("ignore", "The number of unique classes", UserWarning)
                check_classification_targets(distinct)
        self.classes_ = np.unique(distinct)
        if n_rows > _FEW_ROWS and len(self.classes_) > round(0.5 * n_rows):
            warnings.warn(
                f"y has {len(self.classes_)} different values in {n_rows} rows: this looks "
                "like a regression problem, not a classification problem",
                UserWarning,
                stacklevel=4,
            )
        positions: NDArray[np.intp] = np.searchsorted(self.classes_, distinct)[codes]
        return positions

    def _known_codes(self, labels: NDArray[Any], what: str = "y") -> NDArray[np.intp]:
        """Return each label's position in ``classes_``, which must have it."""
        codes = np.searchsorted(self.classes_, labels).clip(max=len(self.classes_) - 1)
        unknown = np.flatnonzero(self.classes_[codes] != labels)
        if unknown.size:
            raise ValueError(
                f"{what} must hold only classes seen in training ({self.classes_.tolist()}), "
                f"got {labels[unknown[:1]].tolist()[0]!r} in row {unknown[0]}"
            )
        return codes

    def _sparse_formats(self) -> str | bool:
        """Return the formats of sparse rows that are taken, as scikit-learn's ``accept_sparse``."""
        return self._SPARSE

    def _random_generator(self) -> np.random.RandomState:
        """Return the generator that ``random_state`` describes."""
        try:
            generator: np.random.RandomState = check_random_state(self.random_state)
        except ValueError:
            raise ValueError(
                "random_state must be an int from 0 to 2**32 - 1, a RandomState or None, got "
                f"{self.random_state!r}"
            ) from None
        return generator

    def _draw_seed(self) -> int:
        """Draw a 64-bit seed from ``random_state``."""
        high, low = self._random_generator().randint(0, 2**32, size=2, dtype=np.uint64)
        return (int(high) << 32) | int(low)


@cache
def _core_names(kind: Any) -> tuple[str, ...]:
    """Return the names of the parameters of a class that the core takes, sorted."""
    # `get_params` of scikit-learn reads the signature at every call.
    return tuple(sorted(set(signature(kind).parameters) - kind._PYTHON_ONLY))


def _distinct(labels: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """Return the distinct labels, in any order, and the position of each label among them."""
    if labels.dtype.kind not in "OU":
        return np.unique(labels, return_inverse=True)
    # Text is hashed in a fraction of the time of sorting it.
    values = labels.tolist()
    positions = {label: place for place, label in enumerate(dict.fromkeys(values))}
    distinct = np.empty(len(positions), dtype=labels.dtype)
    distinct[:] = list(positions)
    codes = np.fromiter(map(positions.__getitem__, values), dtype=np.intp, count=len(values))
    return distinct, codes


def _is_fitted_state(name: str) -> bool:
    return name.endswith("_") and not name.startswith("_")


def class_factors(
    class_weight: Any,
    classes: NDArray[Any],
    labels: NDArray[Any],
    weight: NDArray[np.float64] | None,
) -> NDArray[np.float64]:
    """Return the weight of each class, all of which must have rows.

    Raises
    ------
    ValueError
        If the weights are neither "balanced" nor finite numbers of at least 0 for known classes.
    """
    if class_weight is not None and not isinstance(class_weight, Mapping):
        if not (isinstance(class_weight, str) and class_weight == "balanced"):
            raise ValueError(
                f'class_weight must be None, "balanced" or a dict, got {class_weight!r}'
            )
    elif class_weight is not None:
        for label, value in class_weight.items():
            number = isinstance(value, int | float | np.number)
            if not (number and math.isfinite(value) and value >= 0):
                raise ValueError(
                    "class_weight must be finite numbers of at least 0, "
                    f"got {value!r} for class {label!r}"
                )
    if class_weight is None:
        return np.ones(len(classes))
    factors: NDArray[np.float64] = compute_class_weight(
        class_weight, classes=classes, y=labels, sample_weight=weight
    )
    return factors


def plain_value(name: str, value: Any) -> Any:
    """Return a parameter as JSON holds it: NumPy's numbers as Python's, sequences as lists.

    Raises
    ------
    ValueError, TypeError
        For numbers that are not finite, and types that JSON does not have.
    """

    def refuse(value: Any) -> Any:
        if isinstance(value, float):
            raise ValueError(f"{name} must be finite, got {value}")
        raise TypeError(
            f"{name} must be a number, a str, True, False, or a list or dict of these, "
            f"got {type(value).__name__}"
        )

    return _json_value(value, refuse)


# The key of what JSON does not have: the core then names the value, and what is allowed.
_OTHER_OBJECT = "\0repr"


def _described(value: Any) -> dict[str, str]:
    text = repr(value)
    return {_OTHER_OBJECT: text if len(text) < 80 else f"{text[:76]}..."}


def _json_value(value: Any, other: Callable[[Any], Any]) -> Any:
    """Return a value as JSON holds it; `other` returns it for what JSON does not have."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, tuple | list | np.ndarray):
        return [_json_value(entry, other) for entry in value]
    if isinstance(value, Mapping):
        return {str(key): _json_value(entry, other) for key, entry in value.items()}
    if value is None or isinstance(value, bool | str):
        return value
    finite = isinstance(value, int) and abs(value) <= sys.float_info.max
    if finite or (isinstance(value, float) and math.isfinite(value)):
        return value
    return other(value)
