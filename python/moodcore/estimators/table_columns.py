"""Columns of tables as numbers or categories, whatever library holds them."""

import math
import numbers
import re
import sys
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
from numpy.typing import NDArray

#: Bytes of a number that fits float32, whatever its type.
SHORT = 2
# Up to this many rows, a Python loop is faster than the calls into a data frame library.
_FEW_ROWS = 5000
_SHORT_DTYPES = (nw.Boolean, nw.Int8, nw.Int16, nw.UInt8, nw.UInt16, nw.Float32)
_TEXT_DTYPES = (nw.String, nw.Categorical, nw.Enum)
_MISSING_NAMES = frozenset({"NoneType", "NAType", "NaTType"})
_FLOATS = (float, np.floating, Decimal)
#: Types of numbers.
NUMBERS = (numbers.Real, np.bool_, Decimal)
# What to do about a column that holds neither numbers nor categories, by how its type begins.
_ADVICE = (
    (r"list|large_list|fixed_size_list|array|struct|map|dict|tuple|set|frozenset|ndarray|series",
     "make a column of each of its entries"),
    (r"complex", "Complex data not supported: use real and imaginary part as two columns"),
    (r"datetime|timestamp|date|period",
     "use its year, month or weekday, or the number of days since some date"),
    (r"timedelta|duration|time", "convert it to a number of seconds"),
    (r"interval", "use its ends as two columns of numbers, or its text as a category"),
    (r"binary|large_binary|fixed_size_binary|bytes", "decode it to text"),
)  # fmt: skip


class ColumnError(TypeError, ValueError):
    """A column holds values that cannot be used; scikit-learn raises now one, now the other."""


@dataclass(frozen=True)
class Categories:
    """A column of categories.

    Attributes
    ----------
    codes : ndarray of int, shape (n_rows,)
        Position of each row's category in `values`, -1 where it is missing.
    values : list
        The categories that occur.
    """

    codes: NDArray[np.signedinteger[Any]]
    values: list[Any]


Column = NDArray[Any] | Categories


def read_series(series: Any, name: Any) -> Column:
    """Read a pandas Series."""
    import pandas as pd

    dtype = series.dtype
    if isinstance(dtype, np.dtype):
        if dtype.kind == "O":
            return read_objects(series.to_numpy(), name)
        if dtype.kind in "biuf":
            return as_float(series.to_numpy())
        raise unreadable(dtype, name)
    if isinstance(dtype, pd.CategoricalDtype):
        return _used(series.cat.codes.to_numpy(), dtype.categories)
    if isinstance(dtype, pd.SparseDtype):
        return read_series(series.sparse.to_dense(), name)
    column = nw.from_native(series, series_only=True)
    if isinstance(column.dtype, _TEXT_DTYPES):
        codes, values = series.factorize()
        return Categories(codes, values.tolist())
    return read_narwhals(column, name)


def read_narwhals(series: Any, name: Any) -> Column:
    """Read a column of any library that narwhals knows."""
    dtype = series.dtype
    native = series.to_native()
    kind = str(getattr(native, "dtype", None) or native.type)
    is_decimal = kind.lower().startswith("decimal")
    if dtype.is_numeric() or isinstance(dtype, nw.Boolean) or is_decimal:
        short = isinstance(dtype, _SHORT_DTYPES)
        if is_decimal:
            # Arrow does not round a decimal to the nearest float, but parses text exactly.
            series = series.cast(nw.String).cast(nw.Float64)
        elif isinstance(dtype, nw.Boolean) or "128" in kind:
            series = series.cast(nw.Float32 if short else nw.Float64)
        return series.to_numpy().astype(np.float32 if short else np.float64, copy=False)
    if isinstance(dtype, _TEXT_DTYPES):
        return _read_text(series.cast(nw.String) if "view" in kind else series)
    if isinstance(dtype, nw.Object):
        return read_objects(np.array([*series.to_list(), None], dtype=object)[:-1], name)
    if kind.lower().startswith("null"):
        return np.full(len(series), np.nan)
    raise unreadable(kind, name)


def _read_text(series: Any) -> Categories:
    native = series.to_native()
    if hasattr(native, "dictionary_encode"):
        encoded = native.dictionary_encode().combine_chunks()
        return _used(encoded.indices.cast("int64").fill_null(-1).to_numpy(), encoded.dictionary)
    if len(series) <= _FEW_ROWS:
        return _numbered(series.to_list())
    values = [value for value in series.unique().to_list() if value is not None]
    if not values:
        return Categories(np.full(len(series), -1), [])
    codes = series.replace_strict(values, list(range(len(values))), return_dtype=nw.Int64)
    return Categories(codes.fill_null(-1).to_numpy(), values)


