"""Codecs of scalers, selected columns, the correlation filter and balanced classifiers."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import sklearn.preprocessing
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from moodcore.model_files.registry import read_part, write_part
from moodcore.model_files.transformer_values import read_output, write_output
from moodcore.model_files.values import (
    Arrays,
    Described,
    read_features,
    take_array,
    write_features,
)
from moodcore.preprocessing import (
    BalancedClassifier,
    CorrelationFilter,
    Downsampling,
    SelectColumns,
)

# Fitted arrays of scikit-learn's scalers: what `transform` and `inverse_transform` read. One that
# an argument makes needless is None, and not in the file.
_SCALERS = {
    "MinMaxScaler": ("min_", "scale_", "data_min_", "data_max_", "data_range_"),
    "StandardScaler": ("mean_", "var_", "scale_"),
}


def write_scaler(model: Any, prefix: str, arrays: Arrays) -> Described:
    """Describe a fitted `MinMaxScaler` or `StandardScaler`."""
    check_is_fitted(model)
    for name in _SCALERS[type(model).__name__]:
        values = getattr(model, name)
        if values is not None:
            arrays[f"{prefix}.{name}"] = np.asarray(values, dtype=np.float64)
    seen = np.ravel(model.n_samples_seen_)
    return {
        "params": model.get_params(),
        **write_output(model),
        # One count per feature where values are missing.
        "n_samples": int(seen[0]) if (seen == seen[0]).all() else list(map(int, seen)),
        **write_features(model),
    }


def read_scaler(described: Mapping[str, Any], prefix: str, arrays: Arrays) -> Any:
    """Build the scaler that `write_scaler` described."""
    params = dict(described["params"])
    if "feature_range" in params:
        low, high = params["feature_range"]
        params["feature_range"] = (low, high)
        if not (np.isfinite([low, high]).all() and low < high):
            raise ValueError(f"feature_range must be two ascending numbers, got {[low, high]}")
    switches = [value for name, value in params.items() if name != "feature_range"]
    if not all(isinstance(value, bool) for value in switches):
        raise ValueError(f"the parameters of a scaler must be True or False, got {switches}")
    kind = described["kind"]
    model = read_features(getattr(sklearn.preprocessing, kind)(**params), described)
    needless = _needless(params)
    for name in _SCALERS[kind]:
        array = None
        if name not in needless:
            array = take_array(arrays, f"{prefix}.{name}", (model.n_features_in_,), np.float64)
        setattr(model, name, array)
    if model.scale_ is not None and not model.scale_.all():
        raise ValueError("scale_ must not be 0")
    model.n_samples_seen_ = _read_counts(described["n_samples"], model.n_features_in_)
    return read_output(model, described)


def _read_counts(seen: Any, n_features: int) -> int | NDArray[np.int64]:
    """Read the number of training rows, or the number of values of each feature."""
    is_list = isinstance(seen, list)
    counts = seen if is_list else [seen]
    are_counts = all(type(count) is int and 0 <= count < 2**63 for count in counts)
    if not are_counts or (is_list and len(seen) != n_features):
        raise ValueError(
            f"n_samples must be an int of at least 0, or {n_features} of them, got {seen!r}"
        )
    return np.array(seen, dtype=np.int64) if is_list else int(seen)


def _needless(params: Mapping[str, Any]) -> frozenset[str]:
    """Return the attributes that a `StandardScaler` with these arguments leaves None."""
    without_std = frozenset({"var_", "scale_"}) if params.get("with_std") is False else frozenset()
    neither = without_std and params.get("with_mean") is False
    return without_std | {"mean_"} if neither else without_std


def write_columns(model: Any, prefix: str, arrays: Arrays) -> Described:
    """Describe a fitted `SelectColumns`."""
    check_is_fitted(model, "columns_")
    # Set by scikit-learn's `set_output`; no public method returns it.
    output = getattr(model, "_sklearn_output_config", {}).get("transform")
    return {
        "columns": list(model.columns_),
        "every": model.columns is None,
        "output": output,
        **write_features(model),
    }


def read_columns(described: Mapping[str, Any], prefix: str, arrays: Arrays) -> Any:
    """Build the `SelectColumns` that `write_columns` described."""
    columns, output = list(described["columns"]), described["output"]
    by_name = all(isinstance(column, str) for column in columns)
    by_place = all(type(column) is int and column >= 0 for column in columns)
    if not (by_name or by_place) or not columns or len(set(columns)) < len(columns):
        raise ValueError(f"columns must be different names or positions, got {columns!r}")
    if output not in (None, "default", "pandas", "polars"):
        raise ValueError(f"unknown output {output!r}")
    model = read_features(SelectColumns(None if described["every"] else tuple(columns)), described)
    if model.n_features_in_ != len(columns):
        raise ValueError(f"{len(columns)} columns do not match {model.n_features_in_} features")
    model.columns_ = columns
    # The part after it may read the columns by name.
    model.set_output(transform=output)
    return model


def write_filter(model: Any, prefix: str, arrays: Arrays) -> Described:
    """Describe a fitted `CorrelationFilter`."""
    check_is_fitted(model, "support_")
    arrays[f"{prefix}.correlation_"] = model.correlation_
    arrays[f"{prefix}.relevance_"] = model.relevance_
    return {
        "threshold": float(model.threshold),
        "support": model.support_.tolist(),
        "dropped": model.dropped_,
        **write_features(model),
    }


def read_filter(described: Mapping[str, Any], prefix: str, arrays: Arrays) -> Any:
    """Build the `CorrelationFilter` that `write_filter` described."""
    model = read_features(CorrelationFilter(float(described["threshold"])), described)
    n = model.n_features_in_
    model.support_ = np.array(described["support"], dtype=bool)
    if model.support_.shape != (n,) or not model.support_.any():
        raise ValueError(f"support must have one entry for each of {n} features, and keep one")
    model.dropped_ = [dict(dropped) for dropped in described["dropped"]]
    model.correlation_ = take_array(arrays, f"{prefix}.correlation_", (n, n), np.float64)
    model.relevance_ = take_array(arrays, f"{prefix}.relevance_", (n,), np.float64)
    return model


def write_balanced(model: Any, prefix: str, arrays: Arrays) -> Described:
    """Describe a fitted `BalancedClassifier`."""
    check_is_fitted(model, "estimator_")
    drawn = model.downsampling_
    return {
        "estimator": write_part(model.estimator_, f"{prefix}.estimator", arrays),
        "counts_before": drawn.counts_before.tolist(),
        "counts_after": drawn.counts_after.tolist(),
        **write_features(model),
    }


def read_balanced(described: Mapping[str, Any], prefix: str, arrays: Arrays) -> Any:
    """Build the `BalancedClassifier` that `write_balanced` described."""
    fitted = read_part(described["estimator"], f"{prefix}.estimator", arrays)
    model = read_features(BalancedClassifier(clone(fitted)), described)
    model.estimator_, model.classes_ = fitted, fitted.classes_
    counts = [
        np.array(described[name], dtype=np.intp) for name in ("counts_before", "counts_after")
    ]
    if any(count.shape != fitted.classes_.shape for count in counts):
        raise ValueError(f"there must be a count for each of {len(fitted.classes_)} classes")
    # Which rows of the training table were kept is not in the file.
    model.downsampling_ = Downsampling(np.empty(0, dtype=np.intp), fitted.classes_, *counts)
    return model
