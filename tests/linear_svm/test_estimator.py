"""What a user of the estimator meets."""

import json
import os
import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.utils.estimator_checks import parametrize_with_checks

from moodcore import LinearSVM, _core
from moodcore.estimators.progress import polled

SORTS = {
    "newton": {},
    "interior": {"loss": "hinge"},
    "descent": {"loss": "hinge", "dual": True},
    "squared descent": {"dual": True},
    "l1": {"penalty": "l1"},
    "all classes": {"multi_class": "crammer_singer"},
}
sorts = pytest.mark.parametrize("params", SORTS.values(), ids=SORTS)


def weights(model):
    return model.coef_.tobytes() + model.intercept_.tobytes()


@parametrize_with_checks([LinearSVM(random_state=0, **params) for params in SORTS.values()])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_scikit_learn_conventions(estimator, check):
    name = check.func.__name__
    if estimator.dual is True and name.startswith("check_sample_weight_equivalence"):
        pytest.skip("scikit-learn excepts descent on multipliers: rows come in random order")
    check(estimator)


def test_parameters_and_defaults_are_the_cores():
    ours = {k: v for k, v in LinearSVM().get_params().items() if k not in LinearSVM._PYTHON_ONLY}
    assert ours == json.loads(_core.defaults("linear_svm"))


@sorts
def test_learns_and_knows_what_it_learnt(params, clouds, two):
    X, y = clouds
    names = np.array(["red", "green", "blue", "black"])[y]
    model = LinearSVM(random_state=0, **params).fit(X, names)
    assert model.score(X, names) > 0.6
    assert model.classes_.tolist() == ["black", "blue", "green", "red"]
    assert model.coef_.shape == (4, 5) and model.intercept_.shape == (4,)
    assert model.coef_.dtype == model.intercept_.dtype == np.float64
    assert model.n_features_in_ == 5 and model.n_iter_ >= 1
    assert model.decision_function(X).shape == (600, 4)
    binary = LinearSVM(random_state=0, **params).fit(*two)
    assert binary.coef_.shape == (1, 5) and binary.intercept_.shape == (1,)
    assert binary.decision_function(X).shape == (600,)
    assert (binary.predict(X) == (binary.decision_function(X) > 0)).all()


@sorts
def test_predicts_as_scikit_learn(params, clouds):
    X, y = clouds
    model = LinearSVM(random_state=0, **params).fit(X, y)
    other = LinearSVC()
    other.classes_, other.coef_, other.intercept_ = model.classes_, model.coef_, model.intercept_
    X = X.astype(np.float64)
    np.testing.assert_allclose(model.decision_function(X), other.decision_function(X), rtol=1e-9)
    assert (model.predict(X) == other.predict(X)).all()


@pytest.mark.parametrize("isa", _core.instruction_sets())
@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_predicts_the_first_class_of_the_largest_score(isa, n_classes, dtype, clouds, monkeypatch):
    monkeypatch.setenv("MOODCORE_ISA", isa)
    X, y = clouds
    X = np.ascontiguousarray(np.tile(X, (40, 1)), dtype=dtype)
    X[::7] = 0.0
    names = np.array(["red", "green", "blue", "black"])
    model = LinearSVM(random_state=0, n_jobs=2).fit(X[: len(y)], names[y % n_classes])
    # Ties, and scores that are equal to zero.
    model.core_model_ = _core.LinearSvmModel(model.coef_, np.zeros_like(model.intercept_))
    for rows in (X, X[:1], X[:13], X[::2], np.asfortranarray(X)):
        scores = model.decision_function(rows)
        codes = (scores > 0).astype(int) if n_classes == 2 else scores.argmax(axis=1)
        assert model.predict(rows).tolist() == model.classes_[codes].tolist()


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e39])
def test_rows_to_predict_must_fit_float32(value, two):
    X, y = two
    model = LinearSVM(random_state=0).fit(X, y)
    rows = np.array(X, dtype=np.float64)
    rows[-1, -1] = value
    with pytest.raises(ValueError, match=r"NaN|infinity|must fit float32"):
        model.predict(rows)


def test_scores_that_overflow_are_compared(two):
    X, y = two
    model = LinearSVM(random_state=0).fit(X, y)
    model.core_model_ = _core.LinearSvmModel(np.full_like(model.coef_, 1e308), model.intercept_)
    rows = np.full((3, X.shape[1]), [[1.0], [-1.0], [0.5]]) * 1e3
    assert model.predict(rows).tolist() == model.classes_[[1, 0, 1]].tolist()


def test_scores_of_a_row_do_not_depend_on_the_others(clouds):
    X, y = clouds
    model = LinearSVM().fit(X, y)
    alone = np.vstack([model.decision_function(X[row : row + 1]) for row in range(50)])
    assert alone.tobytes() == model.decision_function(X)[:50].tobytes()


