"""Tables that are read batch by batch: Parquet files, folders, pyarrow datasets, and callables."""

from __future__ import annotations

import errno
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from moodcore.errors import TableError, missing_columns
from moodcore.estimators.progress import current_poll
from moodcore.estimators.table_containers import refuse_repeated

if TYPE_CHECKING:
    import pyarrow as pa

#: Takes indices of rows of the whole table, and returns which rows to read.
RowChoice = Callable[[NDArray[np.int64]], NDArray[np.bool_]]

# Rows that are read at a time: a few megabytes, so that reading can be interrupted.
BATCH_ROWS = 65_536


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

        self._parts: list[_Part]
        if isinstance(data, ds.Dataset):
            self._parts, self._kind = list(_parts_of(data)), "dataset"
        elif isinstance(data, str | os.PathLike):
            dataset, self._kind = _open_path(data), os.fspath(data)
            self._parts = list(_parts_of(dataset))
        else:
            self._parts, self._kind = [_CallablePart(data)], "the callable"
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
        number, first, poll = 0, 0, current_poll()
        for part in self._parts:
            for batch, where in part.batches(columns):
                if poll is not None:
                    poll()
                _check_kinds(batch.schema, self.schema, columns, where)
                table = _choose(batch, number, self._chosen)
                number += batch.num_rows
                if table.num_rows:
                    yield Batch(table, where, first)
                first += table.num_rows

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
            if not isinstance(part, _ParquetPart):
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
    part : _ParquetPart
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

    part: _ParquetPart
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
        number, first = self.first, 0
        for batch, where in self.part.batches(columns, self.groups):
            _check_kinds(batch.schema, self.schema, columns, where)
            table = _choose(batch, number, self.chosen)
            number += batch.num_rows
            if table.num_rows:
                yield Batch(table, where, first)
            first += table.num_rows


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
        with _named(text):
            dataset = ds.dataset(text, format="parquet", partitioning="hive")
    else:
        files = [text] if Path(text).exists() else _matching(text)
        if not files:
            raise FileNotFoundError(f"{text}: there is no such file or folder, and no file matches")
        # Not the dataset's own schema: pyarrow would cast the files to it.
        with _named(text):
            dataset = ds.dataset(files, format="parquet", schema=pa.schema([]))
    return dataset


def _matching(pattern: str) -> list[str]:
    anchor = Path(Path(pattern).anchor)
    matches = anchor.glob(str(Path(pattern).relative_to(anchor)))
    return sorted(str(path) for path in matches if path.is_file())


class _Part(ABC):
    """One part of a source: a file, or the record batches that a callable returns."""

    where: str

    @abstractmethod
    def schema(self) -> pa.Schema: ...

    def n_rows(self) -> int | None:
        return None

    @abstractmethod
    def batches(self, columns: Sequence[str]) -> Iterator[tuple[pa.RecordBatch, str]]: ...


def _parts_of(dataset: Any) -> Iterator[_Part]:
    import pyarrow.dataset as ds

    if getattr(dataset, "_scan_options", None):
        # The dataset has a filter, which its fragments would not apply.
        yield _CallablePart(lambda: dataset.to_batches(batch_size=BATCH_ROWS))
        return
    for fragment in dataset.get_fragments():
        if isinstance(fragment, ds.ParquetFileFragment):
            yield _ParquetPart(fragment, dataset.schema)
        else:
            yield _FragmentPart(fragment, dataset.schema)


