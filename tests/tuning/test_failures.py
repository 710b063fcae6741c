"""Candidates that cannot be trained are recorded with their reason, and the search continues."""

import subprocess
import sys
from importlib.util import find_spec

import pandas as pd
import pytest

from moodcore.errors import RunFailedError
from moodcore.runs.interrupts import RunInterruptedError
from moodcore.tuning.settings import TuneSettings

RESULTS = ("metrics.json", "trials.csv", "curves.parquet", "model.safetensors")
# Weights are for the classes of the songs, which are not known before they are read.
BAD = {"7": 2.0}


def small(**changes):
    grid = {
        "hidden_sizes": [[4]],
        "learning_rate": [0.02, 0.05],
        "class_weight": ["balanced", BAD],
    }
    return TuneSettings(**{"rows": 400, "folds": 2, "epochs": 3, "grid": grid} | changes)


def test_a_failed_candidate_stands_in_the_table(run, tmp_path):
    metrics, listener = run(tmp_path, small())
    trials = pd.read_csv(tmp_path / "trials.csv")
    assert sorted(listener.finished) == [0, 1, 2, 3]
    lost = trials[trials["state"] == "failed"]
    assert lost["class_weight"].to_list() == ['{"7": 2.0}'] * 2
    assert lost["reason"].str.contains("fold 1: ValueError: .*class_weight").all()
    assert lost["accuracy"].isna().all()
    assert trials["reason"].isna().sum() == 2
    search = metrics["search"]
    assert (search["candidates"], search["complete"], search["failed"]) == (4, 2, 2)
    assert search["best"]["params"]["class_weight"] == "balanced"
    check = next(item for item in metrics["checks"] if item["name"] == "Failed candidates")
    assert not check["ok"] and "class_weight" in check["text"]


def test_failures_do_not_depend_on_jobs_or_interruption(run, tmp_path):
    wanted = small(sampler="tpe", trials=6)
    run(tmp_path / "one", wanted)
    with pytest.raises(RunInterruptedError):
        run(tmp_path / "two", wanted, jobs=3, after=4)
    _, listener = run(tmp_path / "two", wanted, jobs=3)
    # Those that failed are not tried again.
    assert listener.done_before == 4
    states = pd.read_csv(tmp_path / "one" / "trials.csv")["state"]
    assert {"complete", "failed"} == set(states)
    for name in RESULTS:
        first, two = ((tmp_path / path / name).read_bytes() for path in ("one", "two"))
        assert first == two, name


def test_the_reason_is_that_of_the_first_fold_that_fails(run, tmp_path, monkeypatch):
    from threading import Event

    from moodcore.tuning import fold_job

    fit, second_failed = fold_job.fit_fold, Event()

    def fit_fold(kind, arguments, fold, **others):
        if arguments["learning_rate"] == 0.02:
            return fit(kind, arguments, fold, **others)
        first = fold is folds["songs", 0]
        if first:
            assert second_failed.wait(60)
        else:
            second_failed.set()
        raise MemoryError("first" if first else "second")

    folds = kept_folds(monkeypatch)
    monkeypatch.setattr(fold_job, "fit_fold", fit_fold)
    run(tmp_path, small(grid={"hidden_sizes": [[4]], "learning_rate": [0.02, 0.05]}), jobs=2)
    trials = pd.read_csv(tmp_path / "trials.csv")
    assert trials["reason"].to_list()[1] == "fold 1: out of memory: first"


def kept_folds(monkeypatch):
    """Keep the folds that the experiment makes."""
    from moodcore.tuning import run

    make, kept = run.make_folds, {}

    def make_folds(*arguments):
        kept.update(make(*arguments))
        return kept

    monkeypatch.setattr(run, "make_folds", make_folds)
    return kept


def test_all_failed_says_why(run, tmp_path):
    grid = {"hidden_sizes": [[4]], "class_weight": BAD}
    with pytest.raises(RunFailedError, match=r"every candidate failed; the first, number 0 \(mlp"):
        run(tmp_path, small(grid=grid))
    assert not (tmp_path / "metrics.json").exists()


