"""Text files of tables: any separator and encoding, decimal commas, and errors that name the line.

The functions without an underscore are shared with the streaming reader of `moodcore.predict`.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from moodcore.errors import TableError

if TYPE_CHECKING:
    import pandas as pd

SEPARATORS: Final = (",", ";", "\t", "|")
# Texts of a file that mean that a value is missing: those of pandas, and the UCI archive's "?".
MISSING_TEXTS: Final = (
    *("", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN"),
    *("<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null", "?"),
)
# Columns of these names are read as text: leading zeros belong to an identifier.
ID_NAMES: Final = frozenset(
    {"id", "uri", "uuid", "guid", "track id", "track uri", "song id", "spotify id", "url"}
)
# Names of columns with the titles and the artists of songs, in the same form.
TITLE_NAMES: Final = frozenset({"title", "name", "track", "track name", "song", "song name"})
ARTIST_NAMES: Final = frozenset(
    {"artist", "artists", "artist name", "artist names", "artist name s", "track artist"}
)

_SAMPLE = 1 << 16
_LONGEST_HEADER = 1 << 20
_DECLARED_SEPARATOR = re.compile(rb'"?sep=(.)"?\r?\n')
_DECIMAL_COMMA = re.compile(r"[+-]?\d*,?\d+(?:[eE][+-]?\d+)?")
_SHOWN = 3


def plain_name(name: object) -> str:
    """Return a column name in lower case with single spaces, for comparisons.

    Examples
    --------
    >>> plain_name(" Track_URI"), plain_name("duration (ms)")
    ('track uri', 'duration ms')
    """
    return " ".join(re.sub(r"[\W_]+", " ", str(name).casefold()).split())


def detect_encoding(head: bytes) -> str:
    """Return the encoding of a text by its first bytes: "utf-8", "utf-16-le" or "utf-16-be".

    Latin-1 cannot be recognized by a part of a text: it is what is not valid UTF-8.

    Examples
    --------
    >>> detect_encoding("a;b".encode("utf-16")), detect_encoding(b"a;b")
    ('utf-16-le', 'utf-8')
    """
    if head.startswith(codecs.BOM_UTF16_LE):
        return "utf-16-le"
    if head.startswith(codecs.BOM_UTF16_BE):
        return "utf-16-be"
    # Without a byte order mark: every other byte of plain names is zero.
    pairs = len(head) // 2
    if pairs and head[1::2].count(0) > pairs // 2 and not head[::2].count(0):
        return "utf-16-le"
    if pairs and head[::2].count(0) > pairs // 2 and not head[1::2].count(0):
        return "utf-16-be"
    return "utf-8"


def decode_text(data: bytes) -> str:
    """Return a text without its byte order mark; what is not UTF-8 or UTF-16 is Latin-1.

    Examples
    --------
    >>> decode_text("é".encode("utf-16")), decode_text("é".encode("latin-1"))
    ('é', 'é')
    """
    encoding = detect_encoding(data[:_SAMPLE])
    try:
        return data.decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError:
        if encoding != "utf-8":
            raise
    return data.decode("latin-1")


def detect_separator(sample: str) -> str:
    r"""Return the character that separates the fields of a text; a comma if there is none.

    Parameters
    ----------
    sample : str
        The first lines of the text.

    Examples
    --------
    >>> detect_separator("name;tempo\nSong, a;120,5\n"), detect_separator("tempo\n120.5\n")
    (';', ',')
    """

    def agreement(separator: str) -> tuple[float, int]:
        rows = [row for row in csv.reader(sample.splitlines(), delimiter=separator) if row]
        width = len(rows[0]) if rows else 0
        share = sum(len(row) == width for row in rows) / len(rows) if width > 1 else 0.0
        return share, width

    return max(SEPARATORS, key=agreement)


def first_lines(text: str) -> str:
    """Return the whole lines at the start of a text, for `detect_separator`."""
    if len(text) <= _SAMPLE:
        return text
    return text[: max(text.rfind("\n", 0, _SAMPLE), 0)] or text[:_SAMPLE]


def refuse_repeated_names(names: Sequence[str], source: str) -> None:
    """Raise an error when two columns have one name; columns without a name are left out."""
    repeated = [name for name, count in Counter(names).items() if count > 1 and name]
    if repeated:
        raise TableError(
            f"{source}: {', '.join(map(repr, repeated))} is the name of more than one column; "
            "allowed is one"
        )


def read_text(path: Path, data: bytes, drop_ragged_rows: bool) -> tuple[pd.DataFrame, list[str]]:
    """Parse the content of a text file (see `moodcore.tables.files.read_table_file`)."""
    data, notes = _to_utf8(path, data)
    head, separator = separate(data[:_LONGEST_HEADER].decode(errors="replace"))
    if declared := _DECLARED_SEPARATOR.match(data):
        data = data[declared.end() :]
    header, _ = read_header(head, separator, str(path))
    if separator != ",":
        notes.append(f"fields separated by {_SEPARATOR_NAMES[separator]}")
    frame = _parse(path, data, separator, header)
    if frame is None or (len(frame) and frame.iloc[:, -1].isna().any()):
        # Pandas fills rows that are too short; only the last column can show it.
        ragged = _ragged_rows(path, data, separator, len(header))
        if ragged:
            message = _ragged_message(ragged, len(header))
            if not drop_ragged_rows:
                raise TableError(f"{path}: {message}")
            frame = _parse(path, _without_ragged_rows(data, separator, header), separator, header)
            notes.append(f"{message}: dropped")
    if frame is None:
        raise TableError(f"{path}: not a table of fields separated by {separator!r}")
    if separator != ",":
        notes += _convert_decimal_commas(frame)
    return frame, notes


_SEPARATOR_NAMES = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}


def _to_utf8(path: Path, data: bytes) -> tuple[bytes, list[str]]:
    """Return a text in UTF-8 without a byte order mark, and how it was encoded."""
    notes = []
    encoding = detect_encoding(data[:_SAMPLE])
    if encoding == "utf-8":
        try:
            codecs.utf_8_decode(data, "strict", True)
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            notes.append(f"not valid UTF-8 (line {line}): read as Latin-1")
            data = data.decode("latin-1").encode()
    else:
        try:
            data = data.decode(encoding).encode()
        except UnicodeError as error:
            raise TableError(f"{path}: damaged UTF-16 text: {error}") from error
        notes.append("text in UTF-16")
    data = data.removeprefix(codecs.BOM_UTF8)
    if b"\0" in data:
        line = data.count(b"\n", 0, data.index(b"\0")) + 1
        raise TableError(f"{path}: line {line} holds a NUL byte; the file is damaged or no text")
    return data, notes


def separate(text: str) -> tuple[str, str]:
    """Return the text without Excel's line "sep=;", and the separator of its fields."""
    declared = re.match(r'"?sep=(.)"?\r?\n', text)
    if declared:
        return text[declared.end() :], declared[1]
    return text, detect_separator(first_lines(text))


