"""Parts of the training data, and the functions that workers apply to them.

A part is a partition of Dask collections, which a worker holds in memory, or some row groups of
Parquet files, which it reads whenever it needs them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import _check_sample_weight, _check_y

from moodcore import _core
from moodcore.estimators.batches import BatchRange, BatchSource
from moodcore.estimators.gbt.labels import Labels
from moodcore.estimators.gbt.rows import read_margin
from moodcore.estimators.table_columns import Categories
from moodcore.estimators.table_schema import Table, TableSchema, take_rows
from moodcore.estimators.tables import RawTable, read_table
from moodcore.platform import instruction_set

# Maximum number of rows of a part of files, and minimum number of parts per worker, unless row
# groups are larger.
_PART_ROWS = 1 << 20
_PARTS_PER_WORKER = 4


@dataclass(frozen=True)
class Part:
    """One partition of the training data: a table in memory, labels, weights and base margins."""

    number: int
    X: Any
    y: Any
    weight: Any
    margin: Any

    @property
    def where(self) -> str:
        """The place for error messages."""
        return f"partition {self.number}"

    def labels(self) -> Labels:
        """Check the labels and weights."""
        labels = _check_y(self.y, estimator="GBT")
        values, codes = np.unique(labels, return_inverse=True)
        weight = self.weight
        if weight is not None and len(labels):
            weight = _check_sample_weight(
                np.asarray(weight), labels, dtype=np.float64, ensure_non_negative=True
            )
        elif weight is not None:
            weight = np.empty(0)
        return Labels(values, codes.astype(np.min_scalar_type(max(len(values), 1))), weight)

    def tables(self, names: tuple[Any, ...] | None) -> Iterator[tuple[int, RawTable]]:
        """Yield the columns, which must have these names, with the index of the first row."""
        if not len(self.X):
            return
        raw = read_table(self.X)
        if raw.names is not None and names is not None and tuple(raw.names) != names:
            raise ValueError(
                f"partition {self.number} must have the columns {list(names)}, "
                f"got {list(raw.names)}"
            )
        yield 0, raw


@dataclass(frozen=True)
class FilePart:
    """Some row groups of the training data, and the names of the columns of labels and weights."""

    rows: BatchRange
    y: str
    weight: str | None
    margin: None = None

    @property
    def where(self) -> str:
        """The place for error messages."""
        return self.rows.where

    def labels(self) -> Labels:
        """Read and check the labels and weights."""
        columns = [self.y] if self.weight is None else [self.y, self.weight]
        return Labels.read(self.rows.batches(columns), self.y, self.weight)

    def tables(self, names: tuple[Any, ...] | None) -> Iterator[tuple[int, RawTable]]:
        """Read the columns batch by batch; yield them with the index of the first row."""
        assert names is not None
        for batch in self.rows.batches(names):
            try:
                yield batch.first, read_table(batch.table)
            except (TypeError, ValueError) as error:
                raise type(error)(f"{batch.where}: {error}") from error


def is_collection(value: Any) -> bool:
    """Return whether a value is a Dask DataFrame, Series or Array."""
    import dask

    return dask.is_dask_collection(value) and hasattr(value, "to_delayed")


def file_parts(source: BatchSource, y: Any, sample_weight: Any, n_workers: int) -> list[FilePart]:
    """Return the parts of a table in files; checks the names of its columns."""
    for name, value in (("y", y), ("sample_weight", sample_weight)):
        if not (isinstance(value, str) or (name != "y" and value is None)):
            raise TypeError(
                f"{name} must be the name of a column, because the table is read from files, got "
                f"{type(value).__name__}"
            )
    source.require([name for name in (y, sample_weight) if name is not None])
    ranges = source.split(_PART_ROWS, _PARTS_PER_WORKER * n_workers)
    return [FilePart(rows, y, sample_weight) for rows in ranges]


def delayed_parts(X: Any, y: Any, sample_weight: Any, base_margin: Any) -> list[Any]:
    """Return a delayed `Part` for each partition of the training data.

    Raises
    ------
    TypeError, ValueError
        If they are not Dask collections, or have different partitions.
    """
    from dask import delayed

    columns = {"X": X, "y": y, "sample_weight": sample_weight, "base_margin": base_margin}
    blocks: dict[str, list[Any]] = {}
    for name, collection in columns.items():
        if collection is None and name in ("sample_weight", "base_margin"):
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
    rows = zip(*(blocks[name] for name in columns), strict=True)
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


def _part(number: int, X: Any, y: Any, weight: Any, margin: Any) -> Part:
    for name, values in (("y", y), ("sample_weight", weight), ("base_margin", margin)):
        if values is not None and len(values) != len(X):
            raise ValueError(
                f"{name} must have the {len(X)} rows of X in partition {number}, got {len(values)}"
            )
    return Part(number, X, y, weight, margin)


def labels_of(part: Part | FilePart) -> Labels:
    """Check the labels and weights of a part; runs on a worker."""
    try:
        return part.labels()
    except FileNotFoundError as error:
        from distributed import get_worker

        raise FileNotFoundError(
            f"{part.where}: the Dask worker {get_worker().address} has no such file; all workers "
            "and the client must have the files under the same path"
        ) from error


@dataclass(frozen=True)
class PartColumns:
    """Types and categories of the columns of a part, or of one of its batches.

    Attributes
    ----------
    where : str
        The place for error messages.
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

    where: str
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

    def within(self, first: int, n_rows: int) -> tuple[slice, NDArray[np.intp] | None]:
        """Return which of these rows are in a batch: a slice of them, and their rows there."""
        if self.kept is None:
            return slice(first, first + n_rows), None
        inside = _within(self.kept, first, n_rows)
        return inside, self.kept[inside] - first


