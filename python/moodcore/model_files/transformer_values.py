"""Parameters, categories and columns of scikit-learn's transformers as JSON."""

import math
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moodcore.model_files.values import Described, read_features

# More features than any table has, so that a number in a file claims no memory.
_MOST_FEATURES = 2**20
_OUTPUTS = ("default", "pandas", "polars")
# The widest text of a category, in bytes of NumPy's fixed-width type.
_MOST_ITEM_BYTES = 1 << 16


def write_params(model: Any, params: Mapping[str, Any] | None = None) -> Described:
    """Describe the parameters of a transformer, by default all.

    Raises
    ------
    TypeError
        If one of them is a function or another object that a model file does not contain.
    """
    kind = type(model).__name__
    params = model.get_params(deep=False) if params is None else params
    left_out = ("random_state",)
    return {
        "params": {
            name: _write_value(f"{name} of a {kind}", value)
            for name, value in params.items()
            if name not in left_out
        }
    }


def read_params(described: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters that `write_params` described."""
    return {str(name): _read_value(value) for name, value in described["params"].items()}


def write_output(model: Any) -> Described:
    """Describe the container that scikit-learn's `set_output` selected, if it did."""
    # No public method returns it.
    output = getattr(model, "_sklearn_output_config", {}).get("transform")
    return {} if output is None else {"output": output}


def read_output(model: Any, described: Mapping[str, Any]) -> Any:
    """Select the container that `write_output` described."""
    output = described.get("output")
    if output is not None:
        if output not in _OUTPUTS:
            raise ValueError(f"output must be one of {', '.join(_OUTPUTS)}, got {output!r}")
        model.set_output(transform=output)
    return model


def write_categories(values: NDArray[Any]) -> Described:
    """Describe categories or fill values: numbers, text, None and NaN."""
    if values.dtype.kind not in "OUTbiuf":
        raise TypeError(f"categories of type {values.dtype} cannot be saved")
    dtype = "object" if values.dtype.kind in "OT" else values.dtype.str
    return {"dtype": dtype, "values": [_write_value("a category", value) for value in values]}


def read_categories(described: Mapping[str, Any]) -> NDArray[Any]:
    """Return the values that `write_categories` described."""
    dtype, values = np.dtype(described["dtype"]), described["values"]
    if dtype.kind not in "OUbiuf" or not isinstance(values, list):
        raise ValueError(f"categories must be a list of text or numbers, got {dtype}")
    if dtype.itemsize > _MOST_ITEM_BYTES or dtype.itemsize * len(values) > 1 << 24:
        raise ValueError(f"categories of type {dtype} are too wide")
    read = [_read_value(value) for value in values]
    if not all(value is None or isinstance(value, bool | int | float | str) for value in read):
        raise ValueError("categories must be text, numbers or None")
    array = np.empty(len(read), dtype=dtype)
    array[:] = read
    return array


def write_columns_of(columns: Any) -> Any:
    """Describe the columns that a `ColumnTransformer` selects."""
    if isinstance(columns, slice):
        return {"slice": [_plain(end) for end in (columns.start, columns.stop, columns.step)]}
    if isinstance(columns, str | int | np.integer):
        return _plain(columns)
    return [_plain(column) for column in columns]


def read_columns_of(described: Any) -> Any:
    """Return the columns that `write_columns_of` described."""
    if isinstance(described, Mapping):
        ends = described["slice"]
        if len(ends) != 3 or not all(end is None or isinstance(end, str | int) for end in ends):
            raise ValueError(f"a slice of columns has a start, a stop and a step, got {ends!r}")
        return slice(*ends)
    if isinstance(described, str | int):
        return described
    kinds = {type(column) for column in described}
    if not isinstance(described, list) or len(kinds) > 1 or not kinds <= {str, int, bool}:
        raise ValueError(f"columns must be names, positions or a mask, got {described!r}")
    return described


def fit_quietly(model: Any, rows: Any, described: Mapping[str, Any]) -> None:
    """Fit a transformer on rows: a matrix, or a list of columns, with the names of the features."""
    import pandas as pd

    read_features(model, described)
    names, n_features = described["feature_names"], model.n_features_in_
    for name in ("n_features_in_", "feature_names_in_"):
        vars(model).pop(name, None)
    columns = rows if isinstance(rows, list) else list(rows.T)
    if len(columns) != n_features or (names is not None and len(set(names)) < len(names)):
        raise ValueError(
            f"{n_features} features need the same number of columns, with different names"
        )
    if names is not None:
        table = {name: pd.Series(column, dtype=_column_type(column))
                 for name, column in zip(names, columns, strict=True)}  # fmt: skip
        rows = pd.DataFrame(table)
    elif isinstance(rows, list):
        rows = np.array(columns, dtype=columns[0].dtype).T
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        model.fit(rows)


def count_of_features(described: Mapping[str, Any]) -> int:
    """Return the number of features, checked before anything of that size is allocated."""
    n_features = described["n_features"]
    if type(n_features) is not int or not 0 < n_features <= _MOST_FEATURES:
        raise ValueError(f"n_features must be 1 to {_MOST_FEATURES}, got {n_features!r}")
    return n_features


def _column_type(column: NDArray[Any]) -> Any:
    return column.dtype if column.dtype.kind in "biuf" else object


def _plain(value: Any) -> Any:
    value = value.item() if isinstance(value, np.generic) else value
    if value is not None and not isinstance(value, str | int):
        raise TypeError(f"columns of type {type(value).__name__} cannot be saved")
    return value


def _write_value(name: str, value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, type) and issubclass(value, np.generic | float | int):
        return {"dtype": np.dtype(value).name}
    if isinstance(value, tuple):
        return {"tuple": [_write_value(name, entry) for entry in value]}
    if isinstance(value, list | np.ndarray):
        return [_write_value(name, entry) for entry in value]
    if isinstance(value, Mapping):
        return {"pairs": [[_write_value(name, entry) for entry in pair] for pair in value.items()]}
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": str(value)}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    what = "function, which is code" if callable(value) else type(value).__name__
    raise TypeError(f"{name} is a {what}, and cannot be saved")


def _read_value(described: Any) -> Any:
    if isinstance(described, list):
        return [_read_value(entry) for entry in described]
    if not isinstance(described, Mapping):
        return described
    if "dtype" in described:
        dtype = np.dtype(described["dtype"])
        if dtype.kind not in "biuf":
            raise ValueError(f"a numeric type is expected, got {dtype}")
        return dtype.type
    if "tuple" in described:
        return tuple(_read_value(entry) for entry in described["tuple"])
    if "float" in described:
        return float(described["float"])
    return {key: _read_value(value) for key, value in described["pairs"]}
