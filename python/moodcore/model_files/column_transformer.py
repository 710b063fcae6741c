"""Codec of scikit-learn's `ColumnTransformer`."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.validation import check_is_fitted

from moodcore.model_files.pipelines import output_width, returns_sparse
from moodcore.model_files.registry import read_part, write_part
from moodcore.model_files.transformer_values import (
    count_of_features,
    fit_quietly,
    read_columns_of,
    read_output,
    read_params,
    write_columns_of,
    write_output,
    write_params,
)
from moodcore.model_files.values import Arrays, Described, write_features

# Described by themselves, or of no use in a fitted transformer.
_LEFT_OUT = ("transformers", "remainder", "n_jobs")


def write_column_transformer(model: Any, prefix: str, arrays: Arrays) -> Described:
    """Describe a fitted `ColumnTransformer`."""
    check_is_fitted(model)
    parts = []
    for at, (name, transformer, columns) in enumerate(model.transformers_):
        outputs = model.output_indices_[name]
        if outputs.start == outputs.stop:
            # Without columns a transformer is not fitted.
            part: Any = "drop"
        elif isinstance(transformer, str):
            part = transformer
        else:
            part = write_part(transformer, f"{prefix}.{at}", arrays)
        parts.append([name, part, write_columns_of(columns)])
    params = model.get_params(deep=False)
    return {
        **write_params(model, {k: v for k, v in params.items() if k not in _LEFT_OUT}),
        **write_output(model),
        "transformers": parts,
        "has_remainder": len(model.transformers_) > len(model.transformers),
        "sparse_output": bool(model.sparse_output_) and _has_sparse_part(model),
        **write_features(model),
    }


def read_column_transformer(described: Mapping[str, Any], prefix: str, arrays: Arrays) -> Any:
    """Build the `ColumnTransformer` that `write_column_transformer` described.

    scikit-learn resolves the columns: transformers that return their columns are fitted, and then
    replaced by those of the file.
    """
    parts = []
    for at, (name, part, columns) in enumerate(described["transformers"]):
        if isinstance(part, str):
            if part not in ("drop", "passthrough"):
                raise ValueError(f"transformer {name!r} must be a part, drop or passthrough")
        else:
            part = read_part(part, f"{prefix}.{at}", arrays)
        parts.append((str(name), part, read_columns_of(columns)))
    n_named = len(parts) - bool(described["has_remainder"])
    replaced = [
        (name, part if isinstance(part, str) else FunctionTransformer(), columns)
        for name, part, columns in parts[:n_named]
    ]
    rest = parts[-1][1] if n_named < len(parts) else "drop"
    model = ColumnTransformer(
        replaced,
        remainder=rest if isinstance(rest, str) else FunctionTransformer(),
        **read_params(described),
    )
    rows = np.zeros((2, count_of_features(described)))
    fit_quietly(model, rows, described)
    widths = {name: place.stop - place.start for name, place in model.output_indices_.items()}
    fitted, position, outputs = [], 0, {}
    for (name, part, columns), (known, stored, _) in zip(parts, model.transformers_, strict=True):
        if name != known:
            raise ValueError(f"transformer {name!r} must be {known!r}")
        width = widths[name]
        if not isinstance(part, str):
            if not hasattr(part, "transform") or part.n_features_in_ != width:
                raise ValueError(f"{name} must transform {width} columns")
            width, stored = output_width(part), part
        fitted.append((name, stored, columns))
        outputs[name] = slice(position, position + width)
        position += width
    model.transformers_, model.output_indices_ = fitted, outputs
    model.transformers = parts[:n_named]
    model.remainder = rest
    model.sparse_output_ = bool(described["sparse_output"]) and _has_sparse_part(model)
    return read_output(model, described)


def _has_sparse_part(model: Any) -> bool:
    """Return whether one of the fitted transformers returns a sparse matrix for dense rows.

    If none does, scikit-learn cannot stack their outputs as a sparse matrix, so the flag of the
    file must not say so. The flag of a `ColumnTransformer` that was fitted on sparse rows does; it
    returns the same values as a dense array after it was loaded.
    """
    return any(returns_sparse(part) for _, part, _ in model.transformers_)
