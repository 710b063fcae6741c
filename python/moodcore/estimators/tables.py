"""Tables in memory, of whatever library, read into columns of numbers and of categories.

NumPy arrays, lists, SciPy sparse matrices, pandas, Polars and Arrow tables, and everything that
has the Arrow C interface. Numbers that already lie in memory as float32 or float64 are not copied.
"""

import contextlib
import importlib
import json
import sys
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import narwhals.stable.v2 as nw
import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_array, check_X_y
from sklearn.utils.validation import validate_data

from moodcore.estimators.table_columns import (
    Categories,
    Column,
    ColumnError,
    object_numbers,
    read_narwhals,
    read_objects,
    read_series,
    unreadable,
)

if TYPE_CHECKING:
    import pandas as pd

# A frame of fewer cells is copied faster than it is taken apart.
_FEW_CELLS = 50_000


@dataclass(frozen=True)
class RawTable:
    """A table that was read: either one matrix of numbers, or columns.

    Attributes
    ----------
    names : tuple or None
        Names of the columns; None where the table has none.
    matrix : ndarray of float32 or float64, or None
    columns : list of ndarray or `Categories`
        Empty where there is a matrix.
    """

    names: tuple[Any, ...] | None
    matrix: NDArray[Any] | None
    columns: list[Column]

    def as_columns(self) -> list[Column]:
        """Return the columns, also of a matrix."""
        return self.columns if self.matrix is None else list(self.matrix.T)

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kind of each column, "number" or "category"."""
        return tuple(
            "category" if isinstance(column, Categories) else "number"
            for column in self.as_columns()
        )

    def numbers(self) -> NDArray[Any]:
        """Return all columns as one matrix.

        Raises
        ------
        TypeError
            If a column holds text.
        """
        if self.matrix is not None:
            return self.matrix
        names = self.names or range(len(self.columns))
        return np.column_stack(list(map(_numbers, self.columns, names)))


def read_table(X: Any, columns: Sequence[int] | None = None) -> RawTable:
    """Read a table.

    Parameters
    ----------
    X : table of shape (n_rows, n_columns)
        Any of the kinds above.
    columns : sequence of int, optional
        Positions of the columns to read, the others may hold anything; all by default.

    Raises
    ------
    ColumnError
        If a column holds neither numbers nor categories.
    TypeError
        If it is no table.
    ValueError
        If it has no rows or no columns, or two columns have one name.
    """
    frame = named_table(X)
    if frame is not None:
        chosen = frame.iloc if hasattr(frame, "iloc") else frame
        return _read_frame(frame if columns is None else chosen[:, columns])
    array = _as_array(X)
    if array.dtype.kind == "O" and array.ndim == 2:
        return _read_object_matrix(array, columns)
    matrix = check_array(array, **_matrix_options(array))
    return RawTable(None, matrix if columns is None else matrix[:, columns], [])


def validate_table(estimator: Any, X: Any, *, reset: bool) -> RawTable:
    """Read a table, and check its width and names against the estimator's.

    Parameters
    ----------
    estimator : estimator
        Learns the width and the names of the columns with ``reset``, and else has them.
    X : table of shape (n_rows, n_columns)
        Any of the kinds above.
    reset : bool
        Whether the estimator is being trained.

    Raises
    ------
    TypeError, ValueError
        As `read_table`, and if the table has other columns than in training.
    """
    if not reset and _is_known_matrix(estimator, X):
        return RawTable(None, X, [])
    frame = named_table(X)
    if frame is not None:
        _validate_names(estimator, frame, reset)
        return _read_frame(frame)
    array = _as_array(X)
    if array.dtype.kind == "O" and array.ndim == 2:
        validate_data(estimator, array, skip_check_array=True, reset=reset)
        return _read_object_matrix(array)
    matrix = validate_data(estimator, array, reset=reset, **_matrix_options(array))
    return RawTable(None, matrix, [])


def validate_numbers(
    estimator: Any, X: Any, y: Any = "no_validation", *, reset: bool = True, **options: Any
) -> Any:
    """Check a table of numbers, and labels: scikit-learn's `validate_data` for any table.

    Parameters
    ----------
    estimator : estimator
        Learns the width and the names of the columns with ``reset``, and else has them.
    X : table of shape (n_rows, n_columns)
        Any of the kinds above.
    y : array-like of shape (n_rows,), optional
        Labels; left out, there are none.
    reset : bool, default=True
        Whether the estimator is being trained.
    **options
        Those of `sklearn.utils.check_array`.

    Returns
    -------
    ndarray, or ndarray and ndarray
        The matrix, and the labels if there are any.

    Raises
    ------
    TypeError, ValueError
        If a column holds no numbers, or for scikit-learn's reasons.
    """
    frame = named_table(X)
    if frame is None:
        array = X if is_sparse(X) else _as_array(X)
        if array.dtype.kind == "O" and array.ndim == 2:
            array = _read_object_matrix(array).numbers()
        return validate_data(estimator, array, y, reset=reset, **options)
    _validate_names(estimator, frame, reset)
    matrix = _read_frame(frame).numbers()
    options |= {"estimator": estimator}
    if isinstance(y, str) and y == "no_validation":
        return check_array(matrix, input_name="X", **options)
    return check_X_y(matrix, y, **options)


def to_frame(X: Any, *, strict: bool = True) -> "pd.DataFrame":
    """Convert a table in memory to pandas.

    Columns keep their types: integers, booleans and text are not converted.

    Parameters
    ----------
    X : table of shape (n_rows, n_columns)
        Any of the kinds above, or a dict of columns. Columns without names are called x0, x1, ...
    strict : bool, default=True
        Whether columns that hold neither numbers nor categories (dates, nested values, ...) are
        refused.

    Returns
    -------
    DataFrame
        Its columns are named by str, each name once. A DataFrame keeps its index; else rows are
        numbered from 0.

    Raises
    ------
    TypeError, ValueError
        As `read_table`; a table without rows is taken.

    Examples
    --------
    >>> to_frame([[1.5, "C"], [2.0, None]]).dtypes.astype(str).tolist()
    ['float64', 'str']
    """
    import pandas as pd

    # SciPy's sparse matrices by keys are mappings too.
    is_columns = isinstance(X, Mapping) and not hasattr(X, "toarray")
    frame = named_table(pd.DataFrame(X) if is_columns else X)
    if frame is None:
        array = _as_array(X)
        if array.ndim != 2:
            raise ValueError(
                f"X must be a table of rows and columns, got the shape {array.shape}. "
                "Reshape your data"
            )
        names = [f"x{at}" for at in range(array.shape[1])]
        result = pd.DataFrame(array, columns=names).infer_objects()
    elif isinstance(frame, pd.DataFrame):
        result = frame
    else:
        result = _to_pandas(frame)
    names = [str(name) for name in result.columns]
    refuse_repeated(names)
    if names != list(result.columns):
        result = result.set_axis(names, axis="columns")
    if strict:
        for name in names:
            read_series(result[name], name)
    return result


def named_table(X: Any) -> Any:
    """Return a table that has named columns as a pandas or narwhals DataFrame, and None for others.

    Raises
    ------
    TypeError
        If the table must be computed first, or its library lacks what it takes to read it.
    ValueError
        If two columns have one name.
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
    """Return a table as a pandas or narwhals DataFrame if it has named columns, else as an array.

    Raises
    ------
    TypeError, ValueError
        As `read_table`; the values of the columns are not looked at.
    """
    frame = named_table(X)
    if frame is not None:
        return frame
    if is_sparse(X):
        return check_array(X)
    array = _as_array(X)
    return check_array(array, dtype=None, ensure_all_finite=False, input_name="X")


