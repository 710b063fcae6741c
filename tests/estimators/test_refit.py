"""A fit that fails or is interrupted leaves the estimator as it was; one that succeeds, all new."""

import copy
import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import ConvergenceWarning

from moodcore import GBT, MLP, SVM, LinearSVM, _core
from moodcore.estimators.progress import polled

RNG = np.random.default_rng(0)
X = pd.DataFrame(RNG.normal(size=(90, 3)), columns=["tempo", "energy", "valence"])
Y = np.array(["calm", "happy", "sad"])[RNG.integers(0, 3, 90)]
# A refit on rows with another number of columns, without names, and with other classes.
NEW_X = RNG.normal(size=(60, 5))
NEW_Y = RNG.integers(5, 9, 60)

ESTIMATORS = [
    MLP((4,), epochs=3, random_state=0),
    GBT(5, min_child_samples=2, random_state=0),
    SVM(probability=True, random_state=0),
    LinearSVM(random_state=0),
]
NAMES = [type(estimator).__name__ for estimator in ESTIMATORS]
BY_NAME = dict(zip(NAMES, ESTIMATORS, strict=True))


def fitted(name, **params):
    model = pickle.loads(pickle.dumps(BY_NAME[name]))
    return model.set_params(**params).fit(X, Y)


def state(model):
    """Everything that the estimator holds, and what it predicts with its first parameters."""
    held = {name: pickle.dumps(value) for name, value in vars(model).items()}
    first = copy.copy(model).set_params(**BY_NAME[type(model).__name__].get_params())
    method = "predict_proba" if hasattr(first, "predict_proba") else "decision_function"
    return held | {"predicted": getattr(first, method)(X).tobytes()}


def fail(*_args, **_keywords):
    raise RuntimeError("the callable failed")


def interrupt(*_args, **_keywords):
    raise KeyboardInterrupt


def with_a_gap():
    gap = NEW_X.astype(object)
    gap[7, 2] = "text"
    return gap


# For each way to fail: parameters that are set first, and arguments of `fit`.
WAYS = {
    "text in X": ({}, {"X": with_a_gap()}),
    "rows missing in y": ({}, {"y": NEW_Y[:-1]}),
    "y of fractions": ({}, {"y": NEW_Y + 0.5}),
    "negative weight": ({}, {"sample_weight": np.linspace(-1, 1, 60)}),
    "no row with weight": ({}, {"sample_weight": np.zeros(60)}),
    "class_weight of an unknown class": ({"class_weight": {"nothing": 1.0}}, {}),
    "n_jobs of 0": ({"n_jobs": 0}, {}),
}
OF_ONE = {
    "MLP": {
        "classes of eval_set": ({}, {"eval_set": (NEW_X[:4], NEW_Y[:4] + 50)}),
        "columns of eval_set": ({}, {"eval_set": (NEW_X[:4, :2], NEW_Y[:4])}),
        "callback": ({"callbacks": [fail]}, {}),
        "interrupted callback": ({"callbacks": [interrupt]}, {}),
        "callback of fit": ({}, {"on_epoch": fail}),
        "interrupted callback of fit": ({}, {"on_epoch": interrupt}),
        "early stopping on too few rows": (
            {"early_stopping": True},
            {"X": NEW_X[:1], "y": [1]},
        ),
    },
    "GBT": {
        "classes of eval_set": ({}, {"eval_set": (NEW_X[:4], NEW_Y[:4] + 50)}),
        "columns of eval_set": ({}, {"eval_set": (NEW_X[:4, :2], NEW_Y[:4])}),
        "callback": ({"callbacks": [fail]}, {}),
        "interrupted callback": ({"callbacks": [interrupt]}, {}),
        "objective": ({"objective": fail}, {}),
        "metric": ({"eval_metric": fail}, {"eval_set": (NEW_X[:4], NEW_Y[:4])}),
        "base_margin": ({}, {"base_margin": np.zeros(3)}),
        "constraint of an unknown column": ({"interaction_constraints": [["tempo"]]}, {}),
        "init_model of other columns": ({}, {"init_model": fitted("GBT")}),
    },
    "SVM": {
        "one class": ({}, {"y": np.ones(60)}),
        "kernel": ({"kernel": fail}, {}),
        "no square matrix": ({"kernel": "precomputed"}, {}),
    },
    "LinearSVM": {
        "one class": ({}, {"y": np.ones(60)}),
        "loss and penalty": ({"loss": "hinge", "penalty": "l1"}, {}),
    },
}
CASES = [
    pytest.param(name, *way, id=f"{name}, {what}")
    for name in NAMES
    for what, way in {**WAYS, **OF_ONE[name]}.items()
]


def assert_stays(model, train, error=Exception):
    before = state(model)
    with pytest.raises(error):
        train(model)
    assert state(model) == before


