"""Candidates of every family in one search: the same bytes, one winner, each family's best."""

import pandas as pd
import pytest

from moodcore import load
from moodcore.runs.families import FAMILIES
from moodcore.runs.interrupts import RunInterruptedError
from moodcore.tuning.settings import TuneSettings

RESULTS = ("metrics.json", "trials.csv", "curves.parquet", "config.toml", "model.safetensors")
GRIDS = {
    "mlp": {"hidden_sizes": [[4]], "learning_rate": [0.02, 0.05], "batch_size": 64},
    "gbt": {"max_leaves": [4, 6], "learning_rate": 0.3, "reg_lambda": 1.0},
    "svm": {"C": [1.0, 5.0], "gamma": 0.15},
    "linear-svm": {"C": [0.1, 1.0], "loss": "hinge"},
}


def small(**changes):
    """Settings of a run of two seconds."""
    defaults = {"model": "all", "rows": 400, "folds": 2, "epochs": 3, "grid": GRIDS}
    return TuneSettings(**defaults | changes)


@pytest.fixture(scope="module")
def whole(run, tmp_path_factory):
    path = tmp_path_factory.mktemp("whole")
    metrics, _ = run(path, small())
    return path, metrics


def assert_same_results(first, other):
    for name in RESULTS:
        assert (first / name).read_bytes() == (other / name).read_bytes(), name


def test_every_family_stands_in_one_table(whole):
    trials = pd.read_csv(whole[0] / "trials.csv", dtype=str, keep_default_na=False)
    assert trials["model"].to_list() == list(FAMILIES) * 2
    assert set(trials["state"]) == {"complete"}
    # Whole numbers are whole, and what a family does not have is empty.
    assert trials["batch_size"].to_list() == ["64", "", "", ""] * 2
    assert trials["max_leaves"].to_list() == ["", "4", "", "", "", "6", "", ""]
    assert (trials["learning_rate"] != "").to_list() == [True, True, False, False] * 2


def test_each_familys_best_and_the_best_of_all(whole):
    path, metrics = whole
    trials = pd.read_csv(path / "trials.csv")
    search = metrics["search"]
    tops = trials.sort_values("accuracy", ascending=False, kind="stable").groupby("model").first()
    assert {family["model"] for family in search["families"]} == set(FAMILIES)
    for family in search["families"]:
        assert family["best"]["accuracy"] == pytest.approx(tops.loc[family["model"], "accuracy"])
        gap = family["best"]["accuracy"] - search["best"]["accuracy"]
        assert family["against_best"]["mean"] == pytest.approx(gap)
        assert (family["candidates"], family["complete"]) == (2, 2)
    accuracies = [family["best"]["accuracy"] for family in search["families"]]
    assert accuracies == sorted(accuracies, reverse=True)
    assert search["best"]["accuracy"] == accuracies[0] == trials["accuracy"].max()
    assert (search["planned"], search["candidates"], search["failed"]) == (8, 8, 0)


def test_the_winner_is_trained_and_saved(whole):
    path, metrics = whole
    winner = metrics["search"]["best"]["model"]
    assert metrics["model"]["family"] == winner == metrics["search"]["families"][0]["model"]
    model = load(path / "model.safetensors").steps[-1][1].estimator_
    assert type(model) is FAMILIES[winner].estimator()
    for name, value in metrics["search"]["best"]["params"].items():
        if name != "hidden_sizes":
            assert getattr(model, name) == value


def test_words_name_every_family(whole):
    from moodcore.report import summary

    text = summary(whole[1])
    for name in ("MLP", "GBT", "SVM", "LinearSVM"):
        assert f" {name} " in text
    assert "points lower" in text


def test_jobs_change_no_byte(whole, run, tmp_path):
    run(tmp_path, small(), jobs=3)
    assert_same_results(whole[0], tmp_path)


def test_an_interrupted_run_is_resumed_to_the_same_bytes(whole, run, tmp_path):
    with pytest.raises(RunInterruptedError):
        run(tmp_path, small(), after=3)
    _, listener = run(tmp_path, small(), jobs=2)
    assert listener.done_before == 3
    assert_same_results(whole[0], tmp_path)


def test_tpe_chooses_among_families_and_does_not_depend_on_jobs(run, tmp_path):
    grids = GRIDS | {"svm": {"C": {"low": 0.1, "high": 10.0, "log": True}, "gamma": 0.15}}
    wanted = small(sampler="tpe", trials=11, pruner="median", epochs=9, grid=grids)
    run(tmp_path / "one", wanted)
    with pytest.raises(RunInterruptedError):
        run(tmp_path / "two", wanted, jobs=2, after=9)
    run(tmp_path / "two", wanted, jobs=2)
    assert_same_results(tmp_path / "one", tmp_path / "two")
    models = pd.read_csv(tmp_path / "one" / "trials.csv")["model"].to_list()
    assert models[:8] == list(FAMILIES) * 2


def test_the_pruner_compares_candidates_of_one_family(run, tmp_path):
    """Six quick networks beside slow trees: a median of both would end every one of the trees."""
    grids = {
        "mlp": {"learning_rate": [0.05, 0.051, 0.052, 0.053, 0.054, 1e-6], "hidden_sizes": [[8]]},
        "gbt": {"learning_rate": [1e-6, 1e-3, 0.01, 0.05, 0.2, 0.5], "max_leaves": 4},
        "svm": {"C": 1.0, "gamma": 0.1},
        "linear-svm": {"C": 1.0, "loss": "hinge"},
    }
    run(tmp_path, small(pruner="median", epochs=9, grid=grids), jobs=2)
    trials = pd.read_csv(tmp_path / "trials.csv")
    states = trials.groupby("model")["state"].apply(list)
    # Four of each are needed before one can be ended; trees are tried from the worst on.
    assert states["gbt"] == ["complete"] * 6
    assert states["mlp"][:4] == ["complete"] * 4 and states["mlp"][5] == "pruned"
