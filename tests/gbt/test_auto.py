"""Values that "auto" parameters take."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.metrics import log_loss

from moodcore import GBT, _core, exchange, load
from moodcore.estimators.gbt.auto import FURTHER, MOST_ROUNDS, TEXTBOOK, values_by_size


def noisy(n_rows=400, seed=0):
    """Labels that depend on the first feature, a fifth of them wrong."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, 4))
    y = (X[:, 0] > 0).astype(int)
    wrong = rng.random(n_rows) < 0.2
    return X, np.where(wrong, 1 - y, y)


def exact(model, X):
    return model.decision_function(X).tobytes()


@pytest.mark.parametrize(("n_rows", "leaves"), [(1999, 8), (2000, 15), (19_999, 15), (20_000, 31)])
def test_values_by_size_are_pinned(n_rows, leaves):
    assert values_by_size(n_rows) == {
        "learning_rate": 0.1,
        "max_leaves": leaves,
        "min_child_samples": 5.0,
        "subsample": 0.8,
        "colsample_bynode": 0.7,
        "boosting": {"kind": "extra_trees", "extra_rate": 0.5},
    }


def test_rounds_are_chosen_and_pinned():
    X, y = noisy()
    model = GBT(random_state=0).fit(X, y)
    assert model.n_estimators_ == model.n_iter_ == 23
    assert model.learning_rate_ == 0.1
    assert model.resolved_ == {"n_estimators": 23, **values_by_size(400)}
    assert model.best_iteration_ is None
    assert model.evals_result_ == {}


def test_noise_stops_sooner_than_a_clean_table():
    X, y = noisy()
    clean = GBT(random_state=0).fit(X, X[:, 0] * X[:, 1] > 0)
    assert GBT(random_state=0).fit(X, y).n_iter_ < clean.n_iter_
    assert clean.n_iter_ <= FURTHER["n_estimators"]


def test_a_loss_that_still_falls_at_the_end_goes_further():
    X = np.random.default_rng(0).uniform(size=(3000, 2))
    y = (np.floor(X[:, 0] * 12) + np.floor(X[:, 1] * 12)).astype(int) % 2
    model = GBT(random_state=0).fit(X, y)
    assert model.resolved_ == values_by_size(3000) | {
        "n_estimators": 130,
        "learning_rate": 0.15,
        "max_leaves": 31,
        "min_child_samples": 10.0,
        "subsample": 1.0,
        "colsample_bynode": 1.0,
    }
    assert model.n_iter_ == 130


def boxes(n_rows=1500, seed=1):
    """Labels that three thresholds on a path decide, a thirtieth of them wrong."""
    rng = np.random.default_rng(seed)
    X = rng.uniform(size=(n_rows, 10))
    y = ((X[:, 0] > 0.7) & (X[:, 1] > 0.5) & (X[:, 4] > 0.3)) | ((X[:, 2] < 0.3) & (X[:, 3] > 0.6))
    return X, y ^ (rng.random(n_rows) < 0.03)


def test_less_regularized_trees_are_taken_where_they_are_better():
    X, y = boxes()
    model = GBT(random_state=0).fit(X, y)
    rounds = model.resolved_["n_estimators"]
    flexible = {"max_leaves": 31, "subsample": 1.0, "colsample_bynode": 1.0, "boosting": "gbdt"}
    assert model.resolved_ == {**values_by_size(1500), **flexible, "n_estimators": rounds}
    new, labels = boxes(5000, seed=2)
    regularized = GBT(**values_by_size(1500), random_state=0).fit(X, y)
    assert regularized.resolved_["n_estimators"] < MOST_ROUNDS
    losses = [log_loss(labels, fitted.predict_proba(new)) for fitted in (model, regularized)]
    assert losses[0] < 0.95 * losses[1]


def test_each_fold_is_searched_once_for_each_kind_of_trees(monkeypatch):
    assert len(rounds_grown(monkeypatch, *boxes())) == 3 + 3 + 1


def test_given_values_are_no_reason_to_search_twice(monkeypatch):
    X, y = boxes()
    given = {"max_leaves": 8, "subsample": 1.0, "colsample_bynode": 1.0, "boosting": "gbdt"}
    assert len(rounds_grown(monkeypatch, X, y, **given)) == 4


def rounds_grown(monkeypatch, X, y, **given):
    """Return the rounds of each training that a fit runs, that of the model last."""
    grown = []
    train = _core.gbt_fit

    def count(*args, **kwargs):
        rounds = []

        def listen(round_, values, training):
            rounds.append(round_)
            return False

        result = train(*args, **kwargs | {"on_round": listen})
        grown.append(len(rounds))
        return result

    monkeypatch.setattr(_core, "gbt_fit", count)
    model = GBT(random_state=0, **given).fit(X, y)
    assert model.n_iter_ == grown[-1]
    return grown


def test_the_search_grows_few_trees(monkeypatch):
    """At most a third of the rounds per fold, and one fold for less regularized trees."""
    X, y = noisy()
    assert rounds_grown(monkeypatch, X, y) == [15, 12, 13, 12, 23]


