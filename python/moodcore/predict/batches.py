"""Batches of rows, and what can be wrong with them."""

from __future__ import annotations

import errno
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from moodcore.errors import TableError
from moodcore.predict.inputs import InputFile

if TYPE_CHECKING:
    import pyarrow as pa


class RowError(Exception):
    """A row from which on a file cannot be read: its number in the batch, and the reason."""

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


@dataclass(frozen=True)
class Batch:
    """Rows to be parsed, in any thread, and the share of the file read with them, in [0, 1]."""

    parse: Callable[[], Rows]
    share: float

    @classmethod
    def of(cls, table: pa.RecordBatch, share: float = 0.0) -> Batch:
        """Return rows that are in memory."""
        rows = Rows(table, np.arange(table.num_rows), [], table.num_rows)
        return cls(lambda: rows, share)


class Reader(Protocol):
    """An open file."""

    #: Names of its columns.
    columns: list[str]

    def batches(self, columns: Sequence[str]) -> Iterator[Batch]:
        """Read the columns, front to back, once."""

    def close(self) -> None:
        """Close the file."""


@contextmanager
def damaged_as_table_error(file: InputFile) -> Iterator[None]:
    """Turn the errors of libraries about damaged content into a `TableError` with the file."""
    import pyarrow as pa

    damaged = (pa.ArrowException, UnicodeError, EOFError, zlib.error, zipfile.BadZipFile)
    try:
        yield
    except (*damaged, OSError, RuntimeError, NotImplementedError) as error:
        # Arrow reports damaged content as OSError too, but without the system's error number, and
        # damaged archives name places before the start of the file.
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise
        kind = {"csv": "a CSV file", "parquet": "a Parquet file", "arrow": "an Arrow file"}
        raise TableError(f"{file.name}: not {kind[file.kind]}, or damaged: {error}") from error
