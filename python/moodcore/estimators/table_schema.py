"""From columns of numbers and categories to the table of numbers that the core reads."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array

from moodcore.estimators.categories import CategoryCodes, number_in
from moodcore.estimators.rows import readable
from moodcore.estimators.table_columns import (
    NUMBERS,
    Categories,
    Column,
    ColumnError,
    is_missing,
    unreadable,
)
from moodcore.estimators.table_containers import is_sparse
from moodcore.estimators.tables import RawTable

# What the core takes: a matrix contiguous by rows or by columns, or contiguous columns.
Table = NDArray[Any] | list[NDArray[Any]]

# Numbers up to this size are zero for LightGBM (kZeroThreshold, of single precision).
LIGHTGBM_ZERO = float(np.float32(1e-35))


@dataclass(frozen=True)
class TableSchema:
    """What training learned about the columns.

    Attributes
    ----------
    categorical : tuple of bool
        Which columns hold categories.
    categories : tuple of list or None
        The categories of each column in the order of their codes; None where the values
        themselves are numbers.
    missing : float or str
        A value that counts as missing, besides NaN.
    names : tuple or None
        Names of the columns, for messages; None where they have none.
    lightgbm : bool
        Whether values are read as LightGBM reads them: category codes are truncated to whole
        numbers, and ``missing`` (NaN or 0) applies to numeric columns only, where all numbers up
        to `LIGHTGBM_ZERO` in size are zero.
    """

    categorical: tuple[bool, ...]
    categories: tuple[list[Any] | None, ...]
    missing: Any
    names: tuple[Any, ...] | None = None
    lightgbm: bool = False

    @classmethod
    def learn(cls, table: RawTable, categorical: NDArray[np.bool_] | None, missing: Any) -> Self:
        """Learn the categories of the columns in ``categorical``, by default of all that have."""
        if table.matrix is not None:
            chosen = np.zeros(table.matrix.shape[1], bool) if categorical is None else categorical
            return cls(tuple(chosen.tolist()), (None,) * len(chosen), missing, table.names)
        if categorical is None:
            categorical = np.array([isinstance(column, Categories) for column in table.columns])
        categories = [
            _sorted_categories(column, missing)
            if chosen and isinstance(column, Categories)
            else None
            for column, chosen in zip(table.columns, categorical, strict=True)
        ]
        return cls(tuple(categorical.tolist()), tuple(categories), missing, table.names)

    def keep_frequent(
        self, table: Table, weight: NDArray[np.float64] | None, most: int
    ) -> tuple[Self, Table]:
        """Keep the ``most`` most frequent categories of each column, as bins do.

        The others become NaN in the table, as if they were not in training. So a column of many
        thousand values makes neither models nor predictions slow.
        """
        categories = list(self.categories)
        for at, values in enumerate(categories):
            if values is None or not _has_rare(values, most):
                continue
            assert isinstance(table, list)
            codes = np.nan_to_num(table[at], nan=len(values)).astype(np.intp)
            counts = np.bincount(codes, weight, minlength=len(values) + 1)[:-1]
            kept = most_frequent(counts, most)
            places = np.full(len(values) + 1, np.nan)
            places[kept] = np.arange(most)
            table = [*table[:at], places[codes], *table[at + 1 :]]
            categories[at] = [values[code] for code in kept.tolist()]
        return replace(self, categories=tuple(categories)), table

    def keep_counted(self, counts: Mapping[int, Sequence[float]], most: int) -> Self:
        """Keep the most frequent categories as `keep_frequent`, by the counts of each column."""
        categories = list(self.categories)
        for at, values in enumerate(categories):
            if values is not None and _has_rare(values, most):
                kept = most_frequent(np.asarray(counts[at]), most)
                categories[at] = [values[code] for code in kept.tolist()]
        return replace(self, categories=tuple(categories))

    @cached_property
    def has_categories(self) -> bool:
        """Whether a column has categories that are not numbers of their own."""
        return any(values is not None for values in self.categories)

    @cached_property
    def takes_plain_rows(self) -> bool:
        """Whether the core takes the values of a row as they are."""
        return not (self.has_categories or self.lightgbm) and _is_nan(self.missing)

    def table(self, raw: RawTable) -> Table:
        """Convert a table to numbers; categories that were not in training become NaN."""
        if raw.matrix is not None and not (self.has_categories or self.lightgbm):
            return contiguous(self.without_missing(raw.matrix))
        columns = enumerate(raw.as_columns())
        return [readable(self._encode(column, at)) for at, column in columns]

    def row(self, values: Sequence[Any]) -> list[float]:
        """Convert the values of one row as `table` does."""
        if len(values) != len(self.categories):
            raise ValueError(f"a row must have {len(self.categories)} values, got {len(values)}")
        if self.lightgbm:
            return [
                float(self._as_lightgbm(np.float64(self._value(value, at)), at))
                for at, value in enumerate(values)
            ]
        missing = self.missing
        return [
            # Most values are numbers that pass unchanged.
            value
            if codes is None and isinstance(value, float) and value != missing
            else self._value(value, at)
            for at, (value, codes) in enumerate(zip(values, self._codes, strict=True))
        ]

    def _value(self, value: Any, at: int) -> float:
        codes = self._codes[at]
        code = None if codes is None else codes.known(value)
        if code is not None:
            return code
        if self._is_missing(value, at):
            return np.nan
        if codes is not None:
            return codes.code(value)
        if isinstance(value, str):
            return self._number(value, at)
        if not isinstance(value, NUMBERS):
            raise unreadable(type(value).__name__, self._name(at))
        try:
            return float(value)
        except OverflowError:
            raise ColumnError(f"column {self._name(at)!r} holds a number beyond float64") from None

    def _encode(self, column: Column, at: int) -> NDArray[Any]:
        if isinstance(column, Categories):
            values = np.array([*(self._value(value, at) for value in column.values), np.nan])
            return (self._as_lightgbm(values, at) if self.lightgbm else values)[column.codes]
        numbers: NDArray[Any] = (
            self._as_lightgbm(column, at) if self.lightgbm else self.without_missing(column)
        )
        codes = self._codes[at]
        return numbers if codes is None else codes.encode(numbers)

    @cached_property
    def _codes(self) -> tuple[CategoryCodes | None, ...]:
        return tuple(
            None if values is None else CategoryCodes(values, self._name(at))
            for at, values in enumerate(self.categories)
        )

    def _name(self, at: int) -> Any:
        return at if self.names is None else self.names[at]

    def _number(self, text: str, at: int) -> float:
        """Read the number that a text spells, in a column of categories that are numbers."""
        number = number_in(text) if self.categorical[at] else None
        if number is None:
            raise ColumnError(
                f"column {self._name(at)!r} must hold numbers, got {text!r}; text is taken where "
                "the column is named in categorical_features, or with "
                "categorical_features='from_dtype'"
            )
        return number

    def _as_lightgbm(self, values: Any, at: int) -> Any:
        """Convert the numbers of a column to those that LightGBM compares."""
        if self.categorical[at]:
            return np.trunc(values) if values.dtype.kind == "f" else values
        if _is_nan(self.missing):
            return values
        return np.where(np.abs(values) <= LIGHTGBM_ZERO, np.nan, values)

    def _is_missing(self, value: Any, at: int) -> bool:
        if is_missing(value):
            return True
        if self.lightgbm and self.categorical[at]:
            return False
        if isinstance(self.missing, str):
            return isinstance(value, str) and value == self.missing
        return isinstance(value, NUMBERS) and bool(value == self.missing)

    def without_missing(self, values: Any) -> Any:
        """Put NaN for the value that counts as missing."""
        if _is_nan(self.missing) or isinstance(self.missing, str):
            return values
        if is_sparse(values):
            if self.missing == 0:
                return self.without_missing(values.toarray())
            is_missing = values.data == self.missing
            if is_missing.any():
                values = values.copy()
                values.data[is_missing] = np.nan
            return values
        is_missing = values == self.missing
        if not is_missing.any():
            return values
        values = values.copy()
        values[is_missing] = np.nan
        return values

    def __getstate__(self) -> dict[str, Any]:
        # Without what is computed on first use.
        return {field.name: getattr(self, field.name) for field in fields(self)}


def _has_rare(values: list[Any], most: int) -> bool:
    """Return whether some of a column's categories are left out.

    Values of a kind that occurs less often must not become one that is refused.
    """
    return len(values) > most and len({type(value) for value in values}) == 1


def most_frequent(counts: NDArray[Any], most: int) -> NDArray[np.intp]:
    """Return the positions of the largest counts, ascending; of equal ones the first."""
    return np.sort(np.argsort(-counts, kind="stable")[:most])


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _sorted_categories(column: Categories, missing: Any) -> list[Any]:
    """Return the categories but the missing ones, sorted where they can be."""
    values = [value for value in column.values if not (is_missing(value) or value == missing)]
    try:
        return sorted(values)
    except TypeError:
        return values


def contiguous(values: NDArray[Any]) -> NDArray[Any]:
    """Return a matrix that the core can read in place, copied only where it must be."""
    if is_sparse(values):
        return _sorted_columns(values)
    in_place = values.flags.c_contiguous or values.flags.f_contiguous
    return values if in_place and values.flags.aligned else np.ascontiguousarray(values.copy())


def _sorted_columns(values: Any) -> Any:
    """Return sparse columns with sorted rows and indices of 32 bits; a copy if they are others."""
    columns = csc_array(values)
    if columns.nnz >= 2**31 or columns.shape[0] >= 2**31:
        raise ValueError(f"sparse X must have fewer than 2^31 values, got {columns.nnz}")
    if not columns.has_canonical_format:
        columns = columns.copy()
        columns.sum_duplicates()
    for name in ("indptr", "indices"):
        setattr(columns, name, getattr(columns, name).astype(np.int32, copy=False))
    return columns


def take_rows(table: Table, rows: NDArray[Any]) -> Table:
    """Return the given rows of a table."""
    if isinstance(table, list):
        return [column[rows] for column in table]
    return contiguous(table[rows])


def row_count(table: Table) -> int:
    """Count the rows of a table."""
    return len(table[0]) if isinstance(table, list) else table.shape[0]
