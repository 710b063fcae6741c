"""Playlists: the songs of each mood that the model is most sure of, similar songs in a row."""

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

from moodcore.errors import ConfigError, TableError, missing_columns
from moodcore.files import write_table, write_text
from moodcore.predict.inputs import InputFile, find_inputs
from moodcore.predict.model_columns import ModelColumns
from moodcore.predict.readers import RowError, open_input
from moodcore.predict.scorer import Scorer
from moodcore.predict.values import to_numbers
from moodcore.songs.schema import URI

if TYPE_CHECKING:
    import pandas as pd

# What neighbors should share, and the difference that counts as one.
_ORDERED_BY = {"tempo": 20.0, "energy": 0.2}


@dataclass(frozen=True)
class Playlist:
    """The songs of one mood.

    Attributes
    ----------
    mood : str
        Its name.
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
    """Choose the songs of each mood that the model is most sure of.

    Parameters
    ----------
    model : SongPipeline
        A fitted pipeline that gives probabilities.
    source : path
        Files of songs with `uri`, `tempo` and `energy` or their aliases, as for
        `moodcore.predict.score`. Songs with unusable values or without `uri` are left out.
    per_mood : int, default=50
        Largest number of songs per mood, at least 1.
    min_probability : float, default=0.0
        Songs with a lower probability are left out; in [0, 1].
    left_out : Counter, optional
        Receives the number of songs that could not be used, by column and reason.

    Returns
    -------
    list of Playlist
        One per mood, in the order of the model's classes; a mood without songs has an empty one.
        A song, identified by its `uri`, is in one playlist, once.

    Raises
    ------
    TableError
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
            "the model gives no probabilities, by which playlists choose songs; train an MLP, a "
            "GBT, or an SVM with probability=True"
        )
    chosen = _Chosen(model, per_mood, min_probability, Counter() if left_out is None else left_out)
    for file in find_inputs(os.fspath(source)):
        chosen.add(file)
    return [
        Playlist(name, _in_order(best.frame()))
        for name, best in zip(chosen.names, chosen.best, strict=True)
    ]


class _Best:
    """The songs with the highest probabilities so far, each once."""

    def __init__(self, most: int) -> None:
        self._most = most
        # The least probable first; of equals, the one that came last.
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
        """Probability that a song must exceed to come in."""
        return self._heap[0][0] if len(self._heap) == self._most else -1.0

    def frame(self) -> pd.DataFrame:
        import pandas as pd

        rows = sorted(self._heap, reverse=True)
        columns = ["probability", "place", URI, *_ORDERED_BY]
        return pd.DataFrame(rows, columns=columns)[[URI, "probability", *_ORDERED_BY]]


class _Chosen:
    """The songs chosen from files, by mood."""

    def __init__(
        self, model: Any, per_mood: int, min_probability: float, left_out: Counter[str]
    ) -> None:
        from moodcore.metrics import class_names

        self._model, self._min_probability, self._left_out = model, min_probability, left_out
        self.names = class_names(model)
        self.best = [_Best(per_mood) for _ in self.names]

    def add(self, file: InputFile) -> None:
        with closing(open_input(file)) as reader:
            columns = ModelColumns.find(self._model, reader.columns, file.name)
            missing = [name for name in (URI, *_ORDERED_BY) if name not in columns.names]
            if missing:
                raise TableError(f"{file.name}: {missing_columns(missing, reader.columns)}")
            own = [columns.names[name] for name in (URI, *_ORDERED_BY)]
            scorer = Scorer(self._model, columns, own)
            n_rows = 0
            for batch in reader.batches(scorer.wanted):
                try:
                    scored = scorer.score(batch)
                except RowError as error:
                    row = n_rows + error.row
                    raise TableError(f"{file.name}: row {row:,}: {error.reason}") from error
                n_rows += scored.n_rows
                self._left_out.update(row.summary for row in scored.bad)
                self._offer(scored.table, own)

    def _offer(self, table: Any, columns: Sequence[str]) -> None:
        uri = table.column(columns[0]).to_pylist()
        usable = [bool(name) and str(name).isprintable() for name in uri]
        self._left_out.update(
            f"{columns[0]}: {'not printable' if name else 'missing'}"
            for name, is_usable in zip(uri, usable, strict=True)
            if not is_usable
        )
        tempo, energy = (
            to_numbers(table.column(name).combine_chunks(), decimal_comma=True)[0]
            for name in columns[1:]
        )
        probabilities = np.column_stack(
            [table.column(f"probability_{name}").to_numpy() for name in self.names]
        )
        likeliest = probabilities.argmax(axis=1)
        for code, best in enumerate(self.best):
            p = probabilities[:, code]
            enough = (likeliest == code) & (p >= self._min_probability) & (p > best.least)
            for row in np.flatnonzero(enough & np.array(usable, bool)).tolist():
                song = (str(uri[row]), float(tempo[row]), float(energy[row]))
                best.offer(float(p[row]), song)


def _in_order(songs: pd.DataFrame) -> pd.DataFrame:
    """Sort songs so that neighbors are similar, starting with the calmest."""
    places = np.column_stack([songs[name] / unit for name, unit in _ORDERED_BY.items()])
    if len(places) < 3:
        return songs
    path = _shortened(places, _nearest_next(places))
    return songs.iloc[path].reset_index(drop=True)


def _nearest_next(places: NDArray[np.float64]) -> list[int]:
    """Walk from the song of least energy to the nearest remaining one, again and again."""
    path = [int(places[:, 1].argmin())]
    left = np.ones(len(places), dtype=bool)
    left[path[0]] = False
    while left.any():
        distance = np.where(left, np.linalg.norm(places - places[path[-1]], axis=1), np.inf)
        path.append(int(distance.argmin()))
        left[path[-1]] = False
    return path


def _shortened(places: NDArray[np.float64], path: list[int]) -> list[int]:
    """Reverse parts of a path while that makes it shorter (2-opt, Croes 1958)."""
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
        What `make_playlists` returned.
    folder : path
        Made if it does not exist; files of the same names are replaced.

    Returns
    -------
    list of Path
        The M3U files.

    Raises
    ------
    ConfigError
        When there is a file of that name.
    OSError
        When the folder cannot be made or written.
    """
    target = Path(folder)
    if target.exists() and not target.is_dir():
        raise ConfigError(f"{target}: is a file; playlists need a folder")
    target.mkdir(parents=True, exist_ok=True)
    written = []
    for playlist in playlists:
        mood = " ".join(playlist.mood.split())
        stem = re.sub(r"[^\w-]+", "_", mood)
        lines = ["#EXTM3U", f"#PLAYLIST:{mood}"]
        for song in playlist.songs.itertuples():
            lines += [f"#EXTINF:-1,{mood} {song.probability:.3f}", str(song.uri)]
        write_text(target / f"{stem}.m3u", "\n".join(lines) + "\n")
        write_table(target / f"{stem}.csv", playlist.songs)
        written.append(target / f"{stem}.m3u")
    return written
