"""How boosted trees are described in a model file."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from moodcore import _core
from moodcore.estimators.gbt.inspection import feature_columns
from moodcore.model_files.values import (
    Arrays,
    Described,
    read_class_weight,
    read_classes,
    read_features,
    read_labels,
    write_class_weight,
    write_features,
    write_labels,
)

# Callables do not go into a file, nor does a generator; a loaded model has none.
_LEFT_OUT = frozenset({"class_weight", "random_state", "objective", "eval_metric", "callbacks"})


def write_gbt(model: Any, prefix: str, arrays: Arrays) -> Described:
    """Describe a fitted `GBT`."""
    check_is_fitted(model)
    for name, values in model.core_model_.arrays().items():
        arrays[f"{prefix}.{name}"] = values
    for at, curves in enumerate(model.evals_result_.values()):
        for metric, values in enumerate(curves.values()):
            arrays[f"{prefix}.history.{at}.{metric}"] = np.array(values, dtype=np.float64)
    params = model.get_params(deep=False)
    metrics = _texts(params["eval_metric"])
    return {
        "params": {
            name: _write_value(name, value)
            for name, value in params.items()
            if name not in _LEFT_OUT
        },
        "eval_metric": metrics,
        "class_weight": write_class_weight(model.class_weight),
        "classes": write_labels(model.classes_),
        "missing": _write_value("missing", model.table_schema_.missing),
        "categories": [
            None if labels is None else write_labels(_object_array(labels))
            for labels in model.table_schema_.categories
        ],
        "history": [[name, list(curves)] for name, curves in model.evals_result_.items()],
        "best_iteration": model.best_iteration_,
        "best_score": None if model.best_score_ is None else _write_value("", model.best_score_),
        "seed": model.seed_,
        **write_features(model),
    }


def _object_array(values: list[Any]) -> Any:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def _texts(eval_metric: Any) -> Any:
    """Keep metrics that all have names of ours."""
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
    if isinstance(value, list | tuple | np.ndarray):
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


def read_gbt(described: Mapping[str, Any], prefix: str, arrays: Arrays) -> Any:
    """Build the `GBT` that `write_gbt` described.

    Raises
    ------
    KeyError, TypeError, ValueError
        When the description is not one of `write_gbt`'s.
    """
    from moodcore.estimators.gbt.estimator import GBT

    params = {name: _read_value(value) for name, value in described["params"].items()}
    model = read_features(GBT(**params), described)
    model.eval_metric = described["eval_metric"]
    model.class_weight = read_class_weight(described["class_weight"])
    model.check_parameters()
    model.classes_ = read_classes(described["classes"])
    taken = {name: arrays[f"{prefix}.{name}"] for name in _ARRAYS}
    if f"{prefix}.bin_column" in arrays:
        taken["bin_column"] = arrays[f"{prefix}.bin_column"]
    core = _core.GbtModel(taken)
    categorical = np.zeros(core.n_features, dtype=np.uint8)
    np.maximum.at(categorical, feature_columns(taken), taken["categorical"])
    _read_schema(model, core, described, categorical)
    _read_history(model, core, described, prefix, arrays)
    model.seed_ = int(described["seed"])
    if not 0 <= model.seed_ < 2**64:
        raise ValueError(f"seed {model.seed_} is out of range")
    model.set_core_model(core)
    return model


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


def _read_schema(
    model: Any, core: _core.GbtModel, described: Mapping[str, Any], categorical: Any
) -> None:
    from moodcore.estimators.gbt.options import check_missing
    from moodcore.estimators.table_schema import TableSchema

    n_features, n_classes = model.n_features_in_, len(model.classes_)
    n_outputs = 1 if n_classes <= 2 else n_classes
    if core.n_features != n_features or core.n_outputs != n_outputs:
        raise ValueError(
            f"{n_features} features and {n_classes} classes do not fit trees of "
            f"{core.n_features} features and {core.n_outputs} outputs"
        )
    labels = [None if one is None else read_labels(one).tolist() for one in described["categories"]]
    named = [one is not None for one in labels]
    if len(labels) != n_features or any(named & (categorical == 0)):
        raise ValueError("categories must be one list for each categorical feature")
    missing = check_missing(_read_value(described["missing"]))
    names = getattr(model, "feature_names_in_", None)
    model.table_schema_ = TableSchema(
        tuple((categorical != 0).tolist()),
        tuple(labels),
        missing,
        None if names is None else tuple(names),
    )


def _read_history(
    model: Any, core: _core.GbtModel, described: Mapping[str, Any], prefix: str, arrays: Arrays
) -> None:
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
        raise ValueError(f"best_iteration {best} is none of {core.n_rounds} rounds")
