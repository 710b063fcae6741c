"""`moodcore tune` as a person runs it."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest

from moodcore.runs.folder import RunFolder
from moodcore.runs.mark import make_mark
from moodcore.tuning.settings import TuneSettings

SMALL = ("--songs", "400", "--folds", "2", "--epochs", "3", "--trials", "2", "--jobs", "2")
# Long enough to be interrupted, whatever the machine: hours if it were left alone.
LONG = ("--songs", "4000", "--folds", "2", "--epochs", "1000000", "--jobs", "2")
DEADLINE = 120


def command(*arguments):
    return [sys.executable, "-m", "moodcore.cli", *map(str, arguments)]


def wait_for(condition):
    """Wait until something is true, or fail."""
    begin = time.monotonic()
    while not condition():
        assert time.monotonic() - begin < DEADLINE, "it did not happen"
        time.sleep(0.02)


LENGTHS = "[2, 3, 1000000]"
LONG_GRIDS = {
    "mlp": f"hidden_sizes = [[4]]\nlearning_rate = 0.01\nbatch_size = 32\nepochs = {LENGTHS}",
    "gbt": "max_leaves = 4\nlearning_rate = 0.01\nreg_lambda = 1.0\n"
    f"early_stopping_rounds = 1000000\nn_estimators = {LENGTHS}",
}


@pytest.fixture
def long_run(tmp_path, request):
    """Options of a run whose first candidates are quick and whose last would take for ever."""
    model = getattr(request, "param", "mlp")
    path = tmp_path / "grid.toml"
    path.write_text(LONG_GRIDS[model])
    return (*LONG, "--model", model, "--grid", path, "--out", tmp_path / "run")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished run in its default folder, and what it printed."""
    cwd = tmp_path_factory.mktemp("finished")
    grid = cwd / "grid.toml"
    grid.write_text("learning_rate = [0.01, 0.02]\nhidden_sizes = [[4]]\nbatch_size = 32\n")
    arguments = ("tune", *SMALL, "--seed", 5, "--grid", grid, "--json")
    done = subprocess.run(
        command(*arguments), capture_output=True, text=True, cwd=cwd, timeout=DEADLINE, check=False
    )
    assert done.returncode == 0, done.stderr
    (run,) = (cwd / "runs").iterdir()
    return run, done


def test_a_run_leaves_a_folder_and_one_json_object(finished):
    run, done = finished
    found = json.loads(done.stdout)
    assert (found["format"], found["version"]) == ("moodcore-run", 2)
    assert found["run"] == f"runs/{run.name}"
    assert run.name.endswith("-seed5")
    assert "synthetic" in done.stderr.splitlines()[0]
    assert "(2 of 2)" in done.stderr
    assert "\x1b" not in done.stderr
    for name in ("report.html", "model.safetensors", "timing.json", "study.db", "figures"):
        assert (run / name).exists()


def test_config_of_a_run_repeats_it(finished, moodcore, tmp_path):
    run, _ = finished
    again = moodcore("tune", "--config", run / "config.toml", "--jobs", 1, "--out", tmp_path / "b")
    assert again.code == 0, again.err
    assert "Synthetic" in again.out.splitlines()[0]
    for name in ("metrics.json", "trials.csv", "curves.parquet", "config.toml"):
        assert (run / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_finished_run_is_reported_again(finished, moodcore):
    run, _ = finished
    (run / "report.html").unlink()
    done = moodcore("tune", "--resume", run)
    assert done.code == 0, done.err
    assert "finished" in done.err
    assert (run / "report.html").exists()
    refused = moodcore("tune", "--resume", run, "--epochs", 9)
    assert refused.code == 2
    assert "epochs was 3 when the run began and is 9 now" in refused.err


def test_dry_run_writes_nothing(moodcore, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = moodcore("tune", *SMALL, "--dry-run")
    assert done.code == 0, done.err
    assert "2 x 2 folds x 3 epochs" in done.out
    assert re.search(r"time +about \d+", done.out)
    assert json.loads(moodcore("tune", *SMALL, "--dry-run", "--json").out)["candidates"] == 2
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--foldz", "3"), "--folds"),
        (("--folds", "1"), "at least 2, got 1"),
        (("--sampler", "gird"), "grid"),
        (("--grid", "missing.toml"), "missing.toml: no such file"),
        (("--data", "missing.csv"), "missing.csv"),
        (("--resume", "nowhere"), "no run there"),
        (("--resume", "nowhere", "--out", "there"), "--resume cannot be combined"),
        (("--features", "energi", "--songs", "400"), "did you mean 'energy'"),
        (("--songs", "20"), "5 folds need at least 10"),
        (("--jobs", "0"), "--jobs"),
    ],
)
def test_bad_requests_are_explained(moodcore, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    done = moodcore("tune", *arguments)
    assert done.code == 2
    assert message in done.err
    assert "Traceback" not in done.err
    assert not done.out
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("line", "message"),
    [("learning_rat = 1", "learning_rate"), ("momentum = [2.0]", "momentum")],
)
def test_bad_hyperparameters_are_explained(moodcore, tmp_path, monkeypatch, line, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "grid.toml").write_text(line)
    done = moodcore("tune", *SMALL, "--grid", "grid.toml")
    assert (done.code, message in done.err) == (2, True), done.err
    assert [path.name for path in tmp_path.iterdir()] == ["grid.toml"]


