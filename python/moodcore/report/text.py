"""Numbers, lists and tables as text."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

DASH = "\N{EN DASH}"
_MINUS = "\N{MINUS SIGN}"
# A column whose numbers span more than this factor is written with significant digits.
_WIDE_RANGE = 1e4
_DECIMALS = 4

_MODEL_NAMES = {"mlp": "MLP", "gbt": "GBT", "svm": "SVM", "linear-svm": "LinearSVM"}
_MODEL_NAMES |= {"logistic-regression": "logistic regression"}


def model_name(name: str) -> str:
    """Return the name of a model in sentences.

    Examples
    --------
    >>> model_name("linear-svm"), model_name("mine")
    ('LinearSVM', 'mine')
    """
    return _MODEL_NAMES.get(name, name)


def capital(text: str) -> str:
    """Return the text with a capital first letter; the rest is unchanged."""
    return text[:1].upper() + text[1:]


def percent(share: float) -> str:
    """Return a share as a percentage with one decimal.

    Examples
    --------
    >>> percent(0.8391)
    '83.9 %'
    """
    return f"{100 * share:.1f} %"


def signed(value: float, decimals: int = 2) -> str:
    """Return a number with its sign; what rounds to zero has a plus.

    Examples
    --------
    >>> signed(0.8), signed(-12.34, 1), signed(-0.001)
    ('+0.80', '\N{MINUS SIGN}12.3', '+0.00')
    """
    return f"{value:+z.{decimals}f}".replace("-", _MINUS)


def compared(points: float, other: str) -> str:
    """Return a difference in percentage points from another model.

    Examples
    --------
    >>> compared(8.71, "MLP"), compared(-0.5, "MLP"), compared(0.01, "MLP")
    ('8.7 points above MLP', '0.5 points below MLP', 'equal to MLP')
    """
    if abs(points) < 0.05:
        return f"equal to {other}"
    return f"{abs(points):.1f} points {'above' if points > 0 else 'below'} {other}"


def proportion_interval(share: float, n: int) -> str:
    """Return the 95 % confidence interval of a proportion in percent (Wilson 1927).

    Examples
    --------
    >>> proportion_interval(0.858, 55_588), proportion_interval(1.0, 20)
    ('85.5 to 86.1', '83.9 to 100.0')
    """
    from scipy.stats import binomtest

    interval = binomtest(round(share * n), n).proportion_ci(method="wilson")
    return f"{100 * interval.low:.1f} to {100 * interval.high:.1f}"


def p_value(p: float) -> str:
    """Return a p-value as papers print it.

    Examples
    --------
    >>> p_value(0.00212), p_value(0.0000021), p_value(0.43)
    ('p = 0.002', 'p < 0.001', 'p = 0.43')
    """
    if p < 0.001:
        return "p < 0.001"
    return f"p = {p:.3f}" if p < 0.095 else f"p = {p:.2f}"


def listed(parts: Iterable[object]) -> str:
    """Join parts with commas and "and".

    Examples
    --------
    >>> listed("a"), listed("ab"), listed("abc")
    ('a', 'a and b', 'a, b and c')
    """
    words = [str(part) for part in parts]
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def counted(n: int, noun: str) -> str:
    """Return a count with its noun, in the plural where needed.

    Examples
    --------
    >>> counted(1, "candidate"), counted(1200, "fold")
    ('1 candidate', '1,200 folds')
    """
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def parameters(values: Mapping[str, Any]) -> str:
    """Return hyperparameters on one line, floats with four significant digits.

    Values may be encoded, as in the table of candidates.

    Examples
    --------
    >>> parameters({"hidden_sizes": [16, 16], "learning_rate": 0.02439466250969677})
    'hidden_sizes 16-16, learning_rate 0.02439'
    >>> parameters({"hidden_sizes": "16-16"})
    'hidden_sizes 16-16'
    >>> parameters({"boosting": '{"extra_rate": 0.5, "kind": "extra_trees"}'})
    'boosting extra_trees (extra_rate 0.5)'
    """
    from moodcore.runs.space import decode, encode

    parts = []
    for name, value in values.items():
        plain = decode(name, value) if isinstance(value, str) and value.startswith("{") else value
        if isinstance(plain, Mapping):
            options = {key: option for key, option in plain.items() if key != "kind"}
            kind = f" {plain['kind']}" if "kind" in plain else ""
            parts.append(f"{name}{kind}{f' ({parameters(options)})' if options else ''}")
        elif isinstance(plain, float):
            parts.append(f"{name} {plain:.4g}")
        else:
            parts.append(f"{name} {encode(name, plain)}")
    return ", ".join(parts)


def unbroken(text: str) -> str:
    r"""Return the text with non-breaking spaces in percentages and p-values.

    Examples
    --------
    >>> unbroken("It is 83.9 % (p < 0.001).")
    'It is 83.9\xa0% (p\xa0<\xa00.001).'
    """
    return re.sub(r" (?=%)|(?<=\bp) (?=[=<])|(?<=\bp [=<]) ", "\N{NO-BREAK SPACE}", text)


def shorten(text: str, length: int = 40) -> str:
    """Return at most `length` characters: the beginning, an ellipsis and the end.

    Examples
    --------
    >>> shorten("instrumentalness", 10)
    'instru…ess'
    """
    if len(text) <= length:
        return text
    tail = length // 3
    return f"{text[: length - tail - 1]}\N{HORIZONTAL ELLIPSIS}{text[len(text) - tail :]}"


@dataclass(frozen=True)
class TableView:
    """A table as text: the header, which columns hold numbers, and the rows."""

    header: list[str]
    numeric: list[bool]
    rows: list[list[str]]


def table_view(table: pd.DataFrame) -> TableView:
    r"""Return a DataFrame as text, with one number format per column and a dash for missing values.

    Examples
    --------
    >>> import pandas as pd
    >>> table_view(pd.DataFrame({"model": ["a", "b"], "log_loss": [0.5, float("nan")]})).rows
    [['a', '0.5'], ['b', '\u2013']]
    >>> table_view(pd.DataFrame({"rows": [1200, 8], "share": [0.25, 1]})).rows
    [['1,200', '0.25'], ['8', '1.00']]
    """
    columns = [table.iloc[:, position].tolist() for position in range(table.shape[1])]
    numeric = [_is_numeric(column) for column in columns]
    texts = [
        _numbers(column) if is_numeric else [_text(value) for value in column]
        for column, is_numeric in zip(columns, numeric, strict=True)
    ]
    header = [str(name) for name in table.columns]
    return TableView(header, numeric, [list(row) for row in zip(*texts, strict=True)])


def pick(table: pd.DataFrame, labels: Mapping[str, str]) -> pd.DataFrame:
    """Return columns under new labels, floats rounded to four decimals.

    Shares become percentages with two decimals where the label has "%" or "points".

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"model": ["GBT"], "accuracy": [0.85777], "f1": [0.85777]})
    >>> pick(table, {"accuracy": "accuracy %", "f1": "F1"}).to_dict("records")
    [{'accuracy %': 85.78, 'F1': 0.8578}]
    """
    picked = table[list(labels)].rename(columns=labels)
    for label in picked.select_dtypes("float"):
        is_percent = "%" in str(label) or "points" in str(label)
        picked[label] = (100 * picked[label]).round(2) if is_percent else picked[label].round(4)
    return picked


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
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _numbers(column: list[Any]) -> list[str]:
    finite = [abs(float(v)) for v in column if not _is_missing(v) and math.isfinite(v)]
    sizes = [size for size in finite if size > 0]
    if sizes and (min(sizes) < 10.0**-_DECIMALS or max(sizes) >= _WIDE_RANGE * min(sizes)):
        whole = all(size == round(size) for size in sizes)
        form = ",.0f" if whole else f".{_DECIMALS}g"
    else:
        form = f",.{_decimals(finite)}f"
    return [_number(value, form) for value in column]


def _decimals(sizes: list[float]) -> int:
    """Return the smallest number of decimals that loses nothing, at most four."""
    for decimals in range(_DECIMALS):
        if all(math.isclose(round(size, decimals), size, abs_tol=1e-9) for size in sizes):
            return decimals
    return _DECIMALS


def _number(value: Any, form: str) -> str:
    if _is_missing(value):
        return DASH
    if not math.isfinite(value):
        return "infinite"
    return f"{float(value):z{form}}".replace("-", _MINUS)
