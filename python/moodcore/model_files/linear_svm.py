"""Codec of `LinearSVM`."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from moodcore import _core
from moodcore.estimators.linear_svm import LinearSVM
from moodcore.model_files.values import (
    Arrays,
    Described,
    read_classifier,
    take_array,
    write_classifier,
)


def write_linear_svm(model: LinearSVM, prefix: str, arrays: Arrays) -> Described:
    """Describe a fitted `LinearSVM`."""
    described = write_classifier(model)
    # By another name, so that readers that know nothing of rows of float64 refuse the file.
    coef = "coef_of_float64" if model.takes_float64_ else "coef"
    arrays[f"{prefix}.{coef}"] = model.coef_
    arrays[f"{prefix}.intercept"] = model.intercept_
    return {**described, "n_iter": model.n_iter_}


def read_linear_svm(described: Mapping[str, Any], prefix: str, arrays: Arrays) -> LinearSVM:
    """Build the `LinearSVM` that `write_linear_svm` described."""
    model = read_classifier(LinearSVM, described, least=2)
    n_classes = len(model.classes_)
    n_scores = 1 if n_classes == 2 else n_classes
    shape = (n_scores, model.n_features_in_)
    model.takes_float64_ = f"{prefix}.coef_of_float64" in arrays
    coef = "coef_of_float64" if model.takes_float64_ else "coef"
    model.core_model_ = _core.LinearSvmModel(
        take_array(arrays, f"{prefix}.{coef}", shape, np.float64),
        take_array(arrays, f"{prefix}.intercept", (n_scores,), np.float64),
    )
    model.n_iter_ = int(described["n_iter"])
    if model.n_iter_ < 1:
        raise ValueError(f"n_iter must be at least 1, got {model.n_iter_}")
    return model
