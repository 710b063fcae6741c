"""Trees in the search: the same bytes, and validation rows that are only scored."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from moodcore import GBT, songs
from moodcore.runs.candidate import fit_fold
from moodcore.runs.data import load
from moodcore.runs.families import family
from moodcore.runs.folds import split
from moodcore.runs.interrupts import RunInterruptedError
from moodcore.runs.seeds import Stream, derive
from moodcore.tuning.describe import describe_importance
from moodcore.tuning.folds import make_folds
from moodcore.tuning.settings import TuneSettings

RESULTS = ("metrics.json", "trials.csv", "curves.parquet", "config.toml", "model.safetensors")
GRID = {"max_leaves": [4, 8, 9], "learning_rate": 0.3, "min_child_samples": 5}
DRAWN = {"max_leaves": {"low": 3, "high": 12}, "learning_rate": 0.3, "subsample": [0.5, 1.0]}


def small(**changes):
    """Settings of a run of a second."""
    defaults = {"model": "gbt", "rows": 400, "folds": 2, "epochs": 4, "grid": GRID}
    return TuneSettings(**defaults | changes)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"sampler": "tpe", "trials": 3, "grid": DRAWN},
        {"pruner": "median", "epochs": 9, "grid": GRID | {"max_leaves": [9, 8, 7, 6, 5, 2]}},
    ],
)
def test_same_bytes_for_any_number_of_jobs(run, tmp_path, changes):
    for jobs in (1, 2):
        run(tmp_path / str(jobs), small(**changes), jobs=jobs)
    for name in RESULTS:
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes(), name
    states = pd.read_csv(tmp_path / "1" / "trials.csv")["state"]
    assert ("pruned" in set(states)) == ("pruner" in changes)


@pytest.mark.parametrize("changes", [{}, {"sampler": "tpe", "trials": 3, "grid": DRAWN}])
def test_interrupted_then_resumed_gives_the_same_bytes(run, tmp_path, changes):
    run(tmp_path / "whole", small(**changes))
    with pytest.raises(RunInterruptedError):
        run(tmp_path / "parts", small(**changes), after=1)
    _, listener = run(tmp_path / "parts", small(**changes))
    assert listener.done_before == 1
    assert 0 not in listener.finished
    for name in RESULTS:
        whole, parts = (tmp_path / run / name for run in ("whole", "parts"))
        assert whole.read_bytes() == parts.read_bytes(), name


@pytest.fixture(scope="module")
def fold():
    settings = small(rows=600)
    dataset = load(settings)
    parts = split(dataset, settings.seed)
    return make_folds(dataset, parts, settings, ["gbt"])["songs", 0]


def fitted(fold, **changes):
    """What a fold says of trees that stop early, and those trees."""
    trees = []

    class Kept(family("gbt").estimator()):
        def fit(self, *arguments, **named):
            trees.append(self)
            return super().fit(*arguments, **named)

    watched = replace(family("gbt"), estimator=lambda: Kept)
    arguments = {"n_estimators": 60, "learning_rate": 0.3, "early_stopping_rounds": 3, **changes}
    quiet = {"on_step": lambda state: None, "on_poll": lambda: None}
    found = fit_fold(watched, arguments, fold, seed=7, metric="accuracy", **quiet)
    return found, trees[0]


def test_validation_rows_do_not_say_when_to_stop(fold):
    found, trees = fitted(fold)
    n_rounds = len(found.curves["train_loss"])
    assert n_rounds < 60
    assert not found.diverged
    order = np.random.default_rng(0).permutation(len(fold.y_valid))
    other, changed = fitted(replace(fold, y_valid=fold.y_valid[order]))
    assert other.curves["valid_loss"] != found.curves["valid_loss"]
    assert other.curves["train_loss"] == found.curves["train_loss"]
    assert changed.best_iteration_ == trees.best_iteration_
    frames = [model.trees_to_dataframe() for model in (trees, changed)]
    pd.testing.assert_frame_equal(*frames)


def test_a_fold_is_judged_by_the_best_round(fold):
    found, trees = fitted(fold)
    best = trees.best_iteration_
    assert best + 1 < len(found.curves["valid_loss"])
    assert found.valid_loss == found.curves["valid_loss"][best]
    assert found.accuracy == trees.score(fold.X_valid, fold.y_valid)
    assert found.accuracy == pytest.approx(found.curves["valid_accuracy"][best])
    proba = trees.predict_proba(fold.X_valid)[np.arange(len(fold.y_valid)), fold.y_valid]
    assert found.valid_loss == pytest.approx(-np.log(proba).mean())


def test_importance_is_the_share_in_the_gain_of_all_splits():
    settings = small()
    dataset = load(settings)
    parts = split(dataset, settings.seed)
    arguments = {"n_estimators": 8, "max_leaves": 6, "min_child_samples": 5}
    found = describe_importance(dataset, parts, "gbt", arguments, settings)
    seed = derive(settings.seed, Stream.IMPORTANCE)
    model = songs.pipeline(
        GBT(**arguments, random_state=seed), features="all", balance=True, random_state=seed
    ).fit(parts.X_train, parts.y_train)
    nodes = model.named_steps["classify"].estimator_.trees_to_dataframe()
    splits = nodes[nodes["Feature"] != "Leaf"]
    gains = splits.groupby("Feature")["Gain"].sum() / splits["Gain"].sum()
    # The pipeline hands over plain columns: f0, f1 and so on.
    expected = [gains.get(f"f{at}", 0.0) for at in range(len(songs.FEATURES))]
    assert list(found["gain"]) == list(songs.FEATURES)
    assert list(found["gain"].values()) == pytest.approx(expected)


def test_trees_without_a_split_use_nothing():
    settings = small()
    dataset = load(settings)
    parts = split(dataset, settings.seed)
    found = describe_importance(dataset, parts, "gbt", {"n_estimators": 1, "gamma": 1e9}, settings)
    assert set(found["gain"].values()) == {0.0}
