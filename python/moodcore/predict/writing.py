"""Results of any length, written a batch at a time under a name that they get at the end."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from moodcore.files import publish, temporary_beside
from moodcore.predict.files import WRITABLE, kind_of

if TYPE_CHECKING:
    import pyarrow as pa


class Output:
    """A file that is complete or not there.

    Parameters
    ----------
    path : Path or None
        Where the result goes, by its ending CSV, Parquet or Arrow; None for CSV on standard
        output.

    Raises
    ------
    CatalogueError
        For another ending.
    OSError
        When the folder is missing or not writable.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._kind = "csv" if path is None else kind_of(path.name, WRITABLE)
        self._temporary: Path | None = None
        self._writer: Any = None
        if path is None:
            self._file: Any = sys.stdout.buffer
            return
        handle, self._temporary = temporary_beside(path)
        self._file = os.fdopen(handle, "wb")

    def write(self, table: pa.Table) -> None:
        """Add rows; the first decide on the columns."""
        if self._writer is None:
            self._writer = _writer(self._kind, self._file, table.schema)
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
            if self._writer is not None and (kind is None or self._path is not None):
                self._writer.close()
            if self._path is None:
                self._file.flush()
                return
            if kind is None and self._temporary is not None:
                publish(self._file, self._temporary, self._path)
        finally:
            if self._path is not None:
                self._file.close()
            if self._temporary is not None:
                self._temporary.unlink(missing_ok=True)


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
