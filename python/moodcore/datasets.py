"""The way from whatever holds a labeled table to a `Dataset`: songs, or any table."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from moodcore.errors import ConfigError
from moodcore.songs.dataset import embedded_songs, song_dataset
from moodcore.songs.recognition import recognize
from moodcore.tables.dataset import BadRows, Dataset, Duplicates, check_counts, known_names
from moodcore.tables.loading import RawTable, read_any, table_dataset
from moodcore.tables.parquet_files import is_several_files, read_parquet_files
from moodcore.tables.text_files import plain_name

__all__ = ["likely_target", "load_dataset"]

_TARGET_NAMES = frozenset({"target", "class", "label", "labels", "y", "outcome", "species"})


def load_dataset(
    data: Any = None,
    target: str | None = None,
    *,
    y: Any = None,
    test: Any = None,
    features: str | Sequence[str] | None = None,
    drop: Sequence[str] = (),
    id: str | None = None,
    rows: int | None = None,
    on_bad_rows: BadRows = "strict",
    duplicates: Duplicates = "keep",
    folds: int = 5,
    seed: int = 0,
    class_names: Sequence[str] | None = None,
) -> Dataset:
    """Read a labeled table.

    Without target and labels, a table with the columns of songs is songs.

    Parameters
    ----------
    data : path, DataFrame, Arrow or Polars table, array-like, or None
        A file (see `moodcore.tables.files.read_table_file`), a folder or pattern of Parquet
        files, or a table in memory; None means the embedded synthetic songs.
    target : str or None, default=None
        The label column of any table.
    y : array-like or None, default=None
        Labels of a table in memory that has no label column.
    test : like data, default=None
        A separate table for the test, with the same columns.
    features : "all", sequence of str or None, default=None
        Columns to learn from; None and "all" mean all that hold numbers, truth values or
        categories. Of songs all columns are read.
    drop : sequence of str, default=()
        Columns to leave out.
    id : str or None, default=None
        Column that identifies the rows; it is not learned from.
    rows : int or None, default=None
        Use this many rows, drawn at random within each class, of several files by row number;
        None means all.
    on_bad_rows : {"strict", "drop"}, default="strict"
        Refuse rows that cannot be used, or drop them with a note.
    duplicates : {"keep", "drop"}, default="keep"
        What to do with rows that repeat an earlier one.
    folds : int, default=5
        Parts of the cross-validation that the classes must suffice for; 0 checks nothing.
    seed : int, default=0
        Of the random choice of rows.
    class_names : sequence of str or None, default=None
        A name for each class in ascending order of the labels.

    Returns
    -------
    Dataset

    Raises
    ------
    ConfigError
        A `ValueError`: no table, columns missing, rows unusable, or too few rows in a class.
    OSError
        If the file cannot be read.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"age": range(40), "job": ["cook", "nurse"] * 20, "pays": [1, 0] * 20})
    >>> load_dataset(table, "pays").class_names
    ('0', '1')
    """
    if data is None:
        if target is not None or y is not None:
            raise ConfigError("target needs data: the embedded songs have their own labels")
        dataset: Dataset = embedded_songs(rows)
    else:
        table = _read(data, rows, seed, on_bad_rows)
        held_out = None if test is None else _read(test, None, seed, on_bad_rows)
        rules: Any = {"on_bad_rows": on_bad_rows, "duplicates": duplicates}
        if target is None and y is None:
            _refuse_other_tables(table)
            dataset = song_dataset(_without(table, drop), test=held_out, **rules)
        else:
            dataset = table_dataset(
                table,
                target,
                y=y,
                test=held_out,
                drop=drop,
                id=id,
                features=None if isinstance(features, str) else features,
                class_names=class_names,
                **rules,
            )
        if not (is_several_files(data) and table.notes):
            dataset = _part(dataset, rows, seed)
    dataset.check_features(features)
    if folds:
        check_counts(dataset, folds)
    return dataset


def _read(data: Any, rows: int | None, seed: int, on_bad_rows: BadRows) -> RawTable:
    """Read a table; of several Parquet files only the rows that are used."""
    if not is_several_files(data):
        return read_any(data, on_bad_rows=on_bad_rows)
    frame, note = read_parquet_files(data, rows, seed)
    return RawTable(frame, os.fspath(data), () if note is None else (note,))


def _without(table: RawTable, drop: Sequence[str]) -> RawTable:
    names = known_names(drop, list(table.frame.columns), "drop")
    return replace(table, frame=table.frame.drop(columns=names)) if names else table


def _refuse_other_tables(table: RawTable) -> None:
    """Raise an error that names the option by which a table that is no songs can be used."""
    columns = [str(name) for name in table.frame.columns]
    if recognize(columns).is_songs:
        return
    raise ConfigError(
        f"{table.source}: these are not songs; name the column of the labels, for example "
        f"--target {likely_target(columns)!r}; the table has: {', '.join(map(repr, columns))}"
    )


def likely_target(columns: Sequence[str]) -> str:
    """Return the column that is most likely the labels: one named so, or the last."""
    named = (name for name in columns if plain_name(name) in _TARGET_NAMES)
    return next(named, columns[-1] if columns else "NAME")


def _part(dataset: Dataset, n_rows: int | None, seed: int) -> Dataset:
    """Return this many of the rows, in their order, with the classes in proportion."""
    from sklearn.model_selection import train_test_split

    total = len(dataset.y)
    if n_rows is None or n_rows == total:
        return dataset
    if n_rows > total:
        raise ConfigError(
            f"{dataset.noun}: {n_rows:,} requested, but {dataset.source} has {total:,}"
        )
    if n_rows < len(dataset.class_names):
        raise ConfigError(
            f"{dataset.noun}: must be at least {len(dataset.class_names)}, one per class, "
            f"got {n_rows}"
        )
    rows, _ = train_test_split(
        np.arange(total), train_size=n_rows, stratify=dataset.y, random_state=seed
    )
    rows.sort()
    note = f"{n_rows:,} of {total:,} {dataset.noun}, drawn at random within each class"
    return dataset.take(rows, note)