@sorts
def test_without_intercept(params, clouds, two):
    for X, y in (clouds, two):
        model = LinearSVM(fit_intercept=False, random_state=0, **params).fit(X, y)
        assert (model.intercept_ == 0).all() and model.intercept_.shape == (len(model.coef_),)
    assert not model.decision_function(np.zeros((1, 5))).any()


def test_a_large_constant_feature_frees_the_intercept(two):
    X, y = two
    far = X + 20
    bound = LinearSVM(0.001).fit(far, y)
    free = LinearSVM(0.001, intercept_scaling=1000).fit(far, y)
    there = LinearSVM(0.001, intercept_scaling=1000).fit(X, y)
    assert abs(free.coef_ - there.coef_).max() < 1e-3 < abs(bound.coef_ - there.coef_).max()


@sorts
def test_same_bits_whatever_the_threads(params):
    rng = np.random.default_rng(1)
    X = rng.normal(size=(9_000, 6)).astype(np.float32)
    y = (X[:, :3] + rng.normal(size=(9_000, 3))).argmax(axis=1)
    found = [
        weights(LinearSVM(0.1, n_jobs=n, max_iter=30, tol=0.1, random_state=3, **params).fit(X, y))
        for n in (1, 2, 3, 1)
    ]
    assert len(set(found)) == 1


@pytest.mark.parametrize("isa", _core.instruction_sets())
def test_same_bits_whatever_the_instruction_set(isa, clouds, tmp_path):
    program = (
        "import sys, json, numpy as np; from moodcore import LinearSVM\n"
        "d = np.load(sys.argv[1])\n"
        "for params in json.loads(sys.argv[2]):\n"
        "    m = LinearSVM(random_state=3, **params).fit(d['X'], d['y'])\n"
        "    print(m.coef_.tobytes().hex(), m.decision_function(d['X']).tobytes().hex())"
    )
    X, y = clouds
    np.savez(tmp_path / "rows.npz", X=X, y=y)
    out = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "rows.npz"), json.dumps([*SORTS.values()])],
        env={**os.environ, "MOODCORE_ISA": isa},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    here = [LinearSVM(random_state=3, **params).fit(X, y) for params in SORTS.values()]
    assert out[::2] == [model.coef_.tobytes().hex() for model in here]
    assert out[1::2] == [model.decision_function(X).tobytes().hex() for model in here]


def test_the_seed_is_the_order_of_descent(clouds):
    X, y = clouds
    one, again, other = (
        LinearSVM(dual=True, max_iter=5, tol=1e-9, random_state=seed) for seed in (1, 1, 2)
    )
    with pytest.warns(ConvergenceWarning):
        one.fit(X, y), again.fit(X, y), other.fit(X, y)
    assert weights(one) == weights(again) != weights(other)
    assert weights(LinearSVM(random_state=1).fit(X, y)) == weights(LinearSVM().fit(X, y))


@sorts
def test_too_few_iterations_warn(params, clouds):
    with pytest.warns(ConvergenceWarning, match=r"ended after \d+ iterations .* raise max_iter"):
        model = LinearSVM(max_iter=2, tol=1e-8, **params).fit(*clouds)
    assert np.isfinite(model.coef_).all() and model.n_iter_ <= 2


def test_a_smaller_tol_is_nearer(clouds):
    X, y = clouds
    best = LinearSVM(loss="hinge", tol=1e-8).fit(X, y).coef_
    near, far = (LinearSVM(loss="hinge", tol=tol).fit(X, y) for tol in (1e-5, 1.0))
    assert abs(near.coef_ - best).max() < abs(far.coef_ - best).max()
    assert near.n_iter_ > far.n_iter_


def test_verbose_prints_problems(clouds, two, capsys):
    LinearSVM(verbose=1).fit(*clouds)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(",")[0] for line in lines] == [f"{code}: Newton" for code in range(4)]
    LinearSVM(verbose=1).fit(*two)
    assert capsys.readouterr().out.startswith("1: Newton, ")
    LinearSVM(verbose=1, multi_class="crammer_singer").fit(*clouds)
    assert capsys.readouterr().out.startswith("all classes: interior point")


def test_frames_pickle_and_clone(clouds):
    X, y = clouds
    frame = pd.DataFrame(X, columns=list("abcde"))
    model = LinearSVM().fit(frame, y)
    assert model.feature_names_in_.tolist() == list("abcde")
    again = pickle.loads(pickle.dumps(model))
    assert again.predict(frame).tolist() == model.predict(frame).tolist()
    assert weights(clone(model).fit(frame, y)) == weights(model)


