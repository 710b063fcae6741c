"""Readers of tables of any length, one batch of rows at a time."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from moodcore.errors import TableError
from moodcore.predict.batches import Batch, Reader, damaged_as_table_error
from moodcore.predict.csv_reader import CsvReader
from moodcore.predict.inputs import InputFile
from moodcore.tables.text_files import refuse_repeated_names

if TYPE_CHECKING:
    import pyarrow as pa

# Rows of a batch: enough to share the cost of a call, few enough to lie in the cache of a core.
BATCH_ROWS = 32_768


def open_input(file: InputFile, should_stop: Callable[[], bool] = lambda: False) -> Reader:
    """Open a file; `should_stop` ends the wait for standard input."""
    reader: Reader
    with damaged_as_table_error(file):
        if file.kind == "csv":
            reader = CsvReader(file, should_stop)
        else:
            reader = (ParquetReader if file.kind == "parquet" else ArrowReader)(file)
    try:
        refuse_repeated_names(reader.columns, file.name)
    except TableError:
        reader.close()
        raise
    return reader


class ParquetReader:
    """A Parquet file."""

    def __init__(self, file: InputFile) -> None:
        import pyarrow.parquet as pq

        self._input = file
        self._source = _open(file)
        try:
            self._file = pq.ParquetFile(self._source)
        except BaseException:
            self._source.close()
            raise
        self._names = self._file.schema_arrow.names
        self.columns = [name.strip() for name in self._names]

    def batches(self, columns: Sequence[str]) -> Iterator[Batch]:
        """Read the columns, and no others."""
        names = [self._names[self.columns.index(name)] for name in columns]
        # One reader for all row groups would keep what it has read of each.
        batches = (
            batch
            for group in range(self._file.num_row_groups)
            for batch in self._file.iter_batches(BATCH_ROWS, row_groups=[group], columns=names)
        )
        n_rows, n_read = self._file.metadata.num_rows, 0
        for batch in _checked(batches, self._input):
            n_read += batch.num_rows
            # In the requested order, not in that of the file.
            table = batch.select(names).rename_columns(list(columns))
            yield Batch.of(table, min(n_read / n_rows, 1.0) if n_rows > 0 else 0.0)
        if n_read != n_rows:
            raise TableError(
                f"{self._input.name}: damaged: {n_rows:,} rows announced, {n_read:,} found"
            )

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        self._source.close()


class ArrowReader:
    """An Arrow IPC file or stream."""

    def __init__(self, file: InputFile) -> None:
        import pyarrow as pa

        self._input = file
        self._source = _open(file)
        try:
            self._file = pa.ipc.open_file(self._source)
            self._n_batches = self._file.num_record_batches
        except pa.ArrowInvalid:
            self._source.seek(0)
            self._file = pa.ipc.open_stream(self._source)
            self._n_batches = None
        self.columns = [name.strip() for name in self._file.schema.names]

    def batches(self, columns: Sequence[str]) -> Iterator[Batch]:
        """Read the columns."""
        places = [self.columns.index(name) for name in columns]
        n_batches = self._n_batches
        batches = (
            iter(self._file)
            if n_batches is None
            else (self._file.get_batch(at) for at in range(n_batches))
        )
        for at, batch in enumerate(_checked(batches, self._input)):
            for start in range(0, batch.num_rows, BATCH_ROWS):
                table = batch.slice(start, BATCH_ROWS).select(places).rename_columns(list(columns))
                yield Batch.of(table, (at + 1) / n_batches if n_batches else 0.0)

    def close(self) -> None:
        """Close the file."""
        self._source.close()


def _open(file: InputFile) -> pa.OSFile:
    """Open a file without mapping it: the process would be killed when it becomes shorter."""
    import pyarrow as pa

    assert file.path is not None, "standard input is CSV"
    # As bytes, because Arrow encodes text strictly.
    return pa.OSFile(os.fsencode(file.path), "rb")


def _checked(batches: Iterator[pa.RecordBatch], file: InputFile) -> Iterator[pa.RecordBatch]:
    """Yield the batches whose buffers hold what they announce."""
    while True:
        with damaged_as_table_error(file):
            batch = next(batches, None)
            if batch is None:
                return
            batch.validate(full=True)
        yield batch
