"""`train`, `predict`, `evaluate` and `data`, one after another."""

import io
import json
import subprocess
import sys

import pandas as pd
import pytest

from moodcore.cli import main


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A table of songs and a model."""
    path = tmp_path_factory.mktemp("models")
    made = ("data", "synthesize", "-o", path / "songs.csv", "--songs", 600, "--seed", 2)
    assert main([str(word) for word in made]) == 0
    settings = ("--set", "epochs=20", "--set", "hidden_sizes=[8]", "--set", "learning_rate=0.05")
    trained = ("train", "--data", path / "songs.csv", *settings, "-o", path / "model")
    assert main([str(word) for word in trained]) == 0
    return path


def test_predict_adds_columns_in_any_order(folder, moodcore):
    songs = pd.read_csv(folder / "songs.csv")
    turned = folder / "turned.csv"
    songs[songs.columns[::-1]].drop(columns="labels").to_csv(turned, index=False)
    done = moodcore("predict", folder / "model", turned, "-o", folder / "out.csv", "--keep", "all")
    assert done.code == 0, done.err
    assert not done.out
    found = pd.read_csv(folder / "out.csv")
    probabilities = found.filter(like="probability_")
    assert list(probabilities) == [
        f"probability_{n}" for n in ("sad", "happy", "energetic", "calm")
    ]
    assert probabilities.sum(axis=1).to_list() == pytest.approx([1.0] * 600)
    best = probabilities.idxmax(axis=1).str.removeprefix("probability_")
    assert best.to_list() == found["predicted_label"].to_list()
    straight = moodcore("predict", folder / "model", folder / "songs.csv", "--keep", "all")
    again = pd.read_csv(io.StringIO(straight.out))
    assert again["predicted_label"].to_list() == found["predicted_label"].to_list()
    pd.testing.assert_frame_equal(again[songs.columns], songs)


def test_missing_columns_are_named(folder, moodcore):
    songs = pd.read_csv(folder / "songs.csv")
    lacking = folder / "lacking.csv"
    songs.drop(columns=["valence", "tempo"]).to_csv(lacking, index=False)
    done = moodcore("predict", folder / "model", lacking)
    assert done.code == 2
    assert "valence" in done.err
    assert "tempo" in done.err


def test_columns_the_model_does_not_use_may_be_missing(folder, moodcore):
    songs = pd.read_csv(folder / "songs.csv")
    fewer = folder / "fewer.csv"
    songs.drop(columns=["loudness", "spec_rate", "labels"]).to_csv(fewer, index=False)
    assert moodcore("predict", folder / "model", fewer).code == 0


def test_labels_of_the_file_do_not_hinder_a_prediction(folder, moodcore):
    songs = pd.read_csv(folder / "songs.csv", dtype={"labels": object})
    songs.loc[::2, "labels"] = ""
    songs.loc[1, "labels"] = "melancholy"
    odd = folder / "odd.csv"
    songs.to_csv(odd, index=False)
    done = moodcore("predict", folder / "model", odd, "--keep", "labels")
    assert done.code == 0, done.err
    assert pd.read_csv(io.StringIO(done.out))["labels"][1] == "melancholy"


def test_evaluate_in_words_and_json(folder, moodcore):
    words = moodcore("evaluate", folder / "model", folder / "songs.csv")
    assert words.code == 0, words.err
    found = json.loads(moodcore("evaluate", folder / "model", folder / "songs.csv", "--json").out)
    assert (found["format"], found["n_rows"]) == ("moodcore-evaluation", 600)
    assert f"{100 * found['accuracy']:.2f} %" in words.out


def test_a_file_that_is_no_model(folder, moodcore):
    done = moodcore("evaluate", folder / "songs.csv", folder / "songs.csv")
    assert done.code == 2
    assert "songs.csv" in done.err
    assert "Traceback" not in done.err


def test_check_counts_the_classes(folder, moodcore):
    done = moodcore("data", "check", folder / "songs.csv")
    assert done.code == 0, done.err
    assert "600" in done.out
    assert "energetic" in done.out
    assert moodcore("data", "check", folder / "none.csv").code == 2


def test_train_names_the_nearest_hyperparameter(folder, moodcore):
    done = moodcore("train", "--set", "learning_rat=1", "-o", folder / "other")
    assert done.code == 2
    assert "learning_rate" in done.err


def test_help_needs_no_heavy_imports():
    code = (
        "import sys; from moodcore.cli import main; main(['--help']); "
        "heavy = {'pandas', 'sklearn', 'optuna', 'matplotlib', 'rich'} & set(sys.modules); "
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for name in ("tune", "data", "train", "evaluate", "predict"):
        assert name in done.stdout


def test_songs_are_made_as_csv_or_parquet_only(folder, moodcore):
    done = moodcore("data", "synthesize", "--songs", 5, "-o", folder / "songs.xls")
    assert done.code == 2
    assert "songs are written as .csv, .parquet, .pq, got 'songs.xls'" in done.err
    assert not (folder / "songs.xls").exists()


def test_what_the_system_refuses_is_said_without_its_number(folder, moodcore, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied", "runs")

    monkeypatch.setattr("moodcore.runs.folder.write_text", refuse)
    done = moodcore("tune", "--data", folder / "songs.csv", "--epochs", 1)
    assert done.code == 2
    assert done.err.endswith("moodcore: error: runs: Permission denied\n")
