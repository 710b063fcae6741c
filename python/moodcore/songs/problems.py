"""Problems in a table of songs, and the report of its rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from moodcore.errors import TableError

_SHOWN_CHARACTERS = 40


class SongTableError(TableError):
    """Raised for tables that are not song tables or contain unusable rows.

    Attributes
    ----------
    problems : tuple of Problem
        The unusable values; empty when the file or its columns are wrong.
    """

    def __init__(self, message: str, problems: Sequence[Problem] = ()) -> None:
        super().__init__(message)
        self.problems = tuple(problems)


@dataclass(frozen=True)
class Problem:
    """One kind of unusable value in one column.

    Attributes
    ----------
    column : str
        Its name.
    kind : str
        "missing", "not a number", "infinite", "out of range", "unlabeled" or "not a label".
    n_rows, first_row : int
        Number of rows, and the first of them, counted from 0 without the header.
    value : object
        The value in this row.
    allowed : str
        The values that are allowed.

    Examples
    --------
    >>> print(Problem("energy", "out of range", 2, 7, 61.4, "0 to 1"))
    column 'energy': 2 rows out of range, first row 7: 61.4; allowed: 0 to 1
    """

    column: str
    kind: str
    n_rows: int
    first_row: int
    value: Any
    allowed: str

    def __str__(self) -> str:
        value = repr(self.value)
        if len(value) > _SHOWN_CHARACTERS:
            value = value[:_SHOWN_CHARACTERS] + "..."
        return (
            f"column {self.column!r}: {rows(self.n_rows)} {self.kind}, first row {self.first_row}: "
            f"{value}; allowed: {self.allowed}"
        )


@dataclass(frozen=True)
class RowReport:
    """Counts of the rows that were read, kept and dropped, with the reasons.

    Attributes
    ----------
    n_read, n_kept : int
        Rows in the table, rows in the result.
    problems : tuple of Problem
        Why rows were dropped; a row may count in several.
    n_bad : int
        Rows dropped for these.
    n_duplicates : int
        Usable rows that repeat an earlier one in every column read, the label included; `uri` is
        not compared.
    first_duplicate : int or None
        Row number of the first of them.
    duplicates_dropped : bool
        Whether they were dropped.

    Examples
    --------
    >>> print(RowReport(10, 9, n_duplicates=1, first_duplicate=4, duplicates_dropped=True))
    10 rows read, 9 kept
    1 duplicate row, first row 4: dropped
    """

    n_read: int
    n_kept: int
    problems: tuple[Problem, ...] = ()
    n_bad: int = 0
    n_duplicates: int = 0
    first_duplicate: int | None = None
    duplicates_dropped: bool = False

    @property
    def n_dropped(self) -> int:
        """Rows that are not in the result."""
        return self.n_read - self.n_kept

    def __str__(self) -> str:
        lines = [f"{rows(self.n_read)} read, {self.n_kept:,} kept"]
        if self.n_bad:
            lines.append(f"{rows(self.n_bad)} with unusable values: dropped")
            lines += map(str, self.problems)
        if self.n_duplicates:
            action = "dropped" if self.duplicates_dropped else "kept"
            count = rows(self.n_duplicates, "duplicate ")
            lines.append(f"{count}, first row {self.first_duplicate}: {action}")
        return "\n".join(lines)


def rows(count: int, kind: str = "") -> str:
    """Return a number of rows in words."""
    return f"{count:,} {kind}row" + ("" if count == 1 else "s")
