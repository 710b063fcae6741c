"""One model without a search: trained, tested, saved."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from moodcore.metrics import Evaluation
from moodcore.runs.data import Songs, load, split
from moodcore.runs.space import check_arguments
from moodcore.songs.features import check_features
from moodcore.tuning.describe import describe_data
from moodcore.tuning.refit import evaluate_test, refit, save
from moodcore.tuning.settings import Settings


def train(
    settings: Settings,
    arguments: Mapping[str, Any],
    path: str | os.PathLike[str],
    *,
    on_songs: Callable[[Songs], None] | None = None,
) -> Evaluation:
    """Train one model on four fifths of the songs, test it on the rest, and save it.

    Parameters
    ----------
    settings : Settings
        Of which the data, `model`, `features` and `seed` count.
    arguments : mapping of str to Any
        Arguments of the model; the others have their defaults.
    path : str or path-like
        The model's file.
    on_songs : callable, optional
        Called with the songs before training.

    Raises
    ------
    ConfigError
        For unknown names and values that the model refuses.
    """
    check_features(settings.features)
    check_arguments(settings.family, arguments)
    songs = load(settings)
    if on_songs:
        on_songs(songs)
    parts = split(songs, settings.seed)
    trained = refit(parts, arguments, settings)
    test = evaluate_test(trained, parts)
    described = {
        "settings": settings.to_dict() | {"grid": dict(arguments)},
        "data": describe_data(songs, parts, songs.fingerprint()),
        "test": test.to_dict(),
    }
    save(trained, path, described)
    return test
