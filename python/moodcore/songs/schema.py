"""The columns of the song table: names, allowed values, labels.

The table is Kaggle's "278k Emotion Labeled Spotify Songs". The meaning of the columns is that of
Spotify's audio features; ``spec_rate`` is speechiness divided by duration.
"""

from typing import Final

from moodcore.tables.columns import Range

DURATION: Final = "duration (ms)"
LABEL: Final = "labels"
URI: Final = "uri"

FEATURES: Final = (
    "danceability",
    "energy",
    "loudness",
    "speechiness",
    "acousticness",
    "instrumentalness",
    "liveness",
    "valence",
    "tempo",
    "spec_rate",
)
# Each goes with a feature that stays: loudness and acousticness with energy, spec_rate with
# speechiness.
CORRELATED: Final = ("loudness", "spec_rate", "acousticness")
SELECTED_FEATURES: Final = tuple(name for name in FEATURES if name not in CORRELATED)

#: Choices of features by a word; "uncorrelated" leaves the choice to a filter.
FEATURE_CHOICES: Final = ("published", "all", "uncorrelated")

# As the data set documents them; the position is the code in the file.
LABEL_NAMES: Final = ("sad", "happy", "energetic", "calm")

N_SONGS: Final = 277_938
CLASS_COUNTS: Final = (82_058, 106_429, 47_065, 42_386)

# Synthetic songs that are kept in a file say so in their uri, which no real song's begins with.
SYNTHETIC_URI: Final = "synthetic:song:"


_DAY = 86_400_000
_SHARE = Range(0, 1)

# Wider than what the table holds where the measure has no end of its own (a song of three hours,
# a peak above 0 dB), narrow enough to catch percent for shares, negated decibels and most swapped
# columns; seconds for milliseconds cannot be told from very short songs.
RANGES: Final[dict[str, Range]] = {
    DURATION: Range(1, _DAY, "ms"),
    "danceability": _SHARE,
    "energy": _SHARE,
    "loudness": Range(-60, 10, "dB"),
    "speechiness": _SHARE,
    "acousticness": _SHARE,
    "instrumentalness": _SHARE,
    "liveness": _SHARE,
    "valence": _SHARE,
    "tempo": Range(0, 300, "BPM"),
    "spec_rate": Range(0, 1, "per ms"),
}
