"""Songs as a `Dataset`, read from a table or synthetic, with the pipeline of the experiment."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from moodcore.errors import ConfigError, unknown_name
from moodcore.songs.loading import SongTable, read
from moodcore.songs.problems import rows
from moodcore.songs.schema import (
    CLASS_COUNTS,
    DURATION,
    FEATURE_CHOICES,
    FEATURES,
    LABEL,
    LABEL_NAMES,
    N_SONGS,
    SELECTED_FEATURES,
)
from moodcore.tables.dataset import Dataset
from moodcore.tables.loading import RawTable

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

# The embedded songs are one table: the seed of a run changes what is done with it, not the table.
_EMBEDDED_SEED = 0
# Different rows per identifier, on average; with more, it identifies something else than songs.
_MOST_VERSIONS = 1.1
_SHOWN = 4


@dataclass(frozen=True)
class SongDataset(Dataset):
    """A table of songs with the duration and up to ten features.

    Attributes
    ----------
    label_names : tuple of str
        Name of each label code; some codes may not occur.
    """

    label_names: tuple[str, ...] = LABEL_NAMES

    def fingerprint(self) -> str:
        """Return the SHA-256 of the columns' names, the values and the labels."""
        digest = hashlib.sha256()
        digest.update(repr([str(name) for name in self.X.columns]).encode())
        digest.update(np.ascontiguousarray(self.X.to_numpy(dtype="<f8")).tobytes())
        digest.update(self.y.astype("<i8").tobytes())
        if self.label_names != LABEL_NAMES:
            digest.update(repr(self.label_names).encode())
        return digest.hexdigest()

    def check_features(self, features: str | Sequence[str] | None) -> list[str] | None:
        """Return the names of the features that are chosen; None for a choice by correlation."""
        if features == "uncorrelated":
            return None
        if features is None or isinstance(features, str):
            if features not in (None, *FEATURE_CHOICES):
                raise unknown_name("features", str(features), FEATURE_CHOICES)
            chosen = FEATURES if features == "all" else SELECTED_FEATURES
            return [name for name in chosen if name in self.X.columns]
        if not len(features):
            raise ConfigError("features must name at least one, got none")
        for name in features:
            if name not in (DURATION, *FEATURES):
                raise unknown_name("features: name", name, (DURATION, *FEATURES))
            if name not in self.X.columns:
                raise ConfigError(
                    f"features: {self.source} has no column {name!r}; "
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
            label_names=self.label_names,
            random_state=random_state,
        )


def embedded_songs(n_songs: int | None = None) -> SongDataset:
    """Return the embedded synthetic songs, or this many of their kind."""
    from moodcore.songs.synthesis import synthesize

    n_songs = n_songs or N_SONGS
    X, y = synthesize(n_songs, random_state=_EMBEDDED_SEED)
    source = f"embedded synthetic songs ({n_songs:,})"
    codes = np.asarray(y, dtype=np.int64)
    return SongDataset(X, codes, _names(codes, LABEL_NAMES), LABEL, source, "songs", synthetic=True)


def song_dataset(table: RawTable, *, test: RawTable | None = None, **options: Any) -> SongDataset:
    """Return a table of labeled songs as a dataset (options: those of `moodcore.songs.read`)."""
    songs = _read(table, **options)
    assert songs.y is not None, "labels are required"
    codes = songs.y.to_numpy(np.int64)
    groups, notes = _copies(songs)
    dataset = SongDataset(
        songs.X,
        codes,
        _names(codes, songs.label_names),
        LABEL,
        songs.source,
        "songs",
        synthetic=songs.synthetic,
        notes=(*_lines(songs), *songs.notes, *notes),
        ids=songs.uri,
        groups=groups,
        label_names=songs.label_names,
    )
    if test is None:
        return dataset
    names = list(songs.X.columns)
    held_out = _read(test, **options, columns=names, label_names=songs.label_names)
    assert held_out.y is not None, "labels are required"
    return replace(dataset, test=(held_out.X, held_out.y.to_numpy(np.int64)))


def _read(table: RawTable, **options: Any) -> SongTable:
    with warnings.catch_warnings():
        # What was dropped is in the notes.
        warnings.simplefilter("ignore", UserWarning)
        return read(table, **options)


def _lines(songs: SongTable) -> list[str]:
    return [line for line in str(songs.report).splitlines() if line.strip()]


def _names(codes: NDArray[Any], label_names: Sequence[str]) -> tuple[str, ...]:
    return tuple(label_names[code] for code in np.unique(codes).tolist())


def _is_published(songs: SongTable) -> bool:
    """Return whether the class sizes are those of the published table.

    Its rows are split one by one, as in the publications.
    """
    assert songs.y is not None, "labels are required"
    counts = np.bincount(songs.y, minlength=len(CLASS_COUNTS)).tolist()
    return songs.label_names == LABEL_NAMES and tuple(counts) == CLASS_COUNTS


def _copies(songs: SongTable) -> tuple[NDArray[np.intp] | None, list[str]]:
    """Return a number for each song, the same for copies, and notes about them.

    Copies have the same identifier, or the same value in every column.
    """
    import pandas as pd
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    if not songs.X.duplicated().any() and (songs.uri is None or songs.uri.is_unique):
        return None, []
    if _is_published(songs):
        return None, []
    by_values = songs.X.groupby(list(songs.X.columns), sort=False).ngroup().to_numpy()
    keys = [by_values]
    if songs.uri is not None:
        by_id, distinct = pd.factorize(songs.uri)
        # Identifiers of something else, such as playlists, are shared by many different songs.
        pairs = len(set(zip(by_id.tolist(), by_values.tolist(), strict=True)))
        if len(distinct) and pairs <= _MOST_VERSIONS * len(distinct):
            unique = np.arange(len(by_id)) + len(distinct)
            keys.append(np.where(by_id < 0, unique, by_id))
    n_songs = len(songs.X)
    if all(len(np.unique(key)) == n_songs for key in keys):
        return None, []
    links = [pd.Series(np.arange(n_songs)).groupby(key).transform("first") for key in keys]
    ends = np.concatenate(links)
    starts = np.tile(np.arange(n_songs), len(links))
    graph = coo_array((np.ones(len(ends), dtype=bool), (starts, ends)), shape=(n_songs, n_songs))
    groups = connected_components(graph, directed=False)[1].astype(np.intp)
    repeats = n_songs - len(np.unique(groups))
    notes = [f"{rows(repeats)} with copies of other songs: kept on one side of every split"]
    assert songs.y is not None, "labels are required"
    moods = songs.y.groupby(groups).nunique()
    conflicts = np.flatnonzero(moods.to_numpy() > 1)
    if len(conflicts):
        first = np.flatnonzero(groups == conflicts[0])[:_SHOWN]
        labels = ", ".join(
            f"row {songs.X.index[row]} {songs.label_names[songs.y.iloc[row]]!r}" for row in first
        )
        notes.append(f"songs whose copies have different labels: {len(conflicts):,} ({labels})")
    return groups, notes