def test_two_folds_that_need_all_rounds_decide(monkeypatch):
    X = np.random.default_rng(0).uniform(size=(3000, 3))
    y = X.sum(axis=1) > 1.5
    assert rounds_grown(monkeypatch, X, y) == [33, 33, 130]


@pytest.mark.parametrize(("copies", "trainings"), [(8, 3 + 1 + 1), (9, 2 + 1)])
def test_wide_tables_are_searched_on_two_folds(monkeypatch, copies, trainings):
    X, y = noisy(3000)
    assert len(rounds_grown(monkeypatch, np.tile(X, copies), y)) == trainings


def test_large_tables_hold_rows_out_once(monkeypatch):
    assert rounds_grown(monkeypatch, *noisy(10_000)) == [16, 30]


def test_the_choice_does_not_depend_on_threads():
    X, y = noisy(3000)
    models = [GBT(random_state=3, n_jobs=threads).fit(X, y) for threads in (1, 2, 3)]
    assert len({exact(model, X) for model in models}) == 1
    assert len({str(model.resolved_) for model in models}) == 1


def test_a_number_of_rounds_gives_the_textbook():
    X, y = noisy()
    model = GBT(30, random_state=0).fit(X, y)
    spelled = GBT(**TEXTBOOK | {"n_estimators": 30}, random_state=0).fit(X, y)
    assert exact(model, X) == exact(spelled, X)
    assert (model.n_iter_, model.learning_rate_) == (30, 0.1)


def test_given_values_win():
    X, y = noisy()
    model = GBT(max_leaves=4, learning_rate=0.3, random_state=0).fit(X, y)
    assert model.learning_rate_ == 0.3
    assert not {"max_leaves", "learning_rate"} & set(model.resolved_)
    again = GBT(**{"max_leaves": 4, "learning_rate": 0.3, "random_state": 0} | model.resolved_).fit(
        X, y
    )
    assert exact(model, X) == exact(again, X)


def test_round_trips(tmp_path):
    X, y = noisy()
    model = GBT(random_state=0).fit(X, y)
    model.save(tmp_path / "auto.safetensors")
    loaded = load(tmp_path / "auto.safetensors")
    assert loaded.resolved_ == model.resolved_
    assert loaded.n_estimators == "auto"
    assert exact(loaded, X) == exact(model, X)
    copied = clone(model)
    assert not hasattr(copied, "resolved_")
    assert exact(copied.fit(X, y), X) == exact(model, X)


def test_a_model_read_from_xgboost_is_saved(tmp_path):
    X, y = noisy()
    model = GBT(random_state=0).fit(X, y)
    exchange.export(model, tmp_path / "auto.json")
    read = exchange.load(tmp_path / "auto.json")
    read.save(tmp_path / "read.safetensors")
    loaded = load(tmp_path / "read.safetensors")
    assert loaded.resolved_ == {}
    assert loaded.n_estimators_ == model.n_iter_
    np.testing.assert_allclose(loaded.predict_proba(X), model.predict_proba(X), atol=1e-6)


def test_a_warm_start_keeps_the_values():
    X, y = noisy()
    model = GBT(warm_start=True, random_state=0).fit(X, y)
    with pytest.warns(UserWarning, match="adds none"):
        model.fit(X, y)
    values = dict(model.resolved_)
    del values["n_estimators"]
    rounds = model.n_iter_
    model.set_params(n_estimators=rounds + 5).fit(X, y)
    assert model.n_iter_ == rounds + 5
    assert model.resolved_ == values


def test_early_stopping_uses_its_own_rows():
    X, y = noisy()
    model = GBT(early_stopping_rounds=5, random_state=0).fit(X, y)
    assert model.n_estimators_ == 1000
    assert model.n_iter_ == model.best_iteration_ + 6


@pytest.mark.parametrize("n_rows", [2, 10, 49])
def test_few_rows_take_the_rounds_of_the_textbook(n_rows):
    X, y = noisy(n_rows)
    y[:2] = 0, 1
    assert GBT(min_child_samples=1, random_state=0).fit(X, y).n_iter_ == 100


def test_classes_of_one_row_and_one_class():
    X, y = noisy()
    y[0] = 2
    assert GBT(random_state=0).fit(X, y).predict_proba(X).shape == (400, 3)
    assert GBT(random_state=0).fit(X, np.zeros(400)).n_iter_ == 0


def test_weights_constraints_and_margins():
    X, y = noisy()
    frame = pd.DataFrame(X).assign(kind=np.where(X[:, 1] > 0, "a", "b"))
    frame.columns = frame.columns.astype(str)
    weight = np.random.default_rng(1).uniform(0.5, 2.0, 400)
    model = GBT(monotone_constraints={"0": 1}, class_weight="balanced", random_state=0)
    model.fit(frame, y, sample_weight=weight, base_margin=np.zeros(400))
    moved = frame.assign(**{"0": frame["0"] + 1})
    assert (model.decision_function(moved) >= model.decision_function(frame)).all()


def test_other_text_is_refused():
    X, y = noisy()
    for name in set(TEXTBOOK) - {"boosting"}:
        with pytest.raises((TypeError, ValueError), match=f"{name} must be .*got 'atuo'"):
            GBT(**{name: "atuo"}).fit(X, y)
