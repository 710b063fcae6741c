"""Songs as a `Dataset`: read or made, with the experiment's pipeline."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from moodcore.errors import ConfigError
from moodcore.songs.schema import FEATURES, LABEL, LABEL_NAMES, N_SONGS, SELECTED_FEATURES
from moodcore.tables.dataset import Dataset

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

# The embedded songs are one table: the seed of a run changes what is done with it, not the table.
_EMBEDDED_SEED = 0


class SongDataset(Dataset):
    """A table of songs with the duration and up to ten features."""

    def fingerprint(self) -> str:
        """Return the SHA-256 of the columns' names, the values and the labels."""
        digest = hashlib.sha256()
        digest.update(repr([str(name) for name in self.X.columns]).encode())
        digest.update(np.ascontiguousarray(self.X.to_numpy(dtype="<f8")).tobytes())
        labels = self.y.astype("<i8") if self.y.dtype.kind in "biu" else self.y.astype(np.str_)
        digest.update(labels.tobytes())
        return digest.hexdigest()

    def check_features(self, features: str | Sequence[str] | None) -> list[str] | None:
        """Return the names of the features that are chosen; None for a choice by correlation."""
        from moodcore.songs.features import check_features

        if features == "uncorrelated":
            return None
        if features is None or isinstance(features, str):
            check_features(features or "published")
            chosen = FEATURES if features == "all" else SELECTED_FEATURES
            return [name for name in chosen if name in self.X.columns]
        check_features(tuple(features))
        absent = [name for name in features if name not in self.X.columns]
        if absent:
            raise ConfigError(
                f"features: {self.source} has no column {', '.join(map(repr, absent))}; "
                f"it has {', '.join(map(repr, self.X.columns))}"
            )
        return list(features)

    def pipeline(
        self,
        estimator: Any,
        *,
        features: str | Sequence[str] | None = None,
        balance: bool = False,
        random_state: Any = None,
    ) -> Pipeline:
        """Return the unfitted pipeline of the experiment (see `moodcore.songs.pipeline`)."""
        from moodcore.preprocessing import CorrelationFilter
        from moodcore.songs.song_pipeline import pipeline

        chosen = self.check_features(features)
        return pipeline(
            estimator,
            features=CorrelationFilter() if chosen is None else chosen,
            balance=balance,
            label_names=LABEL_NAMES if self.y.dtype.kind in "iu" else self.class_names,
            random_state=random_state,
        )


def embedded_songs(n_songs: int | None = None) -> SongDataset:
    """Return the embedded synthetic songs, or this many of their kind."""
    from moodcore.songs.synthesis import synthesize

    n_songs = n_songs or N_SONGS
    X, y = synthesize(n_songs, random_state=_EMBEDDED_SEED)
    source = f"embedded synthetic songs ({n_songs:,})"
    codes = np.asarray(y, dtype=np.int64)
    return SongDataset(X, codes, _names(codes), LABEL, source, "songs", synthetic=True)


def song_dataset(data: Any, *, test: Any = None, **options: Any) -> SongDataset:
    """Read a table of labeled songs (see `moodcore.songs.read`)."""
    import warnings

    from moodcore.songs.loading import read

    with warnings.catch_warnings():
        # What was dropped is in the notes.
        warnings.simplefilter("ignore", UserWarning)
        table = read(data, **options)
    assert table.y is not None, "labels are required"
    codes = np.asarray(table.y, dtype=np.int64)
    notes = tuple(line for line in str(table.report).splitlines() if line.strip())
    songs = SongDataset(
        table.X,
        codes,
        _names(codes),
        LABEL,
        table.source,
        "songs",
        synthetic=table.synthetic,
        notes=notes,
        ids=table.uri,
    )
    if test is None:
        return songs
    held_out = song_dataset(test, **options)
    return replace(songs, test=(held_out.X, held_out.y))


def _names(codes: Any) -> tuple[str, ...]:
    return tuple(LABEL_NAMES[code] for code in np.unique(codes).tolist())
