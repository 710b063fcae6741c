"""Tables of songs, checked once at the door."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from moodcore.errors import missing_columns
from moodcore.songs.checks import Checker, repeats
from moodcore.songs.problems import RowReport, SongTableError, choice
from moodcore.songs.schema import (
    DURATION,
    FEATURES,
    LABEL,
    LABEL_NAMES,
    SYNTHETIC_URI,
    URI,
)
from moodcore.tables.dataset import read_any

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    Source: TypeAlias = str | os.PathLike[str] | pd.DataFrame | pa.Table

_COLUMNS = (DURATION, *FEATURES)


@dataclass(frozen=True)
class SongTable:
    """Songs that can be used.

    Attributes
    ----------
    X : DataFrame of float64, shape (n_songs, n_columns)
        Duration and features, in the order of the schema; the index is the row number in the
        source, counted from 0.
    y : Series of int64, shape (n_songs,), or None
        Label codes, named "labels", with the same index.
    uri : Series, shape (n_songs,), or None
        Spotify's name of each song.
    source : str
        Where they come from: the path, "DataFrame" or "pyarrow Table".
    synthetic : bool
        Whether they say of themselves that they were made by `moodcore.songs.synthesize`.
    report : RowReport
        What was dropped, and why.
    """

    X: pd.DataFrame
    y: pd.Series[int] | None
    uri: pd.Series[str] | None
    source: str
    synthetic: bool
    report: RowReport


def read(
    source: Source,
    *,
    on_bad_rows: Literal["strict", "drop"] = "strict",
    duplicates: Literal["keep", "drop"] = "keep",
    labels: Literal["required", "optional", "ignore"] = "required",
    columns: Sequence[str] | None = None,
    label_names: Sequence[str] = LABEL_NAMES,
) -> SongTable:
    """Read a table of songs and check every value of it.

    Columns are found by name, in any order; others, such as the index columns "Unnamed: 0" and
    "Unnamed: 0.1", are ignored.

    Parameters
    ----------
    source : str, path, DataFrame or pyarrow.Table
        A file (.csv, .csv.gz, .parquet, .pq) or a table in memory.
    on_bad_rows : {"strict", "drop"}, default="strict"
        What to do if rows hold values that cannot be used: raise one error that tells all of
        them, or drop the rows, with a warning that tells the same.
    duplicates : {"keep", "drop"}, default="keep"
        What to do with rows that repeat an earlier one in every column read, the label included.
        They are counted in either case.
    labels : {"required", "optional", "ignore"}, default="required"
        Whether labels must be there, are taken if the column is there, or not looked at.
    columns : sequence of str or None, default=None
        The columns that must be there and are read; None means the duration and all ten
        features.
    label_names : sequence of str
        Name of each label code; labels may be codes or, in any case, these names.

    Returns
    -------
    SongTable

    Raises
    ------
    SongTableError
        A `ValueError`: columns missing, rows unusable, none left, or the file is no table.
    OSError
        If the file cannot be read.
    TypeError
        If the source is neither path nor table.
    ValueError
        If an option has another value than those above.

    Warns
    -----
    UserWarning
        If rows are dropped.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"tempo": [120.0, 95.5], "labels": ["happy", "calm"], "energy": 0.5})
    >>> songs = read(table, columns=["energy", "tempo"])
    >>> songs.X
       energy  tempo
    0     0.5  120.0
    1     0.5   95.5
    >>> songs.y.tolist()
    [1, 3]
    >>> print(songs.report)
    2 rows read, 2 kept
    """
    import pandas as pd

    choice("on_bad_rows", on_bad_rows, ("strict", "drop"))
    choice("duplicates", duplicates, ("keep", "drop"))
    choice("labels", labels, ("required", "optional", "ignore"))
    wanted = _wanted(columns)
    _refuse_ambiguous(label_names)
    table = read_any(source, on_bad_rows=on_bad_rows)
    frame, name = table.frame, table.source
    labelled = labels == "required" or (labels == "optional" and LABEL in frame)
    checker = Checker(np.zeros(len(frame), dtype=bool))
    X, y = _check(frame, wanted, label_names if labelled else None, checker)
    _refuse(frame, [*wanted, LABEL] if labelled else wanted, name, checker, on_bad_rows)
    good = ~checker.bad
    again = np.zeros_like(good)
    again[good] = repeats(X[good], None if y is None else y[good])
    kept = good & ~again if duplicates == "drop" else good
    report = RowReport(
        n_read=len(frame),
        n_kept=int(kept.sum()),
        problems=tuple(checker.problems),
        n_bad=int(checker.bad.sum()),
        n_duplicates=int(again.sum()),
        first_duplicate=int(again.argmax()) if again.any() else None,
        duplicates_dropped=duplicates == "drop",
    )
    if report.n_dropped:
        warnings.warn(f"{name}: {report}", UserWarning, stacklevel=2)
    return SongTable(
        X=X[kept],
        y=None if y is None else pd.Series(y, X.index, name=LABEL)[kept],
        uri=frame[URI].set_axis(X.index)[kept] if URI in frame else None,
        source=name,
        synthetic=_synthetic(frame),
        report=report,
    )


def load(source: Source, **options: Any) -> tuple[pd.DataFrame, pd.Series[int]]:
    """Read a table of labelled songs as features and labels.

    Parameters
    ----------
    source : str, path, DataFrame or pyarrow.Table
        See `read`.
    **options
        Those of `read`, which also tells what is raised and warned of; labels are required.

    Returns
    -------
    X : DataFrame of float64, shape (n_songs, n_columns)
        Duration and features.
    y : Series of int64, shape (n_songs,)
        Label codes.

    Examples
    --------
    >>> import pandas as pd
    >>> X, y = load(pd.DataFrame({"labels": [0, 2], "energy": [0.1, 0.9]}), columns=["energy"])
    >>> X["energy"].tolist(), y.tolist()
    ([0.1, 0.9], [0, 2])
    """
    table = read(source, **options)
    if table.y is None:
        raise ValueError(
            f"labels={options['labels']!r}: load gives labels, and {table.source} was read without "
            'any; use read, or labels="required"'
        )
    return table.X, table.y


def _wanted(columns: Sequence[str] | None) -> list[str]:
    if columns is None:
        return list(_COLUMNS)
    if isinstance(columns, str):
        raise TypeError(f"columns must be a sequence of names, got the string {columns!r}")
    if not len(columns):
        raise ValueError(f"columns must name at least one of {', '.join(_COLUMNS)}, got none")
    for name in columns:
        if name not in _COLUMNS:
            near = get_close_matches(str(name), _COLUMNS, n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise ValueError(
                f"columns: {name!r} is no column of songs; {hint}allowed: {', '.join(_COLUMNS)}"
            )
    return [name for name in _COLUMNS if name in columns]


def _refuse_ambiguous(label_names: Sequence[str]) -> None:
    if isinstance(label_names, str):
        raise TypeError(f"label_names must be a sequence of names, got the string {label_names!r}")
    if len({name.strip().casefold() for name in label_names}) < len(label_names):
        raise ValueError(f"label_names must differ, in more than case, got {tuple(label_names)!r}")


def _check(
    frame: pd.DataFrame, wanted: Sequence[str], label_names: Sequence[str] | None, checker: Checker
) -> tuple[pd.DataFrame, NDArray[np.int64] | None]:
    import pandas as pd

    values = {name: checker.feature(frame[name]) for name in wanted if name in frame}
    X = pd.DataFrame(values, index=pd.RangeIndex(len(frame)))
    if label_names is None or LABEL not in frame:
        return X, None
    return X, checker.label(frame[LABEL], label_names)


def _refuse(
    frame: pd.DataFrame, needed: Sequence[str], source: str, checker: Checker, on_bad_rows: str
) -> None:
    """Raise one error that tells everything that is wrong with the table."""
    present = [str(name) for name in frame.columns]
    missing = [name for name in needed if name not in present]
    faults = [missing_columns(missing, present)] if missing else []
    if not len(frame):
        faults.append("there are no rows")
    elif on_bad_rows == "strict" or missing or checker.bad.all():
        faults += map(str, checker.problems)
        if checker.bad.all() and on_bad_rows == "drop":
            faults.append("no usable row is left")
    if faults:
        text = "\n".join(f"  {fault}" for fault in faults)
        raise SongTableError(f"{source} cannot be used:\n{text}", checker.problems)


def _synthetic(frame: pd.DataFrame) -> bool:
    uri = frame[URI].astype(str).str if URI in frame else None
    return bool(
        frame.attrs.get("synthetic", False) or (uri and uri.startswith(SYNTHETIC_URI).any())
    )
