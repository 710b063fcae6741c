"""Universal Binary JSON, draft 12, as far as XGBoost uses it.

Arrays of numbers are NumPy arrays, big-endian in the file. Reading runs nothing, and no count in
a file makes it reserve more memory than the file is long.
"""

import math
import struct
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Type markers of numbers, and the type of NumPy that an array of them becomes.
_NUMBERS = {"i": ">i1", "U": ">u1", "I": ">i2", "l": ">i4", "L": ">i8", "d": ">f4", "D": ">f8"}
_MARKERS = {np.dtype(name).newbyteorder("="): marker for marker, name in _NUMBERS.items()}
_CONSTANTS = {"Z": None, "T": True, "F": False}
_DEEPEST = 64


def encode(value: Any) -> bytes:
    """Write a value of dicts, lists, texts, numbers and arrays of numbers.

    Parameters
    ----------
    value : dict, list, str, bool, int, float, None or ndarray
        Arrays are one-dimensional, of a type that the format has.

    Raises
    ------
    TypeError
        For a value of another kind.

    Examples
    --------
    >>> decode(encode({"name": "gbtree", "numbers": np.array([1.5], dtype=np.float32)}))
    {'name': 'gbtree', 'numbers': array([1.5], dtype=float32)}
    """
    out = bytearray()
    _write(value, out)
    return bytes(out)


def _write(value: Any, out: bytearray) -> None:
    if isinstance(value, Mapping):
        out += b"{"
        for key, entry in value.items():
            _write_text(key, out)
            _write(entry, out)
        out += b"}"
    elif isinstance(value, str):
        out += b"S"
        _write_text(value, out)
    elif isinstance(value, np.ndarray):
        marker = _MARKERS[value.dtype]
        out += b"[$" + marker.encode() + b"#"
        _write_count(len(value), out)
        out += value.astype(_NUMBERS[marker]).tobytes()
    elif value is None or isinstance(value, bool):
        out += {None: b"Z", True: b"T", False: b"F"}[value]
    elif isinstance(value, int):
        out += b"L" + struct.pack(">q", value)
    elif isinstance(value, float):
        out += b"D" + struct.pack(">d", value)
    elif isinstance(value, Sequence):
        out += b"[#"
        _write_count(len(value), out)
        for entry in value:
            _write(entry, out)
    else:
        raise TypeError(f"UBJSON holds no {type(value).__name__}")


def _write_count(count: int, out: bytearray) -> None:
    out += b"L" + struct.pack(">q", count)


def _write_text(text: str, out: bytearray) -> None:
    raw = text.encode()
    _write_count(len(raw), out)
    out += raw


def decode(data: bytes) -> Any:
    """Read a value.

    Raises
    ------
    ValueError
        With the place where the bytes are not UBJSON.
    """
    reader = _Reader(data)
    value = reader.value(reader.marker(), 0)
    if reader.at != len(data):
        reader.refuse(f"{len(data) - reader.at} bytes follow the value")
    return value


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def refuse(self, what: str) -> None:
        raise ValueError(f"byte {self.at}: {what}")

    def take(self, count: int) -> bytes:
        if count < 0 or count > len(self.data) - self.at:
            self.refuse(f"{count} bytes are told, {len(self.data) - self.at} are left")
        taken = self.data[self.at : self.at + count]
        self.at += count
        return taken

    def marker(self) -> str:
        """Read a type marker; the one for nothing is passed over."""
        while True:
            found = self.take(1).decode("latin-1")
            if found != "N":
                return found

    def peek(self) -> str:
        return self.data[self.at : self.at + 1].decode("latin-1")

    def number(self, marker: str) -> Any:
        if marker not in _NUMBERS:
            self.refuse(f"a number must be of type {', '.join(_NUMBERS)}, got {marker!r}")
        dtype = np.dtype(_NUMBERS[marker])
        return np.frombuffer(self.take(dtype.itemsize), dtype)[0].item()

    def count(self) -> int:
        count = self.number(self.marker())
        if not isinstance(count, int) or count < 0:
            self.refuse(f"a count must be a whole number of at least 0, got {count}")
        return int(count)

    def text(self) -> str:
        raw = self.take(self.count())
        try:
            return raw.decode()
        except UnicodeDecodeError:
            self.refuse("text must be UTF-8")
            raise

    def value(self, marker: str, depth: int) -> Any:
        if depth > _DEEPEST:
            self.refuse(f"values are nested more than {_DEEPEST} deep")
        if marker == "{":
            return self.mapping(depth)
        if marker == "[":
            return self.sequence(depth)
        if marker in _CONSTANTS:
            return _CONSTANTS[marker]
        if marker in "SC":
            return self.text() if marker == "S" else self.take(1).decode("latin-1")
        if marker == "H":
            return _high_precision(self, self.text())
        return self.number(marker)

    def header(self) -> tuple[str | None, int | None]:
        """Read type and count of a container, where they are told."""
        kind, count = None, None
        if self.peek() == "$":
            self.at += 1
            kind = self.marker()
            if self.peek() != "#":
                self.refuse("a type must be followed by a count")
        if self.peek() == "#":
            self.at += 1
            count = self.count()
        return kind, count

    def sequence(self, depth: int) -> list[Any] | NDArray[Any]:
        kind, count = self.header()
        if count is None:
            found = []
            while (marker := self.marker()) != "]":
                found.append(self.value(marker, depth + 1))
            return found
        if kind in _NUMBERS:
            dtype = np.dtype(_NUMBERS[kind])
            raw = self.take(count * dtype.itemsize)
            return np.frombuffer(raw, dtype).astype(dtype.newbyteorder("="))
        self.check_count(kind, count)
        return [self.value(kind or self.marker(), depth + 1) for _ in range(count)]

    def mapping(self, depth: int) -> dict[str, Any]:
        kind, count = self.header()
        found: dict[str, Any] = {}
        if count is None:
            while self.peek() != "}":
                key = self.text()
                found[key] = self.value(self.marker(), depth + 1)
            self.at += 1
            return found
        self.check_count(kind, count)
        for _ in range(count):
            key = self.text()
            found[key] = self.value(kind or self.marker(), depth + 1)
        return found

    def check_count(self, kind: str | None, count: int) -> None:
        """Refuse more entries than there are bytes: every entry takes one at least."""
        if kind in _CONSTANTS or count > len(self.data) - self.at:
            self.refuse(f"{count} entries are told, {len(self.data) - self.at} bytes are left")


def _high_precision(reader: _Reader, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        reader.refuse(f"a number must be text such as 1.5, got {text!r}")
        raise
    if not math.isfinite(value):
        reader.refuse(f"a number must be finite, got {text!r}")
    return value