def read_objects(values: NDArray[np.object_], name: Any) -> Column:
    """Read Python objects: numbers where all of them are, categories where all are text."""
    listed = values.tolist()
    kinds = set(map(type, listed))
    texts = {kind for kind in kinds if issubclass(kind, str)}
    if not texts:
        numbers = object_numbers(values)
        if numbers is not None:
            return numbers
    elif kinds <= texts | {type(None)} or all(
        is_missing(value) for value in listed if type(value) not in texts
    ):
        pandas = sys.modules.get("pandas")
        if pandas is None:
            return _numbered([value if type(value) in texts else None for value in listed])
        codes, categories = pandas.factorize(values)
        return Categories(codes, categories.tolist())
    raise _mixed([None if is_missing(value) else value for value in listed], name)


def object_numbers(values: NDArray[np.object_]) -> NDArray[np.float64] | None:
    """Return objects as numbers, NaN where they are missing; None where some are no numbers."""
    kinds = set(map(type, values.ravel().tolist()))
    missing = {kind for kind in kinds if kind.__name__ in _MISSING_NAMES}
    if not all(issubclass(kind, NUMBERS) for kind in kinds - missing):
        return None
    if missing - {type(None)}:
        values = values.copy()
        values[np.frompyfunc(is_missing, 1, 1)(values).astype(bool)] = None
    try:
        return values.astype(np.float64)
    except OverflowError:
        return None


def as_float(values: NDArray[Any]) -> NDArray[Any]:
    """Convert numbers to float32 where it holds them all, else to float64."""
    if values.dtype in (np.float32, np.float64):
        return values
    short = values.dtype.itemsize <= SHORT or values.dtype.str[1:] == "f4"
    return values.astype(np.float32 if short else np.float64)


def is_missing(value: Any) -> bool:
    """Return whether a value is missing: None, NaN, NaT or pandas' NA.

    Examples
    --------
    >>> is_missing(None), is_missing(float("nan")), is_missing(0), is_missing("")
    (True, True, False, False)
    """
    if isinstance(value, _FLOATS):
        return math.isnan(value)
    return type(value).__name__ in _MISSING_NAMES


def unreadable(kind: Any, name: Any, row: int | None = None) -> ColumnError:
    """Build the error for a column that holds neither numbers nor categories."""
    text = str(kind)
    advice = next(
        (advice for start, advice in _ADVICE if re.match(start, text.lower())),
        "convert it to numbers or text",
    )
    where = "" if row is None else f" in row {row}"
    return ColumnError(
        f"column {name!r} must hold numbers or categories, got {text}{where}; {advice}"
    )


def _numbered(values: list[Any]) -> Categories:
    """Return the values but None as categories, in the order in which they first come."""
    places: dict[Any, int] = {None: -1}
    codes = [places.setdefault(value, len(places) - 1) for value in values]
    return Categories(np.array(codes), list(places)[1:])


def _used(codes: NDArray[Any], index: Any) -> Categories:
    """Keep the categories that occur, of what may be many more."""
    seen = np.zeros(len(index) + 1, dtype=bool)
    seen[codes] = True
    used = np.flatnonzero(seen[:-1])
    if len(used) < len(index):
        places = np.full(len(index) + 1, -1)
        places[used] = np.arange(len(used))
        codes = places[codes]
    return Categories(codes, index.take(used).tolist())


def _mixed(listed: list[Any], name: Any) -> ColumnError:
    """Name the first value that is neither number nor text, or does not fit those above it."""
    first: tuple[int, Any] | None = None
    for row, value in enumerate(listed):
        if value is None:
            continue
        if not isinstance(value, (str, *NUMBERS)):
            error = unreadable(type(value).__name__, name, row)
            return ColumnError(f"{error} (argument must be a string or a real number)")
        if isinstance(value, int) and abs(value) > sys.float_info.max:
            return ColumnError(f"column {name!r} holds a number beyond float64 in row {row}")
        if first is None:
            first = row, value
        elif isinstance(value, str) != isinstance(first[1], str):
            return ColumnError(
                f"column {name!r} must hold either numbers or text, got {first[1]!r} in row "
                f"{first[0]} and {value!r} in row {row}; convert it to one of them"
            )
    raise AssertionError(f"column {name!r} is not mixed")
