"""Prediction for files of every kind, with an account of every row."""

import gzip
import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest

from moodcore import GBT, LinearSVM, predict, songs
from moodcore.errors import ConfigError, TableError
from moodcore.predict import csv_reader, output, readers
from moodcore.songs import LABEL_NAMES

PROBABILITIES = [f"probability_{name}" for name in LABEL_NAMES]


def written(table, path):
    """Write a table in the kind that the name tells."""
    name = path.name
    if name.endswith(".csv.gz"):
        path.write_bytes(gzip.compress(table.to_csv(index=False).encode()))
    elif name.endswith(".csv.zst"):
        path.write_bytes(pa.compress(table.to_csv(index=False).encode(), "zstd", asbytes=True))
    elif name.endswith(".csv"):
        table.to_csv(path, index=False)
    elif name.endswith(".parquet"):
        table.to_parquet(path, row_group_size=150)
    elif name.endswith(".arrow"):
        arrow = pa.Table.from_pandas(table, preserve_index=False)
        with pa.ipc.new_file(path, arrow.schema) as file:
            file.write_table(arrow, max_chunksize=90)
    else:
        arrow = pa.Table.from_pandas(table, preserve_index=False)
        with pa.ipc.new_stream(path, arrow.schema) as file:
            file.write_table(arrow)
    return path


def read(path):
    if path.suffix == ".csv":
        return pd.read_csv(path)
    return (
        pq.read_table(path).to_pandas()
        if path.suffix == ".parquet"
        else pa.feather.read_feather(path)
    )


@pytest.mark.parametrize("kind", ["csv", "csv.gz", "csv.zst", "parquet", "arrow", "ipc"])
@pytest.mark.parametrize("out", ["csv", "parquet", "arrow"])
def test_every_kind_of_file_gives_the_models_own_predictions(
    kind, out, table, model, tmp_path, monkeypatch
):
    monkeypatch.setattr(readers, "BATCH_ROWS", 64)
    monkeypatch.setattr(csv_reader, "_BLOCK", 20_000)
    monkeypatch.setattr(output, "_TOGETHER", 200)
    source = written(table, tmp_path / f"songs.{kind}")
    report = predict.score(model, source, tmp_path / f"moods.{out}", jobs=3)
    found = read(tmp_path / f"moods.{out}")
    assert list(found) == ["uri", "predicted_label", *PROBABILITIES]
    assert found["uri"].tolist() == table["uri"].tolist()
    expected = model.predict_proba(table)
    assert np.array_equal(found[PROBABILITIES].to_numpy(), expected)
    assert found["predicted_label"].tolist() == [LABEL_NAMES[at] for at in expected.argmax(axis=1)]
    assert (report.n_read, report.n_scored, report.n_rejected) == (700, 700, 0)
    assert not report.warnings
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
    assert not (tmp_path / f"moods.{out}.rejected.csv").exists()


def test_columns_are_passed_through_as_they_are(table, model, tmp_path):
    source = written(table, tmp_path / "songs.csv")
    text = pd.read_csv(source, dtype=str)
    predict.score(model, source, tmp_path / "out.csv", keep=["all"])
    found = pd.read_csv(tmp_path / "out.csv", dtype=str)
    pd.testing.assert_frame_equal(found[text.columns], text)
    predict.score(model, source, tmp_path / "one.csv", keep=["label_of_the_record"])
    assert list(pd.read_csv(tmp_path / "one.csv"))[:2] == ["uri", "label_of_the_record"]
    typed = written(table, tmp_path / "songs.parquet")
    predict.score(model, typed, tmp_path / "typed.parquet", keep=["all"])
    kept = read(tmp_path / "typed.parquet")[list(table)]
    pd.testing.assert_frame_equal(kept, table.reset_index(drop=True))
    with pytest.raises(TableError, match=r"missing column: .uris. .there is .uri."):
        predict.score(model, source, tmp_path / "no.csv", keep=["uris"])
    assert not (tmp_path / "no.csv").exists()


@pytest.fixture(scope="module")
def spoilt(table, tmp_path_factory):
    """A CSV file with one row of each kind of fault, and the rows that have them."""
    rows = table.astype(object)
    faults = {
        3: ("tempo", "fast", "not a number"),
        50: ("energy", 61.4, "out of range"),
        51: ("valence", "", "missing"),
        52: ("valence", "NA", "missing"),
        699: ("speechiness", "inf", "infinite"),
    }
    for row, (column, value, _) in faults.items():
        rows.loc[row, column] = value
    path = tmp_path_factory.mktemp("spoilt") / "songs.csv"
    lines = rows.to_csv(index=False).splitlines()
    # Fields too few and too many, among good rows, one after another, and at the very end.
    for row in (10, 11, 400):
        lines[row + 1] = "1,2,3" if row % 2 else lines[row + 1] + ",more"
    lines.append("7")
    path.write_text("\n".join(lines) + "\n")
    reasons = {row: reason for row, (_, _, reason) in faults.items()}
    broken = dict.fromkeys([10, 11, 400, 700], "another number of fields than the header")
    return path, dict(sorted((reasons | broken).items()))


