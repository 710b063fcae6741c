"""The search inside of the trainings of a comparison."""

import json

import numpy as np
import pytest
from sklearn.base import clone
from three_moods import QUICK, make_table, run_of

import moodcore
from moodcore.comparison import compare
from moodcore.comparison.search import SearchedClassifier
from moodcore.comparison.training import Task
from moodcore.datasets import load_dataset
from moodcore.errors import ConfigError, RunFailedError
from moodcore.estimators.progress import polled
from moodcore.preprocessing import BalancedClassifier
from moodcore.runs.families import family
from moodcore.runs.folds import split
from moodcore.runs.interrupts import StoppedError
from moodcore.runs.spaces import CANDIDATES

# Ranges of few rounds, so that the tests are fast.
GRIDS = {
    "gbt": [
        {"n_estimators": 40, "max_leaves": [4, 8], "subsample": 0.8},
        {"n_estimators": 20, "learning_rate": 0.3, "reg_lambda": 30.0},
    ],
    "linear-svm": {"C": [0.1, 10.0]},
}


def search_of(dataset, name, params, **options):
    pipeline = dataset.pipeline(family(name).estimator()(**family(name).fixed, n_jobs=1))
    return SearchedClassifier(pipeline, name, params, **options)


@pytest.mark.parametrize("name", GRIDS)
def test_it_is_the_search_of_tune(name):
    X, y = make_table(300, seed=3)
    given = {"folds": 3, "grid": GRIDS[name]}
    result = moodcore.tune(X, y, model=name, random_state=4, n_jobs=1, **given)
    run = run_of(X, y, [name], tune=True, grid={name: GRIDS[name]}, base="defaults")
    params = run.models(run.load())[0].estimator.candidates
    dataset = load_dataset(X, y=y)
    parts = split(dataset, 4)
    search = search_of(dataset, name, params, n_folds=3, random_state=4)
    search.fit(parts.X_train, parts.y_train)
    trials = result.trials
    assert len(search.results_) == len(trials) == len(params)
    for column in ("accuracy", "log_loss", "n_steps", "score"):
        ours = [getattr(candidate, column) for candidate in search.results_]
        np.testing.assert_array_equal(ours, trials[column], err_msg=column)
    best = result.metrics["search"]["best"]
    assert search.best_params_ == best["params"] | best["chosen"]
    assert search.results_[best["number"]].to_dict()["params"] == best["params"]


@pytest.mark.parametrize("name", CANDIDATES)
def test_candidates_are_those_of_tune(name):
    from moodcore.tuning.plan import plan, search_space
    from moodcore.tuning.settings import TuneSettings

    for trials in (3, 8):
        run = run_of(*make_table(), [name], tune=True, trials=trials, base="defaults")
        wanted = TuneSettings(target="mood", model=name, trials=trials)
        space = search_space(wanted)
        expected = [space.spaces[name].decode(c.params) for c in plan(space, wanted)]
        assert run.models(run.load())[0].estimator.candidates == expected
        assert expected[0] == {}
        assert len(expected) <= trials


def test_every_training_has_its_own_search():
    X, y = make_table()
    result = compare(
        X, y, **QUICK | {"models": list(GRIDS)}, tune=True, grid=GRIDS, inner_folds=2, trials=4
    )
    assert result.metrics["settings"]["base"] == "defaults"
    assert (result.table.loc[["GBT", "LinearSVM"], "accuracy"] > 0.7).all()
    chosen = result.chosen
    assert chosen["model"].value_counts().to_dict() == {"GBT": 3, "LinearSVM": 3}
    known = {"n_estimators", "max_leaves", "subsample", "learning_rate", "reg_lambda", "C"}
    assert all(set(json.loads(params)) <= known for params in chosen["chosen"])
    assert result.best_model.predict(X.head(2)).shape == (2,)


