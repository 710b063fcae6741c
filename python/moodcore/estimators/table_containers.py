"""Tables in memory as frames with named columns or as arrays; their values are not looked at."""

import contextlib
import importlib
import sys
import warnings
from collections import Counter
from collections.abc import Sequence
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_array

from moodcore.estimators.table_columns import ColumnError, unreadable


def named_table(X: Any) -> Any:
    """Return a table that has named columns as a pandas or narwhals DataFrame, None for others.

    A stream of record batches is read to its end.

    Raises
    ------
    TypeError
        If the table must be computed first, or takes a library that is not installed.
    """
    if isinstance(X, np.ndarray | list | tuple):
        return None
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(X, pandas.DataFrame):
        return X
    if isinstance(X, nw.DataFrame):
        return X
    if nw.dependencies.is_into_dataframe(X):
        if hasattr(X, "column_names"):
            refuse_repeated(X.column_names)
        return nw.from_native(X, eager_only=True)
    if nw.dependencies.is_polars_lazyframe(X):
        raise TypeError("X must be a table in memory, got a Polars LazyFrame; use X.collect()")
    if hasattr(X, "__arrow_c_stream__") or hasattr(X, "__arrow_c_array__"):
        return None if hasattr(X, "to_numpy") and not hasattr(X, "schema") else _from_arrow(X)
    if nw.dependencies.is_dask_dataframe(X):
        raise TypeError("X must be a table in memory, got a Dask DataFrame; use X.compute()")
    return None


def as_table(X: Any) -> Any:
    """Return a table with named columns as a pandas or narwhals DataFrame, others as an array."""
    frame = named_table(X)
    if frame is not None:
        return frame
    array = X if is_sparse(X) else as_array(X)
    return check_array(array, dtype=None, ensure_all_finite=False, input_name="X")


def take_rows(table: Any, rows: NDArray[np.intp]) -> Any:
    """Return rows of what `as_table` returned."""
    return table.iloc[rows] if hasattr(table, "iloc") else table[rows]


def native(table: Any) -> Any:
    """Return what `as_table` returned as its own library has it."""
    return nw.to_native(table, pass_through=True)


def is_sparse(X: Any) -> bool:
    """Return whether a table is a SciPy sparse matrix or array."""
    return hasattr(X, "toarray") and hasattr(X, "nnz")


def refuse_repeated(names: Sequence[Any]) -> None:
    """Refuse names that occur more than once."""
    if len(set(names)) < len(names):
        name = Counter(names).most_common(1)[0][0]
        raise ValueError(f"X: {name!r} is the name of more than one column; rename all but one")


def as_array(X: Any) -> NDArray[Any]:
    """Return an array of numbers or of objects."""
    if is_sparse(X):
        return _dense(X)
    array: Any = X if isinstance(X, np.ndarray) else np.asarray(X)
    kind = array.dtype.kind
    if kind in "US" and not isinstance(X, np.ndarray):
        # Numbers among text would become text.
        array = np.asarray(X, dtype=object)
    elif kind in "UT":
        array = array.astype(object)
    elif kind == "V":
        raise ColumnError(
            f"X must be a table of numbers or text, got a structured array of {array.dtype}; "
            "use pandas.DataFrame(X), or numpy.lib.recfunctions.structured_to_unstructured(X)"
        )
    elif kind in "MmS":
        raise unreadable("bytes" if kind == "S" else array.dtype, 0)
    if isinstance(array, np.ma.MaskedArray):
        array = array.astype(object if kind == "O" else np.float64)
        array = array.filled(None if kind == "O" else np.nan)
    return array


def _dense(X: Any) -> NDArray[Any]:
    size = np.prod(X.shape, dtype=np.float64) * max(X.dtype.itemsize, 4) / 1e6
    warnings.warn(
        f"sparse X of shape {X.shape} is converted to a dense table of {size:,.1f} MB",
        UserWarning,
        stacklevel=6,
    )
    return X.toarray()


def _from_arrow(X: Any) -> Any:
    """Import a table through the Arrow C interface."""
    library = _import_first("pyarrow", "polars")
    if library is None:
        raise TypeError(
            f"X of type {type(X).__name__} is read with pyarrow or Polars, and neither is "
            "installed; use `pip install pyarrow`"
        )
    convert = library.table if library.__name__ == "pyarrow" else library.DataFrame
    try:
        table = convert(X)
    except (TypeError, ValueError) as error:
        raise TypeError(f"X must be a table, got {type(X).__name__}: {error}") from error
    return named_table(table)


def _import_first(*names: str) -> Any:
    for name in names:
        with contextlib.suppress(ImportError):
            return importlib.import_module(name)
    return None
