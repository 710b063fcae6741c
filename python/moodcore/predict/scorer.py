"""Predictions for batches of rows: labels and probabilities next to the columns kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from moodcore.metrics import class_names
from moodcore.predict.batches import BadRow, Batch, Rows
from moodcore.predict.model_columns import ModelColumns
from moodcore.predict.preparation import Preparation
from moodcore.tables import required_columns

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

OnError = Literal["fail", "skip", "null"]
LABEL_COLUMN = "predicted_label"
PROBABILITY_COLUMN = "probability_{}"


class Scored(NamedTuple):
    """The result of a batch: columns kept and predictions, and the bad rows within the batch."""

    table: pa.Table
    bad: list[BadRow]
    n_rows: int


class Scorer:
    """Scores the batches of a file by a model; predictions are those of its own methods.

    With `null_rows`, rows that cannot be scored stay, without values in the new columns.
    """

    def __init__(
        self, model: Any, columns: ModelColumns, keep: Sequence[str], *, null_rows: bool = False
    ) -> None:
        self._model = model
        self._columns = columns
        self._keep = list(keep)
        self._null_rows = null_rows
        self._order = [column.name for column in required_columns(model)]
        self.names = class_names(model)
        self._has_probabilities = hasattr(model, "predict_proba")
        self._preparation = Preparation.of(model)

    @property
    def wanted(self) -> list[str]:
        """The columns of the file to read: those that the model needs, and those kept."""
        return list(dict.fromkeys([*self._columns.in_file, *self._keep]))

    def score(self, batch: Batch) -> Scored:
        """Score the rows of a batch; may be called in any thread."""
        rows = batch.parse()
        values, good, bad = self._columns.read(rows)
        predictions = self._predictions(*self._predict(values, good))
        return Scored(self._table(rows, good, predictions), bad, rows.n_rows)

    def frame(self, values: dict[str, Any]) -> pd.DataFrame:
        """Return values as the model takes them."""
        import pandas as pd

        return pd.DataFrame({name: values[name] for name in self._order}, copy=False)

    def _predict(
        self, values: dict[str, Any], good: NDArray[np.bool_]
    ) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        n_classes = len(self.names) if self._has_probabilities else 0
        if not good.any():
            return np.empty(0, np.intp), np.empty((0, n_classes))
        model: Any = self._model
        table: Any
        if self._preparation is not None:
            model, table = self._preparation.classifier, self._preparation.matrix(values, good)
        else:
            table = self.frame(values)
            table = table if good.all() else table[good]
        if self._has_probabilities:
            probabilities = model.predict_proba(table)
            return probabilities.argmax(axis=1), probabilities
        codes = np.searchsorted(model.classes_, model.predict(table))
        return codes, np.empty((len(codes), 0))

    def _predictions(
        self, codes: NDArray[np.intp], probabilities: NDArray[np.float64]
    ) -> dict[str, Any]:
        import pyarrow as pa

        names = pa.array(self.names, pa.string())
        label = pa.DictionaryArray.from_arrays(pa.array(codes, pa.int32()), names)
        columns: dict[str, Any] = {LABEL_COLUMN: label.dictionary_decode()}
        for name, column in zip(self.names, probabilities.T, strict=False):
            columns[PROBABILITY_COLUMN.format(name)] = pa.array(np.ascontiguousarray(column))
        return columns

    def _table(self, rows: Rows, good: NDArray[np.bool_], predictions: dict[str, Any]) -> pa.Table:
        import pyarrow as pa

        kept = {name: rows.table.column(name) for name in self._keep}
        if not self._null_rows:
            if not good.all():
                mask = pa.array(good)
                kept = {name: column.filter(mask) for name, column in kept.items()}
            # Predictions of an earlier model give way.
            return pa.table(kept | predictions)
        # Every row of the batch, and the position of its values, if it has any.
        kept = {n: _spread(c, rows.numbers, rows.n_rows) for n, c in kept.items()}
        scored = rows.numbers[good]
        return pa.table(kept | {n: _spread(c, scored, rows.n_rows) for n, c in predictions.items()})


def _spread(column: Any, rows: NDArray[np.int64], n_rows: int) -> Any:
    """Return a column with values in some rows, and null in the others."""
    import pyarrow as pa

    if len(rows) == n_rows:
        return column
    places = np.zeros(n_rows, np.int64)
    missing = np.ones(n_rows, bool)
    places[rows] = np.arange(len(rows))
    missing[rows] = False
    return column.take(pa.array(places, pa.int64(), mask=missing))