@pytest.mark.parametrize("on_error", ["skip", "null"])
def test_bad_rows_are_listed_and_the_others_scored(
    on_error, spoilt, table, model, tmp_path, monkeypatch
):
    monkeypatch.setattr(csv_reader, "_BLOCK", 10_000)
    path, bad = spoilt
    report = predict.score(model, path, tmp_path / "out.csv", on_error=on_error, jobs=2)
    assert (report.n_read, report.n_rejected) == (701, len(bad))
    listed = pd.read_csv(tmp_path / "out.csv.rejected.csv", keep_default_na=False)
    assert dict(zip(listed["row"], listed["reason"], strict=True)) == bad
    assert (listed["line"] == listed["row"] + 2).all()
    assert listed.loc[listed["row"] == 50, ["file", "column", "value"]].to_numpy().tolist() == [
        [str(path), "energy", "61.4"]
    ]
    found = pd.read_csv(tmp_path / "out.csv")
    good = [row for row in range(700) if row not in bad]
    expected = model.predict_proba(table.iloc[good])
    if on_error == "skip":
        assert found["uri"].tolist() == table["uri"].iloc[good].tolist()
    else:
        assert len(found) == 701
        assert found.index[found["predicted_label"].isna()].tolist() == list(bad)
        found = found.iloc[good]
        assert found["uri"].tolist() == table["uri"].iloc[good].tolist()
    assert np.array_equal(found[PROBABILITIES].to_numpy(), expected)


def test_the_first_bad_row_stops_a_strict_run_and_leaves_nothing(spoilt, model, tmp_path):
    (tmp_path / "out.csv").write_text("old")
    with pytest.raises(TableError, match=r"column 'tempo', row 3 .*: not a number: 'fast'"):
        predict.score(model, spoilt[0], tmp_path / "out.csv")
    assert [path.name for path in tmp_path.iterdir()] == ["out.csv"]
    assert (tmp_path / "out.csv").read_text() == "old"


def test_types_are_coerced_safely(table, model, tmp_path):
    expected = model.predict_proba(table)
    odd = pd.DataFrame(
        {
            "danceability": table["danceability"].astype(str) + " ",
            "energy": table["energy"].astype("category"),
            "speechiness": table["speechiness"].astype("float64"),
            "instrumentalness": pd.array(table["instrumentalness"], dtype="Float64"),
            "liveness": table["liveness"].astype(str).astype("category"),
            "valence": table["valence"],
            "tempo": table["tempo"].map(lambda tempo: f" {tempo!r}"),
        }
    )
    predict.score(model, written(odd, tmp_path / "odd.parquet"), tmp_path / "out.parquet")
    found = read(tmp_path / "out.parquet")
    assert np.array_equal(found[PROBABILITIES].to_numpy(), expected)
    true = odd.assign(tempo=True)
    with pytest.raises(TableError, match=r"'tempo', row 0 .*: not a number: 'True'"):
        predict.score(model, written(true, tmp_path / "true.parquet"), tmp_path / "no.parquet")


def test_folders_go_file_by_file_and_resume(table, model_file, tmp_path):
    source, out = tmp_path / "in", tmp_path / "out"
    (source / "2024").mkdir(parents=True)
    names = ["a.csv", "2024/b.parquet", "2024/c.arrow", "_ignored.csv", ".hidden.csv"]
    for at, name in enumerate(names):
        written(table[at * 100 : at * 100 + 100], source / name)
    (source / "notes.txt").write_text("no songs")
    report = predict.score(model_file, source, out)
    assert (report.n_files, report.n_scored) == (3, 300)
    made = sorted(p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_file())
    assert made == [".moodcore-predict.json", "2024/b.parquet", "2024/c.arrow", "a.csv"]
    bytes_before = {name: (out / name).read_bytes() for name in made}
    with pytest.raises(ConfigError, match="--resume continues it"):
        predict.score(model_file, source, out)
    (out / "2024" / "b.parquet").unlink()
    report = predict.score(model_file, source, out, resume=True)
    assert (report.n_files, report.n_skipped_files, report.n_scored) == (1, 2, 100)
    assert {name: (out / name).read_bytes() for name in made} == bytes_before
    with pytest.raises(ConfigError, match=r"cannot resume .*: keep was .* and is .'tempo'. now"):
        predict.score(model_file, source, out, resume=True, keep=["tempo"])
    # One kind for all of them, or all in one file.
    predict.score(model_file, source, tmp_path / "csv", kind="csv")
    assert len(list((tmp_path / "csv").rglob("*.csv"))) == 3
    predict.score(model_file, str(source / "**" / "[abc].*"), tmp_path / "one.csv")
    assert len(read(tmp_path / "one.csv")) == 300


