"""Folders of results: what an interrupted, killed or full run leaves, and who may resume it."""

import errno
import json
import os
import threading

import pandas as pd
import pyarrow.parquet as pq
import pytest

from moodcore import files, predict
from moodcore.errors import ConfigError, TableError
from moodcore.runs import mark
from moodcore.runs.interrupts import RunInterruptedError
from moodcore.runs.listener import Listener


@pytest.fixture
def source(table, tmp_path):
    """A folder of three files."""
    path = tmp_path / "in"
    path.mkdir()
    for name in "abc":
        table[:50].to_parquet(path / f"{name}.parquet")
    return path


def test_a_run_of_another_version_is_not_resumed(model_file, source, tmp_path, monkeypatch):
    predict.score(model_file, source, tmp_path / "out")
    written = json.loads((tmp_path / "out" / ".moodcore-predict.json").read_text())
    assert set(written) == {"version", "settings", "data"}
    monkeypatch.setattr(mark._core, "__version__", "99.0.0")
    with pytest.raises(ConfigError, match=r"cannot resume .*begun by moodcore .*this is .*99"):
        predict.score(model_file, source, tmp_path / "out", resume=True)


def test_a_run_of_another_model_or_other_options_is_not_resumed(
    model, model_file, source, tmp_path
):
    predict.score(model_file, source, tmp_path / "out")
    for changes, says in (
        ({"on_error": "skip"}, "on_error was fail when the run began and is skip now"),
        ({"kind": "csv"}, "format was None when the run began and is csv now"),
        ({"id": "uri"}, "id was None"),
    ):
        with pytest.raises(ConfigError, match=says):
            predict.score(model_file, source, tmp_path / "out", resume=True, **changes)
    other = tmp_path / "other"
    model.save(other, provenance={"other": True})
    with pytest.raises(ConfigError, match="model was SHA-256"):
        predict.score(other, source, tmp_path / "out", resume=True)
    # A folder that is not of this command is left alone.
    with pytest.raises(ConfigError, match="the folder is not empty"):
        predict.score(model_file, source, source.parent / "in", resume=True)


def test_a_folder_appears_with_its_mark_or_not_at_all(model_file, source, tmp_path, monkeypatch):
    def fail(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("moodcore.predict.folders.write_text", fail)
    with pytest.raises(KeyboardInterrupt):
        predict.score(model_file, source, tmp_path / "out")
    monkeypatch.undo()
    assert [path.name for path in tmp_path.iterdir()] == ["in"]
    (tmp_path / "out").mkdir()
    assert predict.score(model_file, source, tmp_path / "out").n_files == 3


def test_a_run_stops_between_batches_and_is_resumed(model_file, source, tmp_path):
    stop = threading.Event()

    class AfterOneFile(Listener):
        def advanced(self, count=1):
            stop.set()

    with pytest.raises(RunInterruptedError):
        predict.score(model_file, source, tmp_path / "out", listener=AfterOneFile(),
                      should_stop=stop.is_set)  # fmt: skip
    assert sorted(p.name for p in (tmp_path / "out").glob("*")) == [
        ".moodcore-predict.json",
        "a.parquet",
    ]
    report = predict.score(model_file, source, tmp_path / "out", resume=True)
    assert (report.n_files, report.n_skipped_files) == (2, 1)


@pytest.mark.parametrize("name", ["out.csv", "out.parquet", "out.arrow"])
def test_a_full_disk_is_named_and_leaves_nothing(name, model_file, source, tmp_path, monkeypatch):
    class Full(files._Raw):
        def write(self, data):
            with files._named(self._path):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(files, "_Raw", Full)
    with pytest.raises(OSError, match="No space left on device") as error:
        predict.score(model_file, source / "a.parquet", tmp_path / name)
    assert error.value.filename == str(tmp_path / name)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in"]


def test_files_of_other_columns_do_not_become_one_table(model_file, table, source, tmp_path):
    table.rename(columns={"uri": "id"}).to_parquet(source / "d.parquet")
    with pytest.raises(TableError, match="the inputs have different columns"):
        predict.score(model_file, source, tmp_path / "one.parquet")
    assert not (tmp_path / "one.parquet").exists()
    # Types are those of the first file.
    (source / "d.parquet").unlink()
    table[:50].to_csv(source / "d.csv", index=False)
    predict.score(model_file, source, tmp_path / "one.parquet")
    assert pq.read_table(tmp_path / "one.parquet").num_rows == 200


def test_songs_are_known_by_their_aliases(model, table, tmp_path):
    titled = table.rename(columns=lambda name: name.replace("_", " ").title())
    titled = titled.rename(columns={"Uri": "Track URI", "Tempo": "BPM"})
    (tmp_path / "export.csv").write_text(titled.to_csv(index=False), encoding="utf-8-sig")
    predict.score(model, tmp_path / "export.csv", tmp_path / "out.csv")
    found = pd.read_csv(tmp_path / "out.csv")
    assert list(found)[:2] == ["Track URI", "predicted_label"]
    expected = model.predict_proba(table).max(axis=1)
    assert found.filter(like="probability").max(axis=1).tolist() == expected.tolist()
    lists = predict.make_playlists(model, tmp_path / "export.csv", per_mood=5)
    assert sum(len(playlist.songs) for playlist in lists) > 0
    labeled = titled.assign(Mood=[model.label_names[c].title() for c in model.predict(table)])
    labeled.to_csv(tmp_path / "labeled.csv", index=False)
    evaluation = predict.evaluate_file(model, tmp_path / "labeled.csv")
    assert (evaluation.target, evaluation.noun) == ("Mood", "songs")
    assert evaluation.metrics.accuracy == 1.0


def test_the_rate_of_speech_is_computed(table, tmp_path):
    from moodcore import GBT, songs

    X, y = songs.synthesize(300, random_state=0)
    model = songs.pipeline(GBT(3, random_state=0), features="all").fit(X, y)
    X["spec_rate"] = X["speechiness"] / X["duration (ms)"]
    X.drop(columns="spec_rate").to_csv(tmp_path / "songs.csv", index=False)
    predict.score(model, tmp_path / "songs.csv", tmp_path / "out.csv")
    found = pd.read_csv(tmp_path / "out.csv").filter(like="probability").to_numpy()
    assert (found == model.predict_proba(X)).all()
    X.drop(columns=["spec_rate", "duration (ms)"]).to_csv(tmp_path / "less.csv", index=False)
    with pytest.raises(TableError, match="missing column: 'spec_rate'"):
        predict.score(model, tmp_path / "less.csv", tmp_path / "out.csv")


def test_a_playlist_has_one_line_per_song(model, table, tmp_path):
    rows = table.copy()
    rows.loc[rows.index[:30], "uri"] = "spotify:track:x\n#EXTINF:-1,evil"
    rows.to_csv(tmp_path / "songs.csv", index=False)
    from collections import Counter

    left_out = Counter()
    lists = predict.make_playlists(model, tmp_path / "songs.csv", per_mood=99, left_out=left_out)
    assert left_out == {"uri: not printable": 30}
    predict.write_playlists(lists, tmp_path)
    for path in tmp_path.glob("*.m3u"):
        assert "evil" not in path.read_text()
