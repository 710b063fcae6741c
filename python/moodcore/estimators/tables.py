"""Tables in memory, of whatever library, read into columns of numbers and of categories.

NumPy arrays, lists, SciPy sparse matrices, pandas, Polars and Arrow tables, and everything that
has the Arrow C interface. Numbers that already lie in memory as float32 or float64 are not copied.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import narwhals.stable.v2 as nw
import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_array, check_X_y
from sklearn.utils.validation import validate_data

from moodcore.estimators.table_columns import (
    NUMBERS,
    SHORT,
    Categories,
    Column,
    ColumnError,
    object_numbers,
    read_narwhals,
    read_objects,
    read_series,
)
from moodcore.estimators.table_containers import (
    as_array,
    is_sparse,
    named_table,
    native,
    refuse_repeated,
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
        A sparse matrix by columns if `validate_table` read a sparse one.
    columns : list of ndarray or `Categories`
        Empty where there is a matrix.
    """

    names: tuple[Any, ...] | None
    matrix: NDArray[Any] | None
    columns: list[Column]

    def as_columns(self) -> list[Column]:
        """Return the columns, also of a matrix."""
        if self.matrix is None:
            return self.columns
        matrix: Any = self.matrix
        if is_sparse(matrix):
            return [matrix[:, [at]].toarray()[:, 0] for at in range(matrix.shape[1])]
        return list(matrix.T)

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kind of each column, "number" or "category"."""
        return tuple(
            "category" if isinstance(column, Categories) else "number"
            for column in self.as_columns()
        )

    def numbers(self) -> NDArray[Any]:
        """Return all columns as one matrix; refuse those of text."""
        if self.matrix is not None:
            return self.matrix
        names = self.names or range(len(self.columns))
        return np.column_stack(list(map(_numbers, self.columns, names)))


def read_table(
    X: Any, columns: Sequence[int] | None = None, *, estimator: Any = None, reset: bool = False
) -> RawTable:
    """Read a table.

    Parameters
    ----------
    X : table of shape (n_rows, n_columns)
        Any of the kinds above.
    columns : sequence of int, optional
        Positions of the columns to read; the others may hold anything. All by default.
    estimator : estimator, optional
        With ``reset`` it learns the width and the names of the columns, else the table must have
        those that it knows.
    reset : bool, default=False

    Raises
    ------
    ColumnError
        If a column holds neither numbers nor categories.
    TypeError, ValueError
        If it is no table, lacks rows or columns, has two columns of one name, or other columns
        than in training.
    """
    frame = named_table(X)
    if frame is not None:
        _check_names(estimator, frame, reset)
        chosen = frame.iloc if hasattr(frame, "iloc") else frame
        return _read_frame(frame if columns is None else chosen[:, columns])
    array = as_array(X)
    if array.dtype.kind == "O" and array.ndim == 2:
        if estimator is not None:
            validate_data(estimator, array, skip_check_array=True, reset=reset)
        return _read_object_matrix(array, columns)
    is_short = array.dtype.kind in "biuf" and array.dtype.itemsize <= SHORT
    options = {
        "dtype": [np.float32, np.float64] if is_short else [np.float64, np.float32],
        "ensure_all_finite": False,
    }
    if estimator is None:
        matrix = check_array(array, **options)
    else:
        matrix = validate_data(estimator, array, reset=reset, **options)
    return RawTable(None, matrix if columns is None else matrix[:, columns], [])


def validate_table(estimator: Any, X: Any, *, reset: bool) -> RawTable:
    """Read a table, and check its width and names against the estimator's (see `read_table`).

    A sparse matrix stays sparse, by columns.
    """
    if not reset and _is_known_matrix(estimator, X):
        return RawTable(None, X, [])
    if is_sparse(X) and not X.dtype.hasobject:
        options = {"dtype": [np.float32, np.float64], "ensure_all_finite": False}
        matrix = validate_data(estimator, X, reset=reset, accept_sparse="csc", **options)
        return RawTable(None, matrix, [])
    return read_table(X, estimator=estimator, reset=reset)


def validate_numbers(
    estimator: Any, X: Any, y: Any = "no_validation", *, reset: bool = True, **options: Any
) -> Any:
    """Check a table of numbers, and labels: scikit-learn's `validate_data` for any table.

    See `read_table` for ``X``, ``estimator`` and ``reset``, and `sklearn.utils.check_array` for
    the options.

    Returns
    -------
    ndarray, or ndarray and ndarray
        The matrix, and the labels if there are any.
    """
    has_labels = not (y is None or isinstance(y, str))
    if has_labels == reset and _is_ready(X, None if reset else estimator, options.get("dtype")):
        if not has_labels:
            return X
        if _are_ready_labels(y, len(X)) and len(X) >= options.get("ensure_min_samples", 1):
            _learn_columns(estimator, X)
            return X, y
    frame = named_table(X)
    if frame is None:
        array = X if is_sparse(X) else as_array(X)
        if array.dtype.kind == "O" and array.ndim == 2:
            array = _read_object_matrix(array).numbers()
        return validate_data(estimator, array, y, reset=reset, **options)
    _check_names(estimator, frame, reset)
    matrix = _read_frame(frame).numbers()
    options |= {"estimator": estimator}
    if isinstance(y, str) and y == "no_validation":
        return check_array(matrix, input_name="X", **options)
    return check_X_y(matrix, y, **options)


def _is_ready(X: Any, estimator: Any, dtypes: Any) -> bool:
    """Return whether all checks of rows would return this array: rows to predict, or to train on.

    They take longer than predicting a few rows, or than training on a small table. Any other table
    gets them, and their messages. Without an estimator, any number of columns is allowed.
    """
    if not (isinstance(dtypes, list) and is_plain_matrix(X, estimator) and X.dtype in dtypes):
        return False
    if not X.flags.c_contiguous:
        return False
    # The sum of finite values may overflow; then the other checks decide.
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(X.sum()))


def is_plain_matrix(X: Any, estimator: Any = None) -> bool:
    """Return whether all checks of rows would accept this array if its values are finite.

    Its rows may be in any order in memory.

    Parameters
    ----------
    X : table
        Rows in any container.
    estimator : estimator, optional
        The rows must have the columns that it knows; by default any number of columns.
    """
    if type(X) is not np.ndarray or X.ndim != 2 or not X.size:
        return False
    if X.dtype not in (np.float32, np.float64):
        return False
    return estimator is None or (
        X.shape[1] == getattr(estimator, "n_features_in_", None)
        and not hasattr(estimator, "feature_names_in_")
    )


def _are_ready_labels(y: Any, n_rows: int) -> bool:
    """Return whether all checks of labels would return this array."""
    return (
        type(y) is np.ndarray
        and y.shape == (n_rows,)
        and y.dtype.kind in "biuU"
        and y.flags.c_contiguous
    )


def _learn_columns(estimator: Any, X: NDArray[Any]) -> None:
    """Set what `validate_data` sets for a matrix, whose columns have no names."""
    if hasattr(estimator, "feature_names_in_"):
        del estimator.feature_names_in_
    estimator.n_features_in_ = X.shape[1]


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
        array = as_array(X)
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
    if 0 in frame.shape:
        check_array(np.empty(frame.shape))
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
    if 0 in array.shape:
        check_array(array)
    positions = list(range(array.shape[1]) if columns is None else columns)
    matrix = object_numbers(array[:, positions])
    if matrix is not None:
        return RawTable(None, matrix, [])
    return RawTable(None, None, [read_objects(array[:, at], at) for at in positions])


def _is_known_matrix(estimator: Any, X: Any) -> bool:
    """Return whether X needs no check and no warning; a small batch predicts faster without."""
    return (
        type(X) is np.ndarray
        and X.dtype in (np.float32, np.float64)
        and X.dtype.isnative
        and X.ndim == 2
        and X.shape[0] > 0
        and X.shape[1] == estimator.n_features_in_
        and not hasattr(estimator, "feature_names_in_")
    )


def _check_names(estimator: Any, frame: Any, reset: bool) -> None:
    """Check names as scikit-learn does; the names of training need no further look."""
    if estimator is None:
        return
    refuse_repeated(frame.columns)
    names = getattr(estimator, "feature_names_in_", None)
    if reset or names is None or list(frame.columns) != names.tolist():
        validate_data(estimator, native(frame), skip_check_array=True, reset=reset)


def _numbers(column: Column, name: Any) -> NDArray[Any]:
    """Return the numbers of a column, also of categories that are numbers."""
    if not isinstance(column, Categories):
        return column
    for code, value in enumerate(column.values):
        if not isinstance(value, NUMBERS):
            raise ColumnError(
                f"column {name!r} must hold numbers, got {value!r} in row "
                f"{int((column.codes == code).argmax())}; encode categories first, for example "
                "with sklearn.preprocessing.OneHotEncoder"
            )
    return np.array([*map(float, column.values), np.nan])[column.codes]
