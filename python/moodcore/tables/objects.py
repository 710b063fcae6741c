"""Tables in memory as DataFrames."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from moodcore.tables.files import arrow_to_frame, with_plain_names

if TYPE_CHECKING:
    import pandas as pd


def kind_in_words(X: Any) -> str:
    """Return what an object in memory is called, such as "DataFrame" or "polars DataFrame"."""
    module, name = type(X).__module__.partition(".")[0], type(X).__name__
    return name if module in ("pandas", "builtins") else f"{module} {name}"


def to_frame(X: Any) -> pd.DataFrame:
    """Return a table in memory as a DataFrame whose column names are text.

    Parameters
    ----------
    X : DataFrame, Arrow or Polars table, sparse matrix or array-like of two dimensions
    """
    import pandas as pd

    if isinstance(X, pd.DataFrame):
        return with_plain_names(X, "DataFrame")
    if hasattr(X, "__arrow_c_stream__"):
        import pyarrow as pa

        return with_plain_names(arrow_to_frame(pa.table(X)), kind_in_words(X))
    if hasattr(X, "toarray") and hasattr(X, "nnz"):
        X = X.toarray()
    if X is None or isinstance(X, str | bytes | int | float | dict):
        raise TypeError(
            "a table must be a path, a DataFrame, an Arrow or Polars table or an array of two "
            f"dimensions, got {type(X).__name__}"
        )
    array = np.asarray(X)
    if array.ndim != 2:
        raise ValueError(
            f"Expected 2D array, got {array.ndim}D array instead. Reshape your data either using "
            "array.reshape(-1, 1) if it has one feature or array.reshape(1, -1) if it is one row."
        )
    frame = pd.DataFrame(array, columns=[f"x{at}" for at in range(array.shape[1])])
    return frame.infer_objects() if array.dtype == object else frame
