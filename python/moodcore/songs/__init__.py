"""Songs and their moods: schema of the table, reading, synthetic songs, pipeline.

Examples
--------
>>> from moodcore import songs
>>> X, y = songs.synthesize(1000, random_state=0)
>>> X.shape, [songs.LABEL_NAMES[code] for code in sorted(set(y))]
((1000, 11), ['sad', 'happy', 'energetic', 'calm'])
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from moodcore.songs.schema import (
    CLASS_COUNTS,
    CORRELATED,
    DURATION,
    FEATURES,
    LABEL,
    LABEL_NAMES,
    N_SONGS,
    RANGES,
    SELECTED_FEATURES,
    SYNTHETIC_URI,
    URI,
)

if TYPE_CHECKING:
    from moodcore.songs.loading import SongTable, load, read
    from moodcore.songs.problems import Problem, RowReport, SongTableError
    from moodcore.songs.song_pipeline import SongPipeline, pipeline
    from moodcore.songs.synthesis import synthesize

__all__ = [
    "CLASS_COUNTS",
    "CORRELATED",
    "DURATION",
    "FEATURES",
    "LABEL",
    "LABEL_NAMES",
    "N_SONGS",
    "RANGES",
    "SELECTED_FEATURES",
    "SYNTHETIC_URI",
    "URI",
    "Problem",
    "RowReport",
    "SongPipeline",
    "SongTable",
    "SongTableError",
    "load",
    "pipeline",
    "read",
    "synthesize",
]

# The schema is light; pandas, SciPy and scikit-learn come with what needs them.
_HOMES = {
    "Problem": "problems",
    "RowReport": "problems",
    "SongPipeline": "song_pipeline",
    "SongTable": "loading",
    "SongTableError": "problems",
    "load": "loading",
    "pipeline": "song_pipeline",
    "read": "loading",
    "synthesize": "synthesis",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"moodcore.songs.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'moodcore.songs' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
