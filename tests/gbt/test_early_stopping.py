"""Early stopping: which round is the best, what is kept of it, and how training continues."""

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import log_loss

from moodcore import GBT


def noisy(n_rows, seed):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, 5))
    noise = rng.normal(size=n_rows)
    return X, (X[:, 0] + X[:, 1] * X[:, 2] + noise > 0).astype(int)


TRAIN, VALID = noisy(600, 0), noisy(300, 1)


def stopped(**params):
    params = {"early_stopping_rounds": 10, "learning_rate": 0.3, "random_state": 0} | params
    return GBT(params.pop("n_estimators", 300), **params)


@pytest.mark.parametrize("skip_drop", [0.0, 0.5])
def test_dart_keeps_the_model_of_the_best_round(skip_drop):
    dart = {"kind": "dart", "drop_rate": 0.3, "skip_drop": skip_drop}
    model = stopped(boosting=dart).fit(*TRAIN, eval_set=VALID)
    assert log_loss(VALID[1], model.predict_proba(VALID[0])) == pytest.approx(
        model.best_score_, abs=1e-6
    )
    # The same model as training that ends at that round.
    rounds = model.best_iteration_ + 1
    short = stopped(boosting=dart, n_estimators=rounds, early_stopping_rounds=None).fit(*TRAIN)
    np.testing.assert_array_equal(
        model.decision_function(VALID[0]), short.decision_function(VALID[0])
    )
    assert model.n_iter_ == rounds
    assert len(model.evals_result_["validation_0"]["logloss"]) == rounds + 10


@pytest.mark.parametrize("boosting", ["gbdt", {"kind": "dart", "skip_drop": 0.0}])
def test_a_warm_start_continues_from_the_best_round(boosting):
    model = stopped(boosting=boosting, warm_start=True).fit(*TRAIN, eval_set=VALID)
    best, score = model.best_iteration_, model.best_score_
    margins = model.decision_function(VALID[0])
    for _ in range(3):
        model.fit(*TRAIN, eval_set=VALID)
        assert (model.best_iteration_, model.best_score_) == (best, score)
        np.testing.assert_array_equal(model.decision_function(VALID[0]), margins)


def test_new_rounds_must_be_better_than_the_model_they_continue():
    first = stopped().fit(*TRAIN, eval_set=VALID)
    other = GBT(50, learning_rate=2.0, early_stopping_rounds=5, random_state=1)
    other.fit(*TRAIN, eval_set=VALID, init_model=first)
    assert other.best_iteration_ == first.best_iteration_
    assert other.best_score_ == first.best_score_
    np.testing.assert_array_equal(other.predict(VALID[0]), first.predict(VALID[0]))


def test_a_warm_start_with_no_rounds_left_checks_its_input():
    model = GBT(5, warm_start=True).fit(*TRAIN)
    with pytest.warns(UserWarning, match="warm_start adds none"):
        model.fit(*TRAIN)
    with pytest.raises(ValueError, match="3 features"):
        model.fit(TRAIN[0][:, :3], TRAIN[1])
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        model.fit(TRAIN[0], TRAIN[1][:5])


def nan_first(n_rounds):
    """Return a metric that is NaN in the first rounds and then falls."""
    calls = []

    def metric(y, probabilities):
        calls.append(1)
        return np.nan if len(calls) <= n_rounds else 1.0 / len(calls)

    return metric


def test_a_metric_that_is_nan_in_the_first_rounds_stops_nothing():
    model = stopped(n_estimators=20, early_stopping_rounds=2, eval_metric=nan_first(5))
    model.fit(*TRAIN, eval_set=VALID)
    assert (model.n_iter_, model.best_iteration_, model.best_score_) == (20, 19, 1 / 20)


def test_a_metric_that_is_always_nan_warns():
    model = stopped(n_estimators=20, early_stopping_rounds=2, eval_metric=nan_first(100))
    with pytest.warns(ConvergenceWarning, match="NaN after every round"):
        model.fit(*TRAIN, eval_set=VALID)
    assert (model.n_iter_, model.best_iteration_, model.best_score_) == (20, None, None)
