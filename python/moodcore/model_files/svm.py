"""Codec of `SVM`."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from moodcore import _core
from moodcore.estimators.svm.estimator import SVM
from moodcore.model_files.values import (
    Arrays,
    Described,
    read_classifier,
    take_array,
    write_classifier,
)

# Models of other libraries do not record how the training of each pair of classes ended.
_OPTIONAL = ("dual_objective", "duality_gap")
# SciPy's names of the parts of sparse rows.
_SPARSE = ("indptr", "indices", "data")


def write_svm(model: SVM, prefix: str, arrays: Arrays) -> Described:
    """Describe a fitted `SVM`.

    Raises
    ------
    TypeError
        If its kernel is a callable.
    """
    if callable(model.kernel):
        raise TypeError("an SVM whose kernel is a callable cannot be saved")
    described = write_classifier(model)
    core = model.core_model_
    arrays[f"{prefix}.support"] = model.support_
    if isinstance(core.vectors, tuple):
        parts = zip(_SPARSE, core.vectors[:3], strict=True)
        arrays |= {f"{prefix}.support_vectors_{name}": part for name, part in parts}
    else:
        arrays[f"{prefix}.support_vectors"] = core.vectors
    arrays[f"{prefix}.n_support"] = model.n_support_
    arrays[f"{prefix}.dual_coef"] = core.dual_coef
    arrays[f"{prefix}.intercept"] = core.intercept
    arrays[f"{prefix}.class_weight"] = model.class_weight_
    arrays[f"{prefix}.n_iter"] = model.n_iter_
    for name in _OPTIONAL:
        values = getattr(model, f"{name}_")
        if np.isfinite(values).all():
            arrays[f"{prefix}.{name}"] = values
    is_calibrated = len(core.sigmoids[0]) > 0
    if is_calibrated:
        arrays[f"{prefix}.sigmoid_slope"], arrays[f"{prefix}.sigmoid_offset"] = core.sigmoids
    # Those of the fitted kernel, whatever the parameters became after training.
    fitted = {"kernel": core.kernel, "degree": core.degree, "coef0": core.coef0}
    params = described["params"]
    params |= {name: value for name, value in fitted.items() if params[name] != value}
    params["probability"] = is_calibrated
    return {
        **described,
        "gamma": core.gamma,
        "fit_status": model.fit_status_,
        "n_rows": model.shape_fit_[0],
    }


def read_svm(described: Mapping[str, Any], prefix: str, arrays: Arrays) -> SVM:
    """Build the `SVM` that `write_svm` described."""
    model = read_classifier(SVM, described, least=2)
    n_classes = len(model.classes_)
    n_pairs = n_classes * (n_classes - 1) // 2

    def take(name: str, *shape: int, dtype: type = np.float64) -> Any:
        return take_array(arrays, f"{prefix}.{name}", shape, dtype)

    n_rows = int(described["n_rows"])
    model.shape_fit_ = (n_rows, model.n_features_in_)
    model.fit_status_ = int(described["fit_status"])
    n_support = take("n_support", n_classes, dtype=np.int32)
    if (n_support < 0).any():
        raise ValueError(f"n_support must be at least 0, got {n_support.tolist()}")
    n = int(n_support.sum(dtype=np.int64))
    model.support_ = take("support", n, dtype=np.int32)
    inside = ((model.support_ >= 0) & (model.support_ < n_rows)).all()
    if not inside or len(np.unique(model.support_)) != n:
        raise ValueError(f"support must be different rows of {n_rows}")
    precomputed = model.kernel == "precomputed"
    if precomputed and model.n_features_in_ != n_rows:
        raise ValueError(f"a kernel matrix of {n_rows} rows has as many columns")
    pairs = (n_pairs,) if model.probability else None
    none = np.empty(0)
    shape = (0, 0) if precomputed else (n, model.n_features_in_)
    model.core_model_ = _core.SvmModel(
        (str(model.kernel), float(described["gamma"]), int(model.degree), float(model.coef0)),
        n_support.astype(np.uint32),
        _read_vectors(arrays, f"{prefix}.support_vectors", shape),
        take("dual_coef", n_classes - 1, n),
        take("intercept", n_pairs),
        (take("sigmoid_slope", *pairs), take("sigmoid_offset", *pairs)) if pairs else (none, none),
    )  # fmt: skip
    model.n_iter_ = take("n_iter", n_pairs, dtype=np.int64)
    for name in _OPTIONAL:
        known = f"{prefix}.{name}" in arrays
        setattr(model, f"{name}_", take(name, n_pairs) if known else np.full(n_pairs, np.nan))
    model.class_weight_ = take("class_weight", n_classes)
    return model


def _read_vectors(arrays: Arrays, name: str, shape: tuple[int, int]) -> Any:
    """Return the support vectors, or the parts of sparse ones, as the core takes them."""

    def take(name: str, shape: tuple[int, ...]) -> Any:
        # float64 where float32 would lose digits of the features.
        is_double = name in arrays and arrays[name].dtype == np.float64
        return take_array(arrays, name, shape, np.float64 if is_double else np.float32)

    if f"{name}_indptr" not in arrays:
        return take(name, shape)
    starts = take_array(arrays, f"{name}_indptr", (shape[0] + 1,), np.int64)
    n_values = int(starts[-1])
    columns = take_array(arrays, f"{name}_indices", (n_values,), np.int32)
    return starts, columns, take(f"{name}_data", (n_values,)), shape[1]