def take_rows(table: Any, rows: NDArray[np.intp]) -> Any:
    """Return rows of what `as_table` returned."""
    return table.iloc[rows] if hasattr(table, "iloc") else table[rows]


def native(table: Any) -> Any:
    """Return what `as_table` returned as its own library has it."""
    return nw.to_native(table, pass_through=True)


def is_sparse(X: Any) -> bool:
    """Tell whether a table is a sparse matrix of SciPy."""
    return hasattr(X, "toarray") and hasattr(X, "nnz")


def refuse_repeated(names: Sequence[Any]) -> None:
    """Refuse names that occur more than once.

    Raises
    ------
    ValueError
        Names the first.
    """
    if len(set(names)) < len(names):
        name = Counter(names).most_common(1)[0][0]
        raise ValueError(f"X: {name!r} is the name of more than one column; rename all but one")


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


def _to_pandas(frame: "nw.DataFrame[Any]") -> "pd.DataFrame":
    table: Any = frame.to_native()
    if not hasattr(table, "replace_schema_metadata"):
        # pandas has no integers of 128 bits.
        wide = [name for name, kind in frame.schema.items() if kind in (nw.Int128, nw.UInt128)]
        return frame.with_columns(*(nw.col(name).cast(nw.Float64) for name in wide)).to_pandas()
    # The pandas metadata would turn columns into an index.
    result: pd.DataFrame = table.replace_schema_metadata().to_pandas()
    try:
        attributes = json.loads((table.schema.metadata or {}).get(b"pandas", b"{}"))["attributes"]
    except (ValueError, KeyError, TypeError):
        attributes = {}
    result.attrs = attributes if isinstance(attributes, dict) else {}
    return result


