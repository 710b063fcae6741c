"""Codec of `GBT`."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from moodcore import _core
from moodcore.estimators.gbt.estimator import GBT
from moodcore.estimators.gbt.inspection import feature_columns
from moodcore.estimators.gbt.options import check_missing
from moodcore.estimators.table_columns import is_missing
from moodcore.estimators.table_schema import TableSchema
from moodcore.model_files.values import (
    Arrays,
    Described,
    read_classifier,
    read_labels,
    read_seed,
    write_classes,
    write_labels,
)

# A file contains neither callables nor random generators; a loaded model has none.
_LEFT_OUT = frozenset({"class_weight", "random_state", "objective", "eval_metric", "callbacks"})


def write_gbt(model: GBT, prefix: str, arrays: Arrays) -> Described:
    """Describe a fitted `GBT`."""
    check_is_fitted(model)
    for name, values in model.core_model_.arrays().items():
        arrays[f"{prefix}.{name}"] = values
    for at, curves in enumerate(model.evals_result_.values()):
        for number, curve in enumerate(curves.values()):
            arrays[f"{prefix}.history.{at}.{number}"] = np.array(curve, dtype=np.float64)
    params = model.get_params(deep=False)
    schema = model.table_schema_
    return {
        "params": {
            name: _write_value(name, value)
            for name, value in params.items()
            if name not in _LEFT_OUT
        },
        "eval_metric": _texts(params["eval_metric"]),
        # A pickle of version 0.1 has none.
        "resolved": {
            name: _write_value(name, value)
            for name, value in vars(model).get("resolved_", {}).items()
        },
        "missing": _write_missing(schema),
        "categories": [
            None if labels is None else write_labels(_object_array(labels))
            for labels in schema.categories
        ],
        "history": [[name, list(curves)] for name, curves in model.evals_result_.items()],
        "best_iteration": model.best_iteration_,
        "best_score": None if model.best_score_ is None else _write_value("", model.best_score_),
        "seed": model.seed_,
        **write_classes(model),
    }


def _write_missing(schema: TableSchema) -> Any:
    """Describe the missing value; LightGBM's rules in a form that older readers refuse."""
    missing = _write_value("missing", schema.missing)
    return {"lightgbm": missing} if schema.lightgbm else missing


def _object_array(values: list[Any]) -> Any:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def _texts(eval_metric: Any) -> Any:
    """Return the metrics if all of them are names, else None."""
    if isinstance(eval_metric, str):
        return eval_metric
    listed = [] if eval_metric is None or callable(eval_metric) else list(eval_metric)
    return listed if listed and all(isinstance(entry, str) for entry in listed) else None


def _write_value(name: str, value: Any) -> Any:
    """Describe a parameter: tables as pairs, numbers that JSON does not have by name."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, Mapping):
        return {"pairs": [[_write_value(name, entry) for entry in pair] for pair in value.items()]}
    if isinstance(value, set | frozenset):
        value = sorted(value, key=str)
    if isinstance(value, list | tuple | range | np.ndarray):
        return [_write_value(name, entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": str(value)}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"{name} of type {type(value).__name__} cannot be saved")


def _read_value(described: Any) -> Any:
    if isinstance(described, list):
        return [_read_value(entry) for entry in described]
    if not isinstance(described, Mapping):
        return described
    if "float" in described:
        return float(described["float"])
    return {key: _read_value(value) for key, value in described["pairs"]}


_ARRAYS = (
    "base",
    "bin",
    "bin_offsets",
    "bin_values",
    "categorical",
    "category_set",
    "cover",
    "feature",
    "gain",
    "left",
    "missing_left",
    "right",
    "sets",
    "tree_offsets",
    "tree_output",
    "trees_per_round",
    "value",
    "weight",
)


def read_gbt(described: Mapping[str, Any], prefix: str, arrays: Arrays) -> GBT:
    """Build the `GBT` that `write_gbt` described."""
    params = {name: _read_value(value) for name, value in described["params"].items()}
    params["eval_metric"] = described["eval_metric"]
    model = read_classifier(GBT, {**described, "params": params})
    taken = {name: arrays[f"{prefix}.{name}"] for name in _ARRAYS}
    if f"{prefix}.bin_column" in arrays:
        taken["bin_column"] = arrays[f"{prefix}.bin_column"]
    core = _core.GbtModel(taken)
    categorical = np.zeros(core.n_features, dtype=np.uint8)
    np.maximum.at(categorical, feature_columns(taken), taken["categorical"])
    model.core_model_ = core
    model.table_schema_ = _read_schema(model, described, categorical != 0)
    resolved = described.get("resolved", {})
    model.resolved_ = {name: _read_value(value) for name, value in resolved.items()}
    model.seed_ = read_seed(described)
    model.evals_result_ = {
        str(name): {
            str(metric): arrays[f"{prefix}.history.{at}.{number}"].tolist()
            for number, metric in enumerate(metrics)
        }
        for at, (name, metrics) in enumerate(described["history"])
    }
    best, score = described["best_iteration"], _read_value(described["best_score"])
    model.best_iteration_ = None if best is None else int(best)
    model.best_score_ = None if score is None else float(score)
    if best is not None and not 0 <= int(best) < core.n_rounds:
        raise ValueError(f"best_iteration {best} must be one of {core.n_rounds} rounds")
    return model


def _read_schema(
    model: GBT, described: Mapping[str, Any], categorical: NDArray[np.bool_]
) -> TableSchema:
    core, n_features, n_classes = model.core_model_, model.n_features_in_, len(model.classes_)
    n_outputs = 1 if n_classes <= 2 else n_classes
    if core.n_features != n_features or core.n_outputs != n_outputs:
        raise ValueError(
            f"{n_features} features and {n_classes} classes do not fit trees of "
            f"{core.n_features} features and {core.n_outputs} outputs"
        )
    labels = [
        None if column is None else read_labels(column).tolist()
        for column in described["categories"]
    ]
    named = np.array([column is not None for column in labels])
    if len(labels) != n_features or (named & ~categorical).any():
        raise ValueError("categories must be one list for each categorical feature")
    names = getattr(model, "feature_names_in_", None)
    missing = described["missing"]
    lightgbm = isinstance(missing, Mapping) and "lightgbm" in missing
    value = check_missing(_read_value(missing["lightgbm"] if lightgbm else missing))
    if lightgbm and (named.any() or not (value == 0 or is_missing(value))):
        raise ValueError(f"LightGBM's missing value must be 0 or NaN, got {value!r}")
    return TableSchema(
        tuple(categorical.tolist()),
        tuple(labels),
        value,
        None if names is None else tuple(names),
        lightgbm=lightgbm,
    )
