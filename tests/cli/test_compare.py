"""`moodcore compare` as a person runs it."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import tomllib

import pandas as pd
import pytest

from moodcore import load, songs
from moodcore.comparison.entrants import candidates
from moodcore.comparison.settings import ComparisonSettings
from moodcore.runs.settings import settings_of

SMALL = ("--songs", 600, "--epochs", 3, "--folds", 2, "--repeats", 1, "--curve-sizes", 2)
FEW = (*SMALL, "--models", "mlp,gbt")
DEADLINE = 120
TABLES = {
    "summary", "scores", "test", "pairs", "learning_curves", "calibration", "precision_recall",
    "confusion", "predictions", "disagreements", "chosen", "times",
}  # fmt: skip
# What holds times, and what is made of it.
TIMED = {"times.csv", "timing.json", "report.html"}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished run of a file that knows its songs' uris, and what it printed."""
    cwd = tmp_path_factory.mktemp("compare")
    X, y = songs.synthesize(600, random_state=1)
    uri = [f"spotify:track:{number:022}" for number in range(600)]
    X.assign(**{songs.LABEL: y, songs.URI: uri}).to_csv(cwd / "songs.csv", index=False)
    arguments = ["compare", *FEW[2:], "--data", "songs.csv", "--seed", 5, "--jobs", 1, "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "moodcore.cli", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        timeout=DEADLINE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (run,) = (cwd / "runs").iterdir()
    return run, done


def test_a_run_leaves_a_folder_and_one_json_object(finished):
    run, done = finished
    found = json.loads(done.stdout)
    assert (found["format"], found["version"]) == ("moodcore-comparison", 1)
    assert found["run"] == f"runs/{run.name}"
    assert {path.stem for path in run.glob("*.csv")} == TABLES
    assert (run / "report.html").is_file()
    names = [row["model"] for row in found["summary"]]
    assert {"MLP", "GBT", "soft vote", "logistic regression"} < set(names)
    assert "\x1b" not in done.stderr
    assert re.search(r"\[25/25\]", done.stderr)


def test_models_can_be_used_at_once(finished, moodcore):
    run, _ = finished
    assert {path.name for path in (run / "models").iterdir()} == {
        "mlp.safetensors",
        "gbt.safetensors",
    }
    sizes = pd.read_csv(run / "summary.csv").set_index("model")["model_bytes"]
    path = run / "models" / "gbt.safetensors"
    assert path.stat().st_size == sizes["GBT"]
    assert load(path).provenance_ == {}
    done = moodcore("evaluate", path, run.parents[1] / "songs.csv", "--json")
    assert done.code == 0, done.err


def test_disagreements_are_the_songs(finished):
    run, _ = finished
    found = pd.read_csv(run / "disagreements.csv")
    table = pd.read_csv(run.parents[1] / "songs.csv")
    assert (found["MLP"] != found["GBT"]).all()
    assert (found["uri"] == table["uri"].iloc[found["row"]].to_numpy()).all()
    assert found["tempo"].to_numpy() == pytest.approx(table["tempo"].iloc[found["row"]])


def test_the_same_bytes_from_its_config_and_with_more_jobs(finished, moodcore, tmp_path):
    run, _ = finished
    again = tmp_path / "again"
    done = moodcore("compare", "--config", run / "config.toml", "--jobs", 2, "--out", again)
    assert done.code == 0, done.err
    assert "is the most accurate" in done.out
    compared = [path for path in run.rglob("*") if path.is_file() and path.name not in TIMED]
    compared = [path for path in compared if path.parent.name != "trainings"]
    assert len(compared) > 20
    for path in compared:
        assert path.read_bytes() == (again / path.relative_to(run)).read_bytes(), path.name


def test_finished_run_is_reported_again(finished, moodcore):
    run, _ = finished
    before = (run / "report.html").read_bytes()
    (run / "report.html").unlink()
    done = moodcore("compare", "--resume", run)
    assert done.code == 0, done.err
    assert "finished" in done.err
    assert (run / "report.html").read_bytes() == before
    refused = moodcore("compare", "--resume", run, "--epochs", 9)
    assert refused.code == 2
    assert "epochs was 3 when the run began and is 9 now" in refused.err


def test_dry_run_writes_nothing(moodcore, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = moodcore("compare", *FEW, "--dry-run")
    assert done.code == 0, done.err
    assert "trainings   25: 10 for the folds, 5 for the test, 10 for the learning" in done.out
    assert re.search(r"time +about \d+", done.out)
    plan = json.loads(moodcore("compare", *FEW, "--dry-run", "--json").out)
    assert (plan["format"], plan["version"]) == ("moodcore-comparison-plan", 1)
    assert plan["seconds"] > 0
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--model", "gbt"), "--models"),
        (("--models", "mlp,gbd"), "did you mean 'gbt'"),
        (("--models", "mlp,mlp"), "names a family twice"),
        (("--models", ","), "at least one family"),
        (("--folds", "1"), "at least 2, got 1"),
        (("--repeats", "0"), "at least 1, got 0"),
        (("--combine", "vot"), "did you mean 'vote'"),
        (("--trials", "4"), "ask for --tune too"),
        (("--features", "energi"), "did you mean 'energy'"),
        (("--songs", "20"), "5 folds need at least 10"),
        (("--data", "missing.csv"), "missing.csv"),
        (("--grid", "missing.toml"), "missing.toml: no such file"),
        (("--resume", "nowhere"), "no run there"),
        (("--resume", "nowhere", "--out", "there"), "--resume goes without"),
        (("--config", "other.toml"), "other.toml: no such file"),
    ],
)
def test_bad_requests_are_explained(moodcore, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    done = moodcore("compare", *arguments)
    assert done.code == 2
    assert message in done.err
    assert "Traceback" not in done.err
    assert not done.out
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("[gbt]\nmax_leavs = [7]\n", ["--tune"], "max_leaves"),
        ("[gbt]\nmax_leaves = [1]\n", ["--tune"], "max_leaves"),
        ("[svm]\nC = [1.0]\n", ["--tune"], "family 'svm' does not exist"),
        ("max_leaves = [7]\n", ["--tune"], "family 'max_leaves' does not exist"),
        ("[gbt]\nmax_leaves = [7]\n", [], "--tune"),
    ],
)
def test_bad_grids_are_explained(moodcore, tmp_path, text, options, message):
    path = tmp_path / "grid.toml"
    path.write_text(text)
    done = moodcore("compare", *FEW, *options, "--grid", path, "--out", tmp_path / "run")
    assert done.code == 2
    assert message in done.err
    assert not (tmp_path / "run").exists()


