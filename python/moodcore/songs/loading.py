"""Tables of songs, read and checked once."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from moodcore.errors import check_choice, missing_columns, unknown_name
from moodcore.songs.checks import Checker, repeats
from moodcore.songs.problems import RowReport, SongTableError
from moodcore.songs.recognition import SongColumns, recognize_frame
from moodcore.songs.schema import DURATION, FEATURES, LABEL, LABEL_NAMES, SYNTHETIC_URI, URI
from moodcore.tables.loading import RawTable, read_any
from moodcore.tables.text_files import plain_name

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    Source: TypeAlias = str | os.PathLike[str] | pd.DataFrame | pa.Table | RawTable

_COLUMNS = (DURATION, *FEATURES)


@dataclass(frozen=True)
class SongTable:
    """Songs that passed validation.

    Attributes
    ----------
    X : DataFrame of float64, shape (n_songs, n_columns)
        Duration and features, in the order of the schema and with its names; the index is the row
        number in the source, counted from 0.
    y : Series of int64, shape (n_songs,), or None
        Label codes, named "labels", with the same index.
    label_names : tuple of str
        Name of each label code.
    uri : Series, shape (n_songs,), or None
        Identifier of each song.
    source : str
        The path, or the kind of object.
    synthetic : bool
        Whether the table says that it was made by `moodcore.songs.synthesize`.
    report : RowReport
        What was dropped, and why.
    notes : tuple of str
        What was recognized by other names, computed, ignored, or done without.
    """

    X: pd.DataFrame
    y: pd.Series[int] | None
    label_names: tuple[str, ...]
    uri: pd.Series[str] | None
    source: str
    synthetic: bool
    report: RowReport
    notes: tuple[str, ...] = ()


def read(
    source: Source,
    *,
    on_bad_rows: Literal["strict", "drop"] = "strict",
    duplicates: Literal["keep", "drop"] = "keep",
    labels: Literal["required", "optional", "ignore"] = "required",
    columns: Sequence[str] | None = None,
    label_names: Sequence[str] | None = None,
) -> SongTable:
    """Read and validate a table of songs.

    Columns are found by name, in any order and in the common spellings ("duration_ms", "length",
    "Danceability", "mood"); others are ignored.

    Parameters
    ----------
    source : str, path, DataFrame, Arrow or Polars table
        A file (see `moodcore.tables.files.read_table_file`) or a table in memory.
    on_bad_rows : {"strict", "drop"}, default="strict"
        What to do if rows hold values that cannot be used: raise one error that names all of
        them, or drop the rows, with a warning that names the same.
    duplicates : {"keep", "drop"}, default="keep"
        What to do with rows that repeat an earlier one in every column read, the label included.
        They are counted in either case.
    labels : {"required", "optional", "ignore"}, default="required"
        Whether labels must be there, are read if the column is there, or are not read.
    columns : sequence of str or None, default=None
        The columns that must be there and are read; None means those of the duration and the ten
        features that the table has. ``spec_rate`` is computed where it is missing.
    label_names : sequence of str or None, default=None
        Name of each label code; labels may be codes or, in any case, these names. None means the
        four moods, or the labels of the table where they are others.

    Returns
    -------
    SongTable

    Raises
    ------
    SongTableError
        A `ValueError`: columns missing, rows unusable, or none left.
    TableError
        A `ValueError`: the file is no table.
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

    check_choice("on_bad_rows", on_bad_rows, ("strict", "drop"))
    check_choice("duplicates", duplicates, ("keep", "drop"))
    check_choice("labels", labels, ("required", "optional", "ignore"))
    wanted = _wanted(columns)
    if label_names is not None:
        _refuse_ambiguous(label_names)
    table = source if isinstance(source, RawTable) else read_any(source, on_bad_rows=on_bad_rows)
    frame, found = table.frame, recognize_frame(table.frame)
    labeled = labels == "required" or (labels == "optional" and LABEL in found.names)
    checker = Checker(np.zeros(len(frame), dtype=bool))
    values, notes = _features(frame, found, wanted, checker)
    X = pd.DataFrame(values, index=pd.RangeIndex(len(frame)))
    y, names = None, LABEL_NAMES if label_names is None else tuple(label_names)
    if labeled and LABEL in found.names:
        y, names = checker.label(frame[found.names[LABEL]], label_names)
    missing = [name for name in wanted or () if name not in X]
    missing += [LABEL] if labeled and y is None else []
    errors = [missing_columns(missing, list(frame.columns))] if missing else []
    if wanted is None and not found.is_songs:
        errors.append(f"only {len(found.features)} columns are features of songs")
    if LABEL in missing or (wanted is None and not found.is_songs):
        errors[-1] += "; to learn from any table, name the column of the labels with --target"
    _refuse(table, errors, checker, on_bad_rows)
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
        warnings.warn(f"{table.source}: {report}", UserWarning, stacklevel=2)
    return SongTable(
        X=X[kept],
        y=None if y is None else pd.Series(y, X.index, name=LABEL)[kept],
        label_names=names,
        uri=frame[found.names[URI]].rename(URI)[kept] if URI in found.names else None,
        source=table.source,
        synthetic=_synthetic(frame),
        report=report,
        notes=(*table.notes, *notes),
    )


