"""The list of rows that could not be scored: a file that is there only when it has a row."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from moodcore.files import publish, temporary_beside
from moodcore.predict.columns import Rejection
from moodcore.predict.files import Source

_HEADER = ("file", "row", "line", "column", "value", "reason")


class RejectedRows:
    """A CSV file with a line for each row: file, row (from 0), line, column, value, reason.

    Parameters
    ----------
    path : Path or None
        The file; an old one is removed when no row is rejected. None keeps no list.
    """

    def __init__(self, path: Path | None, sources: Sequence[Source]) -> None:
        self._path = path
        self._lines = {source.name for source in sources if source.kind == "csv"}
        self._temporary: Path | None = None
        self._file: Any = None
        self._writer: Any = None

    def add(self, source: Source, rejected: Sequence[Rejection]) -> None:
        """List rows of a file."""
        if self._path is None or not rejected:
            return
        if self._file is None:
            handle, self._temporary = temporary_beside(self._path)
            self._file = os.fdopen(handle, "w", encoding="utf-8", newline="")
            self._writer = csv.writer(self._file, lineterminator="\n")
            self._writer.writerow(_HEADER)
        for one in rejected:
            # The header is line 1; a record that spans several lines counts as one.
            line = one.row + 2 if source.name in self._lines else ""
            self._writer.writerow((source.name, one.row, line, one.column, one.value, one.reason))

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
                if self._temporary is not None:
                    publish(self._file, self._temporary, self._path)
                else:
                    self._path.unlink(missing_ok=True)
        finally:
            if self._file is not None:
                self._file.close()
            if self._temporary is not None:
                self._temporary.unlink(missing_ok=True)