def _read_frame(frame: Any) -> RawTable:
    names = tuple(frame.columns)
    refuse_repeated(names)
    _refuse_empty(frame.shape)
    if isinstance(frame, nw.DataFrame):
        return RawTable(names, None, list(map(read_narwhals, frame.iter_columns(), names)))
    dtypes = frame.dtypes.tolist()
    is_float = dtypes[0] in (np.float32, np.float64) and all(kind == dtypes[0] for kind in dtypes)
    # One block of memory stays one matrix; columns that lie apart are not joined.
    if is_float and (frame.size <= _FEW_CELLS or not _is_contiguous(frame.iloc[:, 0])):
        return RawTable(names, frame.to_numpy(), [])
    return RawTable(names, None, [read_series(series, name) for name, series in frame.items()])


def _is_contiguous(series: Any) -> bool:
    return bool(series.to_numpy().flags.c_contiguous)


def _read_object_matrix(array: NDArray[Any], columns: Sequence[int] | None = None) -> RawTable:
    _refuse_empty(array.shape)
    positions = list(range(array.shape[1]) if columns is None else columns)
    matrix = object_numbers(array[:, positions])
    if matrix is not None:
        return RawTable(None, matrix, [])
    return RawTable(None, None, [read_objects(array[:, at], at) for at in positions])


def _as_array(X: Any) -> NDArray[Any]:
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


def _matrix_options(array: NDArray[Any]) -> dict[str, Any]:
    is_short = array.dtype.kind in "biuf" and array.dtype.itemsize <= 2
    dtypes = [np.float32, np.float64] if is_short else [np.float64, np.float32]
    return {"dtype": dtypes, "ensure_all_finite": False}


def _is_known_matrix(estimator: Any, X: Any) -> bool:
    """Tell whether nothing is left to check or to warn of: that takes longer than a small batch."""
    return (
        type(X) is np.ndarray
        and X.dtype in (np.float32, np.float64)
        and X.dtype.isnative
        and X.ndim == 2
        and X.shape[0] > 0
        and X.shape[1] == estimator.n_features_in_
        and not hasattr(estimator, "feature_names_in_")
    )


def _validate_names(estimator: Any, frame: Any, reset: bool) -> None:
    """Check names as scikit-learn does; the names of training need no further look."""
    refuse_repeated(frame.columns)
    names = getattr(estimator, "feature_names_in_", None)
    if reset or names is None or list(frame.columns) != names.tolist():
        validate_data(estimator, native(frame), skip_check_array=True, reset=reset)


def _refuse_empty(shape: tuple[int, ...]) -> None:
    """Refuse tables without rows or columns, in scikit-learn's words."""
    for count, what in zip(shape, ("sample", "feature"), strict=True):
        if count == 0:
            raise ValueError(
                f"Found array with 0 {what}(s) (shape={shape}) while a minimum of 1 is required."
            )


def _numbers(column: Column, name: Any) -> NDArray[Any]:
    """Return the numbers of a column, also of categories that are numbers."""
    if not isinstance(column, Categories):
        return column
    for code, value in enumerate(column.values):
        if isinstance(value, str) or not np.isscalar(value):
            raise ColumnError(
                f"column {name!r} must hold numbers, got {value!r} in row "
                f"{int((column.codes == code).argmax())}; encode categories first, for example "
                "with sklearn.preprocessing.OneHotEncoder"
            )
    return np.array([*map(float, column.values), np.nan])[column.codes]
