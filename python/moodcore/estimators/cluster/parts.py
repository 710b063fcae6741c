"""Partitions of Dask collections, and the functions that workers apply to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import _check_sample_weight, _check_y

from moodcore.estimators.table_columns import Categories
from moodcore.estimators.table_schema import Table, TableSchema, take_rows
from moodcore.estimators.tables import RawTable, read_table


@dataclass(frozen=True)
class Part:
    """One partition of the training data: a table in memory, labels and weights."""

    number: int
    X: Any
    y: Any
    weight: Any

    @property
    def n_rows(self) -> int:
        """The number of rows."""
        return len(self.X)

    def raw(self, names: tuple[Any, ...] | None) -> RawTable:
        """Read the columns, which must have these names."""
        raw = read_table(self.X)
        if raw.names is not None and names is not None and tuple(raw.names) != names:
            raise ValueError(
                f"partition {self.number} must have the columns {list(names)}, "
                f"got {list(raw.names)}"
            )
        return raw


@dataclass(frozen=True)
class PartLabels:
    """The labels and weights of a part."""

    # The distinct labels, and the index of each row's label among them.
    values: NDArray[Any]
    codes: NDArray[np.unsignedinteger[Any]]
    weight: NDArray[np.float64] | None

    @property
    def n_rows(self) -> int:
        """The number of rows."""
        return len(self.codes)


def is_collection(value: Any) -> bool:
    """Return whether a value is a Dask DataFrame, Series or Array."""
    import dask

    return dask.is_dask_collection(value) and hasattr(value, "to_delayed")


def delayed_parts(X: Any, y: Any, sample_weight: Any) -> list[Any]:
    """Return a delayed `Part` for each partition of the training data.

    Raises
    ------
    TypeError, ValueError
        If they are not Dask collections, or have different partitions.
    """
    from dask import delayed

    columns = {"X": X, "y": y, "sample_weight": sample_weight}
    blocks: dict[str, list[Any]] = {}
    for name, collection in columns.items():
        if collection is None and name == "sample_weight":
            blocks[name] = [None] * len(blocks["X"])
            continue
        if not is_collection(collection):
            raise TypeError(
                f"{name} must be a Dask DataFrame, Series or Array, got "
                f"{type(collection).__name__}; for tables in memory use moodcore.GBT"
            )
        blocks[name] = _blocks(collection, getattr(X, "chunks", None))
        if len(blocks[name]) != len(blocks["X"]):
            raise ValueError(
                f"{name} must have the {len(blocks['X'])} partitions of X, got {len(blocks[name])}"
            )
    make = delayed(_part, pure=True)
    rows = zip(blocks["X"], blocks["y"], blocks["sample_weight"], strict=True)
    return [make(number, *row) for number, row in enumerate(rows)]


def _blocks(collection: Any, chunks: Any) -> list[Any]:
    """Return the partitions of a collection; arrays are split at the same rows as X."""
    if hasattr(collection, "chunks"):
        if collection.ndim == 2:
            collection = collection.rechunk({1: -1})
        rows, sizes = (None if chunks is None else chunks[0]), collection.chunks[0]
        # Unknown chunk sizes are NaN; the partitions must then be the same already.
        if rows is not None and sizes != rows and sum(sizes) == sum(rows):
            collection = collection.rechunk({0: rows})
    return list(np.ravel(np.array(collection.to_delayed(), dtype=object)))


def _part(number: int, X: Any, y: Any, weight: Any) -> Part:
    for name, values in (("y", y), ("sample_weight", weight)):
        if values is not None and len(values) != len(X):
            raise ValueError(
                f"{name} must have the {len(X)} rows of X in partition {number}, got {len(values)}"
            )
    return Part(number, X, y, weight)


def labels_of(part: Part) -> PartLabels:
    """Check the labels and weights of a part; runs on a worker."""
    labels = _check_y(part.y, estimator="GBT")
    values, codes = np.unique(labels, return_inverse=True)
    weight = part.weight
    if weight is not None and part.n_rows:
        weight = _check_sample_weight(
            np.asarray(weight), labels, dtype=np.float64, ensure_non_negative=True
        )
    elif weight is not None:
        weight = np.empty(0)
    return PartLabels(values, codes.astype(np.min_scalar_type(max(len(values), 1))), weight)


@dataclass(frozen=True)
class PartColumns:
    """Types and categories of the columns of a part.

    Attributes
    ----------
    kinds : tuple of str
        "number" or "category"; "numbers missing" or "categories missing" for a column without
        values, which other parts may contain as either.
    values : dict
        The categories of each categorical column, in the order of their first occurrence.
    counts : dict
        How many times each category counts when bins are learned.
    weights : dict
        Sum of the row weights of each category.
    """

    kinds: tuple[str, ...]
    values: dict[int, list[Any]]
    counts: dict[int, NDArray[np.uint64]]
    weights: dict[int, NDArray[np.float64]]


@dataclass(frozen=True)
class PartRows:
    """The rows of a part with a weight above zero.

    Attributes
    ----------
    kept : ndarray of int or None
        Indices of these rows in the part; None for all rows.
    weight : ndarray of float64 or None
    repetitions : ndarray of uint32 or None
        How many times each row counts when bins are learned; None for once each.
    """

    kept: NDArray[np.intp] | None
    weight: NDArray[np.float64] | None
    repetitions: NDArray[np.uint32] | None


def columns_of(
    part: Part,
    rows: PartRows,
    names: tuple[Any, ...] | None,
    mask: NDArray[np.bool_] | None,
    missing: Any,
) -> PartColumns | None:
    """Find the categories of a part; None if it has no rows. Runs on a worker."""
    if not part.n_rows:
        return None
    columns = part.raw(names).as_columns()
    kinds, values, counts, weights = [], {}, {}, {}
    for at, column in enumerate(columns):
        kinds.append(_kind(column))
        if mask[at] if mask is not None else isinstance(column, Categories):
            categories = as_categories(column, missing)
            codes = categories.codes if rows.kept is None else categories.codes[rows.kept]
            values[at] = categories.values
            counts[at] = _sums(codes, rows.repetitions, len(values[at])).astype(np.uint64)
            weights[at] = _sums(codes, rows.weight, len(values[at]))
    return PartColumns(tuple(kinds), values, counts, weights)


def _kind(column: Any) -> str:
    if isinstance(column, Categories):
        return "category" if column.values else "categories missing"
    return "numbers missing" if np.isnan(column).all() else "number"


def as_categories(column: Any, missing: Any) -> Categories:
    """Return the distinct numbers of a column as categories, and categories as they are."""
    if isinstance(column, Categories):
        return column
    rule = TableSchema((False,), (None,), missing)
    # Zeros of both signs are one category.
    numbers = np.asarray(rule.without_missing(column), dtype=np.float64) + 0.0
    values, codes = np.unique(numbers, return_inverse=True)
    is_nan = np.isnan(values)
    return Categories(np.where(is_nan[codes], -1, codes), values[~is_nan].tolist())


def _sums(codes: NDArray[Any], weight: NDArray[Any] | None, n_values: int) -> NDArray[np.float64]:
    """Sum the weights of each category."""
    present = codes >= 0
    added = None if weight is None else weight[present]
    return np.bincount(codes[present], added, minlength=n_values).astype(np.float64)


def category_codes(
    part: Part, rows: PartRows, names: tuple[Any, ...] | None, at: int, known: list[Any]
) -> NDArray[np.intp]:
    """Return the index of each row's category in ``known``, or -1 if it is missing."""
    if not part.n_rows:
        return np.empty(0, dtype=np.intp)
    column = part.raw(names).as_columns()[at]
    assert isinstance(column, Categories)
    places = {value: place for place, value in enumerate(known)}
    codes = np.array([*(places[value] for value in column.values), -1])[column.codes]
    return codes if rows.kept is None else codes[rows.kept]


def table_of(
    part: Part, at: NDArray[np.intp] | None, names: tuple[Any, ...] | None, schema: TableSchema
) -> Table | None:
    """Return rows of a part in the form of the core; None if there are no rows."""
    if not part.n_rows or (at is not None and not len(at)):
        return None
    table = schema.table(part.raw(names))
    return table if at is None else take_rows(table, at)


def concatenated(tables: list[Table | None]) -> Table:
    """Concatenate tables with the same columns."""
    present = [table for table in tables if table is not None]
    if isinstance(present[0], list):
        return [np.concatenate(columns) for columns in zip(*present, strict=True)]
    return np.concatenate(present)
