"""How support vector machines are described in a model file."""

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

# Fitted arrays of an `SVM` with a value for each pair of classes: name, attribute, type.
_BY_PAIR = (
    ("intercept", "pair_intercept_", np.float64),
    ("n_iter", "n_iter_", np.int64),
    ("dual_objective", "dual_objective_", np.float64),
    ("duality_gap", "duality_gap_", np.float64),
)

_OPTIONAL = ("dual_objective", "duality_gap")


def write_svm(model: Any, prefix: str, arrays: Arrays) -> Described:
    """Describe a fitted `SVM`.

    Raises
    ------
    TypeError
        When its kernel is a callable, which no file holds.
    """
    check_is_fitted(model)
    if callable(model.kernel):
        raise TypeError("an SVM whose kernel is a callable cannot be saved")
    arrays[f"{prefix}.support"] = model.support_
    arrays[f"{prefix}.support_vectors"] = model.support_vectors_
    arrays[f"{prefix}.n_support"] = model.n_support_
    arrays[f"{prefix}.dual_coef"] = model.pair_coef_
    arrays[f"{prefix}.class_weight"] = model.class_weight_
    for name, attribute, _ in _BY_PAIR:
        values = getattr(model, attribute)
        # How training ended is not known of a machine that came from elsewhere.
        if name not in _OPTIONAL or np.isfinite(values).all():
            arrays[f"{prefix}.{name}"] = values
    if model.probability:
        arrays[f"{prefix}.sigmoid_slope"] = model.probA_
        arrays[f"{prefix}.sigmoid_offset"] = model.probB_
    return {
        "params": write_params(model),
        "class_weight": write_class_weight(model.class_weight),
        "classes": write_labels(model.classes_),
        "gamma": model.gamma_,
        "fit_status": model.fit_status_,
        "n_rows": model.shape_fit_[0],
        **write_features(model),
    }


def read_svm(described: Mapping[str, Any], prefix: str, arrays: Arrays) -> Any:
    """Build the `SVM` that `write_svm` described.

    Raises
    ------
    KeyError, TypeError, ValueError
        When the description is not one of `write_svm`'s.
    """
    from moodcore.estimators.svm.estimator import SVM

    model = read_features(SVM(**described["params"]), described)
    model.class_weight = read_class_weight(described["class_weight"])
    model.set_kernel_params()
    model.classes_ = read_classes(described["classes"], least=2)
    n_classes = len(model.classes_)
    model.shape_fit_ = (int(described["n_rows"]), model.n_features_in_)
    model.fit_status_ = int(described["fit_status"])
    model.gamma_ = float(described["gamma"])
    if not 0 <= model.gamma_ < np.inf:
        raise ValueError(f"gamma must be finite and at least 0, got {model.gamma_}")
    _read_vectors(model, prefix, arrays)
    n_pairs = n_classes * (n_classes - 1) // 2
    for name, attribute, dtype in _BY_PAIR:
        if name in _OPTIONAL and f"{prefix}.{name}" not in arrays:
            setattr(model, attribute, np.full(n_pairs, np.nan))
            continue
        setattr(model, attribute, take_array(arrays, f"{prefix}.{name}", (n_pairs,), dtype))
    model.class_weight_ = take_array(arrays, f"{prefix}.class_weight", (n_classes,), np.float64)
    model.probA_ = model.probB_ = np.empty(0)
    if model.probability:
        model.probA_ = take_array(arrays, f"{prefix}.sigmoid_slope", (n_pairs,), np.float64)
        model.probB_ = take_array(arrays, f"{prefix}.sigmoid_offset", (n_pairs,), np.float64)
    return model


def _read_vectors(model: Any, prefix: str, arrays: Arrays) -> None:
    """Read the support vectors, and check that each class has as many as is said."""
    n_classes, n_rows = len(model.classes_), model.shape_fit_[0]
    model.n_support_ = take_array(arrays, f"{prefix}.n_support", (n_classes,), np.int32)
    if (model.n_support_ < 0).any():
        raise ValueError(f"n_support must be at least 0, got {model.n_support_.tolist()}")
    n = int(model.n_support_.sum(dtype=np.int64))
    model.support_ = take_array(arrays, f"{prefix}.support", (n,), np.int32)
    inside = ((model.support_ >= 0) & (model.support_ < n_rows)).all()
    if not inside or len(np.unique(model.support_)) != n:
        raise ValueError(f"support must be different rows of {n_rows}")
    precomputed = model.kernel == "precomputed"
    if precomputed and model.n_features_in_ != n_rows:
        raise ValueError(f"a kernel matrix of {n_rows} rows has as many columns")
    name = f"{prefix}.support_vectors"
    shape = (0, 0) if precomputed else (n, model.n_features_in_)
    model.support_vectors_ = take_array(arrays, name, shape, np.float32)
    model.pair_coef_ = take_array(arrays, f"{prefix}.dual_coef", (n_classes - 1, n), np.float64)
