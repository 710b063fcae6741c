"""Codes of categories, found by value."""

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moodcore.estimators.table_columns import (
    NUMBERS,
    Categories,
    Column,
    ColumnError,
    is_missing,
)

# What Python and pandas write for a missing value.
_MISSING_WORDS = frozenset({"", "nan", "nat", "none", "null", "<na>"})


class CategoryCodes:
    """The codes of one column's categories.

    A value is found by what it is: 10, 10.0, True for 1, and also the text "10" where training
    had numbers, or the number 10 where training had text.

    Parameters
    ----------
    categories : list
        The categories of training in the order of their codes.
    name : str or int
        Name or position of the column, for messages.
    """

    def __init__(self, categories: list[Any], name: Any) -> None:
        self._name = name
        self._categories = categories
        self._codes = {category: code for code, category in enumerate(categories)}
        kinds = {_kind(category) for category in categories}
        self._kind = kinds.pop() if len(kinds) == 1 else "value"

    def encode(self, column: Column) -> NDArray[np.float64]:
        """Return the code of each row (see `code`)."""
        if not isinstance(column, Categories):
            values, codes = np.unique(column, return_inverse=True)
            column = Categories(codes, values.tolist())
        # The last one is for the code -1.
        return np.array([*map(self.code, column.values), np.nan])[column.codes]

    def known(self, value: Any) -> int | None:
        """Return the code of a value of training, None for any other."""
        try:
            return self._codes.get(value)
        except TypeError:
            # Lists and the like have no hash.
            return None

    def code(self, value: Any) -> float:
        """Return the code of a value, NaN for one that was not in training.

        Raises
        ------
        ColumnError
            If it is of another kind than in training and does not match the categories.
        """
        code = self.known(value)
        if code is not None:
            return code
        kind = _kind(value)
        if kind in (self._kind, "missing") or self._kind == "value" or not self._codes:
            return np.nan
        if self._kind == "number" and kind == "text":
            number = number_in(value)
            if number is not None:
                return self._codes.get(number, np.nan)
        elif self._kind == "text" and kind == "number" and self._spelled is not None:
            return self._spelled.get(value, np.nan)
        raise ColumnError(
            f"column {self._name!r} held categories such as {self._categories[0]!r} in training, "
            f"got {value!r}, which is of another type and equals none of them; convert the column "
            "to the type that it had in training"
        )

    @cached_property
    def _spelled(self) -> dict[Any, int] | None:
        """Codes by the numbers that the categories spell, if each spells another number."""
        numbers = {number_in(category): code for category, code in self._codes.items()}
        return None if None in numbers or len(numbers) < len(self._codes) else numbers


def number_in(text: str) -> float | None:
    """Return the number or truth value that a text spells, NaN if it says missing, None if neither.

    Examples
    --------
    >>> number_in("10"), number_in(" 1.50 "), number_in("True"), number_in("high")
    (10, 1.5, 1, None)
    """
    word = text.strip().lower()
    if word in _MISSING_WORDS:
        return float("nan")
    if word in ("true", "false"):
        return int(word == "true")
    if "_" in word:
        return None
    for number in (int, float):
        try:
            return number(word)
        except ValueError:
            continue
    return None


def _kind(value: Any) -> str:
    if isinstance(value, str):
        return "text"
    if is_missing(value):
        return "missing"
    return "number" if isinstance(value, NUMBERS) else "value"
