"""The songs of a run: read or made, counted, and split once."""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from moodcore.errors import ConfigError
from moodcore.runs.seeds import Stream, derive

if TYPE_CHECKING:
    import pandas as pd

# The embedded songs are one table: --seed changes what is done with it, not the table.
EMBEDDED_SEED = 0
TEST_FRACTION = 0.2


class Wanted(Protocol):
    """Settings of any run that say which songs it is about (see `moodcore.tuning.settings`)."""

    @property
    def data(self) -> str | None:
        """File of songs; None means the embedded synthetic songs."""

    @property
    def on_bad_rows(self) -> Literal["strict", "drop"]:
        """What to do with unusable rows."""

    @property
    def duplicates(self) -> Literal["keep", "drop"]:
        """What to do with repeated rows."""

    @property
    def songs(self) -> int | None:
        """How many songs to use; None means all."""

    @property
    def folds(self) -> int:
        """Parts of the cross-validation."""

    @property
    def seed(self) -> int:
        """Seed of the run."""


@dataclass(frozen=True)
class Songs:
    """The songs of a run.

    Attributes
    ----------
    X : DataFrame of shape (n_songs, n_columns)
        Duration and features.
    y : ndarray of shape (n_songs,)
        Label codes.
    source : str
        Where they come from, in words.
    synthetic : bool
        Whether they were made by `moodcore.songs.synthesize`.
    notes : tuple of str
        What was dropped while reading.
    uri : Series of str, shape (n_songs,), or None
        Where each song is found, if the file says so.
    """

    X: pd.DataFrame
    y: NDArray[np.int64]
    source: str
    synthetic: bool
    notes: tuple[str, ...] = ()
    uri: pd.Series[str] | None = None

    def fingerprint(self) -> str:
        """Return the SHA-256 of the columns' names, the values and the labels."""
        digest = hashlib.sha256()
        digest.update(repr([str(name) for name in self.X.columns]).encode())
        digest.update(np.ascontiguousarray(self.X.to_numpy(dtype="<f8")).tobytes())
        digest.update(self.y.astype("<i8").tobytes())
        return digest.hexdigest()


@dataclass(frozen=True)
class Split:
    """The training part and the test part, which is touched once."""

    X_train: pd.DataFrame
    y_train: NDArray[np.int64]
    X_test: pd.DataFrame
    y_test: NDArray[np.int64]


def load(settings: Wanted) -> Songs:
    """Read or make the songs that the settings ask for.

    Raises
    ------
    ValueError
        If the file is not a table of songs, or holds too few.
    OSError
        If it cannot be read.
    """
    from moodcore import songs

    if settings.data is None:
        n_songs = settings.songs or songs.N_SONGS
        X, y = songs.synthesize(n_songs, random_state=EMBEDDED_SEED)
        found = Songs(X, _codes(y), f"embedded synthetic songs ({n_songs:,})", True)
    else:
        with warnings.catch_warnings():
            # What was dropped goes into the notes, and from there into the report.
            warnings.simplefilter("ignore", UserWarning)
            table = songs.read(
                settings.data, on_bad_rows=settings.on_bad_rows, duplicates=settings.duplicates
            )
        notes = tuple(line for line in str(table.report).splitlines() if line.strip())
        found = Songs(table.X, _codes(table.y), table.source, table.synthetic, notes, table.uri)
        if settings.songs is not None:
            found = _part(found, settings.songs, settings.seed)
    _check_counts(found, settings)
    return found


def _codes(y: pd.Series[int] | None) -> NDArray[np.int64]:
    if y is None:
        raise ConfigError("the songs have no labels, and there is nothing to learn without them")
    return np.asarray(y, dtype=np.int64)


def _part(songs: Songs, n_songs: int, seed: int) -> Songs:
    """Return `n_songs` of the songs, in their order, with the classes in proportion."""
    from sklearn.model_selection import train_test_split

    if n_songs > len(songs.y):
        raise ConfigError(f"songs: {n_songs:,} asked for, but {songs.source} has {len(songs.y):,}")
    if n_songs == len(songs.y):
        return songs
    rows, _ = train_test_split(
        np.arange(len(songs.y)),
        train_size=n_songs,
        stratify=songs.y,
        random_state=derive(seed, Stream.SONGS),
    )
    rows.sort()
    note = f"{n_songs:,} of {len(songs.y):,} songs, drawn at random within each class"
    return replace(
        songs,
        X=songs.X.iloc[rows],
        y=songs.y[rows],
        notes=(*songs.notes, note),
        uri=None if songs.uri is None else songs.uri.iloc[rows],
    )


def _check_counts(songs: Songs, settings: Wanted) -> None:
    codes, counts = np.unique(songs.y, return_counts=True)
    if len(codes) < 2:
        raise ConfigError(f"{songs.source}: all songs have the label {codes[0]}; two are needed")
    # Every fold of the training part needs each class in training and in validation.
    least = 2 * settings.folds
    if counts.min() < least:
        raise ConfigError(
            f"{songs.source}: label {codes[counts.argmin()]} has {counts.min()} "
            f"song{'' if counts.min() == 1 else 's'}, but "
            f"{settings.folds} folds need at least {least} of every label"
        )


def split(songs: Songs, seed: int) -> Split:
    """Put aside a stratified fifth of the songs for the test."""
    train, test = split_rows(songs.y, seed)
    return Split(songs.X.iloc[train], songs.y[train], songs.X.iloc[test], songs.y[test])


def split_rows(
    y: NDArray[Any], seed: int, *, test_size: float = TEST_FRACTION
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the positions of the rows to learn from, and of those put aside, both ascending."""
    from sklearn.model_selection import train_test_split

    train, test = train_test_split(
        np.arange(len(y)),
        test_size=test_size,
        stratify=y,
        random_state=derive(seed, Stream.SPLIT),
    )
    train.sort()
    test.sort()
    return train, test