def test_damaged_files_do_not_stop_a_run_that_may_go_on(table, model, tmp_path):
    source = tmp_path / "in"
    source.mkdir()
    good = written(table, source / "good.parquet")
    (source / "bad.parquet").write_bytes(good.read_bytes()[:-100])
    (source / "empty.csv").write_bytes(b"")
    with pytest.raises(TableError, match=r"bad\.parquet: not a Parquet file, or damaged"):
        predict.score(model, source, tmp_path / "strict")
    report = predict.score(model, source, tmp_path / "out", on_error="skip")
    assert [name for name, _ in report.damaged] == ["bad.parquet", "empty.csv"]
    assert report.n_scored == 700
    assert json.loads(json.dumps(report.to_dict()))["damaged_files"].keys() == {
        "bad.parquet",
        "empty.csv",
    }


def test_files_without_rows_and_models_without_probabilities(table, tmp_path):
    X, y = songs.synthesize(700, random_state=0)
    model = songs.pipeline(LinearSVM(random_state=0)).fit(X, y)
    for kind in ("csv", "parquet"):
        source = written(table[:0], tmp_path / f"none.{kind}")
        report = predict.score(model, source, tmp_path / f"out.{kind}")
        assert report.n_read == 0
        assert list(read(tmp_path / f"out.{kind}")) == ["uri", "predicted_label"]
    predict.score(model, written(table, tmp_path / "songs.csv"), tmp_path / "moods.csv")
    expected = [LABEL_NAMES[code] for code in model.predict(table)]
    assert read(tmp_path / "moods.csv")["predicted_label"].tolist() == expected


def test_models_of_any_table(tmp_path):
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"size": rng.normal(size=300), "kind": pd.Categorical(["a", "b", "c"] * 100)})
    y = np.where((X["size"] > 0) ^ (X["kind"] == "b"), "yes", "no")
    X.loc[::7, "size"] = np.nan
    model = GBT(5, random_state=0).fit(X, y)
    for kind in ("csv", "parquet"):
        source = written(X.assign(kind=X["kind"].astype(str)), tmp_path / f"any.{kind}")
        report = predict.score(model, source, tmp_path / f"out.{kind}")
        assert report.n_rejected == 0
        found = read(tmp_path / f"out.{kind}")
        expected = model.predict_proba(X)
        assert np.array_equal(found[["probability_no", "probability_yes"]].to_numpy(), expected)
    with pytest.raises(ValueError, match="trained on a table without column names"):
        predict.score(GBT(1).fit([[0.0], [1.0]], [0, 1]), source, tmp_path / "no.csv")


REQUESTS = [
    ({"source": "none.csv"}, FileNotFoundError, "none.csv: no such file"),
    ({"source": "song.csv"}, FileNotFoundError, "there is 'songs.csv'"),
    ({"source": "*.pq"}, FileNotFoundError, "no file matches"),
    ({"source": "songs.xlsx"}, ConfigError, "unknown kind of file '.xlsx'; allowed are .csv"),
    ({"output": "out.txt"}, ConfigError, "unknown kind of file '.txt'; allowed are .csv, .parq"),
    ({"output": "no/such/out.csv"}, FileNotFoundError, "there is no folder no/such"),
    ({"on_error": "ignore"}, ValueError, "on_error must be one of 'fail', 'skip', 'null'"),
    ({"resume": True}, ConfigError, "need an output folder; the output is out.csv"),
    ({"source": "empty"}, TableError, "no file in it ends in .csv"),
    ({"source": "twice.csv"}, TableError, "'tempo' is the name of more than one column"),
    ({"source": "lacking.csv"}, TableError, "missing column: 'tempo' .there is 'temper'"),
    ({"source": "same", "output": "out"}, ConfigError, "would both become out/a.csv"),
    ({"output": "lone"}, ConfigError, "lone: is a file, not a folder"),
    ({"source": "same", "output": "o", "kind": "xml"}, ConfigError, "format must be one of 'csv'"),
]


@pytest.mark.parametrize(("change", "kind", "says"), REQUESTS)
def test_wrong_requests_say_what_is_allowed(
    change, kind, says, table, model, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    written(table, tmp_path / "songs.csv")
    (tmp_path / "songs.xlsx").touch()
    (tmp_path / "lone").touch()
    (tmp_path / "empty").mkdir()
    (tmp_path / "same").mkdir()
    for ending in ("csv", "csv.gz"):
        written(table, tmp_path / "same" / f"a.{ending}")
    (tmp_path / "twice.csv").write_text("tempo,tempo\n1,2\n")
    table.rename(columns={"tempo": "temper"}).to_csv(tmp_path / "lacking.csv")
    request = {"source": "songs.csv", "output": "out.csv"} | change
    with pytest.raises(kind, match=says):
        predict.score(model, **request)