LIMITED = """
import re, resource, sys
from pathlib import Path
import pandas, sklearn.model_selection, sklearn.metrics, optuna, pyarrow.parquet, matplotlib.pyplot
from moodcore.cli import main
used = int(re.search(r"VmSize:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) * 1024
resource.setrlimit(resource.RLIMIT_AS, (used + 2**30, resource.RLIM_INFINITY))
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.skipif(
    sys.platform != "linux" or find_spec("resource") is None, reason="limits as Linux has them"
)
def test_a_network_too_large_for_the_memory_is_recorded(tmp_path):
    (tmp_path / "grid.toml").write_text(
        "hidden_sizes = [[4], [8192, 8192]]\nlearning_rate = 0.05\nbatch_size = 64\n"
    )
    asked = ("tune", "--songs", "400", "--folds", "2", "--epochs", "2", "--jobs", "1")
    files = ("--grid", tmp_path / "grid.toml", "--out", tmp_path / "run")
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, *asked, *map(str, files)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    trials = pd.read_csv(tmp_path / "run" / "trials.csv")
    assert trials["state"].to_list() == ["complete", "failed"]
    reason = (
        "fold 1: out of memory: training a network of hidden_sizes (8192, 8192) needs about 5.0 GiB"
    )
    assert trials["reason"][1].startswith(reason)


def first_epoch_diverges(**changes):
    grid = {"hidden_sizes": [[4]], "learning_rate": 1e30, "momentum": [0.0, 0.5]}
    return small(**{"grid": grid} | changes)


def test_divergence_in_the_first_epoch_is_a_failure(run, tmp_path):
    for _ in range(2):
        # The second run resumes the first.
        with pytest.raises(RunFailedError, match=r"every candidate failed.*diverged in the first"):
            run(tmp_path / "all", first_epoch_diverges())
    grid = {"hidden_sizes": [[4]], "learning_rate": [0.05, 1e30]}
    metrics, _ = run(tmp_path / "some", small(grid=grid))
    assert metrics["search"]["best"]["params"] == {"learning_rate": 0.05}
    trials = pd.read_csv(tmp_path / "some" / "trials.csv")
    assert trials["state"].to_list() == ["complete", "failed"]
    assert "diverged in the first epoch" in trials["reason"][1]


def test_the_next_best_replaces_a_candidate_that_fails_on_all_rows(run, tmp_path, monkeypatch):
    from moodcore.errors import DivergedError
    from moodcore.tuning import run as module

    train, tried = module.refit, []

    def refit(dataset, parts, model, arguments, settings, **options):
        tried.append(arguments["learning_rate"])
        if len(tried) in failing:
            raise DivergedError("too fast")
        return train(dataset, parts, model, arguments, settings, **options)

    monkeypatch.setattr(module, "refit", refit)
    settings = small(grid={"hidden_sizes": [[4]], "learning_rate": [0.02, 0.05, 0.06]})
    failing = {1, 2}
    metrics, _ = run(tmp_path / "run", settings)
    assert len(set(tried)) == 3
    assert metrics["search"]["best"]["params"] == {"learning_rate": tried[-1]}
    assert (metrics["search"]["complete"], metrics["search"]["failed"]) == (1, 2)
    assert "training on all training rows" in metrics["checks"][-1]["text"]
    failing = {4, 5, 6}
    with pytest.raises(RunFailedError, match="too fast"):
        run(tmp_path / "run", settings)


def test_optimizers_that_diverge_are_in_the_report(run, tmp_path):
    from moodcore import report
    from moodcore.runs.folder import RunFolder

    # One update per epoch in gradient descent: its first epoch ends before it diverges.
    settings = first_epoch_diverges(study="optimizers", grid={"learning_rate": 1e38})
    metrics, _ = run(tmp_path, settings)
    losses = {row["name"]: row["loss"] for row in metrics["optimizers"]}
    assert losses["gradient descent"] is not None
    assert losses["SGD"] is losses["SGD with momentum"] is None
    report.build(RunFolder(tmp_path))
    assert "SGD diverged and SGD with momentum diverged" in report.summary(metrics)
