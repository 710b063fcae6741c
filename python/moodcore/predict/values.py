"""Values of the columns that a model needs, and the rows in which they cannot be used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from moodcore.errors import TableError
from moodcore.predict.batches import BadRow, Rows
from moodcore.tables.columns import Column
from moodcore.tables.text_files import MISSING_TEXTS

if TYPE_CHECKING:
    import pyarrow as pa

_SHOWN = 200


def read_values(
    rows: Rows, columns: Sequence[Column], names: Mapping[str, str]
) -> tuple[dict[str, Any], NDArray[np.bool_], list[BadRow]]:
    """Convert columns, which have other names in the file, to what a model takes.

    Returns the values by column, the rows of the table in which all of them can be used, and every
    other row of the batch, once, in their order.
    """
    table = rows.table
    good = np.ones(table.num_rows, dtype=bool)
    places = {int(number): at for at, number in enumerate(rows.numbers)} if rows.bad else {}
    bad: dict[int, BadRow] = {}
    for row in rows.bad:
        bad.setdefault(row.row, row)
        if row.row in places:
            good[places[row.row]] = False
    values: dict[str, Any] = {}
    for column in columns:
        name = names[column.name]
        array = _plain(table.column(name), column, name)
        values[column.name], wrong = (
            _read_categories(array, column)
            if column.kind == "category"
            else _read_numbers(array, column, decimal_comma=rows.decimal_comma)
        )
        for reason, mask in wrong.items():
            first = np.flatnonzero(mask & good)
            for at in first.tolist():
                number = int(rows.numbers[at])
                bad[number] = BadRow(number, name, _text(array[at]), reason)
            good[first] = False
    return values, good, [bad[row] for row in sorted(bad)]


def _plain(array: pa.Array, column: Column, name: str) -> pa.Array:
    """Return the column without encodings, if its values can be numbers or categories."""
    import pyarrow as pa

    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    kind = array.type
    if pa.types.is_temporal(kind) or pa.types.is_nested(kind) or "binary" in str(kind):
        raise TableError(
            f"column {name!r} holds values of type {kind}; the model was trained on "
            f"{'categories' if column.kind == 'category' else 'numbers'} there"
        )
    return array


def _is_text(kind: pa.DataType) -> bool:
    import pyarrow as pa

    return kind in (pa.string(), pa.large_string(), pa.string_view())


def _read_numbers(
    array: pa.Array, column: Column, *, decimal_comma: bool
) -> tuple[NDArray[np.float64], dict[str, NDArray[np.bool_]]]:
    """Return the numbers, and masks of the values that cannot be used, by what is wrong."""
    import pyarrow as pa

    if column.kind == "boolean":
        array = _truth_values(array)
    elif pa.types.is_boolean(array.type):
        array = array.cast(pa.string())
    numbers, absent = to_numbers(array, decimal_comma=decimal_comma)
    infinite = np.isinf(numbers)
    wrong = {} if column.may_be_missing else {"missing": absent}
    wrong |= {"not a number": np.isnan(numbers) & ~absent, "infinite": infinite}
    if column.allowed is not None:
        with np.errstate(invalid="ignore"):
            outside = (numbers < column.allowed.low) | (numbers > column.allowed.high)
        wrong["out of range"] = outside & ~infinite
    return numbers, {reason: mask for reason, mask in wrong.items() if mask.any()}


def _truth_values(array: pa.Array) -> pa.Array:
    """Return true and false, also as text, as 1 and 0."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_boolean(array.type):
        return array.cast(pa.int8())
    if not _is_text(array.type):
        return array
    lower = pc.utf8_lower(pc.utf8_trim_whitespace(array.cast(pa.string())))
    lower = pc.if_else(pc.equal(lower, "true"), "1", lower)
    return pc.if_else(pc.equal(lower, "false"), "0", lower)


def to_numbers(
    array: pa.Array, *, decimal_comma: bool = False
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return the numbers of a column, NaN where there is none, and where the value is missing."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = array.type
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        values = array.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
        return values, np.isnan(values)
    if _is_text(kind):
        text = pc.utf8_trim_whitespace(array.cast(pa.string()))
        text = pc.if_else(pc.is_in(text, value_set=_missing_texts()), _none(), text)
        absent = text.is_null().to_numpy(zero_copy_only=False)
        return _parsed(text, decimal_comma=decimal_comma), absent
    absent = array.is_null(nan_is_null=True).to_numpy(zero_copy_only=False)
    return np.full(len(array), np.nan), absent


@cache
def _missing_texts() -> pa.Array:
    import pyarrow as pa

    return pa.array(MISSING_TEXTS, pa.string())


@cache
def _none() -> Any:
    import pyarrow as pa

    return pa.scalar(None, pa.string())


def _parsed(text: pa.Array, *, decimal_comma: bool) -> NDArray[np.float64]:
    import pandas as pd
    import pyarrow as pa
    import pyarrow.compute as pc

    if decimal_comma:
        commas = pc.match_substring_regex(text, r"^[+-]?\d*,\d+([eE][+-]?\d+)?$")
        text = pc.if_else(commas, pc.replace_substring(text, ",", "."), text)
    try:
        return text.cast(pa.float64()).to_numpy(zero_copy_only=False)
    except pa.ArrowInvalid:
        # One text is no number: those that are, are read one by one.
        values = pd.to_numeric(pd.Series(text.to_pylist(), dtype=object), errors="coerce")
        return values.to_numpy(dtype=np.float64)


def _read_categories(array: pa.Array, column: Column) -> tuple[Any, dict[str, NDArray[np.bool_]]]:
    """Return the categories as the model reads them, and where they are missing and may not be."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if _is_text(array.type):
        known = {category for category in column.categories or () if isinstance(category, str)}
        text = array.cast(pa.string())
        if not any(category[:1].isspace() for category in known):
            text = pc.utf8_ltrim_whitespace(text)
        missing = pa.array([none for none in MISSING_TEXTS if none not in known], pa.string())
        array = pc.if_else(pc.is_in(text, value_set=missing), _none(), text)
    elif pa.types.is_null(array.type):
        array = array.cast(pa.string())
    absent = array.is_null(nan_is_null=True).to_numpy(zero_copy_only=False)
    wrong = {"missing": absent} if absent.any() and not column.may_be_missing else {}
    return array.dictionary_encode().to_pandas(), wrong


def _text(value: Any) -> str:
    plain = value.as_py()
    return "" if plain is None else str(plain)[:_SHOWN]
