"""How linear support vector machines are described in a model file."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from moodcore.model_files.values import (
    Arrays,
    Described,
    read_class_weight,
    read_classes,
    read_features,
    take_array,
    write_class_weight,
    write_features,
    write_labels,
    write_params,
)


def write_linear_svm(model: Any, prefix: str, arrays: Arrays) -> Described:
    """Describe a fitted `LinearSVM`."""
    check_is_fitted(model)
    arrays[f"{prefix}.coef"] = model.coef_
    arrays[f"{prefix}.intercept"] = model.intercept_
    return {
        "params": write_params(model),
        "class_weight": write_class_weight(model.class_weight),
        "classes": write_labels(model.classes_),
        "n_iter": model.n_iter_,
        **write_features(model),
    }


def read_linear_svm(described: Mapping[str, Any], prefix: str, arrays: Arrays) -> Any:
    """Build the `LinearSVM` that `write_linear_svm` described.

    Raises
    ------
    KeyError, TypeError, ValueError
        When the description is not one of `write_linear_svm`'s.
    """
    from moodcore.estimators.linear_svm import LinearSVM

    model = read_features(LinearSVM(**described["params"]), described)
    model.class_weight = read_class_weight(described["class_weight"])
    model.check_parameters()
    model.classes_ = read_classes(described["classes"], least=2)
    n_classes = len(model.classes_)
    n_vectors = 1 if n_classes == 2 else n_classes
    shape = (n_vectors, model.n_features_in_)
    model.coef_ = take_array(arrays, f"{prefix}.coef", shape, np.float64)
    model.intercept_ = take_array(arrays, f"{prefix}.intercept", (n_vectors,), np.float64)
    model.n_iter_ = int(described["n_iter"])
    if model.n_iter_ < 1:
        raise ValueError(f"n_iter must be at least 1, got {model.n_iter_}")
    return model
