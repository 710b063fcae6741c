"""What users pass as tables, read into columns of numbers and columns of labels.

NumPy arrays, pandas frames, sparse matrices, and all that shows itself through the Arrow interface
(polars, Arrow, DuckDB). Numbers that already lie in memory as float32 or float64 are not copied.
"""

import sys
import warnings
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import validate_data

# Whole numbers of two bytes and less fit float32.
_SHORT = 2


@dataclass(frozen=True)
class Labels:
    """A column of labels: the position of each row's label, -1 where it is missing."""

    codes: NDArray[np.signedinteger[Any]]
    labels: list[Any]

    def __len__(self) -> int:
        return len(self.codes)

    def take(self, rows: NDArray[Any]) -> "Labels":
        """Give some of the rows."""
        return replace(self, codes=self.codes[rows])


Column = NDArray[Any] | Labels


@dataclass(frozen=True)
class RawTable:
    """A table as it came: either one matrix of numbers, or columns.

    Attributes
    ----------
    matrix : ndarray of float32 or float64, or None
    columns : list of ndarray or `Labels`
        Empty where there is a matrix.
    """

    matrix: NDArray[Any] | None
    columns: list[Column]

    def as_columns(self) -> list[Column]:
        """Give the columns, also of a matrix."""
        return self.columns if self.matrix is None else list(self.matrix.T)


def read_table(estimator: Any, X: Any, *, reset: bool, has_labels: bool) -> RawTable:
    """Read a table, and check its width and names against the estimator's.

    Parameters
    ----------
    estimator : estimator
        What learns the width and the names of the columns with ``reset``, and else knows them.
    X : table of shape (n_rows, n_features)
        Any of the kinds above.
    reset : bool
        Whether the estimator is being trained.
    has_labels : bool
        Whether arrays of objects may hold labels beside numbers.

    Raises
    ------
    ValueError, TypeError
        When the table is empty, has other columns, or holds what is neither number nor label.
    """
    if not reset and _is_known_matrix(estimator, X):
        return RawTable(X, [])
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(X, pandas.DataFrame):
        validate_data(estimator, X, skip_check_array=True, reset=reset)
        return _checked(_read_frame(X), X.shape)
    if hasattr(X, "__arrow_c_stream__") and len(getattr(X, "shape", (0, 0))) == 2:
        return _read_arrow_table(estimator, X, reset)
    if hasattr(X, "toarray") and hasattr(X, "nnz"):
        X = _dense(X)
    if has_labels and getattr(getattr(X, "dtype", None), "kind", "O") in "OUST":
        objects = np.asarray(X, dtype=object)
        if objects.ndim == 2:
            validate_data(estimator, X, skip_check_array=True, reset=reset)
            return _checked(RawTable(None, [_object_column(c) for c in objects.T]), objects.shape)
    small = getattr(X, "dtype", None)
    is_small = isinstance(small, np.dtype) and small.kind in "biu" and small.itemsize <= _SHORT
    dtypes = [np.float32, np.float64] if is_small else [np.float64, np.float32]
    matrix: NDArray[Any] = validate_data(
        estimator, X, dtype=dtypes, ensure_all_finite=False, reset=reset
    )
    return RawTable(matrix, [])


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


def _checked(table: RawTable, shape: tuple[int, ...]) -> RawTable:
    """Refuse tables without rows or columns, in scikit-learn's words."""
    for count, what in zip(shape, ("sample", "feature"), strict=True):
        if count == 0:
            raise ValueError(
                f"Found array with 0 {what}(s) (shape={shape}) while a minimum of 1 is required."
            )
    return table


def _dense(X: Any) -> NDArray[Any]:
    """Convert a sparse matrix, and say what it takes."""
    size = np.prod(X.shape, dtype=np.float64) * max(X.dtype.itemsize, 4) / 1e6
    warnings.warn(
        f"sparse X of shape {X.shape} is converted to a dense table of {size:,.1f} MB",
        UserWarning,
        stacklevel=5,
    )
    return X.toarray()


def _read_frame(frame: Any) -> RawTable:
    """Read a pandas frame; one block of numbers stays one matrix."""
    columns = [_read_series(frame.iloc[:, at]) for at in range(frame.shape[1])]
    kinds = {getattr(column, "dtype", None) for column in columns}
    strided = any(
        isinstance(column, np.ndarray) and not column.flags.c_contiguous for column in columns
    )
    if strided and len(kinds) == 1 and set(frame.dtypes) <= {np.dtype("f4"), np.dtype("f8")}:
        return RawTable(frame.to_numpy(), [])
    return RawTable(None, columns)


