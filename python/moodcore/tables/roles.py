"""Roles of the columns of any table: numbers, categories, identifiers, dates."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from moodcore.errors import TableError
from moodcore.estimators.categories import number_in
from moodcore.tables.text_files import ID_NAMES, MISSING_TEXTS, plain_name

if TYPE_CHECKING:
    import pandas as pd

#: Roles of columns that a model can learn from; the others are left out.
FEATURE_ROLES: Final = ("number", "boolean", "category")

_INDEX_NAMES = frozenset({"", "index", "row", "row id", "rownames", "level 0"})
_UNIQUE_SHARE = 0.95
_MANY_ROWS = 30
# Of text values, how many must be numbers or dates for the column to be one of them.
_CONVERTIBLE_SHARE = 0.95
# Values that show whether it is worth reading all of them as numbers.
_SAMPLE = 1000
_SAMPLE_SHARE = 0.5
_SHOWN = 3
_MANY_VALUES = 50
_DATE = re.compile(
    r"\d{4}[-/.]\d{1,2}([-/.]\d{1,2})?([T ]\d{1,2}:\d{2}.*)?|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}( .*)?"
)
_TRUTH = {"true": 1.0, "false": 0.0}


@dataclass(frozen=True)
class ColumnRole:
    """What a column of a table holds.

    Attributes
    ----------
    name : str
        Its name.
    role : str
        "number", "boolean", "category", "id", "date", "constant" or "empty".
    n_values : int
        Distinct values, the missing one not counted.
    n_missing : int
        Rows without a value.
    low, high : float or None
        The ends of the range of numbers.
    values : tuple of str
        The most frequent values of what is no number.
    odd : tuple of str
        Texts among numbers, which count as missing.
    """

    name: str
    role: str
    n_values: int
    n_missing: int
    low: float | None = None
    high: float | None = None
    values: tuple[str, ...] = ()
    odd: tuple[str, ...] = ()


def column_roles(frame: pd.DataFrame) -> list[ColumnRole]:
    """Return the role of each column of a table.

    Raises
    ------
    TableError
        For a column that holds lists, complex numbers or other objects.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"age": [31, 45], "job": ["cook", None], "year": [2024, 2024]})
    >>> [column.role for column in column_roles(table)]
    ['number', 'category', 'constant']
    """
    return [column_role(frame[name]) for name in frame.columns]


def column_role(column: pd.Series[Any]) -> ColumnRole:
    """Return the role of one column (see `column_roles`)."""
    import pandas as pd

    name = str(column.name)
    present = without_missing_texts(column).dropna()
    distinct = _distinct(present, name)
    n_missing = len(column) - len(present)
    is_named_id = _names_rows(name) and len(distinct) == len(column)
    more: dict[str, Any] = {}
    if not len(present):
        role = "empty"
    elif len(distinct) == 1 and not n_missing:
        role = "constant"
    elif column.dtype.kind in "mM" or isinstance(column.dtype, pd.PeriodDtype | pd.IntervalDtype):
        role = "date"
    elif pd.api.types.is_bool_dtype(column.dtype):
        role = "boolean"
    elif pd.api.types.is_numeric_dtype(column.dtype):
        is_index = plain_name(name).startswith("unnamed") and (present % 1 == 0).all()
        role = "id" if is_index else "number"
        more = {"low": float(present.min()), "high": float(present.max())}
    elif isinstance(column.dtype, pd.CategoricalDtype):
        role = "category"
    else:
        role, more = _text_role(distinct)
    if is_named_id and role in ("number", "category"):
        role = "id"
    values = tuple(str(value) for value in distinct.index[:_SHOWN])
    return ColumnRole(name, role, len(distinct), n_missing, values=values, **more)


def _names_rows(name: str) -> bool:
    plain = plain_name(name)
    is_id = plain in ID_NAMES or plain in _INDEX_NAMES or plain.endswith((" id", " uri"))
    return is_id or re.search("[a-z](Id|ID)$", name) is not None


def _text_role(distinct: pd.Series[int]) -> tuple[str, dict[str, Any]]:
    """Return the role of a text column by its distinct values and their counts."""
    import pandas as pd

    n_present = distinct.sum()
    texts = pd.Series(distinct.index, dtype=object).map(str)
    if all(isinstance(value, date | time | timedelta) for value in distinct.index):
        return "date", {}
    if len(texts) <= len(_TRUTH) and set(texts.str.casefold()) <= set(_TRUTH):
        return "boolean", {}
    sample = pd.to_numeric(texts[:_SAMPLE], errors="coerce")
    are_numbers = sample.notna().mean() > _SAMPLE_SHARE
    numbers = pd.to_numeric(texts, errors="coerce") if are_numbers else sample * np.nan
    is_number = np.isfinite(numbers.to_numpy(np.float64))
    if are_numbers and distinct.to_numpy()[is_number].sum() >= _CONVERTIBLE_SHARE * n_present:
        good = numbers[is_number]
        odd = tuple(texts[~is_number][:_SHOWN])
        return "number", {"low": float(good.min()), "high": float(good.max()), "odd": odd}
    if _are_dates(texts[:_SAMPLE]):
        return "date", {}
    if len(distinct) > _UNIQUE_SHARE * n_present and n_present >= _MANY_ROWS:
        return "id", {}
    return "category", {}


def to_numbers(column: pd.Series[Any]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return a column as numbers, NaN where there is none, and where text is no number.

    True and false are 1 and 0, also as text.
    """
    import pandas as pd

    if pd.api.types.is_numeric_dtype(column.dtype) and column.dtype.kind in "biufIUFB":
        numbers = column.to_numpy(dtype=np.float64, na_value=np.nan)
        return numbers, np.zeros(len(column), dtype=bool)
    values = without_missing_texts(column)
    try:
        codes, distinct = pd.factorize(values)
    except TypeError:
        return np.full(len(column), np.nan), values.notna().to_numpy(dtype=bool)
    plain = pd.Series([_readable(value) for value in distinct], dtype=object)
    found = np.append(pd.to_numeric(plain, errors="coerce").to_numpy(np.float64), np.nan)
    bad = np.append(np.isnan(found[:-1]), False)
    return found[codes], bad[codes]


