"""Tables of any length, a batch of rows at a time."""

from __future__ import annotations

import csv
import io
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from moodcore.errors import TableError
from moodcore.predict.files import CatalogueError, Source
from moodcore.predict.standard_input import Background, Waiting
from moodcore.tables.files import refuse_repeated_names

if TYPE_CHECKING:
    import pyarrow as pa

# Rows of a batch: enough to share the cost of a call, few enough to lie in the cache of a core.
BATCH_ROWS = 32_768
# Bytes of a block of a CSV file, which holds some ten thousand songs.
_BLOCK = 4 << 20


@dataclass(frozen=True)
class Batch:
    """Some rows of a file.

    Attributes
    ----------
    table : RecordBatch
        The columns that were asked for.
    rows : ndarray of int64, shape (n_rows,)
        The number of each row in the file, counted from 0 without the header.
    share : float
        How much of the file has been read, in [0, 1].
    broken : list of (int, str)
        Rows of a CSV file, up to the last of these, that have another number of fields than the
        header: number and text.
    """

    table: pa.RecordBatch
    rows: NDArray[np.int64]
    share: float
    broken: list[tuple[int, str]] = field(default_factory=list)


class Reader(ABC):
    """An open file.

    Attributes
    ----------
    columns : list of str
        The names of its columns.
    n_rows : int or None
        How many rows it has, where that is known beforehand.
    """

    columns: list[str]
    n_rows: int | None = None

    @abstractmethod
    def batches(self, columns: Sequence[str]) -> Iterator[Batch]:
        """Read the columns, front to back, once."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the file."""


def open_source(source: Source) -> Reader:
    """Open a file.

    Raises
    ------
    CatalogueError
        When the file is empty, damaged, or two columns have one name.
    OSError
        When it cannot be read.
    """
    kinds: dict[str, type[Any]] = {"csv": CsvReader, "parquet": ParquetReader, "arrow": ArrowReader}
    with telling(source):
        found: Reader = kinds[source.kind](source)
    try:
        refuse_repeated_names(found.columns, source.name)
    except TableError as error:
        found.close()
        raise CatalogueError(str(error)) from error
    return found


@contextmanager
def telling(source: Source) -> Iterator[None]:
    """Say which file it is that a library cannot read."""
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, UnicodeDecodeError, EOFError) as error:
        raise CatalogueError(
            f"{source.name}: no {_NAMES[source.kind]}, or damaged: {error}"
        ) from error
    except OSError as error:
        # Arrow reports damaged content as OSError too, but without the system's error number.
        if error.errno is not None:
            raise
        raise CatalogueError(
            f"{source.name}: no {_NAMES[source.kind]}, or damaged: {error}"
        ) from error


_NAMES = {"csv": "CSV file", "parquet": "Parquet file", "arrow": "Arrow file"}


class CsvReader(Reader):
    """Text, as text: what a value means is decided later, row by row."""

    def __init__(self, source: Source) -> None:
        import pyarrow as pa

        self._source = source
        self._size: int | None = None
        if source.path is None:
            self._waiting: Waiting | None = Waiting(_raw(sys.stdin.buffer))
            stream = io.BufferedReader(self._waiting, _BLOCK)
            self.columns = _names(stream.readline(), source)
            self._counted: Any = None
            self._stream: Any = pa.PythonFile(stream, mode="r")
        else:
            self._waiting = None
            self.columns = _names(_first_line(source), source)
            self._size = source.path.stat().st_size
            self._counted = source.path.open("rb")
            raw = pa.PythonFile(self._counted, mode="r")
            packing = pa.Codec.detect(str(source.path)).name if _is_packed(source) else None
            self._stream = pa.CompressedInputStream(raw, packing) if packing else raw
        self._skip = 0 if source.path is None else 1
        self._background: Background[Batch] | None = None

    def batches(self, columns: Sequence[str]) -> Iterator[Batch]:
        """Read the columns as text."""
        if self._waiting is None:
            return self._batches(columns)
        self._background = Background(self._batches(columns))
        return self._background

    def _batches(self, columns: Sequence[str]) -> Iterator[Batch]:
        import pyarrow as pa
        from pyarrow import csv as arrow_csv

        broken: dict[int, str] = {}

        def note(row: Any) -> str:
            # Counted from 1 at the header.
            broken[row.number - 1 - self._skip] = row.text
            return "skip"

        text = dict.fromkeys(self.columns, pa.string())
        with telling(self._source):
            reader = arrow_csv.open_csv(
                self._stream,
                arrow_csv.ReadOptions(
                    use_threads=False,
                    block_size=_BLOCK,
                    column_names=self.columns,
                    skip_rows=self._skip,
                ),
                arrow_csv.ParseOptions(invalid_row_handler=note, newlines_in_values=True),
                arrow_csv.ConvertOptions(
                    column_types=text, include_columns=list(columns), strings_can_be_null=False
                ),
            )
        first = 0
        while True:
            with telling(self._source):
                try:
                    table = reader.read_next_batch()
                except StopIteration:
                    break
            numbers = np.arange(first, first + table.num_rows + len(broken))
            rows = numbers[~np.isin(numbers, list(broken))][: table.num_rows]
            first = int(rows[-1]) + 1 if len(rows) else first
            yield Batch(table, rows, self._share(), _take_before(broken, first))
        if broken:
            empty = pa.RecordBatch.from_pylist([], schema=reader.schema)
            yield Batch(empty, np.empty(0, np.int64), 1.0, _take_before(broken, max(broken) + 1))

    def _share(self) -> float:
        if not self._size:
            return 0.0
        return min(self._counted.tell() / self._size, 1.0)

    def close(self) -> None:
        """Let go of the file."""
        if self._waiting is not None:
            self._waiting.stop()
        if self._background is not None:
            self._background.close()
        self._stream.close()
        if self._counted is not None:
            self._counted.close()