def load(source: Source, **options: Any) -> tuple[pd.DataFrame, pd.Series[int]]:
    """Read a table of labeled songs as features and labels.

    Parameters
    ----------
    source, **options
        As for `read`; labels are required.

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
    if options.get("labels", "required") != "required":
        raise ValueError(f"labels={options['labels']!r}: load returns labels; use read instead")
    table = read(source, **options)
    assert table.y is not None, "labels are required"
    return table.X, table.y


def _wanted(columns: Sequence[str] | None) -> list[str] | None:
    if columns is None:
        return None
    if isinstance(columns, str):
        raise TypeError(f"columns must be a sequence of names, got the string {columns!r}")
    if not len(columns):
        raise ValueError(f"columns must name at least one of {', '.join(_COLUMNS)}, got none")
    for name in columns:
        if name not in _COLUMNS:
            raise unknown_name("columns: name", str(name), _COLUMNS)
    return [name for name in _COLUMNS if name in columns]


def _refuse_ambiguous(label_names: Sequence[str]) -> None:
    if isinstance(label_names, str):
        raise TypeError(f"label_names must be a sequence of names, got the string {label_names!r}")
    if len({name.strip().casefold() for name in label_names}) < len(label_names):
        raise ValueError(f"label_names must differ, in more than case, got {tuple(label_names)!r}")


def _features(
    frame: pd.DataFrame, found: SongColumns, wanted: list[str] | None, checker: Checker
) -> tuple[dict[str, Any], list[str]]:
    """Return the values of the columns that are there, and notes about the others."""
    names = found.features if wanted is None else [name for name in wanted if name in found.names]
    if wanted is None:
        # A column without any value is as good as none.
        names = [name for name in names if frame[found.names[name]].notna().any()] or names
    values = {name: checker.feature(name, frame[found.names[name]]) for name in names}
    other = {
        name: own for name, own in found.renamed.items() if plain_name(name) != plain_name(own)
    }
    renamed = [f"{own!r} is {name!r}" for name, own in other.items() if name in values]
    if LABEL in other:
        renamed.append(f"labels from the column {other[LABEL]!r}")
    notes = [f"columns by other names: {', '.join(renamed)}"] if renamed else []
    needed = _COLUMNS if wanted is None else wanted
    parts = ("speechiness", DURATION)
    if "spec_rate" in needed and "spec_rate" not in values and found.names.keys() >= set(parts):
        for name in (name for name in parts if name not in values):
            values[name] = checker.feature(name, frame[found.names[name]])
        with np.errstate(divide="ignore", invalid="ignore"):
            values["spec_rate"] = values["speechiness"] / values[DURATION]
        notes.append("'spec_rate' computed: speechiness divided by duration")
    absent = [_with_nearest(name, found.extra) for name in needed if name not in values]
    if absent and wanted is None:
        notes.append(f"missing features, done without: {', '.join(absent)}")
    if found.extra and wanted is None:
        notes.append(f"ignored columns: {', '.join(map(repr, found.extra))}")
    return {name: values[name] for name in needed if name in values}, notes


def _with_nearest(name: str, columns: Sequence[str]) -> str:
    near = get_close_matches(name, columns, n=1, cutoff=0.7)
    return f"{name!r} (there is {near[0]!r})" if near else repr(name)


def _refuse(table: RawTable, errors: list[str], checker: Checker, on_bad_rows: str) -> None:
    """Raise one error that names everything that is wrong with the table."""
    faults = [*errors]
    if not len(table.frame):
        faults.append("there are no rows")
    elif on_bad_rows == "strict" or errors or checker.bad.all():
        faults += map(str, checker.problems)
        if checker.bad.all() and on_bad_rows == "drop":
            faults.append("no usable row is left")
    faults += checker.hints
    if faults:
        text = "\n".join(f"  {fault}" for fault in faults)
        raise SongTableError(f"{table.source} cannot be used:\n{text}", checker.problems)


def _synthetic(frame: pd.DataFrame) -> bool:
    uri = frame[URI].astype(str).str if URI in frame else None
    return bool(
        frame.attrs.get("synthetic", False) or (uri and uri.startswith(SYNTHETIC_URI).any())
    )
