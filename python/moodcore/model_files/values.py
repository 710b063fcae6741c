"""Values of fitted models as JSON, and back, with all checks."""

from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from moodcore.estimators.base import Classifier, plain_value

Arrays = dict[str, NDArray[Any]]
Described = dict[str, Any]
_Kind = TypeVar("_Kind", bound=Classifier)


def write_labels(values: NDArray[Any]) -> Described:
    """Describe class labels or names: text and numbers keep their type."""
    if values.dtype.kind not in "OUSTbiuf":
        raise TypeError(f"class labels of type {values.dtype} cannot be saved")
    listed = values.tolist()
    if not all(isinstance(value, str | int | float | bool) for value in listed):
        raise TypeError("class labels must be text or numbers to be saved")
    dtype = "object" if values.dtype.kind in "OT" else values.dtype.str
    return {"dtype": dtype, "values": listed}


# A file claims the width of its labels; a forged one must not claim the memory with it.
_MOST_LABEL_BYTES = 1 << 24


def read_labels(described: Mapping[str, Any]) -> NDArray[Any]:
    """Return the labels that `write_labels` described."""
    values, dtype = described["values"], np.dtype(described["dtype"])
    if dtype.kind not in "OUbiuf" or not isinstance(values, list):
        raise ValueError(f"labels must be a list of text or numbers, got {dtype} and {values!r}")
    if dtype.itemsize * len(values) > _MOST_LABEL_BYTES:
        raise ValueError(f"labels of type {dtype} are too wide")
    if not all(isinstance(value, str | int | float | bool) for value in values):
        raise ValueError(f"labels must be text or numbers, got {values!r}")
    labels = np.array(values, dtype=dtype)
    if labels.tolist() != values or len(set(values)) != len(values):
        raise ValueError(f"labels must differ and fit {dtype}, got {values!r}")
    return labels


def read_classes(described: Mapping[str, Any], *, least: int = 1) -> NDArray[Any]:
    """Read the class labels of a classifier, of which it has ``least`` or more."""
    classes = read_labels(described)
    if len(classes) < least:
        raise ValueError(f"there must be at least {least} classes, got {classes.tolist()}")
    if not np.array_equal(classes, np.unique(classes)):
        raise ValueError(f"classes must be in ascending order, got {classes.tolist()}")
    return classes


def write_classifier(model: Classifier) -> Described:
    """Describe what all classifiers have: parameters, class weights, classes and features.

    Raises
    ------
    NotFittedError
        If the model is not fitted.
    """
    check_is_fitted(model)
    params = model.get_params(deep=False)
    left_out = ("random_state", "class_weight", "callbacks")
    return {
        "params": {
            name: plain_value(name, value) for name, value in params.items() if name not in left_out
        },
        **write_classes(model),
    }


def write_classes(model: Classifier) -> Described:
    """Describe class weights, classes and features of a fitted classifier."""
    return {
        "class_weight": write_class_weight(model.class_weight),
        "classes": write_labels(model.classes_),
        **write_features(model),
    }


def read_classifier(kind: type[_Kind], described: Mapping[str, Any], *, least: int = 1) -> _Kind:
    """Build an estimator of `write_classifier`'s parameters, classes and features.

    Parameters
    ----------
    kind : type
        The estimator's class.
    described : mapping
    least : int, default=1
        The smallest number of classes.
    """
    model: _Kind = read_features(kind(**described["params"]), described)
    model.class_weight = read_class_weight(described["class_weight"])
    model.check_parameters()
    model.classes_ = read_classes(described["classes"], least=least)
    return model


def read_seed(described: Mapping[str, Any]) -> int:
    """Read the 64-bit seed of training."""
    seed = int(described["seed"])
    if not 0 <= seed < 2**64:
        raise ValueError(f"seed {seed} is out of range")
    return seed


def write_features(model: Any) -> Described:
    """Describe the number and the names of the features of a fitted part."""
    names = getattr(model, "feature_names_in_", None)
    return {
        "n_features": int(model.n_features_in_),
        "feature_names": None if names is None else list(names),
    }


def read_features(model: Any, described: Mapping[str, Any]) -> Any:
    """Set the number and the names of the features that `write_features` described."""
    n_features, names = described["n_features"], described["feature_names"]
    if type(n_features) is not int or n_features < 1:
        raise ValueError(f"n_features must be an int of at least 1, got {n_features!r}")
    model.n_features_in_ = n_features
    if names is not None:
        is_text = isinstance(names, list) and all(isinstance(name, str) for name in names)
        if not is_text or len(names) != n_features:
            raise ValueError(
                f"{model.n_features_in_} features need the same number of names, got {names!r}"
            )
        model.feature_names_in_ = np.array(names, dtype=object)
    return model


def write_class_weight(class_weight: Any) -> Any:
    """Describe a dict as pairs: the keys of a JSON object would turn to text."""
    if not isinstance(class_weight, Mapping):
        return class_weight
    keys = write_labels(np.array(list(class_weight)))
    return {"classes": keys, "weights": [float(weight) for weight in class_weight.values()]}


def read_class_weight(described: Any) -> Any:
    """Return the class weights that `write_class_weight` described."""
    if described is None or isinstance(described, str):
        return described
    keys = read_labels(described["classes"]).tolist()
    return dict(zip(keys, map(float, described["weights"]), strict=True))


def take_array(arrays: Arrays, name: str, shape: tuple[int, ...], dtype: type) -> NDArray[Any]:
    """Take an array out of the file; its shape, type and values are what the header says."""
    array = arrays[name]
    if array.shape != shape or array.dtype != dtype:
        raise ValueError(f"{name} must be {np.dtype(dtype)} of shape {shape}, "
                         f"got {array.dtype} of shape {array.shape}")  # fmt: skip
    if not np.isfinite(array).all():
        raise ValueError(f"{name} holds values that are not finite")
    return array
