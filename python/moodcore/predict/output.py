"""Results of any length: files that get their names when they are complete."""

from __future__ import annotations

import csv
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from moodcore.files import publish, temporary_beside
from moodcore.predict.inputs import WRITABLE, InputFile, kind_of
from moodcore.predict.readers import BadRow

if TYPE_CHECKING:
    import pyarrow as pa

_HEADER = ("file", "row", "line", "column", "value", "reason")


class _PendingFile:
    """A file that is written under a temporary name, and published if nothing fails."""

    def __init__(self, path: Path) -> None:
        self.path = path
        handle, self._temporary = temporary_beside(path)
        self.file = os.fdopen(handle, "wb")

    def publish(self) -> None:
        """Give the complete file its name."""
        publish(self.file, self._temporary, self.path)

    def close(self) -> None:
        """Close the file, and remove it unless it was published."""
        # Of what could not be written, the first error was raised before.
        with suppress(OSError):
            self.file.close()
        self._temporary.unlink(missing_ok=True)


@contextmanager
def _naming(path: Path | None) -> Iterator[None]:
    """Name the file in errors of the system: a full disk says nothing of it."""
    try:
        yield
    except OSError as error:
        if path is None or error.errno is None:
            raise
        raise OSError(error.errno, os.strerror(error.errno), str(path)) from error


class Output:
    """Rows as CSV, Parquet or Arrow, in a file that is complete or not there.

    Parameters
    ----------
    path : Path or None
        The file, whose ending is its kind; None for CSV on standard output.

    Raises
    ------
    ConfigError
        For another ending.
    OSError
        When the folder is missing or not writable.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._kind = "csv" if path is None else kind_of(path.name, WRITABLE)
        self._pending = None if path is None else _PendingFile(path)
        self._writer: Any = None

    def write(self, table: pa.Table) -> None:
        """Add rows; the first decide on the columns."""
        with _naming(self._path):
            if self._writer is None:
                file = sys.stdout.buffer if self._pending is None else self._pending.file
                self._writer = _writer(self._kind, file, table.schema)
            self._writer.write_table(table)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give the file its name, or after an error, leave nothing behind."""
        try:
            if kind is None:
                with _naming(self._path):
                    self._complete()
            elif self._writer is not None and self._pending is not None:
                # Arrow's writers complete a file when they are collected: better now.
                with suppress(Exception):
                    self._writer.close()
        finally:
            if self._pending is not None:
                self._pending.close()

    def _complete(self) -> None:
        if self._writer is not None:
            self._writer.close()
        if self._pending is None:
            sys.stdout.buffer.flush()
        else:
            self._pending.publish()


def _writer(kind: str, file: Any, schema: pa.Schema) -> Any:
    import pyarrow as pa

    if kind == "parquet":
        import pyarrow.parquet as pq

        # Probabilities hardly repeat: a dictionary of them, or harder packing, gains nothing.
        text = [field.name for field in schema if not pa.types.is_floating(field.type)]
        return pq.ParquetWriter(file, schema, compression="lz4", use_dictionary=text)
    if kind == "arrow":
        return pa.ipc.new_file(file, schema)
    from pyarrow import csv as arrow_csv

    return arrow_csv.CSVWriter(file, schema)


class RejectedRows:
    """The list of rows that could not be scored: a CSV file that exists only if there are any.

    Parameters
    ----------
    path : Path or None
        The file; an old one is removed when no row is rejected. None keeps no list.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._pending: _PendingFile | None = None

    def add(self, file: InputFile, bad: Sequence[BadRow]) -> None:
        """List rows of a file, numbered within it."""
        if self._path is None or not bad:
            return
        with _naming(self._path):
            if self._pending is None:
                self._pending = _PendingFile(self._path)
                self._write([_HEADER])
            # The header is line 1; a record that spans several lines counts as one.
            self._write(
                (file.name, row.row, row.row + 2 if file.kind == "csv" else "", row.column,
                 row.value, row.reason)
                for row in bad
            )  # fmt: skip

    def _write(self, rows: Any) -> None:
        import io

        assert self._pending is not None, "the file is open"
        text = io.StringIO(newline="")
        csv.writer(text, lineterminator="\n").writerows(rows)
        self._pending.file.write(text.getvalue().encode("utf-8", "surrogateescape"))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if kind is None and self._path is not None:
                if self._pending is None:
                    self._path.unlink(missing_ok=True)
                else:
                    with _naming(self._path):
                        self._pending.publish()
        finally:
            if self._pending is not None:
                self._pending.close()
