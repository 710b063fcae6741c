"""One model without a search: trained, tested, saved."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from moodcore.metrics import Evaluation
from moodcore.runs.data import load
from moodcore.runs.describe import describe_data
from moodcore.runs.folds import split
from moodcore.runs.models import save_model
from moodcore.runs.space import check_arguments
from moodcore.tuning.refit import evaluate_test, refit
from moodcore.tuning.settings import TuneSettings
from moodcore.tuning.train_files import FileOptions, train_on_files

if TYPE_CHECKING:
    from moodcore.tables import Dataset


def train(
    settings: TuneSettings,
    arguments: Mapping[str, Any],
    path: str | os.PathLike[str],
    *,
    files: FileOptions | None = None,
    on_data: Callable[[Dataset], object] = lambda _: None,
    on_progress: Callable[[str], object] = lambda _: None,
) -> Evaluation:
    """Train one model on the training rows, test it on the others, and save it.

    Folders and large Parquet files are read in batches (see `train_files`), in the way that
    ``files`` describes.

    Raises
    ------
    ConfigError
        For unknown names and values that the model refuses.
    """
    check_arguments(settings.family, arguments)
    files = files or FileOptions()
    if files.are_used(settings):
        model, test, data = train_on_files(settings, arguments, files, on_progress)
        chosen = settings.to_dict() | {"grid": dict(arguments)}
        save_model(model, path, {"settings": chosen, "data": data, "test": test.to_dict()})
        return test
    dataset = load(settings)
    on_data(dataset)
    parts = split(dataset, settings.seed)
    model = refit(dataset, parts, settings.model, arguments, settings)
    test = evaluate_test(model, dataset, parts)
    described = {
        "settings": settings.to_dict() | {"grid": dict(arguments)},
        "data": describe_data(dataset, len(parts.y_train), len(parts.y_test)),
        "test": test.to_dict(),
    }
    save_model(model, path, described)
    return test