def test_a_folder_of_another_command_is_refused(moodcore, tmp_path):
    (tmp_path / "config.toml").write_text("epochs = 3\n")
    done = moodcore("compare", "--resume", tmp_path)
    assert done.code == 2
    assert "no comparison was begun there" in done.err


def test_a_grid_is_searched_inside_every_training(moodcore, tmp_path):
    path = tmp_path / "grid.toml"
    path.write_text("[gbt]\nmax_leaves = [2, 3]\nlearning_rate = 0.3\nreg_lambda = 1.0\n")
    done = moodcore(
        "compare", *SMALL, "--models", "gbt", "--tune", "--grid", path, "--inner-folds", 2,
        "--dry-run", "--json",
    )  # fmt: skip
    assert done.code == 0, done.err
    settings = settings_of(
        ComparisonSettings,
        {"models": ["gbt"], "tune": True, "grid": tomllib.loads(path.read_text())},
    )
    tried = candidates(settings, "gbt")
    assert [one["max_leaves"] for one in tried] == [2, 3]
    assert all((one["learning_rate"], one["reg_lambda"]) == (0.3, 1.0) for one in tried)


@pytest.mark.skipif(os.name == "nt", reason="signals as on POSIX")
def test_interrupt_keeps_what_is_done_and_says_how_to_go_on(tmp_path):
    arguments = [
        "compare", "--songs", 4000, "--models", "mlp", "--epochs", 1000000, "--jobs", 2,
        "--out", tmp_path / "run",
    ]  # fmt: skip
    log = tmp_path / "log.txt"
    with log.open("w") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "moodcore.cli", *map(str, arguments)], stderr=file, stdout=file
        )
    trainings = tmp_path / "run" / "trainings"
    # The baselines are quick; the networks would take hours.
    begin = time.monotonic()
    try:
        while not (trainings.is_dir() and any(trainings.iterdir())):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() - begin < DEADLINE, log.read_text()
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        assert process.wait(DEADLINE) == 130, log.read_text()
    finally:
        process.kill()
        process.wait()
    said = log.read_text()
    assert f"moodcore compare --resume {tmp_path / 'run'}" in said
    assert "Traceback" not in said
    assert not (tmp_path / "run" / "metrics.json").exists()