def read_header(text: str, separator: str, source: str) -> tuple[list[str], int]:
    """Return the names of the columns, and the position in the text where the rows begin.

    Parameters
    ----------
    text : str
        The start of the text, with the whole header.
    separator : str
        The character between fields.
    source : str
        Name of the file, for errors.

    Raises
    ------
    TableError
        When the first line that is not blank holds no names, or repeats one.
    """
    end = 0

    def lines() -> Iterator[str]:
        nonlocal end
        for line in io.StringIO(text, newline=""):
            end += len(line)
            yield line

    rows = csv.reader(lines(), delimiter=separator, skipinitialspace=True)
    try:
        header = next((row for row in rows if any(field.strip() for field in row)), None)
    except csv.Error as error:
        raise TableError(f"{source}: the header cannot be read: {error}") from error
    if header is None:
        raise TableError(f"{source}: the file is empty")
    names = [name.strip() for name in header]
    if len(names) > 1 and all(re.fullmatch(r"[+-]?\d*[.,]?\d+([eE][+-]?\d+)?", n) for n in names):
        raise TableError(
            f"{source}: the first line holds numbers ({', '.join(names[:_SHOWN])}, ...); "
            "a table needs a first line with the names of the columns"
        )
    refuse_repeated_names(names, source)
    return names, end


