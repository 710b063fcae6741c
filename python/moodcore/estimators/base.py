"""What all classifiers of the package share: validation, classes, weights, parameters, saving."""

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state, compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, validate_data

from moodcore.estimators.fitted_model import FittedModel
from moodcore.estimators.rows import TrainingRows, aligned, as_float32


class CoreClassifier(FittedModel, ClassifierMixin, BaseEstimator):
    """A scikit-learn classifier whose training loop is in the core."""

    classes_: NDArray[Any]
    n_features_in_: int

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take over what a pickle holds, its arrays as the core reads them."""
        super().__setstate__({name: aligned(value) for name, value in state.items()})

    def _core_parameters(self, names: frozenset[str], **resolved: Any) -> str:
        """Give the named parameters as the one JSON object that crosses into the core.

        Those in ``resolved`` cross with these values in place of the user's.
        """
        values = {name: _plain(name, getattr(self, name)) for name in sorted(names - set(resolved))}
        return json.dumps(values | resolved)

    def _training_rows(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None, class_weight: Any
    ) -> TrainingRows:
        """Check the training data and learn ``classes_`` and ``n_features_in_``."""
        features, labels, weight = self._weighty_rows(X, y, sample_weight, reset=True)
        codes = self._learn_classes(labels)
        if class_weight is not None:
            factors = self._class_factors(labels, weight, class_weight)
            weight = factors[codes] if weight is None else weight * factors[codes]
        return TrainingRows.of(features, codes, weight)

    def _class_factors(
        self, labels: NDArray[Any], weight: NDArray[np.float64] | None, class_weight: Any
    ) -> NDArray[np.float64]:
        """Give the weight of each class."""
        return class_factors(class_weight, self.classes_, labels, weight)

    def _check_switches(self, *names: str) -> None:
        """Check parameters that are true or false."""
        for name in names:
            value = getattr(self, name)
            if not isinstance(value, bool | np.bool_):
                raise ValueError(f"{name} must be true or false, got {value!r}")

    def _check_verbose(self) -> None:
        verbose = self.get_params(deep=False)["verbose"]
        if not isinstance(verbose, int | np.integer | np.bool_) or verbose < 0:
            raise ValueError(f"verbose must be a whole number of at least 0, got {verbose!r}")

    def _learn_classes(self, labels: NDArray[Any]) -> NDArray[np.intp]:
        """Learn ``classes_``, and give each label's position in it."""
        if labels.dtype.kind not in "biuU":
            # Integers and text are classes by their type; the rest must be looked at.
            check_classification_targets(labels)
        self.classes_ = np.unique(labels)
        return np.searchsorted(self.classes_, labels)

    def _known_codes(self, labels: NDArray[Any], what: str = "y") -> NDArray[np.intp]:
        """Give each label's position in ``classes_``; a label that is not there is refused."""
        codes = np.searchsorted(self.classes_, labels).clip(max=len(self.classes_) - 1)
        unknown = np.flatnonzero(self.classes_[codes] != labels)
        if unknown.size:
            raise ValueError(
                f"{what} must hold only classes seen in training ({self.classes_.tolist()}), "
                f"got {labels[unknown[:1]].tolist()[0]!r} in row {unknown[0]}"
            )
        return codes

    def _known_rows(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> TrainingRows:
        """Check more data of the classes and features already learnt."""
        features, labels, weight = self._weighty_rows(X, y, sample_weight, reset=False)
        return TrainingRows.of(features, self._known_codes(labels), weight)

    def _evaluation_rows(self, eval_set: Any) -> TrainingRows:
        """Check the rows on which training is watched."""
        if not (isinstance(eval_set, tuple | list) and len(eval_set) == 2):
            raise TypeError(f"eval_set must be a tuple (X, y), got {type(eval_set).__name__}")
        return self._known_rows(*eval_set)

    def _features(self, X: ArrayLike) -> NDArray[np.float32]:
        """Check the rows of a prediction."""
        features: NDArray[Any] = validate_data(
            self, X, dtype=[np.float32, np.float64], order="C", reset=False
        )
        return as_float32(features)

    def _weighty_rows(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None, *, reset: bool
    ) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.float64] | None]:
        """Check features, labels and weights, and leave out rows that weigh nothing."""
        features, labels = validate_data(
            self, X, y, dtype=[np.float32, np.float64], order="C", reset=reset
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

    @staticmethod
    def _seed(random_state: Any) -> int:
        """Draw the core's 64-bit seed."""
        high, low = check_random_state(random_state).randint(0, 2**32, size=2, dtype=np.uint64)
        return (int(high) << 32) | int(low)


def class_factors(
    class_weight: Any,
    classes: NDArray[Any],
    labels: NDArray[Any],
    weight: NDArray[np.float64] | None,
) -> NDArray[np.float64]:
    """Give the weight of each class, all of which must have rows.

    Raises
    ------
    ValueError
        When the weights are neither "balanced" nor numbers of at least 0 for known classes.
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
    factors: NDArray[np.float64] = compute_class_weight(
        class_weight, classes=classes, y=labels, sample_weight=weight
    )
    return factors


def _plain(name: str, value: Any) -> Any:
    """Turn a parameter into what JSON holds; numbers of NumPy become Python's."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{name} must be finite, got {value}")
    if isinstance(value, tuple | list | np.ndarray):
        return [_plain(name, entry) for entry in value]
    if isinstance(value, Mapping):
        return {str(key): _plain(f"{name}.{key}", entry) for key, entry in value.items()}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(
        f"{name} must be a number, a string, true or false, or a list or table of these, "
        f"got {type(value).__name__}"
    )
