"""The values of a table of songs, column by column: numbers out, problems noted."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from moodcore.songs.problems import Problem
from moodcore.songs.schema import LABEL, RANGES
from moodcore.tables.columns import Range

if TYPE_CHECKING:
    import pandas as pd


@dataclass
class Checker:
    """Turns columns into numbers and remembers which rows cannot be used.

    Attributes
    ----------
    bad : ndarray of bool, shape (n_rows,)
        Rows with a problem in any column so far.
    problems : list of Problem
        In the order of the columns.
    """

    bad: NDArray[np.bool_]
    problems: list[Problem] = field(default_factory=list)

    def feature(self, column: pd.Series[Any]) -> NDArray[np.float64]:
        """Return the values of a feature column; those of bad rows mean nothing."""
        values, absent = _numbers(column)
        allowed = RANGES[str(column.name)]
        for kind, rows in faults(values, absent, allowed).items():
            self._note(column, kind, rows, f"{allowed}")
        return values

    def label(self, column: pd.Series[Any], names: Sequence[str]) -> NDArray[np.int64]:
        """Return the codes of a label column that holds codes or names; 0 for bad rows."""
        values, absent = _numbers(column.map(_coded(names)) if _is_text(column) else column)
        known = np.isin(values, np.arange(len(names)))
        allowed = ", ".join(f"{code} ({name})" for code, name in enumerate(names))
        self._note(column, "unlabelled", absent, allowed)
        self._note(column, "not a label", ~known & ~absent, allowed)
        return np.where(known, values, 0).astype(np.int64)

    def _note(
        self, column: pd.Series[Any], kind: str, rows: NDArray[np.bool_], allowed: str
    ) -> None:
        count = int(rows.sum())
        if not count:
            return
        first = int(rows.argmax())
        value = column.iloc[first]
        value = value.item() if isinstance(value, np.generic) else value
        self.problems.append(Problem(str(column.name), kind, count, first, value, allowed))
        self.bad |= rows


def faults(
    values: NDArray[np.float64], absent: NDArray[np.bool_], allowed: Range
) -> dict[str, NDArray[np.bool_]]:
    """Tell which values of a column cannot be used, by what is wrong with them.

    Parameters
    ----------
    values : ndarray of float64, shape (n_rows,)
        NaN where there is no number.
    absent : ndarray of bool, shape (n_rows,)
        Where nothing stands at all.
    allowed : Range
        The values that the column may hold.
    """
    infinite = np.isinf(values)
    with np.errstate(invalid="ignore"):
        outside = ((values < allowed.low) | (values > allowed.high)) & ~infinite
    return {
        "missing": absent,
        "not a number": np.isnan(values) & ~absent,
        "infinite": infinite,
        "out of range": outside,
    }


def repeats(X: pd.DataFrame, y: NDArray[np.int64] | None) -> NDArray[np.bool_]:
    """Tell which rows repeat an earlier one, the label included."""
    table = X if y is None else X.assign(**{LABEL: y})
    return table.duplicated().to_numpy()


def _numbers(column: pd.Series[Any]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return the values, NaN where there is no number, and where nothing stands at all."""
    import pandas as pd

    absent = column.isna().to_numpy(dtype=bool)
    if column.dtype.kind in "iuf":
        return column.to_numpy(dtype=np.float64, na_value=np.nan), absent
    found = column.astype(object).map(_readable)
    return pd.to_numeric(found, errors="coerce").to_numpy(dtype=np.float64), absent


def _readable(value: object) -> object:
    """Return what may be a number or the text of one; None for truth values, dates and the like."""
    from decimal import Decimal

    if isinstance(value, bool | np.bool_):
        return None
    if isinstance(value, int) and abs(value) > sys.float_info.max:
        return math.inf if value > 0 else -math.inf  # as its text would be read
    kinds = str | int | float | Decimal | np.integer | np.floating
    return value if isinstance(value, kinds) else None


def _is_text(column: pd.Series[Any]) -> bool:
    return column.dtype.kind not in "iufb"


def _coded(names: Sequence[str]) -> Any:
    codes = {name.strip().casefold(): code for code, name in enumerate(names)}

    def code(value: Any) -> Any:
        return codes.get(value.strip().casefold(), value) if isinstance(value, str) else value

    return code
