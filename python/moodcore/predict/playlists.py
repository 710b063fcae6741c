"""Playlists: the songs of each mood that the model is most sure of, similar songs in a row."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from moodcore.errors import TableError, missing_columns
from moodcore.files import check_new_folder, write_table, write_text
from moodcore.metrics import class_names
from moodcore.predict.batches import RowError
from moodcore.predict.inputs import find_inputs
from moodcore.predict.model_columns import ModelColumns
from moodcore.predict.readers import open_input
from moodcore.predict.run import row_error
from moodcore.predict.scorer import LABEL_COLUMN, PROBABILITY_COLUMN, Scorer
from moodcore.predict.values import to_numbers
from moodcore.songs.schema import URI
from moodcore.tables.text_files import ARTIST_NAMES, TITLE_NAMES, plain_name

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
        `uri`, `probability`, `tempo` (BPM), `energy`, and `artist` and `title` if the files have
        them, in the order of playing.
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
    import pandas as pd

    if per_mood < 1:
        raise ValueError(f"per_mood must be at least 1, got {per_mood}")
    if not 0 <= min_probability <= 1:
        raise ValueError(f"min_probability must be in [0, 1], got {min_probability}")
    if not hasattr(model, "predict_proba"):
        raise ValueError(
            "the model gives no probabilities, by which playlists choose songs; train an MLP, a "
            "GBT, or an SVM with probability=True"
        )
    left_out = Counter() if left_out is None else left_out
    moods = class_names(model)
    best = pd.DataFrame(columns=["mood", URI, "probability", *_ORDERED_BY])
    for file in find_inputs(os.fspath(source)):
        with closing(open_input(file)) as reader:
            columns = ModelColumns.find(model, reader.columns, file.name)
            missing = [name for name in (URI, *_ORDERED_BY) if name not in columns.names]
            if missing:
                raise TableError(f"{file.name}: {missing_columns(missing, reader.columns)}")
            kept = {name: columns.names[name] for name in (URI, *_ORDERED_BY)}
            kept |= _names_of_songs(reader.columns, columns)
            scorer = Scorer(model, columns, list(kept.values()))
            n_rows = 0
            for batch in reader.batches(scorer.wanted):
                try:
                    scored = scorer.score(batch)
                except RowError as error:
                    raise row_error(file, n_rows, error) from error
                n_rows += scored.n_rows
                left_out.update(row.summary for row in scored.bad)
                songs = _usable(scored.table, kept, moods, left_out)
                enough = songs[songs["probability"] >= min_probability]
                best = _best(pd.concat([best, enough]) if len(best) else enough, per_mood)
    return [Playlist(mood, _in_order(best[best["mood"] == mood])) for mood in moods]


def _names_of_songs(present: Sequence[str], columns: ModelColumns) -> dict[str, str]:
    """Return the columns "artist" and "title" of a file, if it has them."""
    free = {plain_name(name): name for name in present if name not in set(columns.in_file)}
    found = {}
    for key, known in (("artist", ARTIST_NAMES), ("title", TITLE_NAMES)):
        names = [name for plain, name in free.items() if plain in known]
        if names:
            found[key] = names[0]
    return found


def _one_line(text: str) -> str:
    """Replace what is not printable, such as line breaks, by single spaces."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _usable(
    table: Any, kept: dict[str, str], moods: Sequence[str], left_out: Counter[str]
) -> pd.DataFrame:
    """Return the scored songs that a playlist can name, with the probability of their mood."""
    import pandas as pd

    probabilities = np.column_stack(
        [table.column(PROBABILITY_COLUMN.format(mood)).to_numpy() for mood in moods]
    )
    songs = pd.DataFrame(
        {
            "mood": table.column(LABEL_COLUMN).to_pylist(),
            URI: table.column(kept[URI]).to_pylist(),
            "probability": probabilities.max(axis=1),
        }
    )
    for name in _ORDERED_BY:
        column = table.column(kept[name]).combine_chunks()
        songs[name] = to_numbers(column, decimal_comma=True)[0]
    for name in kept.keys() & {"artist", "title"}:
        values = table.column(kept[name]).to_pylist()
        songs[name] = ["" if value is None else _one_line(str(value)) for value in values]
    uri = songs[URI].fillna("").astype(str)
    # A line break within a name would add lines to the playlist, and "#" begins a comment there.
    for reason, unusable in (
        ("missing", uri.str.strip() == ""),
        ("not printable", ~uri.map(str.isprintable)),
        ("begins with '#'", uri.str.lstrip().str.startswith("#")),
    ):
        if unusable.any():
            left_out[f"{kept[URI]}: {reason}"] += int(unusable.sum())
            songs = songs[~unusable.reindex(songs.index)]
    return songs


def _best(songs: pd.DataFrame, per_mood: int) -> pd.DataFrame:
    """Return the songs with the highest probabilities, each once; of equals, the first."""
    ordered = songs.sort_values("probability", ascending=False, kind="stable")
    return ordered.drop_duplicates(URI).groupby("mood", sort=False).head(per_mood)


def _in_order(songs: pd.DataFrame) -> pd.DataFrame:
    """Sort songs so that neighbors are similar: from the calmest to the nearest remaining one."""
    songs = songs.drop(columns="mood").reset_index(drop=True)
    places = songs[list(_ORDERED_BY)].to_numpy(float) / list(_ORDERED_BY.values())
    order: list[int] = []
    distance = places[:, 1] if len(places) else places
    while len(order) < len(places):
        distance = np.where(np.isin(np.arange(len(places)), order), np.inf, distance)
        order.append(int(distance.argmin()))
        distance = np.linalg.norm(places - places[order[-1]], axis=1)
    return songs.iloc[order].reset_index(drop=True)


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
    OSError
        When there is a file of that name, or the folder cannot be made or written.
    """
    target = Path(folder)
    check_new_folder(target)
    target.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    for playlist in playlists:
        mood = _one_line(playlist.mood)
        stem = re.sub(r"[^\w-]+", "_", mood)
        if target / f"{stem}.m3u" in written:
            # Two moods whose names differ in punctuation alone.
            stem += f"_{len(written) + 1}"
        lines = ["#EXTM3U", f"#PLAYLIST:{mood}"]
        for song in playlist.songs.itertuples():
            names = (getattr(song, "artist", None), getattr(song, "title", None))
            shown = " - ".join(name for name in names if isinstance(name, str) and name)
            lines += [f"#EXTINF:-1,{shown or f'{mood} {song.probability:.3f}'}", str(song.uri)]
        write_text(target / f"{stem}.m3u", "\n".join(lines) + "\n")
        write_table(target / f"{stem}.csv", playlist.songs)
        written.append(target / f"{stem}.m3u")
    return written
