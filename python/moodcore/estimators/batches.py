"""Tables that are read batch by batch: Parquet files, folders, pyarrow datasets, and callables."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from moodcore.errors import TableError, missing_columns
from moodcore.estimators.batch_parts import CallablePart, ParquetPart, Part, named, parts_of
from moodcore.estimators.progress import current_poll
from moodcore.estimators.table_containers import refuse_repeated

if TYPE_CHECKING:
    import pyarrow as pa

#: Takes indices of rows of the whole table, and returns which rows to read.
RowChoice = Callable[[NDArray[np.int64]], NDArray[np.bool_]]


@dataclass(frozen=True)
class Batch:
    """Rows that were read, and their position in the table.

    Attributes
    ----------
    table : RecordBatch
    where : str
        The file and the row group, for error messages.
    first : int
        Index of the first row in the whole table.
    """

    table: pa.RecordBatch
    where: str
    first: int


class BatchSource:
    """A table that is read batch by batch, any number of times, in the same order.

    Parameters
    ----------
    data : pyarrow Dataset, path, or callable
        A Parquet file, a folder of them, or a pattern such as ``"songs/*.parquet"``; the files of
        a folder or pattern are read in the order of their names. A callable takes no arguments and
        returns an iterator of record batches.
    columns : sequence of str, optional
        Names of the columns to use; all by default.
    chosen : callable, optional
        Takes the indices of rows, an array, and returns which of them belong to the table; all by
        default. Batches number the chosen rows.
    """

    def __init__(
        self, data: Any, columns: Sequence[str] | None = None, *, chosen: RowChoice | None = None
    ) -> None:
        import pyarrow.dataset as ds

        self._chosen = chosen

        self._parts: list[Part]
        if isinstance(data, ds.Dataset):
            self._parts, self._kind = list(parts_of(data)), "dataset"
        elif isinstance(data, str | os.PathLike):
            dataset, self._kind = _open_path(data), os.fspath(data)
            self._parts = list(parts_of(dataset))
        else:
            self._parts, self._kind = [CallablePart(data)], "the callable"
        if not self._parts:
            raise TableError(f"{self._kind}: there are no rows: it has no files")
        schema = self._parts[0].schema()
        refuse_repeated(schema.names)
        self.names = list(schema.names if columns is None else columns)
        self._check_schemas(schema)
        self.schema: pa.Schema = schema

    @property
    def n_rows(self) -> int | None:
        """Number of rows if the files contain it, otherwise None."""
        if self._chosen is not None:
            return None
        counts = [part.n_rows() for part in self._parts]
        return None if None in counts else sum(counts)  # type: ignore[arg-type]

    def batches(self, columns: Sequence[str]) -> Iterator[Batch]:
        """Read some columns, batch by batch; empty batches are left out.

        Raises
        ------
        TableError
            If a file is damaged or has other columns; it names the file and the row group.
        """
        return _checked(self._read(columns), self.schema, columns, self._chosen)

    def _read(self, columns: Sequence[str]) -> Iterator[tuple[pa.RecordBatch, str]]:
        poll = current_poll()
        for part in self._parts:
            for read in part.batches(columns):
                if poll is not None:
                    poll()
                yield read

    def split(self, n_rows: int, n_ranges: int = 1) -> list[BatchRange]:
        """Split the table into ranges that other processes can read.

        Parameters
        ----------
        n_rows : int
            Maximum number of rows of a range, unless a single row group has more.
        n_ranges : int, default=1
            Minimum number of ranges, unless row groups are larger.

        Raises
        ------
        TypeError
            If the table is not in Parquet files.
        """
        ranges, first = [], 0
        total = sum(part.n_rows() or 0 for part in self._parts)
        n_rows = max(1, min(n_rows, total // max(n_ranges, 1)))
        for part in self._parts:
            if not isinstance(part, ParquetPart):
                raise TypeError(
                    "a table that several processes read must be in Parquet files (a path, a "
                    f"pattern, or a pyarrow Dataset of them), got {part.where}"
                )
            for groups, size in part.groups_of(n_rows):
                ranges.append(BatchRange(part, groups, first, self.schema, self._chosen))
                first += size
        return ranges

    def require(self, columns: Sequence[str]) -> None:
        """Raise a `TableError` unless the table has the columns."""
        missing = [name for name in columns if name not in self.schema.names]
        if missing:
            raise TableError(
                f"{self._parts[0].where}: {missing_columns(missing, self.schema.names)}"
            )

    def _check_schemas(self, first: pa.Schema) -> None:
        missing = [name for name in self.names if name not in first.names]
        if missing:
            raise TableError(f"{self._parts[0].where}: {missing_columns(missing, first.names)}")
        for part in self._parts[1:]:
            _check_kinds(part.schema(), first, self.names, part.where)


@dataclass(frozen=True)
class BatchRange:
    """Consecutive row groups of a Parquet file, which any process can read.

    Attributes
    ----------
    part : ParquetPart
        The file.
    groups : range
        Indices of the row groups.
    first : int
        Index of the first row in the whole table.
    schema : Schema
        The schema of the table.
    chosen : callable or None
        Which rows belong to the table (see `BatchSource`).
    """

    part: ParquetPart
    groups: range
    first: int
    schema: pa.Schema
    chosen: RowChoice | None

    @property
    def where(self) -> str:
        """The file and its row groups, for error messages."""
        return f"{self.part.where}, row groups {self.groups.start} to {self.groups.stop - 1}"

    def batches(self, columns: Sequence[str]) -> Iterator[Batch]:
        """Read some columns, batch by batch (see `BatchSource.batches`); the first row is row 0."""
        read = self.part.batches(columns, self.groups)
        return _checked(read, self.schema, columns, self.chosen, self.first)


def is_batch_source(X: Any) -> bool:
    """Return whether a table is read batch by batch instead of from memory."""
    if isinstance(X, str | os.PathLike | BatchSource):
        return True
    if hasattr(X, "get_fragments") and hasattr(X, "scanner"):
        return True
    return callable(X) and not hasattr(X, "__array__") and not hasattr(X, "shape")


def batch_source(X: Any) -> BatchSource:
    """Return a `BatchSource` for a table that `is_batch_source` accepts."""
    return X if isinstance(X, BatchSource) else BatchSource(X)


def _open_path(path: str | os.PathLike[str]) -> Any:
    import pyarrow as pa
    import pyarrow.dataset as ds

    text = os.fspath(path)
    if Path(text).is_dir():
        with named(text):
            dataset = ds.dataset(text, format="parquet", partitioning="hive")
    else:
        files = [text] if Path(text).exists() else _matching(text)
        if not files:
            raise FileNotFoundError(f"{text}: there is no such file or folder, and no file matches")
        # Not the dataset's own schema: pyarrow would cast the files to it.
        with named(text):
            dataset = ds.dataset(files, format="parquet", schema=pa.schema([]))
    return dataset


def _matching(pattern: str) -> list[str]:
    anchor = Path(Path(pattern).anchor)
    matches = anchor.glob(str(Path(pattern).relative_to(anchor)))
    return sorted(str(path) for path in matches if path.is_file())


def _checked(
    read: Iterable[tuple[pa.RecordBatch, str]],
    schema: pa.Schema,
    columns: Sequence[str],
    chosen: RowChoice | None,
    number: int = 0,
) -> Iterator[Batch]:
    """Check batches, the first of which begins at row `number` of the table, and choose rows.

    The first row that is chosen is row 0 of the result; batches without rows are left out.
    """
    first = 0
    for batch, where in read:
        _check_kinds(batch.schema, schema, columns, where)
        table = _choose(batch, number, chosen)
        number += batch.num_rows
        if table.num_rows:
            yield Batch(table, where, first)
        first += table.num_rows


def _choose(batch: pa.RecordBatch, number: int, chosen: RowChoice | None) -> pa.RecordBatch:
    """Return the chosen rows of a batch whose first row has this index in the table."""
    import pyarrow as pa

    if chosen is None or not batch.num_rows:
        return batch
    return batch.filter(pa.array(chosen(np.arange(number, number + batch.num_rows))))


def _check_kinds(schema: pa.Schema, first: pa.Schema, names: Sequence[str], where: str) -> None:
    """Raise a `TableError` unless the columns have the types of the first file."""
    for name in names:
        if name not in schema.names:
            raise TableError(f"{where}: {missing_columns([name], schema.names)}")
        kind, other = first.field(name).type, schema.field(name).type
        if other != kind:
            raise TableError(
                f"{where}: column {name!r} must be of the type of the first file, {kind}, got "
                f"{other}"
            )