def _parse(path: Path, data: bytes, separator: str, header: list[str]) -> pd.DataFrame | None:
    """Parse the text; None when rows have another number of fields than the header."""
    import pandas as pd

    identifiers = {at: str for at, name in enumerate(header) if plain_name(name) in ID_NAMES}
    try:
        with warnings.catch_warnings():
            # Pandas only warns of rows longer than the header, and shifts or cuts them.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            frame = pd.read_csv(
                io.BytesIO(data),
                sep=separator,
                index_col=False,
                low_memory=False,
                skipinitialspace=True,
                keep_default_na=False,
                na_values=list(MISSING_TEXTS),
                dtype=identifiers or None,
            )
    except (pd.errors.ParserError, pd.errors.ParserWarning) as error:
        if "EOF inside string" in str(error):
            raise _unclosed_quote(path, data, separator) from error
        return None
    frame.columns = pd.Index(header)
    return frame


class _RecordError(Exception):
    """A row that cannot be read: the line on which it starts, and the reason."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(line, reason)
        self.line, self.reason = line, reason


def _records(data: bytes, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the line on which each row starts, counted from 1, and its fields; skip blank lines."""
    lines = io.TextIOWrapper(io.BytesIO(data), encoding="utf-8", newline="")
    rows = csv.reader(lines, delimiter=separator, skipinitialspace=True)
    line = 1
    while True:
        try:
            fields = next(rows, None)
        except csv.Error as error:
            raise _RecordError(line, str(error)) from error
        if fields is None:
            return
        if len(fields) > 1 or "".join(fields).strip():
            yield line, fields
        line = rows.line_num + 1


def _ragged_rows(path: Path, data: bytes, separator: str, width: int) -> list[tuple[int, int]]:
    """Return line and number of fields of the rows that do not fit the header."""
    records = _records(data, separator)
    try:
        return [(line, len(fields)) for line, fields in records if len(fields) != width]
    except _RecordError as error:
        raise TableError(
            f"{path}: line {error.line} cannot be read: {error.reason}; is a quote never closed?"
        ) from error


def _unclosed_quote(path: Path, data: bytes, separator: str) -> TableError:
    line = 1
    try:
        for line, _ in _records(data, separator):  # noqa: B007 (the last one)
            pass
    except _RecordError as error:
        # The field is longer than the reader's limit.
        line = error.line
    return TableError(f"{path}: line {line}: a field that is opened by a quote is never closed")


def _ragged_message(ragged: list[tuple[int, int]], width: int) -> str:
    line, fields = ragged[0]
    first = f"line {line} has {fields} field{'' if fields == 1 else 's'}, the header has {width}"
    return first if len(ragged) == 1 else f"{first} ({len(ragged):,} such lines)"


def _without_ragged_rows(data: bytes, separator: str, header: list[str]) -> bytes:
    kept = io.StringIO()
    writer = csv.writer(kept, delimiter=separator, lineterminator="\n")
    rows = (fields for _, fields in _records(data, separator))
    writer.writerows(fields for fields in rows if len(fields) == len(header))
    return kept.getvalue().encode()


def _convert_decimal_commas(frame: pd.DataFrame) -> list[str]:
    """Turn text columns of numbers with decimal commas into numbers, in place."""
    import pandas as pd

    converted = []
    for name in frame.columns:
        column = frame[name]
        if plain_name(name) in ID_NAMES or pd.api.types.is_numeric_dtype(column):
            continue
        values = column.dropna().astype(str)
        if values.str.contains(",").any() and all(map(_DECIMAL_COMMA.fullmatch, values)):
            frame[name] = pd.to_numeric(column.astype(object).str.replace(",", "."))
            converted.append(str(name))
    return [f"decimal commas in {', '.join(map(repr, converted))}"] if converted else []
