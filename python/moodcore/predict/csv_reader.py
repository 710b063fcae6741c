"""CSV text of any length: whole rows are cut off block by block, and parsed in any thread.

Arrow parses the blocks. Its own reader of streams would read ahead in a thread of its own, which
cannot be stopped, and would take the end of the file for the end of a quote.
"""

from __future__ import annotations

import codecs
import os
import select
import sys
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from moodcore.errors import TableError
from moodcore.predict.batches import BadRow, Batch, RowError, Rows, damaged_as_table_error
from moodcore.predict.inputs import InputFile
from moodcore.runs.interrupts import RunInterruptedError
from moodcore.tables.files import table_in_zip
from moodcore.tables.text_files import detect_encoding, read_header, separate

if TYPE_CHECKING:
    import pyarrow as pa

WRONG_WIDTH: Final = "another number of fields than the header"
# Bytes of a block, which holds some ten thousand songs.
_BLOCK = 4 << 20
# Bytes from which encoding and separator are recognized, and which a header may have.
_HEAD = 1 << 20
# Bytes that a row may have.
_LONGEST_ROW = 64 << 20
# Seconds between two looks at whether the run is to stop, while nothing comes.
_POLL = 0.1
_SHOWN = 200


class CsvReader:
    """Text, as text: what a value means is decided later, row by row."""

    def __init__(self, file: InputFile, should_stop: Callable[[], bool]) -> None:
        self._input = file
        self._stream = _Stream(file.path, should_stop)
        try:
            head = self._read_head()
            whole = self._stream.decode_head(head)
            text, self._separator = separate(whole.removeprefix("\ufeff"))
            self.columns, end = read_header(text, self._separator, file.name)
        except BaseException:
            self._stream.close()
            raise
        header = whole[: len(whole) - len(text) + end]
        self._line_end = b"\r" if header.endswith("\r") else b"\n"
        self._rest = self._stream.after(header, head, whole)

    def _read_head(self) -> bytes:
        """Return the first bytes of the file, with the whole header."""
        head = b""
        while len(head) < _HEAD:
            part = self._stream.raw(_HEAD - len(head))
            head += part
            # Standard input may have no more to say for now.
            if not part or (self._input.path is None and _has_line(head)):
                return head
        if not _has_line(head):
            raise TableError(f"{self._input.name}: the first line does not end within 1 MB")
        return head

    def batches(self, columns: Sequence[str]) -> Iterator[Batch]:
        """Read the columns as text."""
        layout = _Layout(
            len(self.columns),
            self._separator,
            self._line_end,
            {name: str(self.columns.index(name)) for name in columns},
        )
        for block, is_whole in self._blocks():
            yield Batch(partial(_parse, block, layout, is_whole), self._stream.share())

    def _blocks(self) -> Iterator[tuple[bytes, bool]]:
        """Yield whole rows, and whether they are: one may be too long."""
        rest, self._rest = self._rest, b""
        while True:
            with damaged_as_table_error(self._input):
                part = self._stream.read(_BLOCK)
            rest += part
            if not part:
                break
            end = end_of_rows(rest, self._separator, self._line_end)
            if end:
                yield rest[:end], True
                rest = rest[end:]
            elif len(rest) > _LONGEST_ROW:
                yield rest, False
                return
        if rest:
            yield rest, True

    def close(self) -> None:
        """Close the file."""
        self._stream.close()


def _has_line(head: bytes) -> bool:
    return b"\n" in head or b"\r" in head.rstrip(b"\r")


