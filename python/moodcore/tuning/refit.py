"""A chosen model on the whole training part, its one test, and its file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from moodcore.metrics import Evaluation, baselines, evaluate_model
from moodcore.runs.data import Split
from moodcore.runs.seeds import Stream, derive
from moodcore.songs.features import selection
from moodcore.tuning.describe import names_of
from moodcore.tuning.folds import preprocessing
from moodcore.tuning.settings import Settings

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline


@dataclass(frozen=True)
class Refit:
    """The training part as the model saw it, and the model.

    Attributes
    ----------
    model : SongPipeline or None
        The fitted pipeline; None if only the rows were prepared.
    transform : Pipeline
        Its preprocessing.
    rows : ndarray of int
        Positions in the training part that balancing kept.
    X : ndarray of shape (n_rows, n_features), float32
        Those rows, preprocessed.
    y : ndarray of shape (n_rows,)
        Their labels.
    """

    model: Any
    transform: Pipeline
    rows: NDArray[np.intp]
    X: NDArray[np.float32]
    y: NDArray[np.int64]


def refit(parts: Split, arguments: Mapping[str, Any], settings: Settings) -> Refit:
    """Train the song pipeline on the balanced training part.

    Parameters
    ----------
    parts : Split
        Of which the training part is used.
    arguments : mapping of str to Any
        Arguments of the model.
    settings : Settings
        Of which `model`, `features` and `seed` count.
    """
    from sklearn.pipeline import Pipeline

    from moodcore import songs

    seed = derive(settings.seed, Stream.REFIT)
    model = songs.pipeline(
        settings.family.estimator()(**arguments, random_state=seed),
        features=selection(settings.features),
        balance=True,
        random_state=seed,
    ).fit(parts.X_train, parts.y_train)
    return _with_rows(model, Pipeline(model.steps[:-1]), parts, seed)


def prepare(parts: Split, settings: Settings) -> Refit:
    """Return the balanced, preprocessed training part without a model."""
    transform = preprocessing(settings).fit(parts.X_train, parts.y_train)
    return _with_rows(None, transform, parts, derive(settings.seed, Stream.REFIT))


def _with_rows(model: Any, transform: Pipeline, parts: Split, seed: int) -> Refit:
    from moodcore.preprocessing import downsample

    rows = downsample(parts.y_train, random_state=seed).indices
    X = np.ascontiguousarray(transform.transform(parts.X_train.iloc[rows]), dtype=np.float32)
    return Refit(model, transform, rows, X, parts.y_train[rows])


def evaluate_test(trained: Refit, parts: Split) -> Evaluation:
    """Test the model on the test part."""
    names = names_of(parts.y_train)
    return evaluate_model(trained.model, parts.X_test, parts.y_test, class_names=names)


def evaluate_baselines(trained: Refit, parts: Split) -> dict[str, Evaluation]:
    """Test the baselines on the test part, with the model's preprocessing and rows."""
    return baselines(
        trained.transform.transform(parts.X_train),
        parts.y_train,
        trained.transform.transform(parts.X_test),
        parts.y_test,
        rows=trained.rows,
        class_names=names_of(parts.y_train),
    )


def save(trained: Refit, path: str | os.PathLike[str], metrics: Mapping[str, Any]) -> None:
    """Write the model with where it comes from.

    Parameters
    ----------
    trained : Refit
        With a model.
    path : str or path-like
        The model's file.
    metrics : mapping
        With `settings`, `data` and `test`, as in `metrics.json`.
    """
    from moodcore.model_files import container as model_file
    from moodcore.platform import versions

    provenance = {
        "versions": versions(),
        "settings": metrics["settings"],
        "source": metrics["data"]["source"],
        "synthetic": metrics["data"]["synthetic"],
        "sha256": metrics["data"]["sha256"],
        "test": metrics["test"],
    }
    model_file.save(trained.model, path, provenance=provenance)
