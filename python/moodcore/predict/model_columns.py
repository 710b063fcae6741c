"""The columns of a file that a model needs, by the names that both know."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moodcore.errors import TableError, missing_columns
from moodcore.predict.batches import BadRow, Rows
from moodcore.predict.values import read_values, to_numbers
from moodcore.songs.column_checks import ColumnWarning, check_column, training_ranges
from moodcore.songs.schema import DURATION, RANGES
from moodcore.tables import Column, required_columns

_RATE, _SPEECH = "spec_rate", "speechiness"


@dataclass(frozen=True)
class ModelColumns:
    """Columns of a file that a model reads.

    Attributes
    ----------
    columns : list of Column
        What is read; by their names in the model.
    names : dict of str to str
        Names in the file of all columns that have one in the model's terms.
    computes_rate : bool
        Whether the songs' ``spec_rate`` is computed from the duration.
    """

    columns: list[Column]
    names: dict[str, str]
    computes_rate: bool = False

    @classmethod
    def find(cls, model: Any, present: Sequence[str], source: str) -> ModelColumns:
        """Find the columns that a model needs among those of a file; refuse missing ones."""
        columns = required_columns(model)
        names = {name: name for name in present if name}
        computes_rate = False
        if is_song_model(model):
            from moodcore.songs.recognition import recognize

            names = recognize(present).names | names
            needs_rate = any(column.name == _RATE for column in columns)
            computes_rate = needs_rate and _RATE not in names and {_SPEECH, DURATION} <= set(names)
        if computes_rate:
            others = {column.name: column for column in columns if column.name != _RATE}
            parts = {name: Column(name, allowed=RANGES[name]) for name in (_SPEECH, DURATION)}
            columns = list((others | parts).values())
        missing = [column.name for column in columns if column.name not in names]
        if missing:
            raise TableError(f"{source}: {missing_columns(missing, present)}")
        return cls(columns, names, computes_rate)

    @property
    def in_file(self) -> list[str]:
        """The names in the file of the columns that are read."""
        return [self.names[column.name] for column in self.columns]

    def read(self, rows: Rows) -> tuple[dict[str, Any], NDArray[np.bool_], list[BadRow]]:
        """Return the values by the names of the model (see `values.read_values`)."""
        values, good, bad = read_values(rows, self.columns, self.names)
        if self.computes_rate:
            values[_RATE] = values[_SPEECH] / values[DURATION]
        return values, good, bad

    def check(self, model: Any, rows: Sequence[Rows]) -> list[ColumnWarning]:
        """Compare the first rows of a file with what the model knows of its training data."""
        known = training_ranges(model)
        warnings = []
        for column in self.columns:
            if column.name not in known or column.kind == "category" or not rows:
                continue
            name = self.names[column.name]
            parts = [
                to_numbers(part.table.column(name), decimal_comma=part.decimal_comma)[0]
                for part in rows
            ]
            warnings.append(check_column(name, np.concatenate(parts), known[column.name]))
        return [warning for warning in warnings if warning is not None]


def is_song_model(model: Any) -> bool:
    """Return whether a model was trained on songs, whose columns have known aliases."""
    from moodcore.songs import SongPipeline

    return isinstance(model, SongPipeline)
