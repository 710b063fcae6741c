"""The command `moodcore compare`."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import tomllib

import numpy as np
import pandas as pd
import pytest

from moodcore import __version__, load, songs
from moodcore.comparison.models import candidates
from moodcore.comparison.settings import CompareSettings
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
    """A finished run on a file with the songs' uris, and its output."""
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
    assert (found["format"], found["version"]) == ("moodcore-comparison", 2)
    assert found["run"] == f"runs/{run.name}"
    assert {path.stem for path in run.glob("*.csv")} == TABLES
    assert (run / "report.html").is_file()
    names = [row["model"] for row in found["summary"]]
    assert {"MLP", "GBT", "soft vote", "logistic regression"} < set(names)
    assert "\x1b" not in done.stderr
    assert "[25/25 trainings]" in done.stderr


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
    assert "has the highest cross-validation accuracy" in done.out
    compared = [path for path in run.rglob("*") if path.is_file() and path.name not in TIMED]
    compared = [path for path in compared if path.parent.name != "results"]
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
    times = re.findall(r"^ +(.+): (\d+), about (.+) each, (.+) in all$", done.out, re.MULTILINE)
    assert sum(int(trainings) for _, trainings, *_ in times) == 25
    plan = json.loads(moodcore("compare", *FEW, "--dry-run", "--json").out)
    assert (plan["format"], plan["version"]) == ("moodcore-comparison-plan", 2)
    assert plan["seconds"] > 0
    assert not list(tmp_path.iterdir())


def test_dry_run_states_the_search(moodcore, tmp_path):
    X, y = songs.synthesize(300, random_state=0)
    X.assign(kind=y).to_csv(tmp_path / "table.csv", index=False)
    table = ("--data", tmp_path / "table.csv", "--target", "kind", "--folds", 2, "--repeats", 1)
    options = ("--models", "linear-svm", "--curve-sizes", 0, "--tune", "--dry-run")
    for words, grids in ((table, "around the defaults"), (SMALL, "in the grids of the experiment")):
        done = moodcore("compare", *words, *options)
        assert done.code == 0, done.err
        assert f"at most 8 candidates {grids}, each in 3 folds" in done.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--model", "gbt"), "--models"),
        (("--models", "mlp,gbd"), "did you mean 'gbt'"),
        (("--models", "mlp,mlp"), "must be different, got 'mlp' twice"),
        (("--models", ","), "at least one model"),
        (("--folds", "1"), "at least 2, got 1"),
        (("--repeats", "0"), "at least 1, got 0"),
        (("--combine", "vot"), "did you mean 'vote'"),
        (("--trials", "4"), "--trials needs --tune"),
        (("--features", "energi"), "did you mean 'energy'"),
        (("--songs", "20"), "5 folds need at least"),
        (("--data", "missing.csv"), "missing.csv"),
        (("--target", "income"), "target"),
        (("--minutes", "0"), "above 0"),
        (("--engine", "dask"), "--scheduler"),
        (("--grid", "missing.toml"), "missing.toml: no such file"),
        (("--resume", "nowhere"), "no run there"),
        (("--resume", "nowhere", "--out", "there"), "--resume cannot be combined"),
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
    mark = {"version": __version__, "command": "tune", "settings": {}, "data": ""}
    (tmp_path / "mark.json").write_text(json.dumps(mark))
    done = moodcore("compare", "--resume", tmp_path)
    assert done.code == 2
    assert "a run of moodcore tune, not of moodcore compare" in done.err
    (tmp_path / "mark.json").write_text(json.dumps(mark | {"version": "0.0.9"}))
    assert "begun by moodcore 0.0.9" in moodcore("compare", "--resume", tmp_path).err


def test_a_grid_is_searched_inside_every_training(moodcore, tmp_path):
    path = tmp_path / "grid.toml"
    path.write_text("[gbt]\nmax_leaves = [2, 3]\nlearning_rate = 0.3\nreg_lambda = 1.0\n")
    done = moodcore(
        "compare", *SMALL, "--models", "gbt", "--tune", "--grid", path, "--inner-folds", 2,
        "--dry-run", "--json",
    )  # fmt: skip
    assert done.code == 0, done.err
    settings = settings_of(
        CompareSettings,
        {"models": ["gbt"], "tune": True, "grid": tomllib.loads(path.read_text())},
    )
    tried = candidates(settings, "gbt")
    assert [params["max_leaves"] for params in tried] == [2, 3]
    assert all((params["learning_rate"], params["reg_lambda"]) == (0.3, 1.0) for params in tried)


def table_file(path):
    """Three classes in numbers, categories and missing values."""
    rng = np.random.default_rng(0)
    y = np.arange(240) % 3
    table = pd.DataFrame(
        {
            "size": np.where(rng.random(240) < 0.1, np.nan, y + rng.normal(size=240)),
            "shape": np.array(["flat", "round", "long"])[np.where(rng.random(240) < 0.8, y, 0)],
            "kind": np.array(["apple", "pear", "plum"])[y],
        }
    )
    table.to_csv(path, index=False)
    return path


