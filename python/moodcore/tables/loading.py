"""Reading of any table as a `Dataset`: labels, columns to learn from, and a separate test table."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from moodcore.errors import ConfigError, TableError, missing_columns, unknown_name
from moodcore.estimators.tables import to_frame
from moodcore.tables.dataset import BadRows, Dataset, Duplicates, known_names
from moodcore.tables.files import read_table_file
from moodcore.tables.roles import (
    FEATURE_ROLES,
    ColumnRole,
    category_text,
    column_roles,
    to_numbers,
    without_missing_texts,
)

if TYPE_CHECKING:
    import pandas as pd

# A target with more distinct numbers than this, or one per few rows, is a quantity and no class.
_MOST_NUMERIC_CLASSES = 100
_MOST_CLASSES = 1000
_LEFT_OUT = {
    "id": "identifiers (unique values)",
    "date": "dates",
    "constant": "constant columns",
    "empty": "columns without values",
}


@dataclass(frozen=True)
class RawTable:
    """A table as it was read, before labels and features are separated.

    Attributes
    ----------
    frame : DataFrame
        All columns; the index counts the rows from 0.
    source : str
        The path, or the kind of object.
    notes : tuple of str
        What the reader recognized.
    """

    frame: pd.DataFrame
    source: str
    notes: tuple[str, ...] = ()


def read_any(data: Any, *, on_bad_rows: BadRows = "strict") -> RawTable:
    """Read a file or an object in memory as a table.

    Raises
    ------
    TableError, OSError
        When the file holds no table, or cannot be read.
    TypeError, ValueError
        When the object is no table.
    """
    if isinstance(data, RawTable):
        return data
    if isinstance(data, str | os.PathLike):
        frame, notes = read_table_file(data, drop_ragged_rows=on_bad_rows == "drop")
        source = os.fspath(Path(data))
    elif data is None or isinstance(data, int | float | bytes):
        raise TypeError(
            "a table must be a path, a DataFrame, an Arrow or Polars table or an array of two "
            f"dimensions, got {data!r}"
        )
    else:
        frame, notes, source = to_frame(data, strict=False), [], _kind_in_words(data)
    return RawTable(frame.reset_index(drop=True), source, tuple(notes))


def _kind_in_words(data: Any) -> str:
    module, name = type(data).__module__.partition(".")[0], type(data).__name__
    return name if module in ("pandas", "builtins") else f"{module} {name}"


def table_dataset(
    table: RawTable,
    target: str | None,
    *,
    y: Any = None,
    test: RawTable | None = None,
    drop: Sequence[str] = (),
    id: str | None = None,
    features: Sequence[str] | None = None,
    on_bad_rows: BadRows = "strict",
    duplicates: Duplicates = "keep",
    class_names: Sequence[str] | None = None,
) -> Dataset:
    """Return any table as a `Dataset` (see `moodcore.datasets.load_dataset`)."""
    frame, source, notes = table.frame, table.source, list(table.notes)
    if not len(frame):
        raise TableError(f"{source}: there are no rows")
    if y is not None:
        target, labels = _given_labels(y, target, len(frame))
    else:
        target = str(target)
        if target not in frame.columns:
            raise unknown_name(f"{source}: target", target, map(str, frame.columns))
        labels = frame[target]
        frame = frame.drop(columns=target)
    frame = frame.drop(columns=known_names(drop, list(frame.columns), "drop"))
    ids = None
    if id is not None:
        (id,) = known_names([id], list(frame.columns), "id")
        ids, frame = frame[id], frame.drop(columns=id)
    codes, class_labels, label_notes = read_labels(labels, target, source, on_bad_rows)
    notes += label_notes
    X, column_notes = _features(frame, features, source)
    notes += column_notes
    names = _class_names(class_labels, class_names)
    dataset = Dataset(
        X=X,
        y=class_labels[codes],
        class_names=names,
        target=target,
        source=source,
        notes=tuple(notes),
        ids=ids,
    )
    keep = codes >= 0
    if not keep.all():
        dataset = dataset.take(np.flatnonzero(keep))
    dataset = _without_repeats(dataset, duplicates)
    return (
        dataset if test is None else replace(dataset, test=_test_part(dataset, test, on_bad_rows))
    )


def _given_labels(y: Any, target: str | None, n_rows: int) -> tuple[str, pd.Series[Any]]:
    import pandas as pd

    if target is not None:
        raise ConfigError("pass y or target, not both")
    if not isinstance(y, pd.Series):
        y = np.asarray(y)
        if y.ndim == 2 and y.shape[1] == 1:
            y = y.ravel()
        if y.ndim != 1:
            raise ConfigError(f"y must be one column of labels, got the shape {y.shape}")
        y = pd.Series(y)
    labels: pd.Series[Any] = y
    if len(labels) != n_rows:
        raise ConfigError(f"y must have one label per row ({n_rows:,}), got {len(labels):,}")
    name = "target" if labels.name is None else str(labels.name)
    return name, labels.reset_index(drop=True)


def read_labels(
    labels: pd.Series[Any], target: str, source: str, on_bad_rows: BadRows, *, least: int = 2
) -> tuple[NDArray[np.intp], NDArray[Any], list[str]]:
    """Read a column of labels.

    Returns
    -------
    codes : ndarray of int, shape (n_rows,)
        The position of each row's label among the classes, -1 where it is missing.
    classes : ndarray of shape (n_classes,)
        Text, integers or truth values, in ascending order.
    notes : list of str
        What was dropped.

    Raises
    ------
    ConfigError
        When labels are missing and rows may not be dropped, when the column holds quantities, or
        fewer than two classes.
    """
    import pandas as pd

    codes, distinct = pd.factorize(without_missing_texts(labels))
    if len(distinct) < least:
        what = f"only the label {distinct[0]!r}" if len(distinct) else "no labels"
        raise ConfigError(f"{source}: target {target!r} holds {what}; two classes are needed")
    numeric = all(isinstance(v, int | float | np.number | np.bool_) for v in distinct)
    is_bool = all(isinstance(v, bool | np.bool_) for v in distinct)
    if numeric and not is_bool:
        numbers = np.array([float(v) for v in distinct])
        whole = bool((numbers == np.rint(numbers)).all())
        if not whole or len(distinct) > _MOST_NUMERIC_CLASSES:
            raise ConfigError(
                f"{source}: target {target!r} has {len(distinct):,} distinct numbers"
                f"{'' if whole else ', not all whole'}; moodcore trains classifiers: name a column "
                "of classes, or turn the numbers into a few classes first"
            )
        found: NDArray[Any] = numbers.astype(np.int64)
    elif is_bool:
        found = np.array([bool(v) for v in distinct])
    else:
        try:
            found = np.array([category_text(v) for v in distinct])
        except TypeError as error:
            raise TableError(f"{source}: target {target!r}: {error}") from error
        if len(distinct) > min(_MOST_CLASSES, max(2, len(labels) // 2)):
            raise ConfigError(
                f"{source}: target {target!r} has {len(distinct):,} distinct values in "
                f"{len(labels):,} rows, which are no classes; name another column"
            )
    classes, places = np.unique(found, return_inverse=True)
    codes = np.append(places, -1)[codes]
    n_missing = int((codes < 0).sum())
    notes = _similar_labels(classes)
    if not n_missing:
        return codes, classes, notes
    first = int((codes < 0).argmax())
    message = f"column {target!r}: {n_missing:,} rows without a label, first row {first}"
    if on_bad_rows == "strict":
        raise ConfigError(
            f"{source}: {message}; --bad-rows drop leaves them out (empty fields and the texts "
            "NA, None, null and ? count as missing)"
        )
    return codes, classes, [*notes, f"{message}: dropped"]


def _similar_labels(classes: NDArray[Any]) -> list[str]:
    """Return notes about labels that are the same but for case and spaces."""
    plain: dict[str, list[str]] = {}
    for label in classes.tolist():
        if isinstance(label, str):
            plain.setdefault(" ".join(label.casefold().split()), []).append(repr(label))
    same = [" and ".join(labels) for labels in plain.values() if len(labels) > 1]
    return [f"labels that differ in case or spaces only: {', '.join(same)}"] if same else []


def _class_names(classes: NDArray[Any], names: Sequence[str] | None) -> tuple[str, ...]:
    if names is None:
        return tuple(str(label) for label in classes.tolist())
    if len(names) != len(classes):
        raise ConfigError(f"class_names: {len(names)} names for {len(classes)} classes")
    return tuple(map(str, names))


def _features(
    frame: pd.DataFrame, features: Sequence[str] | None, source: str
) -> tuple[pd.DataFrame, list[str]]:
    """Return the columns to learn from, and notes about the others."""
    if features is not None:
        names = known_names(features, [str(name) for name in frame.columns], "features")
        frame = frame[names]
    roles = column_roles(frame)
    if features is not None:
        dates = [repr(role.name) for role in roles if role.role == "date"]
        if dates:
            raise TableError(
                f"{source}: features {', '.join(dates)} hold dates; allowed are numbers and "
                "categories, such as the year or the month"
            )
        return _with_numbers(frame, roles), []
    used = [role for role in roles if role.role in FEATURE_ROLES]
    notes = []
    for role, words in _LEFT_OUT.items():
        names = [repr(column.name) for column in roles if column.role == role]
        if names:
            notes.append(f"left out {words}: {', '.join(names)}")
    if not used:
        raise TableError(f"{source}: no column to learn from; {'; '.join(notes)}")
    for column in used:
        if column.odd:
            odd = ", ".join(map(repr, column.odd))
            notes.append(f"column {column.name!r} holds numbers; {odd} count as missing")
    return _with_numbers(frame[[column.name for column in used]], used), notes


def _with_numbers(frame: pd.DataFrame, roles: Sequence[ColumnRole]) -> pd.DataFrame:
    """Return the frame with text that holds numbers as numbers."""
    converted = {
        column.name: to_numbers(frame[column.name])[0]
        for column in roles
        if column.role == "number" and frame[column.name].dtype.kind not in "iufIUF"
    }
    return frame.assign(**converted) if converted else frame


def _without_repeats(dataset: Dataset, duplicates: Duplicates) -> Dataset:
    repeated = dataset.X.assign(**{"": dataset.y}).duplicated().to_numpy()
    count = int(repeated.sum())
    if not count:
        return dataset
    words = f"{count:,} rows repeat an earlier one in every column, the label included"
    if duplicates == "drop":
        return dataset.take(np.flatnonzero(~repeated), f"{words}: dropped")
    return replace(dataset, notes=(*dataset.notes, f"{words}: kept"))


def _test_part(
    dataset: Dataset, test: RawTable, on_bad_rows: BadRows
) -> tuple[pd.DataFrame, NDArray[Any]]:
    """Return columns and labels of the test file, checked against the training table."""
    frame, source = test.frame, test.source
    needed = [*dataset.X.columns, dataset.target]
    missing = [name for name in needed if name not in frame.columns]
    if missing:
        raise TableError(f"{source}: {missing_columns(missing, list(frame.columns))}")
    codes, classes, _ = read_labels(
        frame[dataset.target], dataset.target, source, on_bad_rows, least=1
    )
    known = {category_text(label) for label in dataset.classes.tolist()}
    unknown = [label for label in classes.tolist() if category_text(label) not in known]
    if unknown:
        near = get_close_matches(str(unknown[0]), dataset.class_names, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise TableError(
            f"{source}: column {dataset.target!r} holds {unknown[0]!r}, a class that the training "
            f"table does not have ({', '.join(dataset.class_names)}){hint}"
        )
    by_text = {category_text(label): label for label in dataset.classes.tolist()}
    labels = np.array([by_text[category_text(label)] for label in classes.tolist()])
    kept = np.flatnonzero(codes >= 0)
    X = frame[list(dataset.X.columns)].iloc[kept]
    numbers = {
        name: to_numbers(X[name])[0]
        for name in X.columns
        if dataset.X[name].dtype.kind in "iufIUF" and X[name].dtype.kind not in "iufIUF"
    }
    return X.assign(**numbers), labels[codes[kept]]
