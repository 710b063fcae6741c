"""Readers of tables of any length, one batch of rows at a time."""

from __future__ import annotations

import errno
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from moodcore.errors import TableError
from moodcore.predict.inputs import InputFile
from moodcore.tables.text_files import refuse_repeated_names

if TYPE_CHECKING:
    import pyarrow as pa

# Rows of a batch: enough to share the cost of a call, few enough to lie in the cache of a core.
BATCH_ROWS = 32_768
_KIND_NAMES = {"csv": "a CSV file", "parquet": "a Parquet file", "arrow": "an Arrow file"}


class RowError(Exception):
    """A row from which on a file cannot be read.

    Parameters
    ----------
    row : int
        Its number in the batch.
    reason : str
        What is wrong.
    """

    def __init__(self, row: int, reason: str) -> None:
        super().__init__(row, reason)
        self.row, self.reason = row, reason


@dataclass(frozen=True)
class BadRow:
    """A row that cannot be used, and why.

    Attributes
    ----------
    row : int
        Its number, counted from 0 without the header: in the batch or in the file.
    column : str
        The first column with an unusable value; empty where the whole row cannot be used.
    value : str
        The value, or the text of the row.
    reason : str
        "missing", "not a number", "infinite", "out of range" and the like.
    """

    row: int
    column: str
    value: str
    reason: str

    @property
    def summary(self) -> str:
        """The column, if there is one, and the reason."""
        return f"{self.column}: {self.reason}" if self.column else self.reason


@dataclass(frozen=True)
class Rows:
    """The rows of a batch.

    Attributes
    ----------
    table : RecordBatch
        The requested columns.
    numbers : ndarray of int64, shape (n_table_rows,)
        The number of each row of the table in the batch.
    bad : list of BadRow
        Rows that are not in the table, and rows with values that are no text.
    n_rows : int
        Rows of the batch, those that are not in the table included.
    decimal_comma : bool
        Whether numbers may have a comma for the decimal point.
    """

    table: pa.RecordBatch
    numbers: NDArray[np.int64]
    bad: list[BadRow]
    n_rows: int
    decimal_comma: bool = False

    @classmethod
    def of(cls, table: pa.RecordBatch) -> Rows:
        """Return all rows of a table."""
        return cls(table, np.arange(table.num_rows), [], table.num_rows)


class Batch(ABC):
    """Some rows of a file, perhaps not parsed yet.

    Attributes
    ----------
    share : float
        How much of the file has been read with it, in [0, 1]; 0 where that is unknown.
    """

    share: float

    @abstractmethod
    def rows(self) -> Rows:
        """Return the rows; may be called in any thread."""


@dataclass
class ParsedBatch(Batch):
    """Rows that are in memory as Arrow columns."""

    parsed: Rows
    share: float = 0.0

    def rows(self) -> Rows:
        """Return the rows."""
        return self.parsed


class Reader(ABC):
    """An open file.

    Attributes
    ----------
    columns : list of str
        The names of its columns.
    """

    columns: list[str]

    @abstractmethod
    def batches(self, columns: Sequence[str]) -> Iterator[Batch]:
        """Read the columns, front to back, once."""

    @abstractmethod
    def close(self) -> None:
        """Close the file."""


def open_input(file: InputFile, should_stop: Callable[[], bool] = lambda: False) -> Reader:
    """Open a file.

    Parameters
    ----------
    file : InputFile
        The file.
    should_stop : callable, optional
        Checked while standard input has nothing to say; true ends the run.

    Raises
    ------
    TableError
        When the file is empty or damaged, or two columns have the same name.
    OSError
        When it cannot be read.
    """
    from moodcore.predict.csv_reader import CsvReader

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


@contextmanager
def damaged_as_table_error(file: InputFile) -> Iterator[None]:
    """Turn the errors of libraries about damaged content into a `TableError` with the file."""
    import pyarrow as pa

    damaged = (pa.ArrowException, UnicodeError, EOFError, zlib.error, zipfile.BadZipFile)
    try:
        yield
    except damaged as error:
        raise _damaged(file, error) from error
    except (OSError, RuntimeError, NotImplementedError) as error:
        # Arrow reports damaged content as OSError too, but without the system's error number, and
        # damaged archives name places before the start of the file.
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise
        raise _damaged(file, error) from error


def _damaged(file: InputFile, error: Exception) -> TableError:
    return TableError(f"{file.name}: not {_KIND_NAMES[file.kind]}, or damaged: {error}")


class ParquetReader(Reader):
    """A Parquet file."""

    def __init__(self, file: InputFile) -> None:
        import pyarrow.parquet as pq

        self._input = file
        self._file = pq.ParquetFile(str(file.path), memory_map=False)
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
            # In the order that was asked for, not in that of the file.
            table = batch.select(names).rename_columns(list(columns))
            yield ParsedBatch(Rows.of(table), min(n_read / n_rows, 1.0) if n_rows > 0 else 0.0)
        if n_read != n_rows:
            raise TableError(
                f"{self._input.name}: damaged: {n_rows:,} rows announced, {n_read:,} found"
            )

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class ArrowReader(Reader):
    """An Arrow IPC file or stream."""

    def __init__(self, file: InputFile) -> None:
        import pyarrow as pa

        self._input = file
        # Not a memory map: the process would be killed when the file becomes shorter.
        self._source = pa.OSFile(str(file.path), "rb")
        try:
            self._file = pa.ipc.open_file(self._source)
            self._is_stream = False
        except pa.ArrowInvalid:
            self._source.seek(0)
            self._file = pa.ipc.open_stream(self._source)
            self._is_stream = True
        self._size = Path(str(file.path)).stat().st_size
        self.columns = [name.strip() for name in self._file.schema.names]

    def batches(self, columns: Sequence[str]) -> Iterator[Batch]:
        """Read the columns."""
        places = [self.columns.index(name) for name in columns]
        for at, batch in enumerate(_checked(self._record_batches(), self._input)):
            for start in range(0, batch.num_rows, BATCH_ROWS):
                table = batch.slice(start, BATCH_ROWS).select(places)
                rows = Rows.of(table.rename_columns(list(columns)))
                yield ParsedBatch(rows, self._share(at))

    def _record_batches(self) -> Iterator[pa.RecordBatch]:
        if self._is_stream:
            return iter(self._file)
        return (self._file.get_batch(at) for at in range(self._file.num_record_batches))

    def _share(self, at: int) -> float:
        if self._is_stream:
            return min(self._source.tell() / self._size, 1.0)
        return (at + 1) / int(self._file.num_record_batches)

    def close(self) -> None:
        """Close the file."""
        self._source.close()


def _checked(batches: Iterator[pa.RecordBatch], file: InputFile) -> Iterator[pa.RecordBatch]:
    """Yield the batches whose buffers hold what they announce."""
    while True:
        with damaged_as_table_error(file):
            batch = next(batches, None)
            if batch is None:
                return
            batch.validate(full=True)
        yield batch
