"""Tables from files and from other libraries, as DataFrames of whatever is in them."""

from __future__ import annotations

import json
import os
import warnings
import zlib
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moodcore.files import no_such_file
from moodcore.songs.problems import SongTableError

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

SUFFIXES = (".csv", ".csv.gz", ".parquet", ".pq")


def to_frame(source: Any) -> tuple[pd.DataFrame, str]:
    """Return the table as it is, and in words where it comes from.

    Parameters
    ----------
    source : path, DataFrame or pyarrow.Table
        See `moodcore.songs.read`.

    Raises
    ------
    SongTableError
        If the file holds no table.
    OSError
        If it cannot be read.
    TypeError
        If the source is none of the above.
    """
    if isinstance(source, str | os.PathLike):
        path = Path(source)
        return _from_file(path), os.fspath(path)
    kind = type(source).__module__.partition(".")[0], type(source).__name__
    if kind == ("pandas", "DataFrame"):
        return _checked_names(source, "DataFrame"), "DataFrame"
    if kind == ("pyarrow", "Table"):
        return _checked_names(_from_arrow(source), "pyarrow Table"), "pyarrow Table"
    raise TypeError(
        f"songs must come as a path, a pandas DataFrame or a pyarrow Table, got {type(source)!r}"
    )


def _from_file(path: Path) -> pd.DataFrame:
    if path.is_dir():
        raise IsADirectoryError(f"{path}: is a folder; a file is needed ({', '.join(SUFFIXES)})")
    if not path.name.lower().endswith(SUFFIXES):
        raise SongTableError(
            f"{path}: unknown kind of file {path.suffix!r}; allowed are {', '.join(SUFFIXES)}"
        )
    if not path.exists():
        raise no_such_file(path)
    if path.stat().st_size == 0:
        raise SongTableError(f"{path}: the file is empty")
    if path.name.lower().endswith((".parquet", ".pq")):
        return _checked_names(_from_parquet(path), str(path))
    return _from_csv(path)


def _from_parquet(path: Path) -> pd.DataFrame:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return _from_arrow(pq.read_table(path))
    except pa.ArrowException as error:
        raise SongTableError(f"{path}: not a Parquet file, or damaged: {error}") from error
    except OSError as error:
        # Arrow reports damaged pages as OSError too, but without the system's error number.
        if error.errno is not None:
            raise
        raise SongTableError(f"{path}: not a Parquet file, or damaged: {error}") from error


def _from_arrow(table: pa.Table) -> pd.DataFrame:
    # The pandas metadata would turn columns into an index; the index is not needed, columns are.
    frame = table.replace_schema_metadata().to_pandas()
    frame.attrs = _attributes((table.schema.metadata or {}).get(b"pandas", b"{}"))
    return frame


def _attributes(metadata: bytes) -> dict[Any, Any]:
    try:
        attributes = json.loads(metadata)["attributes"]
    except (ValueError, KeyError, TypeError):
        # What other programs wrote there, or a damaged disk left, concerns no value.
        return {}
    return attributes if isinstance(attributes, dict) else {}


def _from_csv(path: Path) -> pd.DataFrame:
    import pandas as pd

    options: dict[str, Any] = {"encoding": "utf-8", "skipinitialspace": True}
    try:
        header = pd.read_csv(path, header=None, nrows=1, dtype=str, **options)
        names = ["" if pd.isna(name) else str(name).strip() for name in header.iloc[0]]
        with warnings.catch_warnings():
            # Pandas only warns of rows longer than the header, and shifts or cuts them.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            frame = pd.read_csv(path, index_col=False, low_memory=False, **options)
    except pd.errors.EmptyDataError as error:
        raise SongTableError(f"{path}: the file is empty") from error
    except (pd.errors.ParserError, pd.errors.ParserWarning) as error:
        raise SongTableError(f"{path}: not a CSV table: {str(error).strip()}") from error
    except UnicodeDecodeError as error:
        raise SongTableError(f"{path}: not text in UTF-8: {error}") from error
    except (EOFError, zlib.error) as error:
        raise SongTableError(f"{path}: damaged gzip file: {error}") from error
    except OSError as error:
        if error.errno is not None:
            raise
        raise SongTableError(f"{path}: damaged gzip file: {error}") from error
    refuse_twice(names, str(path))
    frame.columns = pd.Index(names)
    return frame


def _checked_names(frame: pd.DataFrame, source: str) -> pd.DataFrame:
    names = [str(name).strip() for name in frame.columns]
    refuse_twice(names, source)
    return frame.set_axis(names, axis="columns")


def refuse_twice(names: list[str], source: str) -> None:
    """Refuse a table two columns of which have one name."""
    # A column without a name is an index that was written along; any number of them is harmless.
    twice = [name for name, count in Counter(names).items() if count > 1 and name]
    if twice:
        raise SongTableError(
            f"{source}: {', '.join(map(repr, twice))} is the name of more than one column; "
            "allowed is one"
        )
