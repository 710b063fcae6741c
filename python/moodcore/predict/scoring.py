"""A model on a batch of rows: labels and probabilities beside what is kept of the table."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from moodcore.metrics import class_names
from moodcore.predict.columns import Rejection, needed_columns, read_columns
from moodcore.predict.preparation import Preparation
from moodcore.predict.reading import Batch

if TYPE_CHECKING:
    import pyarrow as pa

OnError = Literal["fail", "skip", "null"]
LABEL_COLUMN = "predicted_label"
PROBABILITY_COLUMN = "probability_{}"


@dataclass
class Scored:
    """What became of a batch.

    Attributes
    ----------
    table : Table
        What is kept of the rows, `predicted_label`, and a `probability_<class>` a class.
    rejected : list of Rejection
        Rows that could not be scored, in their order.
    n_rows : int
        Rows that were read.
    seconds : dict of str to float
        Time of "checking" and of the "model".
    """

    table: pa.Table
    rejected: list[Rejection]
    n_rows: int
    seconds: dict[str, float] = field(default_factory=dict)


class Scorer:
    """Scores batches.

    Parameters
    ----------
    model : SongPipeline, or another fitted model that knows the names of its columns
        Its predictions are those of `model.predict` and `model.predict_proba`.
    keep : sequence of str
        Columns of the table that are passed through.
    null_rows : bool
        Whether rows that cannot be scored stay, with nothing in the new columns.
    """

    def __init__(self, model: Any, keep: list[str], *, null_rows: bool) -> None:
        self._model = model
        self._keep = keep
        self._null_rows = null_rows
        self.columns = needed_columns(model)
        self.names = class_names(model)
        self._has_probabilities = hasattr(model, "predict_proba")
        self._preparation = Preparation.of(model)

    @property
    def wanted(self) -> list[str]:
        """The columns to read: those the model needs, and those kept."""
        return list(dict.fromkeys([*(column.name for column in self.columns), *self._keep]))

    def score(self, batch: Batch) -> Scored:
        """Score the rows of a batch."""
        begin = time.perf_counter()
        values, good, faults = read_columns(batch.table, self.columns)
        rejected = self._rejections(batch, faults)
        checked = time.perf_counter()
        codes, probabilities = self._predict(values, good)
        predicted = time.perf_counter()
        table = self._table(batch, good, codes, probabilities)
        seconds = {"checking": checked - begin, "model": predicted - checked}
        return Scored(table, rejected, batch.table.num_rows + len(batch.broken), seconds)

    def _predict(
        self, values: dict[str, Any], good: NDArray[np.bool_]
    ) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        n_classes = len(self.names) if self._has_probabilities else 0
        if not good.any():
            return np.empty(0, np.intp), np.empty((0, n_classes))
        model, rows = self._asked(values, good)
        if self._has_probabilities:
            probabilities = model.predict_proba(rows)
            return probabilities.argmax(axis=1), probabilities
        found = np.searchsorted(model.classes_, model.predict(rows))
        return found, np.empty((len(rows), 0))

    def _asked(self, values: dict[str, Any], good: NDArray[np.bool_]) -> tuple[Any, Any]:
        """Return who predicts, and the rows that it takes."""
        import pandas as pd

        if self._preparation is not None:
            return self._preparation.classifier, self._preparation.matrix(values, good)
        rows = pd.DataFrame(values, copy=False)
        return self._model, rows if good.all() else rows[good]

    def _rejections(self, batch: Batch, faults: list[tuple[int, str, str]]) -> list[Rejection]:
        found = [
            Rejection(int(batch.rows[at]), name, _text(batch.table.column(name)[at]), reason)
            for at, name, reason in faults
        ]
        found += [
            Rejection(row, "", text[:200], "another number of fields than the header")
            for row, text in batch.broken
        ]
        return sorted(found, key=lambda one: one.row)

    def _table(
        self,
        batch: Batch,
        good: NDArray[np.bool_],
        codes: NDArray[np.intp],
        probabilities: NDArray[np.float64],
    ) -> pa.Table:
        import pyarrow as pa

        kept = {name: batch.table.column(name) for name in self._keep}
        columns = self._predictions(codes, probabilities)
        if not self._null_rows:
            if not good.all():
                mask = pa.array(good)
                kept = {name: column.filter(mask) for name, column in kept.items()}
            # What a table was told by an earlier model gives way.
            return pa.table(kept | columns)
        # Each row of the file, broken ones among them, and where its values stand, if anywhere.
        broken = np.array([row for row, _ in batch.broken], np.int64)
        order = np.argsort(np.concatenate([batch.rows, broken]), kind="stable")
        is_read = order < len(good)
        is_good = np.concatenate([good, np.zeros(len(broken), bool)])[order]
        kept = {name: _taken(column, order, is_read) for name, column in kept.items()}
        places = np.cumsum(is_good) - 1
        return pa.table(kept | {n: _taken(c, places, is_good) for n, c in columns.items()})

    def _predictions(
        self, codes: NDArray[np.intp], probabilities: NDArray[np.float64]
    ) -> dict[str, pa.Array]:
        import pyarrow as pa

        names = pa.array(self.names, pa.string())
        label = pa.DictionaryArray.from_arrays(pa.array(codes, pa.int32()), names)
        found: dict[str, Any] = {LABEL_COLUMN: label.dictionary_decode()}
        for name, column in zip(self.names, probabilities.T, strict=False):
            found[PROBABILITY_COLUMN.format(name)] = pa.array(np.ascontiguousarray(column))
        return found


def _taken(column: Any, places: NDArray[np.int64], known: NDArray[np.bool_]) -> Any:
    """Take values by their places; nothing where none is known."""
    import pyarrow as pa

    return column.take(pa.array(places, pa.int64(), mask=~known))


def _text(value: Any) -> str:
    found = value.as_py()
    return "" if found is None else str(found)