@pytest.mark.parametrize(("name", "params", "arguments"), CASES)
def test_a_failed_refit_changes_nothing(name, params, arguments):
    model = fitted(name).set_params(**params)
    data = {"X": NEW_X, "y": NEW_Y} | arguments
    assert_stays(model, lambda model: model.fit(**data), (Exception, KeyboardInterrupt))


@pytest.mark.parametrize("name", NAMES)
def test_a_first_fit_that_fails_leaves_the_estimator_unfitted(name):
    model = pickle.loads(pickle.dumps(BY_NAME[name]))
    before = dict(vars(model))
    with pytest.raises((TypeError, ValueError), match="text"):
        model.fit(with_a_gap(), NEW_Y)
    assert vars(model) == before


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
@pytest.mark.parametrize("name", NAMES)
def test_a_refit_interrupted_in_the_core_changes_nothing(name, error, monkeypatch):
    def raise_error(*_args, **_keywords):
        raise error

    model = fitted(name)
    monkeypatch.setattr(_core, f"{type(model)._LEARNER}_fit", raise_error)
    assert_stays(model, lambda model: model.fit(NEW_X, NEW_Y), error)


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("MLP", {"epochs": 10**6, "early_stopping": False}),
        ("GBT", {"n_estimators": 10**6}),
        ("SVM", {"C": 1e4, "tol": 1e-9, "cache_size": 1}),
        ("LinearSVM", {"C": 1e6, "tol": 1e-12, "loss": "hinge", "dual": True, "max_iter": 10**6}),
    ],
)
def test_ctrl_c_while_the_core_is_polled_changes_nothing(name, params):
    rows = RNG.normal(size=(20_000, 5))
    labels = RNG.integers(0, 2, 20_000)
    model = fitted(name).set_params(**params)
    with polled(interrupt):
        assert_stays(model, lambda model: model.fit(rows, labels), KeyboardInterrupt)


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("MLP", {"optimizer": "sgd", "activation": "relu", "learning_rate": 1e12}),
        ("SVM", {"max_iter": 1}),
        ("LinearSVM", {"max_iter": 1, "tol": 1e-9}),
    ],
)
def test_a_warning_that_is_an_error_changes_nothing(name, params):
    model = fitted(name).set_params(**params)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        assert_stays(model, lambda model: model.fit(NEW_X, NEW_Y), ConvergenceWarning)


FAILED_CONTINUATIONS = {
    "unknown class": {"X": X, "y": np.full(90, "other")},
    "other columns": {"X": NEW_X, "y": Y[:60]},
    "no row with weight": {"X": X, "y": Y, "sample_weight": np.zeros(90)},
}


@pytest.mark.parametrize("data", FAILED_CONTINUATIONS.values(), ids=FAILED_CONTINUATIONS)
@pytest.mark.parametrize("name", ["MLP", "GBT"])
def test_a_failed_warm_start_changes_nothing(name, data):
    model = fitted(name, warm_start=True)
    if name == "GBT":
        model.set_params(n_estimators=8)
    assert_stays(model, lambda model: model.fit(**data))


@pytest.mark.parametrize("data", FAILED_CONTINUATIONS.values(), ids=FAILED_CONTINUATIONS)
def test_a_failed_partial_fit_changes_nothing(data):
    model = fitted("MLP")
    assert_stays(model, lambda model: model.partial_fit(**data))
    assert_stays(model, lambda model: model.partial_fit(X, Y, classes=["calm", "sad"]))
    model.set_params(hidden_sizes=(5,))
    assert_stays(model, lambda model: model.partial_fit(X, Y))


def test_a_first_partial_fit_that_fails_leaves_the_estimator_unfitted():
    model = MLP((4,), random_state=0)
    before = dict(vars(model))
    with pytest.raises(ValueError, match="only classes seen"):
        model.partial_fit(X, Y, classes=["calm", "happy"])
    assert vars(model) == before


@pytest.mark.parametrize("name", NAMES)
def test_nothing_of_an_earlier_fit_survives(name):
    model = fitted(name)
    model.provenance_ = {"file": "the first"}
    model.note = "of the user"
    model.fit(NEW_X, NEW_Y)
    fresh = pickle.loads(pickle.dumps(BY_NAME[name])).fit(NEW_X, NEW_Y)
    assert set(vars(model)) == set(vars(fresh)) | {"note"}
    assert not hasattr(model, "feature_names_in_")
    assert model.classes_.tolist() == [5, 6, 7, 8] and model.n_features_in_ == 5


def test_the_best_round_of_an_earlier_fit_is_forgotten():
    model = GBT(40, early_stopping_rounds=3, random_state=0).fit(X, Y)
    assert model.best_iteration_ is not None
    model.set_params(early_stopping_rounds=None).fit(X, Y)
    assert model.best_iteration_ is None and model.best_score_ is None
    assert model.evals_result_ == {}
    np.testing.assert_array_equal(
        model.predict_proba(X), GBT(40, random_state=0).fit(X, Y).predict_proba(X)
    )