def test_the_defaults_are_kept_unless_others_are_clearly_better():
    # Labels at random: nothing is better than anything else.
    X, y = make_table(shuffled=True)
    dataset = load_dataset(X, y=y)
    worse = [{}, {"C": 1e-6}]
    search = search_of(dataset, "linear-svm", worse, random_state=0).fit(dataset.X, y)
    assert search.best_params_ == {}
    default = dataset.pipeline(moodcore.LinearSVM(n_jobs=1)).fit(dataset.X, y)
    np.testing.assert_array_equal(
        search.decision_function(dataset.X), default.decision_function(dataset.X)
    )
    assert not hasattr(search, "predict_proba")


def test_the_report_names_defaults_that_were_kept(tmp_path):
    X, y = make_table(shuffled=True)
    grid = {"linear-svm": {"C": [1e-6]}}
    result = compare(X, y, **QUICK, tune=True, grid=grid, out=tmp_path / "run")
    assert set(result.chosen["chosen"]) == {"{}"}
    page = (tmp_path / "run/report.html").read_text(encoding="utf-8")
    assert "<td>defaults</td>" in page
    assert "Number of trainings in which the default model was kept." in page
    assert "default hyperparameters of their classes" not in page


def test_a_candidate_that_fails_is_not_chosen():
    X, y = make_table()
    dataset = load_dataset(X, y=y)
    search = search_of(dataset, "linear-svm", [{"C": -1.0}, {"C": 1.0}]).fit(dataset.X, y)
    assert [candidate.state for candidate in search.results_] == ["failed", "complete"]
    assert search.best_params_ == {"C": 1.0}
    broken = search_of(dataset, "linear-svm", [{"C": -1.0}])
    with pytest.raises(RunFailedError, match="no candidate could be trained; the first, in fold 1"):
        broken.fit(dataset.X, y)
    assert not hasattr(broken, "best_estimator_")


def test_balancing_is_part_of_the_search():
    X, y = make_table()
    kept = np.flatnonzero((y != "sad") | (np.arange(len(y)) % 4 == 0))
    dataset = load_dataset(X.iloc[kept].reset_index(drop=True), y=y[kept])
    pipeline = dataset.pipeline(moodcore.LinearSVM(n_jobs=1), balance=True, random_state=0)
    assert isinstance(pipeline[-1], BalancedClassifier)
    search = SearchedClassifier(pipeline, "linear-svm", [{"C": 2.0}], random_state=0)
    search = clone(search).fit(dataset.X, dataset.y)
    last = search.best_estimator_[-1]
    assert last.estimator_.C == 2.0
    assert len(set(last.downsampling_.counts_after)) == 1


def test_it_can_be_stopped():
    X, y = make_table()
    dataset = load_dataset(X, y=y)
    search = search_of(dataset, "gbt", [{}, {"n_estimators": 100_000}])

    def stop():
        raise StoppedError

    with polled(stop), pytest.raises(StoppedError):
        search.fit(dataset.X, y)


def test_hyperparameters_are_checked_before_the_data_are_read():
    given = {"tune": True, "target": "mood", "data": "missing.csv", "models": ("gbt",)}
    from moodcore.comparison.run import CompareRun
    from moodcore.comparison.settings import CompareSettings

    bad = CompareRun(CompareSettings(**given, grid={"gbt": {"max_leaves": [0]}}))
    with pytest.raises(ConfigError, match="max_leaves"):
        bad.check()
    with pytest.raises(ConfigError, match="grid: gbt must be a table of hyperparameters, got 3"):
        CompareSettings(**given, grid={"gbt": 3})


def test_songs_keep_the_search_of_the_experiment():
    from sklearn.model_selection import GridSearchCV

    from moodcore.comparison.run import CompareRun
    from moodcore.comparison.settings import CompareSettings

    run = CompareRun(CompareSettings(rows=400, tune=True, models=("gbt",), trials=3))
    dataset = run.load()
    estimator = run.models(dataset)[0].estimator
    assert isinstance(estimator, GridSearchCV)
    assert Task.of(dataset, run.settings).settings.epochs == 300
