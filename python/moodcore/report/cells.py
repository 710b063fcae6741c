"""Numbers and tables as text for people."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

DASH = "\N{EN DASH}"
_MINUS = "\N{MINUS SIGN}"
# A column whose numbers span more than this is written with as many digits, not decimals.
_DECADES = 1e4
_DECIMALS = 4


def percent(share: float) -> str:
    """Return a share as a percentage with one decimal.

    Examples
    --------
    >>> percent(0.8391)
    '83.9 %'
    """
    return f"{100 * share:.1f} %"


def signed(value: float) -> str:
    """Return a number with its sign and two decimals.

    Examples
    --------
    >>> signed(0.8)
    '+0.80'
    """
    return f"{value:+.2f}".replace("-", _MINUS)


def parameters(values: Mapping[str, Any]) -> str:
    """Return hyperparameters in a sentence, drawn numbers with four digits.

    Examples
    --------
    >>> parameters({"hidden_sizes": "16-16", "learning_rate": 0.02439466250969677})
    'hidden_sizes 16-16, learning_rate 0.02439'
    """
    return ", ".join(
        f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in values.items()
    )


def prose(text: str) -> str:
    r"""Return a sentence whose numbers stay on the line of their per cent sign.

    Examples
    --------
    >>> prose("It is 83.9 %.")
    'It is 83.9\xa0%.'
    """
    return text.replace(" %", "\N{NO-BREAK SPACE}%")


@dataclass(frozen=True)
class TableView:
    """A table as text.

    Attributes
    ----------
    header : list of str
        Names of the columns.
    numeric : list of bool
        Which columns hold numbers, to be set right.
    rows : list of list of str
        The first cell of each names the row.
    """

    header: list[str]
    numeric: list[bool]
    rows: list[list[str]]


def table_view(table: pd.DataFrame) -> TableView:
    r"""Return a DataFrame as text: one number of decimals a column, a dash where there is nothing.

    Underscores in names of columns become blanks.

    Examples
    --------
    >>> import pandas as pd
    >>> table_view(pd.DataFrame({"model": ["a", "b"], "log_loss": [0.5, float("nan")]})).rows
    [['a', '0.5'], ['b', '\u2013']]
    >>> table_view(pd.DataFrame({"songs": [1200, 8], "share": [0.25, 1]})).rows
    [['1,200', '0.25'], ['8', '1.00']]
    """
    columns = [table.iloc[:, at].tolist() for at in range(table.shape[1])]
    numeric = [_is_numeric(column) for column in columns]
    texts = [
        _numbers(column) if number else [_text(value) for value in column]
        for column, number in zip(columns, numeric, strict=True)
    ]
    header = [str(name).replace("_", " ") for name in table.columns]
    return TableView(header, numeric, [list(row) for row in zip(*texts, strict=True)])


def _is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _is_numeric(column: list[Any]) -> bool:
    numbers = (int, float, np.integer, np.floating)
    shown = [value for value in column if not _is_missing(value)]
    return bool(shown) and all(
        isinstance(value, numbers) and not isinstance(value, bool | np.bool_) for value in shown
    )


def _text(value: Any) -> str:
    if _is_missing(value):
        return DASH
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    return str(value)


def _numbers(column: list[Any]) -> list[str]:
    finite = [abs(float(v)) for v in column if not _is_missing(v) and math.isfinite(v)]
    sizes = [size for size in finite if size > 0]
    if sizes and (min(sizes) < 10.0**-_DECIMALS or max(sizes) >= _DECADES * min(sizes)):
        whole = all(size == round(size) for size in sizes)
        form = ",.0f" if whole else f".{_DECIMALS}g"
    else:
        form = f",.{_decimals(finite)}f"
    return [_number(value, form) for value in column]


def _decimals(sizes: list[float]) -> int:
    """Return the fewest decimals that lose nothing, four at most."""
    for decimals in range(_DECIMALS):
        if all(math.isclose(round(size, decimals), size, abs_tol=1e-9) for size in sizes):
            return decimals
    return _DECIMALS


def _number(value: Any, form: str) -> str:
    if _is_missing(value):
        return DASH
    if not math.isfinite(value):
        return "infinite"
    return f"{float(value):{form}}".replace("-", _MINUS)