def columns_of(
    part: Part | FilePart,
    rows: PartRows,
    names: tuple[Any, ...] | None,
    mask: NDArray[np.bool_] | None,
    missing: Any,
) -> list[PartColumns]:
    """Find the categories of each batch of a part; runs on a worker."""
    described = []
    for first, raw in part.tables(names):
        columns = raw.as_columns()
        n_rows = len(_codes_or_numbers(columns[0]))
        inside, kept = rows.within(first, n_rows)
        kinds, values, counts, weights = [], {}, {}, {}
        for at, column in enumerate(columns):
            kinds.append(_kind(column))
            if mask[at] if mask is not None else isinstance(column, Categories):
                categories = as_categories(column, missing)
                codes = categories.codes if kept is None else categories.codes[kept]
                values[at] = categories.values
                n_values = len(values[at])
                counts[at] = _sums(codes, _part_of(rows.repetitions, inside), n_values).astype(
                    np.uint64
                )
                weights[at] = _sums(codes, _part_of(rows.weight, inside), n_values)
        described.append(PartColumns(part.where, tuple(kinds), values, counts, weights))
    return described


def _codes_or_numbers(column: Any) -> Any:
    return column.codes if isinstance(column, Categories) else column


def _part_of(values: Any, inside: slice) -> Any:
    return None if values is None else values[inside]


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
    part: Part | FilePart, rows: PartRows, names: tuple[Any, ...] | None, at: int, known: list[Any]
) -> NDArray[np.intp]:
    """Return the index of each row's category in ``known``, or -1 if it is missing."""
    places = {value: place for place, value in enumerate(known)}
    coded = [np.empty(0, dtype=np.intp)]
    for first, raw in part.tables(names):
        column = raw.as_columns()[at]
        assert isinstance(column, Categories)
        codes = np.array([*(places[value] for value in column.values), -1])[column.codes]
        _, kept = rows.within(first, len(codes))
        coded.append(codes if kept is None else codes[kept])
    return np.concatenate(coded)


def tables_of(
    part: Part | FilePart,
    at: NDArray[np.intp] | None,
    names: tuple[Any, ...] | None,
    schema: TableSchema,
) -> Iterator[Table]:
    """Yield rows of a part, in batches, in the form of the core; ``at`` are ascending indices."""
    if at is not None and not len(at):
        return
    for first, raw in part.tables(names):
        try:
            table = schema.table(raw)
        except (TypeError, ValueError) as error:
            raise type(error)(f"{part.where}: {error}") from error
        if at is None:
            yield table
            continue
        inside = _within(at, first, len(_codes_or_numbers(raw.as_columns()[0])))
        if inside.start < inside.stop:
            yield take_rows(table, at[inside] - first)


def table_of(
    part: Part | FilePart,
    at: NDArray[np.intp] | None,
    names: tuple[Any, ...] | None,
    schema: TableSchema,
) -> Table | None:
    """Return rows of a part in the form of the core; None if there are no rows."""
    tables = list(tables_of(part, at, names, schema))
    return concatenated(tables) if tables else None


def bins_of(
    part: Part | FilePart,
    at: NDArray[np.intp],
    names: tuple[Any, ...] | None,
    schema: TableSchema,
    bins: _core.GbtModel,
) -> NDArray[np.uint8]:
    """Return the bins of rows of a part, of shape (n_features, n_rows); runs on a worker."""
    binned = _core.GbtBinnedRows.of_model(bins, len(at))
    for table in tables_of(part, at, names, schema):
        binned.append(table, instructions=instruction_set())
    return binned.bins()


def margin_of(
    part: Part, at: NDArray[np.intp], kept: NDArray[np.intp] | None, n_outputs: int
) -> NDArray[np.float64]:
    """Check the base margins of the rows ``kept`` of a part, and return those of the rows ``at``.

    Runs on a worker.
    """
    margin = np.asarray(part.margin)
    rows = np.arange(len(margin)) if kept is None else kept
    try:
        checked = read_margin(margin[rows], len(rows), n_outputs)
    except ValueError as error:
        raise ValueError(f"{part.where}: {error}") from error
    assert checked is not None
    return checked[np.searchsorted(rows, at)]


def _within(rows: NDArray[np.intp], first: int, n_rows: int) -> slice:
    """Return the slice of ascending row indices that lie in a batch."""
    start, stop = np.searchsorted(rows, [first, first + n_rows])
    return slice(int(start), int(stop))


def concatenated(tables: Sequence[Table | None]) -> Table:
    """Concatenate tables with the same columns."""
    present = [table for table in tables if table is not None]
    if len(present) == 1:
        return present[0]
    if isinstance(present[0], list):
        return [np.concatenate(columns) for columns in zip(*present, strict=True)]
    return np.concatenate(present)
