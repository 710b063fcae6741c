"""`moodcore features` on songs and on any table."""

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

SMALL = ("--songs", 400, "--folds", 2, "--repeats", 1, "--epochs", 2, "--models", "gbt,svm")
SMALL += ("--sizes", "5", "--thresholds", "0.7", "--jobs", 2)
DEADLINE = 120


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished run in its default folder, and what it printed."""
    cwd = tmp_path_factory.mktemp("finished")
    done = subprocess.run(
        [sys.executable, "-m", "moodcore.cli", "features", *map(str, SMALL), "--json"],
        capture_output=True, text=True, cwd=cwd, timeout=DEADLINE, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (run,) = (cwd / "runs").iterdir()
    return run, done


def test_a_run_leaves_a_folder_and_one_json_object(finished):
    run, done = finished
    found = json.loads(done.stdout)
    assert (found["format"], found["version"]) == ("moodcore-features", 2)
    assert found["run"] == f"runs/{run.name}"
    assert "synthetic" in done.stderr.splitlines()[0]
    assert "\x1b" not in done.stderr
    left = {"report.html", "metrics.json", "config.toml", "mark.json", "timing.json"}
    left |= {
        "figures",
        "results",
        "model.safetensors",
        "features.csv",
        "importances.csv",
        "choices.csv",
        "trainings.csv",
    }
    assert {file.name for file in run.iterdir()} == left
    pictures = ["correlation", "elimination_costs", "elimination_curves", "feature_measures"]
    assert sorted(file.stem for file in (run / "figures").iterdir()) == pictures


def test_config_of_a_run_repeats_it(finished, moodcore, tmp_path):
    run, _ = finished
    again = tmp_path / "again"
    done = moodcore("features", "--config", run / "config.toml", "--out", again, "--jobs", 1)
    assert done.code == 0, done.err
    assert (again / "metrics.json").read_bytes() == (run / "metrics.json").read_bytes()
    assert "ynthetic" in done.out.splitlines()[0]
    assert done.out.splitlines()[-1] == f"report: {again / 'report.html'}"


def test_a_finished_run_is_reported_again(finished, moodcore):
    run, _ = finished
    before = (run / "report.html").read_bytes()
    (run / "report.html").unlink()
    done = moodcore("features", "--resume", run)
    assert done.code == 0, done.err
    assert "is finished; rebuilding its report" in done.err
    assert (run / "report.html").read_bytes() == before
    refused = moodcore("features", "--resume", run, "--repeats", 2)
    assert refused.code == 2
    assert "repeats was 1 when the run began and is 2 now" in refused.err


def test_dry_run_writes_nothing(moodcore, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = moodcore("features", *SMALL, "--dry-run", "--json")
    plan = json.loads(done.out)
    assert (plan["format"], plan["version"]) == ("moodcore-features-plan", 2)
    assert plan["choices"] == ["all", "published", "filter 0.7", "eliminated to 5"]
    assert plan["trainings"] == 2 * (2 * 4 + 9)
    assert plan["seconds"] > 0
    text = moodcore("features", *SMALL, "--dry-run").out
    assert "at most 34: 2 models x 4 choices x 2 folds" in text
    assert text.endswith("nothing was written\n")
    assert list(tmp_path.iterdir()) == []


def start_endless(run):
    """Start a run in which the network never ends, and return it when the folds are described."""
    options = ("--songs", 2000, "--folds", 2, "--epochs", 1_000_000, "--models", "mlp,linear-svm")
    options += ("--sizes", "", "--thresholds", "0.7", "--repeats", 1, "--jobs", 2)
    arguments = ["features", *map(str, options), "--out", str(run)]
    process = subprocess.Popen(
        [sys.executable, "-m", "moodcore.cli", *arguments], stderr=subprocess.PIPE, text=True
    )
    begin = time.monotonic()
    while not list((run / "results").glob("*linear-svm*")):
        assert process.poll() is None
        assert time.monotonic() - begin < DEADLINE
        time.sleep(0.02)
    return process


def test_ctrl_c_keeps_what_is_finished(tmp_path):
    run = tmp_path / "run"
    process = start_endless(run)
    try:
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=DEADLINE)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 130
    assert f"moodcore features --resume {run}" in errors
    assert "Traceback" not in errors
    assert not (run / "metrics.json").exists()


def test_a_killed_run_continues_to_the_same_bytes(finished, moodcore, tmp_path):
    whole, _ = finished
    run = tmp_path / "run"
    arguments = ["features", *map(str, SMALL), "--out", str(run)]
    process = subprocess.Popen(
        [sys.executable, "-m", "moodcore.cli", *arguments], stderr=subprocess.DEVNULL
    )
    begin = time.monotonic()
    while not list((run / "results").glob("*gbt*")) and process.poll() is None:
        assert time.monotonic() - begin < DEADLINE
        time.sleep(0.001)
    process.kill()
    process.wait()
    before = {file.name for file in (run / "results").iterdir()}
    done = moodcore("features", "--resume", run)
    assert done.code == 0, done.err
    assert before <= {file.name for file in (run / "results").iterdir()}
    assert (run / "metrics.json").read_bytes() == (whole / "metrics.json").read_bytes()


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """A table of numbers with gaps and of categories, and text labels."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(300, 3)).round(3), columns=["age", "height", "noise"])
    X["town"] = rng.choice(["Bath", "Ely", "York"], size=300)
    X["row id"] = range(300)
    rich = X["age"] + (X["town"] == "Ely") > 0.3
    X["income"] = np.where(rich, ">50K", "<=50K")
    X.loc[::7, "age"] = np.nan
    path = tmp_path_factory.mktemp("table") / "people.csv"
    X.to_csv(path, index=False)
    return path


