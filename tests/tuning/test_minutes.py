"""A search with an end of time: what was tried counts, and the rest can follow."""

import pandas as pd
import pytest

from moodcore.runs.folder import RunFolder, read_json
from moodcore.runs.storage import Storage
from moodcore.tuning import study as studies
from moodcore.tuning.settings import TuneSettings

RESULTS = ("metrics.json", "trials.csv", "curves.parquet", "config.toml", "model.safetensors")
GRID = {"hidden_sizes": [[4], [5], [6]], "learning_rate": [0.01, 0.02, 0.05], "batch_size": 64}
NO_TIME = 1e-9
ENOUGH = 1e6


def small(**changes):
    return TuneSettings(**{"rows": 400, "folds": 2, "epochs": 3, "grid": GRID} | changes)


@pytest.fixture(scope="module")
def whole(run, tmp_path_factory):
    path = tmp_path_factory.mktemp("whole")
    run(path, small())
    return path


def assert_same_results(first, other):
    for name in RESULTS:
        assert (first / name).read_bytes() == (other / name).read_bytes(), name


def test_enough_time_changes_no_byte(whole, run, tmp_path):
    run(tmp_path, small(), minutes=ENOUGH, jobs=2)
    assert_same_results(whole, tmp_path)


@pytest.mark.parametrize("jobs", [1, 3])
def test_without_time_one_candidate_is_finished_and_the_rest_can_follow(whole, run, tmp_path, jobs):
    from moodcore.report import summary

    metrics, listener = run(tmp_path, small(), minutes=NO_TIME, jobs=jobs)
    folder = RunFolder(tmp_path)
    assert 1 <= len(listener.finished) == metrics["search"]["candidates"] < 9
    assert metrics["search"]["planned"] == 9
    assert len(pd.read_csv(folder.table("trials"))) == len(listener.finished)
    assert folder.model.exists() and folder.finished and not folder.complete
    assert "(of 9 planned; the time limit ended the search)" in summary(metrics)
    study = studies.open_study(Storage.of_file(folder.study), small())
    assert {trial.state.name for trial in study.get_trials()} <= {"COMPLETE", "FAIL"}
    studies.close(study)
    _, again = run(tmp_path, small(), jobs=jobs)
    assert again.done_before == len(listener.finished)
    assert folder.complete
    assert_same_results(whole, tmp_path)


@pytest.mark.parametrize("changes", [{"sampler": "tpe", "trials": 5}, {"pruner": "median"}])
def test_candidates_that_come_one_by_one_end_too(run, tmp_path, changes):
    metrics, listener = run(tmp_path, small(**changes), minutes=NO_TIME, jobs=2)
    assert listener.finished == [0]
    assert metrics["search"]["candidates"] == 1


def test_a_search_goes_on_until_a_candidate_is_complete(run, tmp_path):
    grid = {"hidden_sizes": [[4]], "class_weight": [{"7": 2.0}, {"8": 2.0}, "balanced", {"9": 1.0}]}
    metrics, _ = run(tmp_path, small(grid=grid), minutes=NO_TIME)
    assert metrics["search"]["complete"] == 1
    assert metrics["search"]["failed"] >= 2
    assert read_json(tmp_path / "metrics.json") == metrics
