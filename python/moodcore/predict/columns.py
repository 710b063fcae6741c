"""What a model needs of a table: columns as numbers, and the rows that have none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from moodcore.songs.checks import faults
from moodcore.songs.schema import RANGES
from moodcore.tables.columns import Range

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

_ANYTHING = Range(-np.finfo(np.float64).max, np.finfo(np.float64).max)


@dataclass(frozen=True)
class Column:
    """A feature that the model takes.

    Attributes
    ----------
    name : str
        Of the column.
    allowed : Range
        The numbers that it may hold.
    may_miss : bool
        Whether the model knows what to do when nothing stands there.
    labels : tuple or None
        The categories that it holds, for a column of labels.
    """

    name: str
    allowed: Range = _ANYTHING
    may_miss: bool = False
    labels: tuple[Any, ...] | None = None


@dataclass(frozen=True)
class Rejection:
    """A row that cannot be scored, and why.

    Attributes
    ----------
    row : int
        Its number in the file, counted from 0 without the header.
    column : str
        The first column in which something is wrong; empty where the whole row is.
    value : str
        What stands there.
    reason : str
        "missing", "not a number", "infinite", "out of range", or "n fields in place of m".
    """

    row: int
    column: str
    value: str
    reason: str

    @property
    def told(self) -> str:
        """The column, if it is one, and the reason."""
        return f"{self.column}: {self.reason}" if self.column else self.reason


def needed_columns(model: Any) -> list[Column]:
    """Return the columns that a model takes.

    Raises
    ------
    ValueError
        When the model was trained on a table without names, so that columns cannot be found.
    """
    from moodcore import GBT
    from moodcore.explanation.methods import final_classifier
    from moodcore.songs import SongPipeline

    names = getattr(model, "feature_names_in_", None)
    if names is None:
        raise ValueError(
            "the model was trained on a table without column names, so that the columns of a file "
            "cannot be told; train it on a DataFrame"
        )
    if isinstance(model, SongPipeline):
        return [Column(str(name), RANGES.get(str(name), _ANYTHING)) for name in names]
    classifier, steps = final_classifier(model)
    if steps is not None or not isinstance(classifier, GBT):
        return [Column(str(name)) for name in names]
    return [
        Column(str(name), may_miss=True, labels=None if labels is None else tuple(labels))
        for name, labels in zip(names, classifier.table_schema_.categories, strict=True)
    ]


def read_columns(
    table: pa.RecordBatch, columns: list[Column]
) -> tuple[dict[str, Any], NDArray[np.bool_], list[tuple[int, str, str]]]:
    """Turn columns into what a model takes.

    Returns
    -------
    values : dict of str to ndarray or Categorical
        By column, one value a row.
    good : ndarray of bool, shape (n_rows,)
        Rows in which every value can be used.
    faults : list of (int, str, str)
        For each other row, its place, column and reason.
    """
    good = np.ones(table.num_rows, dtype=bool)
    values: dict[str, Any] = {}
    found: list[tuple[int, str, str]] = []
    for column in columns:
        array = table.column(column.name)
        if column.labels is not None:
            values[column.name] = _categories(array, column.labels)
            continue
        numbers, absent = to_numbers(array)
        for reason, wrong in faults(numbers, absent, column.allowed).items():
            if not wrong.any() or (reason == "missing" and column.may_miss):
                continue
            first = np.flatnonzero(wrong & good)
            found += [(int(row), column.name, reason) for row in first]
            good[first] = False
        values[column.name] = numbers
    return values, good, found


def to_numbers(array: pa.Array) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return the numbers of a column, NaN where there is none, and where nothing stands at all."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    kind = array.type
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        numbers = array.cast(pa.float64(), safe=False)
        values = numbers.to_numpy(zero_copy_only=False)
        return values, np.isnan(values)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        text = pc.utf8_trim_whitespace(array.cast(pa.string()))
        blank = pc.is_in(text, value_set=_blanks())
        text = pc.if_else(blank, pa.scalar(None, pa.string()), text)
        absent = text.is_null().to_numpy(zero_copy_only=False)
        return _parsed(text), absent
    absent = array.is_null(nan_is_null=True).to_numpy(zero_copy_only=False)
    return np.full(len(array), np.nan), absent


def _blanks() -> pa.Array:
    """Return the texts that mean that nothing stands there: those of Arrow, which are pandas'."""
    import pyarrow as pa
    from pyarrow import csv

    return pa.array(csv.ConvertOptions().null_values, pa.string())


def _parsed(text: pa.Array) -> NDArray[np.float64]:
    import pandas as pd
    import pyarrow as pa

    try:
        return text.cast(pa.float64()).to_numpy(zero_copy_only=False)
    except pa.ArrowInvalid:
        # One text is no number: those that are, are read one by one.
        values = pd.to_numeric(pd.Series(text.to_pylist(), dtype=object), errors="coerce")
        return values.to_numpy(dtype=np.float64)


def _categories(array: pa.Array, labels: tuple[Any, ...]) -> pd.Categorical:
    """Return labels; of text where the model's are text. Unknown ones are missing to the model."""
    import pandas as pd
    import pyarrow as pa

    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    given = array.to_pylist()
    if labels and not isinstance(labels[0], str):
        by_text = {str(label): label for label in labels}
        given = [by_text.get(str(value)) for value in given]
    return pd.Categorical(given, categories=list(labels))
