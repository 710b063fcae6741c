"""Song columns by the names that people give them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from moodcore.songs.schema import DURATION, FEATURES, LABEL, URI
from moodcore.tables.text_files import plain_name

if TYPE_CHECKING:
    import pandas as pd

# In lower case with single spaces (see `plain_name`); the name of the schema comes first.
ALIASES: Final[dict[str, tuple[str, ...]]] = {
    DURATION: (
        *("duration ms", "length", "duration", "length ms", "track duration ms"),
        *("track duration", "dur"),
    ),
    "danceability": ("danceability", "dance", "dnce"),
    "energy": ("energy", "nrgy"),
    "loudness": ("loudness", "loudness db", "db"),
    "speechiness": ("speechiness", "speech", "spch"),
    "acousticness": ("acousticness", "acoustic", "acous"),
    "instrumentalness": ("instrumentalness", "instrumental"),
    "liveness": ("liveness", "live"),
    "valence": ("valence", "val"),
    "tempo": ("tempo", "bpm", "beats per minute"),
    "spec_rate": ("spec rate",),
    LABEL: ("labels", "label", "mood", "emotion", "moods", "emotions"),
    URI: (
        *("uri", "track uri", "spotify uri", "spotify track uri", "track id", "spotify id"),
        *("spotify track id", "song id", "id"),
    ),
}
# Fewer features than this are no songs: other tables have columns like "energy" or "length" too.
_FEWEST_FEATURES = 4


@dataclass(frozen=True)
class SongColumns:
    """The columns of a table that belong to songs.

    Attributes
    ----------
    names : dict of str to str
        The column of the table for each column of the schema that it has; ``names["labels"]`` is
        that of the labels, ``names["uri"]`` that of the identifiers.
    other_labels : tuple of str
        Further columns that could be the labels.
    extra : tuple of str
        Columns that are none of songs.
    """

    names: dict[str, str]
    other_labels: tuple[str, ...]
    extra: tuple[str, ...]

    @property
    def features(self) -> list[str]:
        """The duration and features that are there, in the order of the schema."""
        return [name for name in (DURATION, *FEATURES) if name in self.names]

    @property
    def is_songs(self) -> bool:
        """Whether there are enough features for a table of songs."""
        return sum(name in self.names for name in FEATURES) >= _FEWEST_FEATURES

    @property
    def renamed(self) -> dict[str, str]:
        """The columns that have another name than in the schema."""
        return {name: own for name, own in self.names.items() if name != own}


def recognize(columns: Sequence[str]) -> SongColumns:
    """Find the columns of songs among the names of a table's columns, in any common spelling.

    Parameters
    ----------
    columns : sequence of str
        The names of the table.

    Examples
    --------
    >>> recognize(["Track URI", "Danceability", "duration_ms", "BPM"]).names
    {'duration (ms)': 'duration_ms', 'danceability': 'Danceability', 'tempo': 'BPM',
     'uri': 'Track URI'}
    """
    plain: dict[str, str] = {}
    for column in columns:
        plain.setdefault(plain_name(column), str(column))
    names = {}
    for name, aliases in ALIASES.items():
        own = name if name in columns else next((plain[a] for a in aliases if a in plain), None)
        if own is not None:
            names[name] = own
    used = set(names.values())
    others = [plain[alias] for alias in ALIASES[LABEL] if alias in plain]
    extra = [str(c) for c in columns if c not in used and not plain_name(c).startswith("unnamed")]
    return SongColumns(
        names, tuple(other for other in others if other not in used), tuple(filter(None, extra))
    )


def recognize_frame(frame: pd.DataFrame) -> SongColumns:
    """Find the columns of songs in a table, also identifiers in a column without a name.

    Parameters
    ----------
    frame : DataFrame
        The table as it was read.
    """
    columns = recognize([str(name) for name in frame.columns])
    if URI in columns.names or not len(frame):
        return columns
    for name in frame.columns:
        if plain_name(name).startswith("unnamed") and _is_track(frame[name].iloc[0]):
            return SongColumns(
                {**columns.names, URI: str(name)}, columns.other_labels, columns.extra
            )
    return columns


def _is_track(value: Any) -> bool:
    return isinstance(value, str) and value.startswith("spotify:track:")
