"""Tables in several Parquet files, or in one that is large compared with the memory.

A folder of Parquet files, or a pattern such as ``songs/*.parquet``, is one table. Boosted trees are
trained on it in batches; everything else reads it into memory, or a sample of its rows.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from moodcore.errors import ConfigError, TableError
from moodcore.estimators.batches import BatchSource
from moodcore.tables.files import PARQUET_ENDINGS

if TYPE_CHECKING:
    import pandas as pd

#: Share of the memory from which on the columns of Parquet files are read in batches.
MEMORY_SHARE: Final = 0.25


def is_several_files(data: Any) -> bool:
    """Return whether a table is a folder or a pattern."""
    if not isinstance(data, str | os.PathLike):
        return False
    path = Path(data)
    return path.is_dir() or ("*" in os.fspath(data) and not path.exists())


def is_read_in_batches(data: str | None) -> bool:
    """Return whether a table is read in batches where that is possible.

    Those are folders, patterns, and Parquet files that are too large to load.
    """
    if data is None:
        return False
    path = Path(data)
    if is_several_files(data):
        return True
    if not (path.is_file() and path.name.lower().endswith(PARQUET_ENDINGS)):
        return False
    return _is_large([path])


def read_parquet_files(data: Any, n_rows: int | None, seed: int) -> tuple[pd.DataFrame, str | None]:
    """Read a folder or pattern of Parquet files, or a sample of its rows.

    Parameters
    ----------
    data : path
    n_rows : int or None
        Read this many rows, drawn by row number; None means all.
    seed : int
        Of the choice of rows.

    Returns
    -------
    frame : DataFrame
    note : str or None
        What was read, if not all rows.

    Raises
    ------
    ConfigError
        If all rows are to be read, and take more than a quarter of the memory.
    TableError, OSError
        If a file is damaged, or cannot be read.
    """
    import pyarrow as pa

    source = BatchSource(data)
    total = source.n_rows
    assert total is not None
    note = None
    if n_rows is not None and n_rows < total:
        drawn = np.random.default_rng(seed).choice(total, n_rows, replace=False, shuffle=False)
        source = BatchSource(data, chosen=_Rows(np.sort(drawn)))
        note = f"{n_rows:,} of {total:,} rows, drawn by row number"
    elif _is_large(_files(Path(data))):
        raise ConfigError(
            f"{data}: the columns of these {total:,} rows take more than a quarter of the memory; "
            "use a sample (--rows N), or train boosted trees on them in batches (--model gbt in "
            "train and tune)"
        )
    batches = [batch.table for batch in source.batches(source.names)]
    if not batches:
        raise TableError(f"{data}: there are no rows")
    frame: pd.DataFrame = pa.Table.from_batches(batches).unify_dictionaries().to_pandas()
    return frame, note


@dataclass(frozen=True)
class _Rows:
    """Chooses rows by their indices, which ascend."""

    rows: NDArray[np.int64]

    def __call__(self, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        at = np.searchsorted(self.rows, rows)
        return np.append(self.rows, -1)[at] == rows


def _files(path: Path) -> Iterator[Path]:
    if path.is_dir():
        return (file for file in path.rglob("*") if file.is_file())
    anchor = Path(path.anchor)
    return anchor.glob(str(path.relative_to(anchor)))


def _is_large(paths: Any) -> bool:
    return sum(map(_column_bytes, paths)) > MEMORY_SHARE * _memory()


def _column_bytes(path: Path) -> int:
    import pyarrow.parquet as pq

    try:
        metadata = pq.read_metadata(path)
    except (OSError, ValueError):
        # The reader of whole files has the better message.
        return 0
    groups = range(metadata.num_row_groups)
    return sum(metadata.row_group(group).total_byte_size for group in groups)


def _memory() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        # Not known on this system: 8 GiB.
        return 2**33
