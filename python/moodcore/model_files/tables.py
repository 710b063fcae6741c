"""Codecs of the preparation of tables, and of pipelines with it."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from moodcore.model_files.pipelines import read_classifier_steps, write_pipeline
from moodcore.model_files.values import (
    Arrays,
    Described,
    read_features,
    take_array,
    write_features,
)
from moodcore.tables.preparation import PreparedColumn, TablePreparation
from moodcore.tables.table_pipeline import TablePipeline

_KINDS = ("number", "boolean", "category")


def write_preparation(model: Any, prefix: str, arrays: Arrays) -> Described:
    """Describe a fitted `TablePreparation`."""
    check_is_fitted(model, "columns_")
    for name in ("median", "center", "scale"):
        values = [getattr(column, name) for column in model.columns_]
        arrays[f"{prefix}.{name}"] = np.array(values, dtype=np.float64)
    params = model.get_params()
    columns = params["columns"]
    return {
        "params": {**params, "columns": None if columns is None else list(columns)},
        "columns": [
            {
                "name": column.name,
                "kind": column.kind,
                "levels": list(column.levels),
                "has_other": column.has_other,
                "has_missing": column.has_missing,
            }
            for column in model.columns_
        ],
        "left_out": model.left_out_,
        **write_features(model),
    }


def read_preparation(described: Mapping[str, Any], prefix: str, arrays: Arrays) -> Any:
    """Build the `TablePreparation` that `write_preparation` described."""
    model = read_features(TablePreparation(**described["params"]), described)
    columns = model.columns
    if columns is not None and not (
        isinstance(columns, list) and all(isinstance(column, str) for column in columns)
    ):
        raise ValueError(f"columns must be names or null, got {columns!r}")
    if model.kind not in ("numeric", "native"):
        raise ValueError(f"kind must be 'numeric' or 'native', got {model.kind!r}")
    shape = (len(described["columns"]),)
    numbers = {
        name: take_array(arrays, f"{prefix}.{name}", shape, np.float64).tolist()
        for name in ("median", "center", "scale")
    }
    prepared = []
    for at, column in enumerate(described["columns"]):
        levels = column["levels"]
        if column["kind"] not in _KINDS or not all(isinstance(level, str) for level in levels):
            raise ValueError(f"columns must hold numbers or categories of text, got {column!r}")
        if len(set(levels)) < len(levels):
            raise ValueError(f"the categories of a column must differ, got {levels!r}")
        prepared.append(
            PreparedColumn(
                str(column["name"]),
                column["kind"],
                tuple(levels),
                has_other=bool(column["has_other"]),
                has_missing=bool(column["has_missing"]),
                **{name: values[at] for name, values in numbers.items()},
            )
        )
    names = [column.name for column in prepared]
    if not names or len(set(names)) < len(names) or not all(numbers["scale"]):
        raise ValueError(f"columns must have different names and a scale above 0, got {names!r}")
    model.columns_ = tuple(prepared)
    model.left_out_ = {str(name): str(role) for name, role in described["left_out"].items()}
    return model


def write_table_pipeline(model: Any, prefix: str, arrays: Arrays) -> Described:
    """Describe a fitted `TablePipeline`."""
    names = model.class_names
    return {
        "class_names": None if names is None else list(names),
        **write_pipeline(model, prefix, arrays),
    }


def read_table_pipeline(described: Mapping[str, Any], prefix: str, arrays: Arrays) -> TablePipeline:
    """Build the `TablePipeline` that `write_table_pipeline` described."""
    names = described["class_names"]
    steps = read_classifier_steps(described, prefix, arrays)
    n_classes = len(steps[-1][1].classes_)
    if names is not None and len(names) != n_classes:
        raise ValueError(f"class_names: {len(names)} for {n_classes} classes")
    return TablePipeline(steps, class_names=None if names is None else tuple(map(str, names)))
