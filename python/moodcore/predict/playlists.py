"""The surest songs of each mood, in an order in which neighbours are alike."""

from __future__ import annotations

import heapq
import os
import re
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from moodcore.errors import missing_columns
from moodcore.files import write_table, write_text
from moodcore.predict.columns import to_numbers
from moodcore.predict.files import CatalogueError, Source, find_sources
from moodcore.predict.reading import open_source
from moodcore.predict.scoring import Scorer
from moodcore.songs.schema import URI

if TYPE_CHECKING:
    import pandas as pd

# What neighbours are to be alike in, and how far apart two songs are that differ by one.
_ORDERED_BY = {"tempo": 20.0, "energy": 0.2}


@dataclass(frozen=True)
class Playlist:
    """The songs of one mood.

    Attributes
    ----------
    mood : str
    songs : DataFrame
        `uri`, `probability`, `tempo` (BPM) and `energy`, in the order of playing.
    """

    mood: str
    songs: pd.DataFrame


def make_playlists(
    model: Any,
    source: str | os.PathLike[str],
    *,
    per_mood: int = 50,
    min_probability: float = 0.0,
    left_out: Counter[str] | None = None,
) -> list[Playlist]:
    """Choose the surest songs of each mood.

    Parameters
    ----------
    model : SongPipeline
        A fitted pipeline that gives probabilities.
    source : path
        Files of songs with `uri`, `tempo` and `energy`, as for `moodcore.predict.score`. Songs
        with unusable values or without `uri` are left out.
    per_mood : int, default=50
        Songs of a mood at most, at least 1.
    min_probability : float, default=0.0
        Songs of which the model is less sure are left out; in [0, 1].
    left_out : Counter, optional
        Is told how many songs could not be used, by column and reason.

    Returns
    -------
    list of Playlist
        One a mood, in the order of the model's classes; a mood without songs has an empty one.
        A song, told by its `uri`, is in one playlist, once.

    Raises
    ------
    CatalogueError
        When columns are missing or a file is damaged.
    ValueError
        When the model gives no probabilities, or a number is not as above.
    """
    if per_mood < 1:
        raise ValueError(f"per_mood must be at least 1, got {per_mood}")
    if not 0 <= min_probability <= 1:
        raise ValueError(f"min_probability must be in [0, 1], got {min_probability}")
    if not hasattr(model, "predict_proba"):
        raise ValueError(
            "the model gives no probabilities, so that no song is surer than another; train an "
            "MLP, a GBT, or an SVM with probability=True"
        )
    scorer = Scorer(model, [URI, *_ORDERED_BY], null_rows=False)
    best: list[_Best] = [_Best(per_mood) for _ in scorer.names]
    unusable: Counter[str] = Counter() if left_out is None else left_out
    for one in find_sources(os.fspath(source)):
        _collect(scorer, one, min_probability, best, unusable)
    return [
        Playlist(name, _in_order(found.frame()))
        for name, found in zip(scorer.names, best, strict=True)
    ]


class _Best:
    """The surest songs so far, each once."""

    def __init__(self, most: int) -> None:
        self._most = most
        # The least sure first; of equals, the one that came last.
        self._heap: list[tuple[float, int, str, float, float]] = []
        self._seen: dict[str, float] = {}
        self._count = 0

    def offer(self, probability: float, song: tuple[str, float, float]) -> None:
        self._count += 1
        uri = song[0]
        if uri in self._seen:
            return
        entry = (probability, -self._count, *song)
        if len(self._heap) < self._most:
            heapq.heappush(self._heap, entry)
        elif entry > self._heap[0]:
            self._seen.pop(heapq.heapreplace(self._heap, entry)[2])
        else:
            return
        self._seen[uri] = probability

    @property
    def least(self) -> float:
        """What a song must be surer than to come in."""
        return self._heap[0][0] if len(self._heap) == self._most else -1.0

    def frame(self) -> pd.DataFrame:
        import pandas as pd

        rows = sorted(self._heap, reverse=True)
        columns = ["probability", "place", URI, *_ORDERED_BY]
        return pd.DataFrame(rows, columns=columns)[[URI, "probability", *_ORDERED_BY]]


