"""Songs in the layouts in which people keep them, with values made here."""

import zipfile

import numpy as np
import pandas as pd
import pytest

from moodcore import GBT, songs
from moodcore.datasets import load_dataset
from moodcore.songs import SongTableError, read
from moodcore.songs.recognition import recognize

API_NAMES = {songs.DURATION: "length"}
TITLES = {name: name.title() for name in songs.FEATURES} | {songs.DURATION: "Duration (ms)"}


@pytest.fixture(scope="module")
def _made():
    return songs.synthesize(300, random_state=4)


@pytest.fixture
def api_table(_made):
    """Songs with Spotify's names, a mood in words, and columns that no model needs."""
    X, y = _made
    table = X.drop(columns="spec_rate").rename(columns=API_NAMES)
    table.insert(0, "name", [f"Song {row}" for row in range(len(X))])
    table.insert(1, "id", [f"{row:022d}" for row in range(len(X))])
    table["popularity"] = np.arange(len(X)) % 100
    return table.assign(mood=y.map(dict(enumerate(songs.LABEL_NAMES))).str.title())


WRITERS = {
    "songs.csv": lambda table, path: table.to_csv(path, index=False),
    "semicolon.csv": lambda table, path: table.to_csv(path, index=False, sep=";", decimal=","),
    "excel.tsv": lambda table, path: table.to_csv(path, index=False, sep="\t", encoding="utf-16"),
    "marked.csv": lambda table, path: table.to_csv(path, index=False, encoding="utf-8-sig"),
    "kaggle.zip": lambda table, path: write_zip(table, path),  # noqa: PLW0108
    "songs.parquet": lambda table, path: table.to_parquet(path),
}


