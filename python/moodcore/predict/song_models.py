"""A saved model that takes songs, and how right it is about labelled ones."""

from __future__ import annotations

import os
from typing import Any

from moodcore.metrics import Evaluation, class_names, evaluate_model


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