def test_inside_scikit_learns_tools(clouds):
    X, y = clouds
    pipe = make_pipeline(StandardScaler(), LinearSVM())
    assert cross_val_score(pipe, X, y, cv=3).mean() > 0.6
    grid = {"linearsvm__C": [1e-4, 1.0], "linearsvm__loss": ["hinge", "squared_hinge"]}
    assert GridSearchCV(pipe, grid, cv=2).fit(X, y).best_score_ > 0.6


def test_an_exception_while_polled_stops_training():
    def stop():
        raise RuntimeError("enough")

    rng = np.random.default_rng(0)
    X = rng.normal(size=(20_000, 300)).astype(np.float32)
    y = rng.integers(0, 2, 20_000)
    with pytest.raises(RuntimeError, match="enough"), polled(stop):
        LinearSVM(loss="hinge", max_iter=10**7).fit(X, y)


@pytest.mark.parametrize("params", ["", "loss='hinge'", "dual=False", "penalty='l1'"])
def test_ctrl_c_ends_training_at_once(params):
    program = (
        "import numpy as np, os, signal, threading, time\n"
        "from moodcore import LinearSVM\n"
        "from moodcore.estimators.progress import polled\n"
        "rng = np.random.default_rng(0)\n"
        "X = rng.normal(size=(1_900, 2_000)).astype('f4'); y = rng.integers(0, 2, 1_900)\n"
        "model = LinearSVM(1e6, tol=1e-12, max_iter=10**9, PARAMS)\n"
        "model.fit(X[:50, :3], y[:50])\n"
        "training = threading.Event()\n"
        "def interrupt():\n"
        "    training.wait(); time.sleep(0.2)\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "try:\n"
        "    threading.Thread(target=interrupt).start()\n"
        "    for _ in range(1000):\n"
        "        with polled(training.set):\n"
        "            model.fit(X, y)\n"
        "except KeyboardInterrupt:\n"
        "    print('interrupted')\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program.replace("PARAMS", params)],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert done.stdout.strip() == "interrupted"


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"C": 0}, "C must be finite and above 0, got 0"),
        ({"C": float("inf")}, "C must be finite, got inf"),
        ({"C": "much"}, "C must be a float, got 'much'"),
        ({"C": 1e101}, "at most 1e100"),
        ({"tol": 0.0}, "tol must be finite and above 0, got 0"),
        ({"max_iter": 0}, "max_iter must be at least 1, got 0"),
        ({"verbose": "yes"}, "verbose must be an int of at least 0, got 'yes'"),
        ({"max_iter": 1.5}, "max_iter must be an int, got 1.5"),
        ({"intercept_scaling": -1.0}, "intercept_scaling must be finite and above 0, got -1"),
        ({"intercept_scaling": 1e200}, "intercept_scaling must be from 1e-100 to 1e100"),
        ({"fit_intercept": "no"}, "fit_intercept must be a bool, got 'no'"),
        ({"loss": "logistic"}, "loss must be one of 'hinge', 'squared_hinge', got 'logistic'"),
        ({"penalty": "l0"}, "penalty must be one of 'l1', 'l2', got 'l0'; did you mean"),
        ({"dual": "maybe"}, "dual must be 'auto', True or False, got 'maybe'"),
        (
            {"multi_class": "ovo"},
            "multi_class must be one of 'ovr', 'crammer_singer', got 'ovo'; did you mean 'ovr'",
        ),
        (
            {"penalty": "l1", "loss": "hinge"},
            'combination of penalty="l1" and loss="hinge" is not supported',
        ),
        (
            {"penalty": "l1", "dual": True},
            'penalty="l1" and loss="squared_hinge" with dual=True is not supported',
        ),
        (
            {"loss": "hinge", "dual": False},
            'penalty="l2" and loss="hinge" with dual=False is not supported',
        ),
        (
            {"class_weight": {0: -1.0}},
            "class_weight must be finite numbers of at least 0, got -1.0 for class 0",
        ),
        ({"n_jobs": 0}, "n_jobs"),
    ],
)
def test_wrong_parameters_say_what_is_allowed(params, message, clouds):
    with pytest.raises(ValueError, match=message):
        LinearSVM(**params).fit(*clouds)


def test_wrong_data_say_where(clouds):
    X, y = clouds
    model = LinearSVM().fit(X, y)
    big = X.astype(np.float64)
    big[5, 1] = 1e300
    for call in (model.predict, lambda X: LinearSVM().fit(X, y)):
        with pytest.raises(ValueError, match=r"float32 .* row 5, column 1"):
            call(big)
    with pytest.raises(NotFittedError):
        LinearSVM().predict(X)
    with pytest.raises(ValueError, match=r"at least 2 classes .* only one class: 3"):
        LinearSVM().fit(X, np.full(len(X), 3))
    with pytest.raises(ValueError, match="3 features, but LinearSVM is expecting 5"):
        model.predict(X[:, :3])