def write_zip(table, path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("moods.csv", table.to_csv(index=False))


@pytest.mark.parametrize("name", WRITERS)
def test_every_layout_is_the_same_songs(api_table, _made, tmp_path, name):
    path = tmp_path / name
    WRITERS[name](api_table, path)
    dataset = load_dataset(path)
    expected, y = _made
    np.testing.assert_allclose(dataset.X, expected, rtol=1e-15)
    assert dataset.X.columns.tolist() == [songs.DURATION, *songs.FEATURES]
    assert dataset.y.tolist() == y.tolist()
    assert dataset.class_names == songs.LABEL_NAMES
    assert (dataset.preset, dataset.noun, dataset.groups) == ("songs", "songs", None)
    assert dataset.ids.tolist() == [f"{row:022d}" for row in range(300)]
    for note in (
        "columns by other names: 'length' is 'duration (ms)', labels from the column 'mood'",
        "'spec_rate' computed: speechiness divided by duration",
        "ignored columns: 'name', 'popularity'",
    ):
        assert note in dataset.notes


@pytest.mark.parametrize("column", ["labels", "label", "mood", "Emotion", "Moods"])
@pytest.mark.parametrize("form", [int, str, lambda code: songs.LABEL_NAMES[code].upper()])
def test_label_columns(api_table, _made, column, form):
    table = api_table.drop(columns="mood").assign(**{column: _made[1].map(form)})
    assert load_dataset(table).y.tolist() == _made[1].tolist()


def test_some_of_the_four_moods_keep_their_codes(api_table, _made):
    kept = _made[1].isin([0, 3]).to_numpy()
    dataset = load_dataset(api_table[kept])
    assert dataset.class_names == ("sad", "calm")
    assert dataset.classes.tolist() == [0, 3]
    model = dataset.pipeline(GBT(2)).fit(dataset.X, dataset.y)
    assert model.label_names == songs.LABEL_NAMES


OTHER_MOODS = [
    (["Dark", "Happy", "Relaxing", "Energetic", "Aggressive"], None),
    (["happy", "sad", "angry"], None),
    (["rock", "jazz", "folk"], None),
    ([1, 2, 3, 4, 5], ("1", "2", "3", "4", "5")),
    ([4, 0, 2, 1, 3], ("0", "1", "2", "3", "4")),
]


@pytest.mark.parametrize(("moods", "names"), OTHER_MOODS)
def test_other_moods_are_labels_in_their_own_right(api_table, moods, names):
    labels = np.array(moods, dtype=object)[np.arange(300) % len(moods)]
    dataset = load_dataset(api_table.assign(mood=labels))
    assert dataset.class_names == (names or tuple(sorted(moods)))
    assert [dataset.class_names[code] for code in dataset.y] == [str(mood) for mood in labels]
    model = dataset.pipeline(GBT(2)).fit(dataset.X, dataset.y)
    assert model.label_names == dataset.class_names
    again = load_dataset(api_table.assign(mood=labels[::-1]))
    assert again.fingerprint() != dataset.fingerprint()


def test_a_rare_other_label_is_a_mistake(api_table):
    api_table.loc[[3, 8], "mood"] = "Hapy"
    with pytest.raises(SongTableError, match="column 'mood': 2 rows not a label, first row 3: 'Ha"):
        load_dataset(api_table)
    assert len(load_dataset(api_table, on_bad_rows="drop").y) == 298


def test_features_that_are_missing(api_table):
    table = api_table.drop(columns=["length", "acousticness", "liveness"])
    dataset = load_dataset(table.assign(valence=np.nan))
    missing = "'duration (ms)', 'acousticness', 'liveness', 'valence', 'spec_rate'"
    assert f"missing features, done without: {missing}" in dataset.notes
    model = dataset.pipeline(GBT(2)).fit(dataset.X, dataset.y)
    assert model.feature_names_in_.tolist() == [
        *("danceability", "energy", "speechiness", "instrumentalness", "tempo"),
    ]
    with pytest.raises(ValueError, match=r"features: .* has no column 'liveness'; it has"):
        dataset.pipeline(GBT(), features=["energy", "liveness"])


def test_an_unlabeled_export(api_table, tmp_path):
    table = api_table.rename(columns=TITLES | {"length": "Duration (ms)", "id": "Track URI"})
    path = tmp_path / "export.csv"
    table.drop(columns="mood").to_csv(path, index=False, encoding="utf-8-sig")
    found = read(path, labels="optional")
    assert found.y is None and len(found.X.columns) == 11
    assert found.uri.iloc[2] == f"{2:022d}"
    with pytest.raises(
        SongTableError,
        match=r"missing column: 'labels'; .* name the column of the labels with --target",
    ):
        load_dataset(path)


def test_percentages_and_seconds_are_refused_with_the_way_out(api_table):
    shares = ["danceability", "energy", "liveness", "valence"]
    table = api_table.assign(**{name: (100 * api_table[name]).round() for name in shares})
    with pytest.raises(SongTableError) as caught:
        load_dataset(table.assign(length=table["length"] / 1000))
    *_, percentages, seconds = str(caught.value).splitlines()
    assert percentages.strip().startswith(
        "percentages in 'danceability', 'energy', 'liveness', 'valence': divide these columns by "
        "100, or learn from the table as it is with --target"
    )
    head, tail = seconds.strip().split(" (median ")
    assert head == "column 'length'"
    assert tail.endswith(") looks like seconds; multiply it by 1,000 to get milliseconds")
    assert load_dataset(table, "mood").preset is None


def test_copies_are_counted_and_stay_together(api_table):
    copies = api_table[:30].assign(id="other " + api_table["id"][:30])
    remasters = api_table[50:60].assign(energy=0.5)
    table = pd.concat([api_table, copies, remasters, api_table[:5]], ignore_index=True)
    table.loc[[300, 331], "mood"] = "Calm"
    table.loc[[0, 51], "mood"] = "Happy"
    dataset = load_dataset(table)
    groups = dataset.groups
    assert groups[:30].tolist() == groups[300:330].tolist()
    assert groups[50:60].tolist() == groups[330:340].tolist()
    assert groups[:5].tolist() == groups[340:].tolist()
    assert len(set(groups)) == 300
    assert "45 rows with copies of other songs: kept on one side of every split" in dataset.notes
    (conflict,) = [note for note in dataset.notes if "different labels" in note]
    assert conflict.startswith("songs whose copies have different labels: 2 (row 0 'happy', row ")
    part = load_dataset(table, rows=100)
    assert len(part.groups) == 100


def test_the_published_table_is_split_as_published(api_table, monkeypatch):
    table = pd.concat([api_table, api_table[:5]], ignore_index=True)
    counts = tuple(np.bincount(load_dataset(table).y).tolist())
    assert load_dataset(table).groups is not None
    monkeypatch.setattr("moodcore.songs.dataset.CLASS_COUNTS", counts)
    assert load_dataset(table).groups is None
    assert load_dataset(table[:-1]).groups is not None


def test_identifiers_of_something_else_make_no_copies(api_table):
    assert load_dataset(api_table.assign(id=[row // 100 for row in range(300)])).groups is None


def test_identifiers_in_a_column_without_a_name(api_table):
    uris = [f"spotify:track:{row}" for row in range(300)]
    table = api_table.drop(columns="id").assign(**{"Unnamed: 0": uris})
    assert load_dataset(table).ids.tolist() == uris


def test_embedded_songs_have_no_groups():
    dataset = load_dataset(rows=500)
    assert dataset.groups is None and dataset.synthetic
    assert dataset.class_names == songs.LABEL_NAMES


def test_a_held_out_file_of_songs(api_table, tmp_path):
    path = tmp_path / "test.csv"
    api_table[200:].to_csv(path, index=False)
    dataset = load_dataset(api_table[:200], test=path)
    X, y = dataset.test
    assert X.columns.tolist() == dataset.X.columns.tolist()
    assert y.tolist() == load_dataset(api_table).y[200:].tolist()
    with pytest.raises(SongTableError, match="missing column: 'tempo'"):
        load_dataset(api_table[:200], test=api_table.drop(columns="tempo"))


def test_other_columns_are_dropped_by_name(api_table):
    dataset = load_dataset(api_table, drop=["tempo"])
    assert "tempo" not in dataset.X
    with pytest.raises(ValueError, match="drop: column 'tmpo' does not exist; did you mean"):
        load_dataset(api_table, drop=["tmpo"])


def test_a_table_with_few_song_columns_is_no_songs():
    columns = ["energy", "length", "tempo", "id", "mood"]
    assert not recognize(columns).is_songs
    assert recognize([*columns, "valence", "Danceability"]).is_songs


def test_two_label_columns(api_table):
    found = recognize([*api_table.columns, "emotion"])
    assert found.names["labels"] == "mood"
    assert found.other_labels == ("emotion",)