def _read_series(series: Any) -> Column:
    import pandas as pd

    dtype = series.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return Labels(np.asarray(series.cat.codes), list(dtype.categories))
    if isinstance(dtype, pd.ArrowDtype):
        import pyarrow as pa

        return _read_arrow(pa.chunked_array([pa.array(series)]), series.name)
    if isinstance(dtype, np.dtype) and dtype.kind in "biuf":
        return _as_float(series.to_numpy())
    if pd.api.types.is_bool_dtype(dtype) or pd.api.types.is_numeric_dtype(dtype):
        return _as_float(series.to_numpy(dtype=np.float64, na_value=np.nan))
    if dtype.kind == "O" or isinstance(dtype, pd.StringDtype):
        return _object_column(series.to_numpy(dtype=object), text=isinstance(dtype, pd.StringDtype))
    raise TypeError(
        f"column {series.name!r} must hold numbers or categories, got {dtype}; "
        "convert it to numbers first"
    )


def _object_column(values: NDArray[Any], *, text: bool = False) -> Column:
    """Read objects as numbers where all of them are, else as labels."""
    import pandas as pd

    if not text and pd.api.types.infer_dtype(values, skipna=True) != "string":
        try:
            missing = pd.isna(values)
            return np.where(missing, np.nan, values).astype(np.float64)
        except (TypeError, ValueError):
            pass
    codes, labels = pd.factorize(values)
    return Labels(codes, list(labels))


def _as_float(values: NDArray[Any]) -> NDArray[Any]:
    """Convert numbers to float32 where it holds them all, else to float64."""
    if values.dtype in (np.float32, np.float64):
        return values
    short = values.dtype.kind == "b" or values.dtype.itemsize <= _SHORT
    return values.astype(np.float32 if short else np.float64)


def _read_arrow_table(estimator: Any, X: Any, reset: bool) -> RawTable:
    import pandas as pd
    import pyarrow as pa

    table = pa.table(X)
    # scikit-learn compares the names of pandas frames: rows play no part in it.
    frame = pd.DataFrame(columns=table.column_names)
    validate_data(estimator, frame, skip_check_array=True, reset=reset)
    names = zip(table.columns, table.column_names, strict=True)
    return _checked(RawTable(None, [_read_arrow(*column) for column in names]), table.shape)


def _read_arrow(column: Any, name: Any) -> Column:
    import pyarrow as pa

    kinds = pa.types
    dtype = column.type
    if kinds.is_dictionary(dtype):
        return _read_dictionary(column)
    if any(is_kind(dtype) for is_kind in (kinds.is_string, kinds.is_large_string)):
        return _read_dictionary(column.dictionary_encode())
    if str(dtype) == "string_view":
        return _read_dictionary(column.cast(pa.large_string()).dictionary_encode())
    if kinds.is_null(dtype):
        return np.full(len(column), np.nan)
    if kinds.is_boolean(dtype):
        column = column.cast(pa.int8())
    elif kinds.is_decimal(dtype):
        column = column.cast(pa.float64())
    elif not (kinds.is_integer(dtype) or kinds.is_floating(dtype)):
        raise TypeError(
            f"column {name!r} must hold numbers or categories, got {dtype}; "
            "convert it to numbers first"
        )
    whole = column.chunk(0) if column.num_chunks == 1 else column
    return _as_float(whole.to_numpy(zero_copy_only=False))


def _read_dictionary(column: Any) -> Labels:
    """Read categories in chunks, which may each have a dictionary of its own."""
    codes: list[NDArray[np.int64]] = []
    labels: list[Any] = []
    for chunk in column.chunks:
        # Indices may be unsigned.
        indices = chunk.indices.cast("int64").fill_null(-1).to_numpy()
        codes.append(np.where(indices < 0, -1, indices + len(labels)))
        labels.extend(chunk.dictionary.to_pylist())
    # The same label of two chunks gets one place.
    places: dict[Any, int] = {}
    lookup = [-1 if label is None else places.setdefault(label, len(places)) for label in labels]
    joined = np.concatenate(codes) if codes else np.empty(0, dtype=np.int64)
    return Labels(np.array([*lookup, -1])[joined], list(places))
