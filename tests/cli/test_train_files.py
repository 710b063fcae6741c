"""`moodcore train` on tables that are read in batches."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from moodcore import GBT, load
from moodcore.cli import main
from moodcore.estimators import batch_parts
from moodcore.runs.seeds import Stream, derive
from moodcore.tables import parquet_files
from moodcore.tuning import train_files

OPTIONS = ("--target", "income", "--id", "id", "--model", "gbt", "--set", "n_estimators=5")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder of three files."""
    path = tmp_path_factory.mktemp("people")
    rng = np.random.default_rng(0)
    for at in range(3):
        x, job = rng.normal(size=400), rng.choice(["cook", "nurse", "pilot"], 400)
        rich = x + (job == "pilot") + 0.3 * rng.normal(size=400) > 0.5
        columns = {"id": np.arange(400) + 400 * at, "x": x, "job": job}
        table = pa.table(columns | {"income": np.where(rich, "high", "low")})
        pq.write_table(table, path / f"part-{at}.parquet", row_group_size=150)
    return path


def train(data, out, *options):
    return main(["train", "--data", str(data), *OPTIONS, *options, "-o", str(out)])


def test_a_folder_and_a_pattern_give_the_model_of_the_rows(folder, tmp_path, monkeypatch, capsys):
    assert train(folder, tmp_path / "folder.safetensors") == 0
    assert "held-out rows" in capsys.readouterr().out
    first = load(tmp_path / "folder.safetensors")
    assert list(first.feature_names_in_) == ["x", "job"]
    monkeypatch.setattr(batch_parts, "BATCH_ROWS", 37)
    assert train(folder / "*.parquet", tmp_path / "pattern.safetensors") == 0
    table = pa.concat_tables([pq.read_table(path) for path in sorted(folder.iterdir())])
    X = table.select(["x", "job"])
    second = load(tmp_path / "pattern.safetensors")
    assert (first.predict_proba(X) == second.predict_proba(X)).all()
    seed = derive(0, Stream.REFIT)
    held = train_files.HeldOut(seed)(np.arange(1200))
    assert 150 < held.sum() < 330
    kept = table.filter(pa.array(~held))
    model = GBT(5, categorical_features="from_dtype", random_state=seed)
    labels = kept["income"].to_numpy()
    expected = model.fit(kept.select(["x", "job"]), labels).predict_proba(X)
    assert (expected == first.predict_proba(X)).all()


def test_the_model_file_serves_the_other_commands(folder, tmp_path, capsys):
    model = tmp_path / "model.safetensors"
    assert train(folder, model, "--test", str(folder / "part-0.parquet")) == 0
    assert "(400 held-out rows)" in capsys.readouterr().out
    for command in ("evaluate", "explain"):
        assert main([command, str(model), str(folder / "part-1.parquet")]) == 0
    scored = tmp_path / "scored.parquet"
    assert main(["predict", str(model), str(folder / "part-1.parquet"), "-o", str(scored)]) == 0
    assert pq.read_metadata(scored).num_rows == 400
    assert load(model).provenance_["target"] == "income"
    assert json.dumps(load(model).provenance_)


def test_a_file_larger_than_a_share_of_the_memory_is_read_in_batches(folder, monkeypatch):
    path = str(folder / "part-0.parquet")
    assert not parquet_files.is_read_in_batches(path)
    monkeypatch.setattr(parquet_files, "_memory", lambda: 4096)
    assert parquet_files.is_read_in_batches(path)
    assert not parquet_files.is_read_in_batches(None)
    assert not parquet_files.is_read_in_batches(str(folder / "rows.csv"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--target", "incom"], "missing column: 'incom' (there is 'income')"),
        (["--weight", "x", "--rows", "100"], "rows None, and data a folder"),
        (["--balance"], "hyperparameter class_weight"),
        (["--drop", "jb"], "did you mean 'job'?"),
        (["--set", "max_leaves=1"], "max_leaves must be"),
    ],
)
def test_what_is_refused(options, message, folder, tmp_path, capsys):
    assert train(folder, tmp_path / "model.safetensors", *options) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("options", [["--model", "svm"], ["--model", "gbt", "--rows", "500"]])
def test_other_models_and_samples_are_in_memory(folder, tmp_path, capsys, options):
    words = ["--data", str(folder), "--target", "income", "--id", "id", *options]
    assert main(["train", *words, "-o", str(tmp_path / "model")]) == 0
    n_held_out = 100 if "--rows" in options else 240
    assert f"({n_held_out} held-out rows)" in capsys.readouterr().out


def test_tables_that_are_too_large_need_a_sample(folder, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(parquet_files, "_memory", lambda: 4096)
    words = ["--data", str(folder), "--target", "income", "--id", "id", "--model", "svm"]
    assert main(["train", *words, "-o", str(tmp_path / "model")]) == 2
    assert "1,200 rows take more than a quarter of the memory" in capsys.readouterr().err
    assert main(["train", *words, "--rows", "300", "-o", str(tmp_path / "model")]) == 0
    printed = capsys.readouterr()
    assert "300 of 1,200 rows, drawn by row number" in printed.err
    assert "(60 held-out rows)" in printed.out