def _raw(buffer: Any) -> Any:
    """Return what a buffered stream reads from, so that a larger buffer can be put over it."""
    return getattr(buffer, "raw", buffer)


def _take_before(broken: dict[int, str], end: int) -> list[tuple[int, str]]:
    """Take out the rows below a number, in their order."""
    # Those that follow a last good row directly wait for the next batch.
    return [(row, broken.pop(row)) for row in sorted(broken) if row < end]


def _is_packed(source: Source) -> bool:
    return source.name.lower().endswith((".gz", ".zst"))


def _first_line(source: Source) -> bytes:
    import pyarrow as pa

    with pa.input_stream(str(source.path), compression="detect") as stream:
        head: bytes = stream.read(1 << 20)
    return head.split(b"\n", 1)[0]


def _names(header: bytes, source: Source) -> list[str]:
    text = header.decode("utf-8-sig").rstrip("\r\n")
    if not text.strip():
        raise CatalogueError(f"{source.name}: the file is empty, or does not begin with a header")
    return [name.strip() for name in next(csv.reader([text]))]


class ParquetReader(Reader):
    """Columns with types of their own."""

    def __init__(self, source: Source) -> None:
        import pyarrow.parquet as pq

        self._source = source
        self._file = pq.ParquetFile(str(source.path), memory_map=False)
        self.columns = [name.strip() for name in self._file.schema_arrow.names]
        self.n_rows = self._file.metadata.num_rows

    def batches(self, columns: Sequence[str]) -> Iterator[Batch]:
        """Read the columns, and no others."""
        own = dict(zip(self.columns, self._file.schema_arrow.names, strict=True))
        wanted = [own[name] for name in columns]
        # One reader for all row groups would hold on to what it has read of each.
        found = (
            batch
            for group in range(self._file.num_row_groups)
            for batch in self._file.iter_batches(BATCH_ROWS, row_groups=[group], columns=wanted)
        )
        yield from _numbered(found, self._source, columns, self.n_rows or 0)

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


class ArrowReader(Reader):
    """An Arrow IPC file or stream."""

    def __init__(self, source: Source) -> None:
        import pyarrow as pa

        self._source = source
        self._map = pa.memory_map(str(source.path))
        try:
            self._file = pa.ipc.open_file(self._map)
            self.n_rows = self._file.count_rows() if hasattr(self._file, "count_rows") else None
        except pa.ArrowInvalid:
            self._map.seek(0)
            self._file = pa.ipc.open_stream(self._map)
        self.columns = [name.strip() for name in self._file.schema.names]

    def batches(self, columns: Sequence[str]) -> Iterator[Batch]:
        """Read the columns."""
        yield from _numbered(self._pieces(columns), self._source, columns, self.n_rows or 0)

    def _pieces(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        places = [self.columns.index(name) for name in columns]
        is_file = hasattr(self._file, "num_record_batches")
        every = (
            (self._file.get_batch(at) for at in range(self._file.num_record_batches))
            if is_file
            else self._file
        )
        for batch in every:
            for start in range(0, batch.num_rows, BATCH_ROWS):
                yield batch.slice(start, BATCH_ROWS).select(places)

    def close(self) -> None:
        """Let go of the file."""
        self._map.close()


def _numbered(
    found: Iterator[Any], source: Source, columns: Sequence[str], n_rows: int
) -> Iterator[Batch]:
    first = 0
    while True:
        with telling(source):
            table = next(found, None)
        if table is None:
            return
        last = first + table.num_rows
        share = last / n_rows if n_rows else 0.0
        yield Batch(table.rename_columns(list(columns)), np.arange(first, last), share)
        first = last