class _Stream:
    """The bytes of a file or of standard input, unpacked and in UTF-8."""

    def __init__(self, path: Path | None, should_stop: Callable[[], bool]) -> None:
        self._decoder: Any = None
        self._open: list[Any] = []
        self._size = 0
        if path is None:
            self._file: Any = _StandardInput(should_stop)
            return
        self._file = self._source = path.open("rb")
        self._open = [self._source]
        self._size = path.stat().st_size
        try:
            self._unpack(path)
        except BaseException:
            self.close()
            raise

    def _unpack(self, path: Path) -> None:
        import pyarrow as pa

        name = path.name.lower()
        if name.endswith(".zip"):
            archive = zipfile.ZipFile(self._source)
            self._file = archive.open(table_in_zip(archive, str(path)))
        elif name.endswith((".gz", ".zst")):
            kind = "gzip" if name.endswith(".gz") else "zstd"
            self._file = pa.CompressedInputStream(pa.PythonFile(self._source, mode="r"), kind)
        self._open.append(self._file)

    def raw(self, size: int) -> bytes:
        """Return up to this many bytes as they are in the file; none at its end."""
        return bytes(self._file.read(size))

    def decode_head(self, head: bytes) -> str:
        """Return the text of the first bytes; those that follow are decoded in the same way."""
        encoding = detect_encoding(head)
        if encoding == "utf-8":
            try:
                # Incremental: the head may end within a character.
                return codecs.getincrementaldecoder("utf-8")().decode(head)
            except UnicodeDecodeError:
                encoding = "latin-1"
        self._decoder = codecs.getincrementaldecoder(encoding)()
        return str(self._decoder.decode(head))

    def after(self, header: str, head: bytes, text: str) -> bytes:
        """Return the first bytes, in UTF-8, without the header."""
        if self._decoder is None:
            return head[len(header.encode()) :]
        return text[len(header) :].encode()

    def read(self, size: int) -> bytes:
        """Return the next bytes in UTF-8, at most this many bytes of the file; none at its end."""
        parts, n_read = [], 0
        while n_read < size:
            part = self.raw(size - n_read)
            n_read += len(part)
            parts.append(
                part
                if self._decoder is None
                else self._decoder.decode(part, final=not part).encode()
            )
            if not part:
                break
        return b"".join(parts)

    def share(self) -> float:
        """Return how much of the file has been read."""
        return min(self._source.tell() / self._size, 1.0) if self._size else 0.0

    def close(self) -> None:
        """Close the file."""
        for file in reversed(self._open):
            file.close()


class _StandardInput:
    """Standard input, which may have nothing to say for long."""

    def __init__(self, should_stop: Callable[[], bool]) -> None:
        self._should_stop = should_stop
        if sys.stdin is None:
            raise TableError("standard input is closed; name a file, or redirect one")
        # Without the buffer, reads return what there is.
        self._file = getattr(sys.stdin.buffer, "raw", sys.stdin.buffer)
        # Windows waits for sockets only, and a buffer in memory never waits.
        self._number: int | None = None
        with suppress(OSError, AttributeError):
            self._number = self._file.fileno() if os.name == "posix" else None

    def read(self, size: int) -> bytes:
        """Return the bytes that there are, once there are any."""
        while self._number is not None and not select.select([self._number], [], [], _POLL)[0]:
            if self._should_stop():
                raise RunInterruptedError
        return bytes(self._file.read(size) or b"")


def end_of_rows(data: bytes, separator: str, line_end: bytes) -> int:
    r"""Return the number of bytes of the whole rows that data begins with.

    Quotes open a field at its start, close it before its end, and are doubled within; anywhere
    else they are text, as for Arrow.

    Examples
    --------
    >>> end_of_rows(b'a,"b\nc"\nd', ",", b"\n"), end_of_rows(b'5" disc\nd', ",", b"\n")
    (8, 8)
    """
    end = data.rfind(line_end) + 1
    if not end or b'"' not in data:
        return end
    switches = _quoting_switches(data, separator.encode())
    while end:
        before = int(np.searchsorted(switches, end - 1))
        if before % 2 == 0:
            return end
        # Within quotes: look before the quote that opens them.
        end = data.rfind(line_end, 0, int(switches[before - 1])) + 1
    return 0


