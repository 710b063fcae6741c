"""`--model linear-svm`: the experiment with a model that gives no probabilities."""

import json

import pandas as pd
import pytest

from moodcore import LinearSVM, load, songs
from moodcore.cli import main

SMALL = ("--model", "linear-svm", "--songs", "400", "--folds", "2", "--seed", "5")
RESULTS = ("metrics.json", "trials.csv", "curves.parquet", "config.toml", "model.safetensors")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    run = tmp_path_factory.mktemp("planes") / "run"
    assert main(["tune", *SMALL, "--jobs", "1", "--out", str(run)]) == 0
    return run


def test_a_run_leaves_everything(finished):
    trials = pd.read_csv(finished / "trials.csv")
    assert len(trials) == 10 and (trials["state"] == "complete").all()
    assert (trials["n_weights"] == 4 * 8).all()
    test = json.loads((finished / "metrics.json").read_text())["test"]
    assert test["accuracy"] > 0.6 and test["log_loss"] is None and test["brier"] is None
    text = (finished / "report.html").read_text(encoding="utf-8")
    assert "LinearSVM predicts no probabilities, so both are missing" in text


def test_jobs_do_not_change_a_byte(finished, tmp_path):
    assert main(["tune", *SMALL, "--jobs", "2", "--out", str(tmp_path / "two")]) == 0
    for name in RESULTS:
        assert (finished / name).read_bytes() == (tmp_path / "two" / name).read_bytes(), name


@pytest.mark.parametrize("model", ["svm", "linear-svm"])
def test_labels_without_probabilities(model, tmp_path, moodcore):
    X, y = songs.synthesize(500, random_state=9)
    table, file, out = tmp_path / "songs.csv", tmp_path / "model", tmp_path / "out.csv"
    X.assign(**{songs.LABEL: y}).to_csv(table, index=False)
    asked = ("--data", table, "--set", "C=0.5")
    asked += ("--set", "probability=false") if model == "svm" else ()
    assert moodcore("train", "--model", model, *asked, "-o", file).code == 0
    done = moodcore("predict", file, table, "-o", out)
    assert done.code == 0, done.err
    found = pd.read_csv(out)
    assert not list(found.filter(like="probability_"))
    codes = load(file).predict(X)
    names = [songs.LABEL_NAMES[code] for code in codes]
    assert found["predicted_label"].to_list() == names
    done = moodcore("evaluate", file, table)
    assert done.code == 0, done.err
    assert f"{100 * (codes == y).mean():.2f} %" in done.out and "log loss" not in done.out
    if model == "linear-svm":
        assert isinstance(load(file).steps[-1][1].estimator_, LinearSVM)
