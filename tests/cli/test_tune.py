"""`moodcore tune` as a person runs it."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest

SMALL = ("--songs", "400", "--folds", "2", "--epochs", "3", "--trials", "2", "--jobs", "2")
# Long enough to be interrupted, whatever the machine: hours if it were left alone.
LONG = ("--songs", "4000", "--folds", "2", "--epochs", "1000000", "--jobs", "2")
DEADLINE = 60


def command(*arguments):
    return [sys.executable, "-m", "moodcore.cli", *map(str, arguments)]


def moodcore(*arguments, cwd=None, **environment):
    """Run a command to its end."""
    return subprocess.run(
        command(*arguments),
        capture_output=True,
        text=True,
        cwd=cwd,
        timeout=DEADLINE,
        check=False,
        env=os.environ | environment,
    )


def wait_for(condition):
    """Wait until something is true, or fail."""
    begin = time.monotonic()
    while not condition():
        assert time.monotonic() - begin < DEADLINE, "it did not happen"
        time.sleep(0.02)


@pytest.fixture
def long_grid(tmp_path):
    """A grid whose first candidates are quick and whose last would take for ever."""
    path = tmp_path / "grid.toml"
    path.write_text(
        "hidden_sizes = [[4]]\nlearning_rate = 0.01\nbatch_size = 32\nepochs = [2, 3, 1000000]"
    )
    return path


def test_default_folder_is_new_each_time(tmp_path):
    for _ in range(2):
        done = moodcore("tune", *SMALL, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert "synthetic" in done.stdout.splitlines()[0]
        assert "synthetic" in done.stderr.splitlines()[0]
        assert "[2/2]" in done.stderr
    runs = list((tmp_path / "runs").iterdir())
    assert len(runs) == 2
    for name in ("report.html", "metrics.json", "trials.csv", "curves.parquet", "config.toml"):
        assert all((run / name).stat().st_size for run in runs)
        if name not in ("report.html",):
            assert (runs[0] / name).read_bytes() == (runs[1] / name).read_bytes()


def test_json_is_all_there_is_on_stdout(tmp_path):
    done = moodcore("tune", *SMALL, "--json", "--out", tmp_path / "run")
    found = json.loads(done.stdout)
    assert (found["format"], found["version"]) == ("moodcore-run", 1)
    assert found["run"] == str(tmp_path / "run")


def test_config_of_a_run_repeats_it(tmp_path):
    grid = tmp_path / "grid.toml"
    grid.write_text("learning_rate = [0.01, 0.02]\nhidden_sizes = [[4]]\nl2 = 1e-4\n")
    first = moodcore("tune", *SMALL, "--seed", 5, "--grid", grid, "--out", tmp_path / "a")
    assert first.returncode == 0, first.stderr
    again = moodcore("tune", "--config", tmp_path / "a/config.toml", "--out", tmp_path / "b")
    assert again.returncode == 0, again.stderr
    for name in ("metrics.json", "trials.csv", "config.toml"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_dry_run_writes_nothing(tmp_path):
    done = moodcore("tune", *SMALL, "--dry-run", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "2 x 2 folds x 3 epochs" in done.stdout
    assert re.search(r"time +about \d+", done.stdout)
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
        (("--features", "energi", "--songs", "400"), "energy"),
        (("--jobs", "0"), "--jobs"),
    ],
)
def test_bad_requests_are_explained(tmp_path, arguments, message):
    done = moodcore("tune", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not done.stdout
    assert not list(tmp_path.iterdir())


def test_bad_hyperparameters_are_explained(tmp_path):
    grid = tmp_path / "grid.toml"
    for line, message in (("learning_rat = 1", "learning_rate"), ("momentum = [2.0]", "momentum")):
        grid.write_text(line)
        done = moodcore("tune", *SMALL, "--grid", grid, cwd=tmp_path)
        assert (done.returncode, message in done.stderr) == (2, True), done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["grid.toml"]


def test_existing_folder_is_left_alone(tmp_path):
    (tmp_path / "precious").write_text("data")
    done = moodcore("tune", *SMALL, "--out", tmp_path)
    assert done.returncode == 2
    assert "not an empty folder" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["precious"]


def start_long(tmp_path, long_grid):
    """Start a run and wait until two candidates are done."""
    log = tmp_path / "stderr.txt"
    with log.open("w") as stderr:
        arguments = ("tune", *LONG, "--grid", long_grid, "--out", tmp_path / "run")
        process = subprocess.Popen(command(*arguments), stderr=stderr, stdout=subprocess.DEVNULL)
    wait_for(lambda: "[2/3]" in log.read_text() or process.poll() is not None)
    assert process.poll() is None, log.read_text()
    return process, log


def resume_quickly(tmp_path):
    """Resume as asked, and interrupt again once the search goes on; returns what was said."""
    log = tmp_path / "resumed.txt"
    with log.open("w") as stderr:
        process = subprocess.Popen(
            command("tune", "--resume", tmp_path / "run"), stderr=stderr, stdout=subprocess.DEVNULL
        )
    wait_for(lambda: "search:" in log.read_text() or process.poll() is not None)
    process.send_signal(signal.SIGINT)
    assert process.wait(DEADLINE) == 130, log.read_text()
    return log.read_text()


@pytest.mark.skipif(os.name == "nt", reason="signals as on POSIX")
def test_interrupt_keeps_what_is_done_and_says_how_to_go_on(tmp_path, long_grid):
    process, log = start_long(tmp_path, long_grid)
    process.send_signal(signal.SIGINT)
    assert process.wait(DEADLINE) == 130
    assert f"moodcore tune --resume {tmp_path / 'run'}" in log.read_text()
    assert "2 already done" in resume_quickly(tmp_path)


@pytest.mark.skipif(os.name == "nt", reason="signals as on POSIX")
def test_kill_loses_only_what_is_in_flight(tmp_path, long_grid):
    process, _ = start_long(tmp_path, long_grid)
    process.kill()
    process.wait(DEADLINE)
    assert "2 already done" in resume_quickly(tmp_path)


def test_finished_run_is_reported_again(tmp_path):
    moodcore("tune", *SMALL, "--out", tmp_path / "run")
    (tmp_path / "run/report.html").unlink()
    done = moodcore("tune", "--resume", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    assert "finished" in done.stderr
    assert (tmp_path / "run/report.html").exists()
    refused = moodcore("tune", "--resume", tmp_path / "run", "--epochs", 9)
    assert refused.returncode == 2
    assert "epochs was 3 when the run began and is 9 now" in refused.stderr
