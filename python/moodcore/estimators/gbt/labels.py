"""The label and weight columns of a table that is read batch by batch."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from moodcore.errors import TableError
from moodcore.estimators.batches import Batch


@dataclass(frozen=True)
class Labels:
    """The labels and weights of all rows of a table, including rows with zero weight."""

    # The distinct labels, and the index of each row's label among them.
    values: NDArray[Any]
    codes: NDArray[np.unsignedinteger[Any]]
    weight: NDArray[np.float64] | None

    @property
    def n_rows(self) -> int:
        """The number of rows."""
        return len(self.codes)

    @classmethod
    def read(cls, batches: Iterable[Batch], y: str, weight: str | None) -> Self:
        """Read the label column, and the weight column if there is one."""
        places: dict[Any, int] = {}
        codes, weights, dtype = [np.empty(0, dtype=np.uint32)], [np.empty(0)], None
        for batch in batches:
            values, batch_codes = _distinct_labels(batch, y)
            dtype = values.dtype
            numbers = [places.setdefault(value, len(places)) for value in values.tolist()]
            codes.append(np.array(numbers, dtype=np.uint32)[batch_codes])
            if weight is not None:
                weights.append(_read_weights(batch, weight))
        # Assigning a list keeps the array one-dimensional, even if the labels are sequences.
        distinct = np.empty(len(places), dtype=dtype)
        distinct[:] = list(places)
        return cls(
            distinct, np.concatenate(codes), None if weight is None else np.concatenate(weights)
        )


def _distinct_labels(batch: Batch, name: str) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """Return the distinct labels of a batch, and the index of each row's label among them."""
    import pyarrow as pa
    import pyarrow.compute as pc

    column = batch.table.column(name)
    is_missing = column.is_null(nan_is_null=True)
    if pc.any(is_missing).as_py():
        row = pc.index(is_missing, pa.scalar(True)).as_py()
        raise TableError(
            f"{batch.where}: the label column {name!r} must not have missing values, got one in "
            f"row {batch.first + row} of the table"
        )
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    values = column.dictionary.to_numpy(zero_copy_only=False)
    return values, column.indices.to_numpy(zero_copy_only=False).astype(np.intp, copy=False)


def _read_weights(batch: Batch, name: str) -> NDArray[np.float64]:
    import pyarrow as pa

    column = batch.table.column(name)
    try:
        weight = column.cast(pa.float64()).to_numpy(zero_copy_only=False)
    except (pa.ArrowException, TypeError) as error:
        raise TableError(
            f"{batch.where}: the weight column {name!r} must hold numbers, got {column.type}"
        ) from error
    allowed = (weight >= 0) & (weight < math.inf)
    if not allowed.all():
        row = int(np.argmin(allowed))
        raise TableError(
            f"{batch.where}: the weight column {name!r} must be finite and at least 0, got "
            f"{weight[row]} in row {batch.first + row} of the table"
        )
    return np.array(weight, dtype=np.float64)
