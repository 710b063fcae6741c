"""Readers of the parts of a table: Parquet files, files of other formats, and callables."""

from __future__ import annotations

import errno
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from moodcore.errors import TableError, missing_columns

if TYPE_CHECKING:
    import pyarrow as pa

# Rows that are read at a time: a few megabytes, so that reading can be interrupted.
BATCH_ROWS = 65_536


class Part(ABC):
    """One part of a source: a file, or the record batches that a callable returns."""

    where: str

    @abstractmethod
    def schema(self) -> pa.Schema:
        """Return the names and types of the columns."""

    def n_rows(self) -> int | None:
        """Return the number of rows if it is known before reading, otherwise None."""
        return None

    @abstractmethod
    def batches(self, columns: Sequence[str]) -> Iterator[tuple[pa.RecordBatch, str]]:
        """Read some columns; yield batches and their places for error messages."""


def parts_of(dataset: Any) -> Iterator[Part]:
    """Yield the parts of a pyarrow Dataset."""
    import pyarrow.dataset as ds

    if getattr(dataset, "_scan_options", None):
        # The dataset has a filter, which its fragments would not apply.
        yield CallablePart(lambda: dataset.to_batches(batch_size=BATCH_ROWS))
        return
    for fragment in dataset.get_fragments():
        if isinstance(fragment, ds.ParquetFileFragment):
            yield ParquetPart(fragment, dataset.schema)
        else:
            yield FragmentPart(fragment, dataset.schema)


class ParquetPart(Part):
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
            named(self.where),
            self._fragment.filesystem.open_input_file(self._fragment.path) as source,
            pq.ParquetFile(source, page_checksum_verification=True) as file,
        ):
            yield file

    def schema(self) -> pa.Schema:
        """Return the names and types of the columns."""
        import pyarrow as pa

        with self._open() as file:
            schema: pa.Schema = file.schema_arrow
        for name, value in self._keys.items():
            schema = schema.append(pa.field(name, value.type))
        return schema

    def n_rows(self) -> int:
        """Return the number of rows."""
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
        """Read some columns of some row groups, by default of all."""
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


class FragmentPart(Part):
    """A file of another format, or a table in memory, that a dataset reads."""

    def __init__(self, fragment: Any, schema: pa.Schema) -> None:
        self.where = getattr(fragment, "path", "the dataset")
        self._fragment, self._schema = fragment, schema

    def schema(self) -> pa.Schema:
        """Return the names and types of the columns."""
        return self._schema

    def batches(self, columns: Sequence[str]) -> Iterator[tuple[pa.RecordBatch, str]]:
        """Read some columns."""
        batches = self._fragment.to_batches(
            schema=self._schema, columns=list(columns), batch_size=BATCH_ROWS
        )
        while (batch := _next(batches, self.where)) is not None:
            yield batch, self.where


class CallablePart(Part):
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
        """Return the names and types of the columns."""
        for batch, _ in self._iterate():
            return batch.schema
        raise TableError("the callable returns no record batches")

    def batches(self, columns: Sequence[str]) -> Iterator[tuple[pa.RecordBatch, str]]:
        """Read some columns."""
        for batch, where in self._iterate():
            missing = [name for name in columns if name not in batch.schema.names]
            if missing:
                raise TableError(f"{where}: {missing_columns(missing, batch.schema.names)}")
            batch.validate(full=True)
            yield batch.select(list(columns)), where


def _next(batches: Iterator[pa.RecordBatch], where: str) -> pa.RecordBatch | None:
    """Return the next batch after validating its buffers; None at the end."""
    with named(where):
        batch = next(batches, None)
        if batch is not None:
            batch.validate(full=True)
        return batch


@contextmanager
def named(where: str) -> Iterator[None]:
    """Turn errors of pyarrow about damaged content into a `TableError` with the place."""
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, UnicodeError, EOFError, OSError) as error:
        # Arrow reports damaged content as OSError too, but without the system's error number.
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise
        raise TableError(f"{where}: not a Parquet file, or damaged: {error}") from error
