"""`--model svm`: search, report, and what the other commands do with the model."""

import json
import re

import pandas as pd
import pytest

from moodcore import SVM, load, songs
from moodcore.cli import main

SMALL = ("--model", "svm", "--songs", "400", "--folds", "2", "--seed", "5")
RESULTS = ("metrics.json", "trials.csv", "curves.parquet", "config.toml", "model.safetensors")
FIGURES = {"class_counts", "correlation", "grid_overview"}
FIGURES |= {"confusion_matrix", "calibration", "class_curves", "rejection"}


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    path = tmp_path_factory.mktemp("grid") / "grid.toml"
    path.write_text("C = [1.0, 5.0]\ngamma = 0.15\n")
    return path


@pytest.fixture(scope="module")
def finished(tmp_path_factory, grid):
    """A run from its beginning to its end, on one thread."""
    run = tmp_path_factory.mktemp("svm") / "run"
    asked = ("tune", *SMALL, "--grid", grid, "--jobs", 1, "--out", run)
    assert main([str(word) for word in asked]) == 0
    return run


def test_a_run_leaves_everything(finished):
    assert {path.stem for path in (finished / "figures").iterdir()} == FIGURES
    trials = pd.read_csv(finished / "trials.csv")
    assert trials["C"].to_list() == [1.0, 5.0]
    assert (trials["state"] == "complete").all() and (trials["diverged_folds"] == 0).all()
    # The hinge loss, and the number of support vectors.
    assert trials["valid_loss"].between(0.1, 2).all() and (trials["n_weights"] > 20).all()
    text = (finished / "report.html").read_text(encoding="utf-8")
    assert set(re.findall(r'<figure[^>]* id="(\w+)"', text)) == FIGURES
    assert "SVM predicts song mood" in text and "hinge loss" in text
    parameters = json.loads((finished / "metrics.json").read_text())["model"]["parameters"]
    assert parameters["probability"] is True


def test_jobs_do_not_change_a_byte(finished, grid, tmp_path):
    asked = ("tune", *SMALL, "--grid", grid, "--jobs", 2, "--out", tmp_path / "two")
    assert main([str(word) for word in asked]) == 0
    for name in RESULTS:
        assert (finished / name).read_bytes() == (tmp_path / "two" / name).read_bytes(), name


def test_train_predict_and_evaluate(tmp_path, moodcore):
    X, y = songs.synthesize(500, random_state=9)
    X.assign(**{songs.LABEL: y}).to_csv(tmp_path / "songs.csv", index=False)
    model = tmp_path / "model"
    asked = ("--data", tmp_path / "songs.csv", "--set", "C=5", "--set", "probability=true")
    assert moodcore("train", "--model", "svm", *asked, "-o", model).code == 0
    assert isinstance(load(model).steps[-1][1].estimator_, SVM)
    out = tmp_path / "out.csv"
    assert moodcore("predict", model, tmp_path / "songs.csv", "-o", out).code == 0
    assert pd.read_csv(out).filter(like="probability_").shape == (500, 4)
    done = moodcore("evaluate", model, tmp_path / "songs.csv")
    assert done.code == 0, done.err


@pytest.mark.parametrize("option", [("--epochs", "5"), ("--pruner", "median")])
def test_what_makes_no_sense_is_refused(option, moodcore):
    done = moodcore("tune", *SMALL, *option)
    assert done.code == 2 and "model svm is not trained in epochs" in done.err