class _ParquetPart(_Part):
    """A Parquet file, with the partition columns in the names of its folders."""

    def __init__(self, fragment: Any, schema: pa.Schema) -> None:
        import pyarrow as pa
        import pyarrow.dataset as ds

        self.where = fragment.path
        self._fragment = fragment
        keys = ds.get_partition_keys(fragment.partition_expression)
        kinds = {name: schema.field(name).type for name in keys}
        self._keys: dict[str, pa.Scalar] = {
            name: pa.scalar(value, getattr(kinds[name], "value_type", kinds[name]))
            for name, value in keys.items()
        }

    @contextmanager
    def _open(self) -> Iterator[Any]:
        import pyarrow.parquet as pq

        with (
            _named(self.where),
            self._fragment.filesystem.open_input_file(self._fragment.path) as source,
            pq.ParquetFile(source, page_checksum_verification=True) as file,
        ):
            yield file

    def schema(self) -> pa.Schema:
        import pyarrow as pa

        with self._open() as file:
            schema: pa.Schema = file.schema_arrow
        for name, value in self._keys.items():
            schema = schema.append(pa.field(name, value.type))
        return schema

    def n_rows(self) -> int:
        with self._open() as file:
            return int(file.metadata.num_rows)

    def groups_of(self, n_rows: int) -> Iterator[tuple[range, int]]:
        """Yield consecutive row groups with together at most this many rows, and their number."""
        with self._open() as file:
            sizes = [file.metadata.row_group(at).num_rows for at in range(file.num_row_groups)]
        start = total = 0
        for at, size in enumerate(sizes):
            if total and total + size > n_rows:
                yield range(start, at), total
                start, total = at, 0
            total += size
        if total:
            yield range(start, len(sizes)), total

    def batches(
        self, columns: Sequence[str], groups: range | None = None
    ) -> Iterator[tuple[pa.RecordBatch, str]]:
        stored = [name for name in columns if name not in self._keys]
        with self._open() as file:
            for group in range(file.num_row_groups) if groups is None else groups:
                where = f"{self.where}, row group {group}"
                announced, n_rows = file.metadata.row_group(group).num_rows, 0
                # A single reader for all row groups would keep the data of each in memory.
                batches = file.iter_batches(BATCH_ROWS, row_groups=[group], columns=stored)
                while (batch := _next(batches, where)) is not None:
                    n_rows += batch.num_rows
                    yield self._with_keys(batch, columns), where
                if n_rows != announced:
                    raise TableError(f"{where}: damaged: {announced} rows announced, {n_rows} read")

    def _with_keys(self, batch: pa.RecordBatch, columns: Sequence[str]) -> pa.RecordBatch:
        import pyarrow as pa

        for name in columns:
            if name in self._keys:
                batch = batch.append_column(name, pa.repeat(self._keys[name], batch.num_rows))
        return batch.select(list(columns))


class _FragmentPart(_Part):
    """A file of another format, or a table in memory, that a dataset reads."""

    def __init__(self, fragment: Any, schema: pa.Schema) -> None:
        self.where = getattr(fragment, "path", "the dataset")
        self._fragment, self._schema = fragment, schema

    def schema(self) -> pa.Schema:
        return self._schema

    def batches(self, columns: Sequence[str]) -> Iterator[tuple[pa.RecordBatch, str]]:
        batches = self._fragment.to_batches(
            schema=self._schema, columns=list(columns), batch_size=BATCH_ROWS
        )
        while (batch := _next(batches, self.where)) is not None:
            yield batch, self.where


class _CallablePart(_Part):
    """Record batches that a callable returns."""

    def __init__(self, function: Callable[[], Any]) -> None:
        self.where, self._function = "the callable", function

    def _iterate(self) -> Iterator[tuple[pa.RecordBatch, str]]:
        import pyarrow as pa

        for at, batch in enumerate(iter(self._function())):
            if not isinstance(batch, pa.RecordBatch | pa.Table):
                raise TypeError(
                    "the callable must return an iterator of pyarrow record batches, got "
                    f"{type(batch).__name__} at position {at}"
                )
            where = f"batch {at} of the callable"
            tables = batch.to_batches() if isinstance(batch, pa.Table) else [batch]
            for table in tables:
                for start in range(0, max(table.num_rows, 1), BATCH_ROWS):
                    yield table.slice(start, BATCH_ROWS), where

    def schema(self) -> pa.Schema:
        for batch, _ in self._iterate():
            return batch.schema
        raise TableError("the callable returns no record batches")

    def batches(self, columns: Sequence[str]) -> Iterator[tuple[pa.RecordBatch, str]]:
        for batch, where in self._iterate():
            missing = [name for name in columns if name not in batch.schema.names]
            if missing:
                raise TableError(f"{where}: {missing_columns(missing, batch.schema.names)}")
            batch.validate(full=True)
            yield batch.select(list(columns)), where


def _next(batches: Iterator[pa.RecordBatch], where: str) -> pa.RecordBatch | None:
    """Return the next batch after validating its buffers; None at the end."""
    with _named(where):
        batch = next(batches, None)
        if batch is not None:
            batch.validate(full=True)
        return batch


@contextmanager
def _named(where: str) -> Iterator[None]:
    """Turn errors of pyarrow about damaged content into a `TableError` with the place."""
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, UnicodeError, EOFError, OSError) as error:
        # Arrow reports damaged content as OSError too, but without the system's error number.
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise
        raise TableError(f"{where}: not a Parquet file, or damaged: {error}") from error


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