def _collect(
    scorer: Scorer,
    source: Source,
    min_probability: float,
    best: Sequence[_Best],
    left_out: Counter[str],
) -> None:
    with closing(open_source(source)) as reader:
        missing = [name for name in scorer.wanted if name not in reader.columns]
        if missing:
            raise CatalogueError(f"{source.name}: {missing_columns(missing, reader.columns)}")
        for batch in reader.batches(scorer.wanted):
            scored = scorer.score(batch)
            left_out.update(one.told for one in scored.rejected)
            table = scored.table
            uri = table.column(URI).to_pylist()
            left_out.update(f"{URI}: missing" for one in uri if not one)
            numbers = {name: to_numbers(table.column(name).combine_chunks())[0]
                       for name in _ORDERED_BY}  # fmt: skip
            probabilities = np.column_stack(
                [table.column(f"probability_{name}").to_numpy() for name in scorer.names]
            )
            surest = probabilities.argmax(axis=1)
            for code, found in enumerate(best):
                own = probabilities[:, code]
                enough = (surest == code) & (own >= min_probability) & (own > found.least)
                for row in np.flatnonzero(enough):
                    if uri[row]:
                        tempo, energy = (float(numbers[name][row]) for name in _ORDERED_BY)
                        found.offer(float(own[row]), (str(uri[row]), tempo, energy))


def _in_order(songs: pd.DataFrame) -> pd.DataFrame:
    """Put songs in an order in which neighbours are alike, from the calmest on."""
    places = np.column_stack([songs[name] / unit for name, unit in _ORDERED_BY.items()])
    if len(places) < 3:
        return songs
    path = _shortened(places, _nearest_next(places))
    return songs.iloc[path].reset_index(drop=True)


def _nearest_next(places: NDArray[np.float64]) -> list[int]:
    """Walk from the song of least energy to the nearest that is left, again and again."""
    path = [int(places[:, 1].argmin())]
    left = np.ones(len(places), dtype=bool)
    left[path[0]] = False
    while left.any():
        distance = np.where(left, np.linalg.norm(places - places[path[-1]], axis=1), np.inf)
        path.append(int(distance.argmin()))
        left[path[-1]] = False
    return path


def _shortened(places: NDArray[np.float64], path: list[int]) -> list[int]:
    """Turn round stretches of a path while that makes it shorter (2-opt, Croes 1958)."""
    order = np.array(path)
    for _ in range(len(order)):
        improved = False
        for start in range(1, len(order) - 1):
            walk = places[order]
            ends = np.arange(start + 1, len(order))
            before = np.linalg.norm(walk[start] - walk[start - 1])
            after = np.append(np.linalg.norm(walk[ends[:-1]] - walk[ends[:-1] + 1], axis=1), 0.0)
            new_before = np.linalg.norm(walk[ends] - walk[start - 1], axis=1)
            new_after = np.append(np.linalg.norm(walk[ends[:-1] + 1] - walk[start], axis=1), 0.0)
            gain = before + after - new_before - new_after
            if gain.max() > 1e-9:
                end = int(ends[gain.argmax()])
                order[start : end + 1] = order[start : end + 1][::-1]
                improved = True
        if not improved:
            break
    return [int(at) for at in order]


def write_playlists(playlists: Sequence[Playlist], folder: str | os.PathLike[str]) -> list[Path]:
    """Write each playlist as extended M3U and as CSV, under the name of its mood.

    Parameters
    ----------
    playlists : sequence of Playlist
    folder : path
        Made if it is not there; files of the same names are replaced.

    Returns
    -------
    list of Path
        The M3U files.

    Raises
    ------
    CatalogueError
        When there is a file of that name.
    OSError
        When the folder cannot be made or written.
    """
    target = Path(folder)
    if target.exists() and not target.is_dir():
        raise CatalogueError(f"{target}: is a file; playlists need a folder")
    target.mkdir(parents=True, exist_ok=True)
    written = []
    for one in playlists:
        stem = re.sub(r"[^\w-]+", "_", one.mood)
        lines = ["#EXTM3U", f"#PLAYLIST:{one.mood}"]
        for song in one.songs.itertuples():
            lines += [f"#EXTINF:-1,{one.mood} {song.probability:.3f}", str(song.uri)]
        write_text(target / f"{stem}.m3u", "\n".join(lines) + "\n")
        write_table(target / f"{stem}.csv", one.songs)
        written.append(target / f"{stem}.m3u")
    return written
