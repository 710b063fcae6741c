"""`moodcore features` as a person runs it."""

import json
import signal
import subprocess
import sys
import time

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
    assert (found["format"], found["version"]) == ("moodcore-features", 1)
    assert found["run"] == f"runs/{run.name}"
    assert "synthetic" in done.stderr.splitlines()[0]
    assert "\x1b" not in done.stderr
    left = {"report.html", "metrics.json", "config.toml", "parts.json", "timing.json", "figures"}
    left |= {"features.csv", "importances.csv", "choices.csv", "trainings.csv"}
    assert {one.name for one in run.iterdir()} == left
    pictures = ["correlation", "elimination_costs", "elimination_curves", "feature_measures"]
    assert sorted(one.stem for one in (run / "figures").iterdir()) == pictures


def test_config_of_a_run_repeats_it(finished, moodcore, tmp_path):
    run, _ = finished
    again = tmp_path / "again"
    done = moodcore("features", "--config", run / "config.toml", "--out", again, "--jobs", 1)
    assert done.code == 0, done.err
    assert (again / "metrics.json").read_bytes() == (run / "metrics.json").read_bytes()
    assert done.out.splitlines()[0].startswith("The songs of this run are synthetic")
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
    assert (plan["format"], plan["version"]) == ("moodcore-features-plan", 1)
    assert plan["choices"] == ["all", "published", "filter 0.7", "eliminated to 5"]
    assert plan["trainings"] == 2 * (2 * 4 + 9)
    assert plan["seconds"] > 0
    text = moodcore("features", *SMALL, "--dry-run").out
    assert "at most 34: 2 models x 4 choices x 2 folds" in text
    assert text.endswith("nothing was written\n")
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_keeps_what_is_finished(tmp_path):
    """The network alone would take for ever; the trees come to their end before."""
    options = ("--songs", 2000, "--folds", 2, "--epochs", 1_000_000, "--models", "mlp,linear-svm")
    options += ("--sizes", "", "--thresholds", "0.7", "--repeats", 1, "--jobs", 2)
    run = tmp_path / "run"
    arguments = ["features", *map(str, options), "--out", str(run)]
    process = subprocess.Popen(
        [sys.executable, "-m", "moodcore.cli", *arguments], stderr=subprocess.PIPE, text=True
    )
    begin = time.monotonic()
    parts = run / "parts.json"
    try:
        while not parts.exists() or "columns" not in parts.read_text():
            assert process.poll() is None
            assert time.monotonic() - begin < DEADLINE
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=DEADLINE)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 130
    assert f"moodcore features --resume {run}" in said
    assert "Traceback" not in said
    assert json.loads((run / "parts.json").read_text())["parts"]
    assert not (run / "metrics.json").exists()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--models", "gbt,smv"), "model 'smv' does not exist; did you mean 'svm'"),
        (("--sizes", "7,two"), "'two' is not a whole number"),
        (("--thresholds", "0.7,x"), "'x' is not a number"),
        (("--sizes", "10"), "sizes must be below the number of features, 10, got 10"),
        (("--folds", "1"), "folds must be a whole number of at least 2, got 1"),
        (("--songs", "12"), "5 folds need at least 10"),
        (("--data", "lost.csv"), "lost.csv"),
        (("--resume", "lost"), "--resume lost: no run there"),
        (("--resume", "x", "--dry-run"), "--resume goes without"),
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


def test_a_run_of_another_command_is_refused(moodcore, tmp_path):
    (tmp_path / "config.toml").write_text("epochs = 3\n")
    done = moodcore("features", "--resume", tmp_path)
    assert done.code == 2
    assert "no study of features was begun there" in done.err