def to_texts(column: pd.Series[Any]) -> tuple[NDArray[np.intp], list[str]]:
    """Return a column as categories: codes, -1 where the value is missing, and their texts.

    Numbers and truth values become text by value, so that 10, 10.0 and the text "10" are the same.
    """
    import pandas as pd

    codes, distinct = pd.factorize(without_missing_texts(column))
    try:
        return codes, [category_text(value) for value in distinct]
    except TypeError as error:
        raise TableError(f"column {column.name!r}: {error}") from error


def category_text(value: object) -> str:
    """Return the text by which a value is known as a category.

    Examples
    --------
    >>> category_text(10), category_text(10.0), category_text(True), category_text("10")
    ('10', '10', 'True', '10')
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bool | np.bool_):
        return str(bool(value))
    if isinstance(value, int | float | np.integer | np.floating):
        return str(int(value)) if float(value).is_integer() else repr(float(value))
    raise TypeError(f"a category must be text, a number or a truth value, got {value!r}")


def suspicious_columns(
    frame: pd.DataFrame, roles: list[ColumnRole], labels: pd.Series[Any] | None = None
) -> list[str]:
    """Return sentences about columns that may spoil what a model learns.

    Parameters
    ----------
    frame : DataFrame
        The table without its label column.
    roles : list of ColumnRole
        Of these columns.
    labels : Series or None
        The label column.
    """
    import pandas as pd

    sentences = []
    n_rows = len(frame)
    codes = {role.name: pd.factorize(frame[role.name])[0] for role in roles}
    known: dict[bytes, str] = {}
    label_codes = None if labels is None else pd.factorize(labels)[0]
    for role in roles:
        if role.role not in (*FEATURE_ROLES, "id"):
            continue
        counts = frame[role.name].value_counts()
        if role.odd:
            odd = ", ".join(map(repr, role.odd))
            sentences.append(f"{role.name!r} holds numbers and text such as {odd}")
        if role.n_missing > n_rows / 2:
            sentences.append(f"{role.name!r} is missing in {role.n_missing / n_rows:.0%} of rows")
        elif len(counts) and counts.iloc[0] > 0.99 * n_rows:
            share = counts.iloc[0] / n_rows
            sentences.append(f"{role.name!r} is {counts.index[0]!r} in {share:.1%} of rows")
        if role.role == "category" and role.n_values > max(_MANY_VALUES, n_rows / 10):
            sentences.append(f"{role.name!r} has {role.n_values:,} distinct values")
        if role.role in ("category", "id") and _are_signed_numbers(counts.index[:_SAMPLE]):
            example = next(text for text in map(str, counts.index) if not text.strip().isdigit())
            sentences.append(
                f"{role.name!r} holds numbers as text, such as {example!r}: remove the signs"
            )
        if role.role == "number" and (np.diff(to_numbers(frame[role.name])[0]) == 1).all():
            sentences.append(f"{role.name!r} counts the rows")
        is_number = role.role == "number"
        values = to_numbers(frame[role.name])[0] if is_number else codes[role.name]
        same = known.setdefault(values.tobytes(), role.name)
        if same != role.name:
            sentences.append(f"{role.name!r} repeats {same!r}")
        if label_codes is not None and np.array_equal(codes[role.name], label_codes):
            sentences.append(f"{role.name!r} repeats the label")
    return sentences


def _are_signed_numbers(values: Iterable[Any]) -> bool:
    """Whether texts are numbers with signs of currency, percent or thousands."""
    texts = [str(value).strip() for value in values]
    if all(text.isdigit() for text in texts):
        # Identifiers too long for a number.
        return False
    plain = [re.sub(r"[\s$€£%,]", "", text) for text in texts]
    numbers = sum(number_in(text) is not None for text in plain if text)
    return numbers >= _CONVERTIBLE_SHARE * len(texts)


def without_missing_texts(column: pd.Series[Any]) -> pd.Series[Any]:
    """Return a column in which the texts that mean a missing value are missing."""
    import pandas as pd

    if isinstance(column.dtype, pd.CategoricalDtype):
        categories = column.cat.categories
        if not (categories.dtype.kind in "OUT" or isinstance(categories.dtype, pd.StringDtype)):
            return column
        return column.astype(object).mask(column.isin(MISSING_TEXTS))
    if column.dtype.kind != "O" and not isinstance(column.dtype, pd.StringDtype):
        return column
    return column.astype(object).mask(column.isin(MISSING_TEXTS))


def _distinct(present: pd.Series[Any], name: str) -> pd.Series[int]:
    """Return the distinct values and their counts, the most frequent first."""
    simple = str | bool | int | float | np.generic | Decimal | date | time | timedelta
    if present.dtype.kind == "c":
        raise TableError(
            f"column {name!r}: Complex data not supported: use real and imaginary part as two "
            "columns"
        )
    try:
        distinct = present.value_counts()
        others = present.dtype.kind == "O" and not all(
            isinstance(value, simple) or hasattr(value, "year") for value in distinct.index
        )
    except TypeError:
        others = True
    if others:
        value = repr(present.iloc[0])[:40]
        raise TableError(
            f"column {name!r} holds {type(present.iloc[0]).__name__} values ({value}); allowed are "
            "numbers, text, truth values and dates; drop the column or split it into such columns"
        )
    return distinct


def _are_dates(texts: Iterable[str]) -> bool:
    matches = [_DATE.fullmatch(text.strip()) is not None for text in texts]
    return sum(matches) >= _CONVERTIBLE_SHARE * len(matches)


def _readable(value: object) -> object:
    """Return a number or the text of one; None for dates and the like."""
    if isinstance(value, str):
        return _TRUTH.get(value.strip().casefold(), value)
    if isinstance(value, bool | np.bool_):
        return float(value)
    if isinstance(value, int) and abs(value) > sys.float_info.max:
        return math.inf if value > 0 else -math.inf  # as its text would be read
    return value if isinstance(value, int | float | Decimal | np.number) else None
