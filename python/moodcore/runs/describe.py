"""The data of a run as plain numbers, for `metrics.json` and the report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

    from moodcore.tables import Dataset

_STATISTICS: list[Any] = ["mean", "std", "min", "median", "max"]


def describe_data(dataset: Dataset, train_rows: int, test_rows: int) -> dict[str, Any]:
    """Return source, size, classes and columns of a data set."""
    return {
        "source": dataset.source,
        "synthetic": dataset.synthetic,
        "preset": dataset.preset,
        "target": dataset.target,
        "noun": dataset.noun,
        "notes": list(dataset.notes),
        "sha256": dataset.fingerprint(),
        "rows": len(dataset.y),
        "train_rows": train_rows,
        "test_rows": test_rows,
        "counts": class_counts(dataset, dataset.y),
        "columns": {str(name): _describe_column(dataset.X[name]) for name in dataset.X.columns},
    }


def class_counts(dataset: Dataset, y: NDArray[Any]) -> dict[str, int]:
    """Return the number of rows of each class, by name."""
    classes, counts = np.unique(y, return_counts=True)
    names = dict(zip(np.unique(dataset.y).tolist(), dataset.class_names, strict=True))
    return {
        names[label]: count for label, count in zip(classes.tolist(), counts.tolist(), strict=True)
    }


def _describe_column(column: Any) -> dict[str, Any]:
    from pandas.api.types import is_bool_dtype, is_numeric_dtype

    missing = int(column.isna().sum())
    found: dict[str, Any] = {"missing": missing} if missing else {}
    if is_numeric_dtype(column) and not is_bool_dtype(column):
        summary = column.astype(float).agg(_STATISTICS)
        return {name: float(summary[name]) for name in _STATISTICS} | found
    values = column.dropna()
    most = values.mode()
    top = str(most.iloc[0]) if len(most) else None
    return {"values": int(values.nunique()), "most_frequent": top} | found


def with_ids(table: pd.DataFrame, dataset: Dataset) -> pd.DataFrame:
    """Return the table with the identifier of each row after its column `row`, if there is one."""
    if dataset.ids is None or dataset.test is not None:
        return table
    ids = dataset.ids.reindex(table["row"]).to_numpy()
    table = table.copy()
    table.insert(1, "uri" if dataset.preset == "songs" else "id", ids)
    return table