def test_debug_shows_the_traceback(moodcore):
    done = moodcore("tune", "--folds", 1, "--debug")
    assert done.code == 2
    assert "Traceback" in done.err


def test_existing_folder_is_left_alone(moodcore, tmp_path):
    (tmp_path / "precious").write_text("data")
    done = moodcore("tune", *SMALL, "--out", tmp_path)
    assert done.code == 2
    assert "not an empty folder" in done.err
    assert [path.name for path in tmp_path.iterdir()] == ["precious"]


def test_default_folders_never_meet(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = TuneSettings(seed=7)
    mark = make_mark(settings.decisive(), "0" * 64)
    folders = [RunFolder.begin(None, "tune", settings, mark) for _ in range(3)]
    assert len({folder.path for folder in folders}) == 3
    for folder in folders:
        assert re.fullmatch(r"runs/\d{8}-\d{6}-seed7(-\d)?", str(folder.path))
        assert RunFolder.existing(folder.path, "tune") == folder
    assert len(list((tmp_path / "runs").iterdir())) == 3


@pytest.fixture
def background(tmp_path):
    """Start a command whose stderr goes to a file; it does not outlive the test."""
    started = []

    def start(name, *arguments):
        log = tmp_path / name
        with log.open("w") as stderr:
            process = subprocess.Popen(
                command(*arguments), stderr=stderr, stdout=subprocess.DEVNULL
            )
        started.append(process)
        return process, log

    yield start
    for process in started:
        process.kill()
        process.wait(DEADLINE)


def start_long(background, long_run):
    """Start a run and wait until two candidates are done."""
    process, log = background("stderr.txt", "tune", *long_run)
    wait_for(lambda: "(2 of 3)" in log.read_text() or process.poll() is not None)
    assert process.poll() is None, log.read_text()
    return process, log


def resume_quickly(background, run):
    """Resume with options, interrupt again while the search runs, and return the output."""
    process, log = background("resumed.txt", "tune", "--resume", run)
    wait_for(lambda: "already done" in log.read_text() or process.poll() is not None)
    process.send_signal(signal.SIGINT)
    assert process.wait(DEADLINE) == 130, log.read_text()
    return log.read_text()


@pytest.mark.skipif(os.name == "nt", reason="signals as on POSIX")
@pytest.mark.parametrize("long_run", LONG_GRIDS, indirect=True)
def test_interrupt_keeps_what_is_done_and_says_how_to_go_on(tmp_path, background, long_run):
    process, log = start_long(background, long_run)
    process.send_signal(signal.SIGINT)
    assert process.wait(DEADLINE) == 130
    assert f"moodcore tune --resume {tmp_path / 'run'}" in log.read_text()
    assert "4 already done" in resume_quickly(background, tmp_path / "run")


@pytest.mark.skipif(os.name == "nt", reason="signals as on POSIX")
def test_kill_loses_only_what_is_in_flight(tmp_path, background, long_run):
    process, _ = start_long(background, long_run)
    process.kill()
    process.wait(DEADLINE)
    assert "4 already done" in resume_quickly(background, tmp_path / "run")