def test_any_table(table, moodcore, tmp_path):
    run = tmp_path / "run"
    done = moodcore(
        "features", "--data", table, "--target", "income", "--models", "gbt,logistic-regression",
        "--folds", 3, "--repeats", 1, "--epochs", 20, "--set", "by hand=age,town", "--sizes", "2,1",
        "--thresholds", "0.9", "--out", run, "--jobs", 2, "--json",
    )  # fmt: skip
    assert done.code == 0, done.err
    metrics = json.loads(done.out)
    data = metrics["data"]
    assert (data["preset"], data["target"], data["rows"]) == (None, "income", 300)
    assert [row["feature"] for row in metrics["features"]] == ["age", "height", "noise", "town"]
    assert "'row id'" in done.err
    cost = {(row["choice"], row["model"]): row["cost"] for row in metrics["choices"]}
    assert cost["eliminated to 1", "gbt"] > 0.05 > cost["by hand", "gbt"]
    assert metrics["recommended"]["features"] == ["age", "town"]


def test_a_table_of_categories_alone(moodcore, tmp_path):
    rng = np.random.default_rng(0)
    X = pd.DataFrame({name: rng.choice(list("abc"), 200) for name in ("one", "two", "three")})
    X.assign(first=X["one"] == "a").to_csv(tmp_path / "table.csv", index=False)
    done = moodcore(
        "features", "--data", tmp_path / "table.csv", "--target", "first", "--models", "gbt,mlp",
        "--folds", 2, "--repeats", 1, "--epochs", 20, "--out", tmp_path / "run",
    )  # fmt: skip
    assert done.code == 0, done.err
    assert "filter" not in (tmp_path / "run" / "choices.csv").read_text()


def test_limited_time_says_how_to_train_the_rest(table, moodcore, tmp_path):
    run = tmp_path / "run"
    options = ("--data", table, "--target", "income", "--models", "gbt", "--folds", 2)
    done = moodcore("features", *options, "--epochs", 5, "--minutes", 1e-6, "--out", run)
    assert done.code == 0, done.err
    assert f"moodcore features --resume {run}" in done.err
    rest = moodcore("features", "--resume", run)
    assert rest.code == 0, rest.err
    assert "time limit" not in rest.err
    assert json.loads((run / "metrics.json").read_text())["complete"] is True


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--models", "gbt,smv"), "'smv' does not exist; did you mean 'svm'"),
        (("--sizes", "7,two"), "'two' is not a whole number"),
        (("--thresholds", "0.7,x"), "'x' is not a number"),
        (("--sizes", "10"), "sizes must be below the number of features, 10, got 10"),
        (("--folds", "1"), "folds must be an int of at least 2, got 1"),
        (("--songs", "12"), "5 folds need at least 10"),
        (("--data", "lost.csv"), "lost.csv"),
        (("--resume", "lost"), "--resume lost: no run there"),
        (("--resume", "x", "--dry-run"), "--resume cannot be combined with"),
        (("--set", "mine"), "must be NAME=COLUMN"),
        (("--set", "mine=enrgy"), "set 'mine': feature 'enrgy' does not exist"),
        (("--songs", "400", "--features", "uncorrelated"), "features must be 'all'"),
        (("--modles", "gbt"), "No such option"),
    ],
)
def test_wrong_requests_say_what_is_allowed(moodcore, tmp_path, monkeypatch, options, says):
    monkeypatch.chdir(tmp_path)
    done = moodcore("features", *options)
    assert done.code == 2
    assert says in done.err
    assert "Traceback" not in done.err
    assert list(tmp_path.iterdir()) == [], "a refused request leaves nothing behind"


def test_runs_of_other_commands_and_versions_are_refused(finished, moodcore, tmp_path):
    run, _ = finished
    shutil.copytree(run, tmp_path / "run")
    mark = json.loads((run / "mark.json").read_text())
    for changes, message in (
        ({"command": "tune"}, "a run of moodcore tune, not of moodcore features"),
        ({"version": "0.0.1"}, "the run was begun by moodcore 0.0.1"),
    ):
        (tmp_path / "run" / "mark.json").write_text(json.dumps(mark | changes))
        done = moodcore("features", "--resume", tmp_path / "run")
        assert done.code == 2
        assert message in done.err


@pytest.mark.parametrize("run", ["features-finished", "features-interrupted"])
def test_runs_of_version_1_are_refused(moodcore, tmp_path, run):
    folder = Path(__file__).parent.parent / "golden" / "version_1_runs" / run
    done = moodcore("features", "--resume", shutil.copytree(folder, tmp_path / "run"))
    assert done.code == 2
    assert "begun by a version of moodcore that recorded none" in done.err
    assert "start a new run" in done.err