def test_any_table(moodcore, tmp_path):
    data = table_file(tmp_path / "fruit.csv")
    done = moodcore(
        "compare", "--data", data, "--target", "kind", "--models", "gbt,linear-svm", "--epochs", 20,
        "--repeats", 1, "--curve-sizes", 0, "--jobs", 1, "--out", tmp_path / "run", "--json",
    )  # fmt: skip
    assert done.code == 0, done.err
    metrics = json.loads(done.out)
    assert metrics["data"]["target"] == "kind"
    assert metrics["classes"] == ["apple", "pear", "plum"]
    assert not metrics["failures"]
    accuracy = {row["model"]: row["accuracy"] for row in metrics["summary"]}
    assert min(accuracy["GBT"], accuracy["LinearSVM"]) > 0.7 > accuracy["majority class"]
    assert {pair["verdict"] for pair in metrics["pairs"] if pair["second"] == "majority class"} == {
        "better"
    }
    assert (tmp_path / "run" / "report.html").is_file()


def test_a_time_limit_says_how_to_train_the_rest(moodcore, tmp_path):
    options = ("compare", *FEW, "--curve-sizes", 3, "--jobs", 1)
    done = moodcore(*options, "--minutes", 1e-9, "--out", tmp_path / "run")
    assert done.code == 0, done.err
    assert f"moodcore compare --resume {tmp_path / 'run'}" in done.err
    assert "time limit" in done.out
    assert "2 of 2 folds, 0 of 3 points" in (tmp_path / "run" / "report.html").read_text()
    assert moodcore("compare", "--resume", tmp_path / "run").code == 0
    assert moodcore(*options, "--out", tmp_path / "whole").code == 0
    for name in ("metrics.json", "summary.csv", "learning_curves.csv"):
        assert (tmp_path / "run" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def begin(tmp_path, *arguments):
    """Start a comparison, wait for its first results, and return process and log."""
    log = tmp_path / "log.txt"
    command = [sys.executable, "-m", "moodcore.cli", "compare", *map(str, arguments)]
    with log.open("w") as file:
        process = subprocess.Popen(command, stderr=file, stdout=file)
    results = tmp_path / "run" / "results"
    start = time.monotonic()
    while not (results.is_dir() and any(results.iterdir())):
        assert process.poll() is None, log.read_text()
        assert time.monotonic() - start < DEADLINE, log.read_text()
        time.sleep(0.05)
    return process, log


@pytest.mark.skipif(os.name == "nt", reason="signals as on POSIX")
@pytest.mark.parametrize(
    ("jobs", "arguments"),
    # With two processes the baselines are quick, and the networks would take hours.
    [(2, ["--models", "mlp", "--epochs", 1000000]), (1, ["--models", "svm"])],
)
def test_interrupt_keeps_results_and_shows_how_to_continue(tmp_path, jobs, arguments):
    arguments = ["--songs", 4000, *arguments, "--jobs", jobs]
    process, log = begin(tmp_path, *arguments, "--out", tmp_path / "run")
    try:
        process.send_signal(signal.SIGINT)
        assert process.wait(DEADLINE) == 130, log.read_text()
    finally:
        process.kill()
        process.wait()
    text = log.read_text()
    assert f"moodcore compare --resume {tmp_path / 'run'}" in text
    assert "Traceback" not in text
    assert not (tmp_path / "run" / "metrics.json").exists()


def is_alive(pid):
    state = subprocess.run(["ps", "-o", "state=", "-p", str(pid)], capture_output=True, check=False)
    return state.stdout.strip()[:1] not in (b"", b"Z")


@pytest.mark.skipif(os.name == "nt", reason="signals as on POSIX")
def test_a_killed_run_ends_its_processes_and_is_resumed(moodcore, tmp_path):
    arguments = [
        "--songs", 2000, "--models", "svm,gbt", "--folds", 2, "--repeats", 1, "--curve-sizes", 2,
        "--jobs", 2,
    ]  # fmt: skip
    process, _ = begin(tmp_path, *arguments, "--out", tmp_path / "run")
    listed = subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, check=True)
    children = [int(pid) for pid in listed.stdout.split()]
    assert len(children) >= 2
    process.kill()
    process.wait()
    start = time.monotonic()
    while any(map(is_alive, children)):
        assert time.monotonic() - start < DEADLINE
        time.sleep(0.05)
    assert moodcore("compare", "--resume", tmp_path / "run", "--jobs", 1).code == 0
    assert moodcore("compare", *arguments, "--out", tmp_path / "whole").code == 0
    for name in ("metrics.json", "predictions.csv", "models/gbt.safetensors"):
        assert (tmp_path / "run" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