def _quoting_switches(data: bytes, separator: bytes) -> NDArray[np.int64]:
    """Return the positions of the quotes that open and close fields, in turn."""
    codes = np.frombuffer(data, np.uint8)
    quotes = np.flatnonzero(codes == ord('"'))
    around = np.frombuffer(b'\n\r"' + separator, np.uint8)
    edged = np.concatenate([around[:1], codes, around[:1]])
    opening, closing = quotes[::2], quotes[1::2]
    # Doubled quotes close and open again, which changes nothing between rows.
    reopens = np.zeros(len(opening), bool)
    reopens[1:] = opening[1:] == closing[: len(opening) - 1] + 1
    opens_field = np.isin(edged[opening], around) & ((edged[opening] != ord('"')) | reopens)
    if opens_field.all() and np.isin(edged[closing + 2], around).all():
        return quotes
    # Quotes within text: one after the other.
    switches: list[int] = []
    doubled = -1
    for at in quotes.tolist():
        if at == doubled:
            continue
        if len(switches) % 2:
            if data[at + 1 : at + 2] == b'"':
                doubled = at + 1
            else:
                switches.append(at)
        elif at == 0 or data[at - 1 : at] in (b"\n", b"\r", separator):
            switches.append(at)
    return np.array(switches, np.int64)


@dataclass(frozen=True)
class _Layout:
    """How rows are written, and the positions in the file of the columns that are read."""

    width: int
    separator: str
    line_end: bytes
    columns: dict[str, str]

    @property
    def last_row(self) -> bytes:
        """A row that no file has, since it holds NUL bytes; it is put after those of a block.

        A quote that is not closed swallows it.
        """
        return b"\n" + self.separator.encode().join([b"\0"] * self.width) + b"\n"


def _parse(data: bytes, layout: _Layout, is_whole: bool) -> Rows:
    """Parse whole rows; raises a `RowError` for a row that is none."""
    import pyarrow as pa

    if not is_whole:
        size = f"{_LONGEST_ROW >> 20} MB"
        raise RowError(0, f"the row does not end within {size}; is a quote never closed?")
    if (at := data.find(b"\0")) >= 0:
        row = data.count(layout.line_end, 0, at)
        raise RowError(row, "a NUL byte; the file is damaged, or no text")
    is_text = True
    if not data.isascii():
        try:
            data.decode()
        except UnicodeDecodeError:
            data, is_text = data.decode(errors="replace").encode(), False
    try:
        table, broken = _read_block(data, layout)
    except pa.ArrowInvalid as error:
        raise RowError(0, f"the rows cannot be parsed: {error}") from error
    n_rows = table.num_rows + len(broken) - 1
    if not table.num_rows or table.column(0)[-1].as_py() != "\0":
        raise RowError(n_rows, "a quote that opens a field is never closed")
    table = table.slice(0, table.num_rows - 1)
    numbers = np.setdiff1d(np.arange(n_rows), [row.row for row in broken], assume_unique=True)
    bad = [] if is_text else _replaced(table, numbers)
    return Rows(table, numbers, broken + bad, n_rows, layout.separator != ",")


def _replaced(table: pa.RecordBatch, numbers: NDArray[np.int64]) -> list[BadRow]:
    """Return the rows with bytes that were no text and have been replaced."""
    return [
        BadRow(int(numbers[row]), name, text[:_SHOWN], "not UTF-8 text")
        for name, column in zip(table.schema.names, table.columns, strict=True)
        for row, text in enumerate(column.to_pylist())
        if "\ufffd" in text
    ]


def _read_block(data: bytes, layout: _Layout) -> tuple[pa.RecordBatch, list[BadRow]]:
    """Return the columns, with the row that was added, and rows of another width."""
    import pyarrow as pa
    from pyarrow import csv

    broken: list[BadRow] = []

    def note(row: Any) -> str:
        # Rows are counted from 1, without blank lines.
        broken.append(BadRow(row.number - 1, "", row.text[:_SHOWN], WRONG_WIDTH))
        return "skip"

    data += layout.last_row
    table = csv.read_csv(
        pa.BufferReader(data),
        csv.ReadOptions(
            use_threads=False,
            block_size=len(data) + 1,
            column_names=[str(at) for at in range(layout.width)],
        ),
        csv.ParseOptions(
            delimiter=layout.separator, invalid_row_handler=note, newlines_in_values=True
        ),
        csv.ConvertOptions(
            column_types=dict.fromkeys(layout.columns.values(), pa.string()),
            include_columns=list(layout.columns.values()),
            strings_can_be_null=False,
            check_utf8=False,
        ),
    )
    table = table.rename_columns(list(layout.columns)).combine_chunks()
    batches = table.to_batches()
    return batches[0] if batches else pa.RecordBatch.from_pylist([], table.schema), broken
