"""A saved model on a table of songs: labels, probabilities, and how right they are."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from moodcore._atomic import is_parquet
from moodcore.evaluation import Evaluation, evaluate_model

if TYPE_CHECKING:
    import pandas as pd

LABEL_COLUMN = "predicted_label"
PROBABILITY_COLUMN = "probability_{}"


def load_song_model(path: str | os.PathLike[str]) -> Any:
    """Load a model that takes songs.

    Parameters
    ----------
    path : str or path-like
        File written by `SongPipeline.save`.

    Returns
    -------
    SongPipeline

    Raises
    ------
    ModelFileError
        If the file is no model, or damaged.
    ValueError
        If it holds a model that is not a pipeline for songs.
    OSError
        If it cannot be read.
    """
    from moodcore import load
    from moodcore.songs import SongPipeline

    model = load(path)
    if not isinstance(model, SongPipeline):
        raise ValueError(
            f"{path}: holds a {type(model).__name__}, which does not know how songs are prepared; "
            "allowed is a song pipeline, as moodcore tune and moodcore train write it"
        )
    return model


def predict_songs(
    model: Any, path: str | os.PathLike[str], *, as_text: bool = False
) -> pd.DataFrame:
    """Add the label, and the probabilities, to every song of a file.

    Parameters
    ----------
    model : SongPipeline
        A fitted pipeline.
    path : str or path-like
        CSV or Parquet; columns in any order; labels, where there are any, are not looked at.
    as_text : bool, default=False
        Keep the columns of a CSV file as the text that they were.

    Returns
    -------
    DataFrame
        The table as it was read, then `predicted_label` (the name) and one
        `probability_<name>` per class, in [0, 1]; from models that give no probabilities, the
        label alone.

    Raises
    ------
    ValueError
        If columns are missing or hold unusable values.
    OSError
        If the file cannot be read.
    """
    from moodcore import songs

    table = songs.read(path, labels="ignore", columns=needed_columns(model))
    names = class_names(model)
    if hasattr(model, "predict_proba"):
        probabilities = model.predict_proba(table.X)
        codes = probabilities.argmax(axis=1)
    else:
        probabilities = np.empty((len(table.X), 0))
        codes = np.searchsorted(model.classes_, model.predict(table.X))
    added = {LABEL_COLUMN: np.array(names, dtype=object)[codes]}
    for name, column in zip(names, probabilities.T, strict=False):
        added[PROBABILITY_COLUMN.format(name)] = column
    raw = _read_raw(Path(path), as_text=as_text)
    return raw.drop(columns=[name for name in added if name in raw]).assign(**added)


def evaluate_songs(model: Any, path: str | os.PathLike[str]) -> Evaluation:
    """Test a model on a file of labelled songs.

    Parameters
    ----------
    model : SongPipeline
        A fitted pipeline.
    path : str or path-like
        CSV or Parquet with labels.

    Raises
    ------
    ValueError
        If columns are missing, hold unusable values, or a label is unknown to the model.
    OSError
        If the file cannot be read.
    """
    from moodcore import songs

    table = songs.read(
        path, labels="required", columns=needed_columns(model), label_names=model.label_names
    )
    assert table.y is not None, "labels are required"
    return evaluate_model(model, table.X, table.y.to_numpy(), class_names=class_names(model))


def needed_columns(model: Any) -> list[str]:
    """Return the feature columns that a fitted song pipeline takes."""
    return [str(name) for name in model.feature_names_in_]


def class_names(model: Any) -> list[str]:
    """Return the names of the classes of a fitted song pipeline, in their order."""
    names = model.label_names
    return [
        names[code] if 0 <= code < len(names) else str(code) for code in model.classes_.tolist()
    ]


def _read_raw(path: Path, *, as_text: bool) -> pd.DataFrame:
    import pandas as pd

    if is_parquet(path):
        return pd.read_parquet(path)
    return pd.read_csv(path, dtype=str, keep_default_na=False) if as_text else pd.read_csv(path)
