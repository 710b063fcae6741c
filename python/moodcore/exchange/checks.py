"""Checks of values in files of other programs; every failure is a `ValueError`."""

from collections.abc import Mapping
from typing import Any

import numpy as np

# More features or classes than any real model has, so that a number in a file claims no memory.
MOST_FEATURES = 2**20
MOST_CLASSES = 2**20


def text_lines(data: bytes) -> list[str]:
    """Split a text file in UTF-8 into lines."""
    try:
        return data.decode().splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f"the file must be text: {error}") from error


def read_int(fields: Mapping[str, Any], name: str, default: int | None = None) -> int:
    """Read an integer, which may be written as text."""
    value: Any = fields.get(name, default)
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"{name} must be an integer, got {value!r}") from error


def read_float(text: str, name: str) -> float:
    """Read a finite number."""
    try:
        value = float(text)
    except ValueError as error:
        raise ValueError(f"{name} must be a number, got {text!r}") from error
    if not np.isfinite(value):
        raise ValueError(f"{name} must be finite, got {text}")
    return value


def check_length(name: str, values: Any, length: int | None) -> None:
    """Raise a `ValueError` unless a list has the required length."""
    if length is not None and len(values) != length:
        raise ValueError(f"{name} must have {length} numbers, got {len(values)}")


def has_surrogate(text: str) -> bool:
    """Return whether a text has code points that UTF-8 cannot encode."""
    return any("\ud800" <= letter <= "\udfff" for letter in text)
