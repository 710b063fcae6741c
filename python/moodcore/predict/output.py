"""Results of any length: files that get their names when they are complete."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from moodcore.errors import TableError
from moodcore.files import atomic_file
from moodcore.predict.inputs import WRITABLE, kind_of

if TYPE_CHECKING:
    import pyarrow as pa

# Rows that are written together.
_TOGETHER = 65_536


class Output:
    """Rows as CSV, Parquet or Arrow by the ending of the file; CSV on standard output for None."""

    def __init__(self, path: Path | None, stack: ExitStack) -> None:
        self._path, self._stack = path, stack
        self._kind = "csv" if path is None else kind_of(path.name, WRITABLE)
        self._file: Any = None
        self._writer: Any = None
        self._schema: pa.Schema | None = None
        self._tables: list[pa.Table] = []
        self._n_rows = 0

    @classmethod
    @contextmanager
    def open(cls, path: Path | None, *, optional: bool = False) -> Iterator[Self]:
        """Open a file that is complete after the block, or not there after an error.

        With `optional`, it is left out, and an old one removed, when nothing is written.
        """
        with ExitStack() as stack:
            output = cls(path, stack)
            if not optional:
                output._open()
            try:
                yield output
                output._complete()
            except BaseException:
                # Arrow's writers complete a file when they are collected: better now.
                with suppress(Exception):
                    output._writer.close()
                raise

    def _open(self) -> None:
        if self._path is None:
            # The command puts the null device in place of a stream that is closed.
            if sys.stdout is None or getattr(sys.stdout, "name", "") == 1:
                raise TableError("standard output is closed; name a file for the result")
            self._file = sys.stdout.buffer
        else:
            self._file = self._stack.enter_context(atomic_file(self._path))

    def write(self, table: pa.Table) -> None:
        """Add rows; the first table decides on the columns and their types."""
        import pyarrow as pa

        self._schema = self._schema or table.schema
        if table.schema != self._schema:
            try:
                table = table.cast(self._schema)
            except (pa.ArrowInvalid, ValueError) as error:
                raise TableError(
                    f"the inputs have different columns, so that they cannot become one table: "
                    f"{error}; write them into a folder"
                ) from error
        self._tables.append(table)
        self._n_rows += table.num_rows
        if self._n_rows >= _TOGETHER:
            self._flush()

    def _flush(self) -> None:
        import pyarrow as pa

        if not self._tables:
            return
        if self._file is None:
            self._open()
        table = pa.concat_tables(self._tables)
        self._tables, self._n_rows = [], 0
        if self._writer is None:
            self._writer = _writer(self._kind, self._file, table.schema)
        self._writer.write_table(table)

    def _complete(self) -> None:
        self._flush()
        if self._writer is not None:
            self._writer.close()
        if self._path is None:
            sys.stdout.buffer.flush()
        elif self._file is None:
            self._path.unlink(missing_ok=True)


def _writer(kind: str, file: Any, schema: pa.Schema) -> Any:
    import pyarrow as pa

    if kind == "parquet":
        import pyarrow.parquet as pq

        # Probabilities hardly repeat: a dictionary of them, or harder packing, gains nothing.
        text = [field.name for field in schema if not pa.types.is_floating(field.type)]
        return pq.ParquetWriter(file, schema, compression="lz4", use_dictionary=text)
    if kind == "arrow":
        return pa.ipc.new_file(file, schema)
    from pyarrow import csv

    return csv.CSVWriter(file, schema)
