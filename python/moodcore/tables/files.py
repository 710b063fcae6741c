"""The one reader of table files: text in any common layout, Parquet and Arrow, also compressed."""

from __future__ import annotations

import gzip
import io
import json
import os
import zipfile
import zlib
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, Final

from moodcore.errors import TableError
from moodcore.files import no_such_file
from moodcore.tables.text_files import read_text, refuse_repeated_names

if TYPE_CHECKING:
    import pandas as pd

TEXT_ENDINGS: Final = (".csv", ".tsv", ".txt")
PARQUET_ENDINGS: Final = (".parquet", ".pq")
ARROW_ENDINGS: Final = (".arrow", ".feather", ".ipc")
COMPRESSED_ENDINGS: Final = (".gz", ".zst", ".zip")
ENDINGS: Final = (*TEXT_ENDINGS, *PARQUET_ENDINGS, *ARROW_ENDINGS)


def read_table_file(
    path: str | os.PathLike[str], *, drop_ragged_rows: bool = False
) -> tuple[pd.DataFrame, list[str]]:
    """Read a file as a table.

    Parameters
    ----------
    path : path
        CSV, TSV or text (separated by commas, semicolons, tabs or bars; UTF-8, UTF-16 or
        Latin-1), Parquet, Arrow or Feather; also as .gz, .zst, or .zip with one table inside.
    drop_ragged_rows : bool, default=False
        Drop rows with another number of fields than the header instead of raising an error.

    Returns
    -------
    frame : DataFrame
        The columns as they are, with names stripped of spaces.
    notes : list of str
        What was recognized that the user may want to know.

    Raises
    ------
    TableError
        When the file holds no table, naming file and position.
    OSError
        When it cannot be read.
    """
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(f"{path}: is a folder; a file is needed ({', '.join(ENDINGS)})")
    ending, _ = _kind(path.name)
    if not (ending or path.suffix or path.exists()):
        # A misspelled folder of Parquet files, for which no ending is wrong.
        raise no_such_file(path, "file or folder")
    if ending is None:
        raise TableError(
            f"{path}: unknown kind of file {path.suffix!r}; allowed are {', '.join(ENDINGS)}, "
            f"also followed by {', '.join(COMPRESSED_ENDINGS)}"
        )
    if not path.exists():
        raise no_such_file(path)
    data, name = _unpack(path)
    if not data:
        raise TableError(f"{path}: the file is empty")
    if name.lower().endswith(PARQUET_ENDINGS):
        return _read_arrow(path, data, "Parquet"), []
    if name.lower().endswith(ARROW_ENDINGS):
        return _read_arrow(path, data, "Arrow"), []
    return read_text(path, data, drop_ragged_rows)


def _kind(name: str) -> tuple[str | None, str | None]:
    """Return the ending of a table file and that of its compression; None for those unknown."""
    compression = next((end for end in COMPRESSED_ENDINGS if name.lower().endswith(end)), None)
    if compression == ".zip":
        return compression, compression
    stem = name.lower().removesuffix(compression or "")
    return next((end for end in ENDINGS if stem.endswith(end)), None), compression


def _unpack(path: Path) -> tuple[bytes, str]:
    """Return the uncompressed content of a file, and its name without the compression."""
    _, compression = _kind(path.name)
    data = path.read_bytes()
    if compression is None or not data:
        return data, path.name
    if compression == ".zip":
        return _unpack_zip(path, data)
    kind = {".gz": "gzip", ".zst": "zstd"}[compression]
    try:
        if compression == ".gz":
            content = gzip.decompress(data)
        else:
            import pyarrow as pa

            content = pa.input_stream(pa.py_buffer(data), compression="zstd").read()
    except (EOFError, zlib.error, OSError) as error:
        raise TableError(f"{path}: damaged {kind} file: {error}") from error
    return content, path.name[: -len(compression)]


def _unpack_zip(path: Path, data: bytes) -> tuple[bytes, str]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            name = table_in_zip(archive, str(path))
            return archive.read(name), name
    except TableError:
        raise
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError) as error:
        # Damaged archives name places before the start of the file, and unknown methods.
        raise TableError(f"{path}: damaged or encrypted zip file: {error}") from error


def table_in_zip(archive: zipfile.ZipFile, source: str) -> str:
    """Return the name of the one table in an archive.

    Raises
    ------
    TableError
        When there is none, or more than one.
    """
    names = [
        info.filename
        for info in archive.infolist()
        if not info.is_dir()
        and _kind(info.filename)[0] in ENDINGS
        and not any(part.startswith((".", "__")) for part in PurePath(info.filename).parts)
    ]
    if len(names) != 1:
        inside = ", ".join(map(repr, names)) or "none"
        raise TableError(
            f"{source}: must hold one table ({', '.join(ENDINGS)}), got {inside}; "
            "unpack it and name the table"
        )
    return names[0]


def _read_arrow(path: Path, data: bytes, kind: str) -> pd.DataFrame:
    import pyarrow as pa
    import pyarrow.parquet as pq

    source = pa.py_buffer(data)
    try:
        if kind == "Parquet":
            table = pq.read_table(pa.BufferReader(source))
        elif data.startswith(b"ARROW1"):
            table = pa.ipc.open_file(source).read_all()
        elif data.startswith(b"FEA1"):
            raise TableError(f"{path}: Feather version 1; write it again as version 2")
        else:
            table = pa.ipc.open_stream(source).read_all()
        # Offsets of a damaged file may point beyond its buffers.
        table.validate(full=True)
        return with_plain_names(arrow_to_frame(table), str(path))
    except TableError:
        raise
    except (pa.ArrowException, OSError, ValueError, TypeError, KeyError, OverflowError) as error:
        # Names that are not UTF-8, indices beyond a dictionary, dates beyond those of pandas.
        raise TableError(f"{path}: not {_article(kind)} file, or damaged: {error}") from error


def _article(kind: str) -> str:
    return f"an {kind}" if kind[0] in "AEIOU" else f"a {kind}"


def arrow_to_frame(table: Any) -> pd.DataFrame:
    """Return an Arrow table as a DataFrame with all columns as columns, and its attributes."""
    # The pandas metadata would turn columns into an index; the index is not needed, columns are.
    frame = table.replace_schema_metadata().to_pandas()
    try:
        attributes = json.loads((table.schema.metadata or {})[b"pandas"])["attributes"]
    except (ValueError, KeyError, TypeError):
        # What other programs wrote there, or a damaged disk left, concerns no value.
        attributes = {}
    frame.attrs = attributes if isinstance(attributes, dict) else {}
    return frame


def with_plain_names(frame: pd.DataFrame, source: str) -> pd.DataFrame:
    """Return the frame with names that are text without spaces around, each there once."""
    names = [str(name).strip() for name in frame.columns]
    refuse_repeated_names(names, source)
    return frame.set_axis(names, axis="columns")
