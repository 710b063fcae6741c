"""The data set of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from moodcore.runs.seeds import Stream, derive
from moodcore.runs.settings import RunSettings

if TYPE_CHECKING:
    from moodcore.tables import Dataset


def load(settings: RunSettings, table: Any = None, y: Any = None) -> Dataset:
    """Read or make the data set that the settings describe (see `load_dataset`)."""
    from moodcore.datasets import load_dataset

    return load_dataset(
        settings.data if table is None else table,
        settings.target,
        y=y,
        test=settings.test,
        features=settings.features,
        drop=settings.drop,
        id=settings.id,
        rows=settings.rows,
        on_bad_rows=settings.on_bad_rows,
        duplicates=settings.duplicates,
        folds=settings.folds,
        seed=derive(settings.seed, Stream.SONGS),
    )
