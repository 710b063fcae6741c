"""Playlists: the surest songs, each once, neighbors alike."""

from collections import Counter
from itertools import pairwise, permutations

import numpy as np
import pandas as pd
import pytest

from moodcore import LinearSVM, songs
from moodcore.errors import TableError
from moodcore.predict import make_playlists, playlists, write_playlists


@pytest.fixture(scope="module")
def source(table, tmp_path_factory):
    """Songs of which some come twice, and some without a name."""
    path = tmp_path_factory.mktemp("songs") / "songs.csv"
    twice = pd.concat([table, table.head(200)])
    twice.loc[twice.index == 300, "uri"] = None
    twice.to_csv(path, index=False)
    return path


def test_the_surest_songs_of_each_mood(source, table, model):
    found = make_playlists(model, source, per_mood=20, min_probability=0.4)
    probabilities = model.predict_proba(table)
    names = list(songs.LABEL_NAMES)
    assert [playlist.mood for playlist in found] == names
    every = [uri for playlist in found for uri in playlist.songs["uri"]]
    assert len(set(every)) == len(every)
    for code, playlist in enumerate(found):
        own = probabilities[:, code]
        wanted = (probabilities.argmax(axis=1) == code) & (own >= 0.4) & (table.index != 300)
        expected = np.sort(own[wanted])[::-1][:20]
        assert np.sort(playlist.songs["probability"])[::-1].tolist() == expected.tolist()
        by_uri = table.set_index("uri").loc[playlist.songs["uri"]]
        for name in ("tempo", "energy"):
            assert playlist.songs[name].tolist() == by_uri[name].tolist()


def test_batches_do_not_matter(source, model, monkeypatch):
    from moodcore.predict import csv_reader

    whole = make_playlists(model, source, per_mood=15)
    monkeypatch.setattr(csv_reader, "_BLOCK", 8_000)
    parted = make_playlists(model, source, per_mood=15)
    for playlist, other in zip(whole, parted, strict=True):
        pd.testing.assert_frame_equal(playlist.songs, other.songs)


def length(places):
    return sum(np.linalg.norm(a - b) for a, b in pairwise(places))


def test_neighbors_are_alike():
    rng = np.random.default_rng(0)
    for n in (3, 6, 8, 50):
        drawn = pd.DataFrame({"tempo": rng.uniform(60, 200, n), "energy": rng.uniform(size=n)})
        found = playlists._in_order(drawn.assign(mood=0))
        places = found / [20.0, 0.2]
        assert found["energy"].iloc[0] == drawn["energy"].min()
        assert sorted(map(tuple, found.to_numpy())) == sorted(map(tuple, drawn.to_numpy()))
        way = length(places.to_numpy())
        if n <= 8:
            first, *rest = places.to_numpy()
            shortest = min(length([first, *order]) for order in permutations(rest))
            assert way < 1.6 * shortest
        else:
            assert way < 0.35 * length((drawn / [20.0, 0.2]).to_numpy())


def test_files_for_players_and_for_tables(source, model, tmp_path):
    found = make_playlists(model, source, per_mood=3)
    write_playlists(found, tmp_path / "lists")
    for playlist in found:
        lines = (tmp_path / "lists" / f"{playlist.mood}.m3u").read_text().splitlines()
        assert lines[:2] == ["#EXTM3U", f"#PLAYLIST:{playlist.mood}"]
        assert lines[3::2] == playlist.songs["uri"].tolist()
        again = pd.read_csv(tmp_path / "lists" / f"{playlist.mood}.csv")
        pd.testing.assert_frame_equal(again, playlist.songs)


def test_a_mood_without_sure_songs_has_an_empty_list(source, model, tmp_path):
    found = make_playlists(model, source, min_probability=1.0)
    assert [len(playlist.songs) for playlist in found] == [0, 0, 0, 0]
    write_playlists(found, tmp_path)
    assert (tmp_path / "sad.csv").read_text() == "uri,probability,tempo,energy\n"


def test_what_is_needed_is_said(source, table, model, tmp_path):
    table.drop(columns=["uri"]).to_csv(tmp_path / "nameless.csv", index=False)
    with pytest.raises(TableError, match="missing column: 'uri'"):
        make_playlists(model, tmp_path / "nameless.csv")
    with pytest.raises(ValueError, match="per_mood must be at least 1, got 0"):
        make_playlists(model, source, per_mood=0)
    with pytest.raises(ValueError, match=r"min_probability must be in \[0, 1\], got 80"):
        make_playlists(model, source, min_probability=80)
    X, y = songs.synthesize(300, random_state=0)
    lines = songs.pipeline(LinearSVM(random_state=0)).fit(X, y)
    with pytest.raises(NotADirectoryError, match=r"nameless.csv: is a file"):
        write_playlists([], tmp_path / "nameless.csv")
    with pytest.raises(ValueError, match="gives no probabilities"):
        make_playlists(lines, source)


def test_nothing_in_a_table_adds_lines_to_a_playlist(table, model, tmp_path):
    named = table.head(40).copy()
    hostile = ["a\nb", "c\rd", "e\u2028f", "#EXTINF:-1,g", " #h", " "]
    named.loc[named.index[: len(hostile)], "uri"] = hostile
    named.to_parquet(tmp_path / "songs.parquet")
    left_out = Counter()
    found = make_playlists(model, tmp_path / "songs.parquet", left_out=left_out)
    assert sum(len(playlist.songs) for playlist in found) == 40 - len(hostile)
    assert left_out == {"uri: not printable": 3, "uri: begins with '#'": 2, "uri: missing": 1}
    moods = [playlists.Playlist(mood, found[0].songs) for mood in ("a/b", "a\nb", "c\x1b\u2029#d")]
    paths = write_playlists(moods, tmp_path / "lists")
    assert [path.name for path in paths] == ["a_b.m3u", "a_b_2.m3u", "c_d.m3u"]
    for path, mood in zip(paths, ("a/b", "a b", "c #d"), strict=True):
        lines = path.read_text().split("\n")
        assert lines[1] == f"#PLAYLIST:{mood}"
        assert len(lines) == 3 + 2 * len(found[0].songs)


def test_artist_and_title_are_written(tmp_path, model, source):
    table = pd.read_csv(source)
    table["Artist Name(s)"], table["track_name"] = (
        "The\nBand",
        [f"No. {n}" for n in range(len(table))],
    )
    table.loc[table.index[0], "track_name"] = None
    table.to_csv(tmp_path / "named.csv", index=False)
    playlists = make_playlists(model, tmp_path / "named.csv", per_mood=3)
    for path, playlist in zip(
        write_playlists(playlists, tmp_path / "lists"), playlists, strict=True
    ):
        shown = [line for line in path.read_text().splitlines() if line.startswith("#EXTINF")]
        titles = playlist.songs["title"].tolist()
        assert shown == [f"#EXTINF:-1,The Band - {title}" if title else "#EXTINF:-1,The Band"
                         for title in titles]  # fmt: skip
        assert (playlist.songs["artist"] == "The Band").all()
