"""What a user of the estimator meets in training and prediction."""

import copy
import json
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer
from sklearn.exceptions import NotFittedError
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from moodcore import GBT, MLP, _core
from moodcore.estimators.gbt.auto import TEXTBOOK
from moodcore.estimators.progress import polled


def bits(model, X):
    return model.decision_function(X).tobytes()


def quick(n_estimators=20, **params):
    return GBT(n_estimators, **{"random_state": 0, "max_leaves": 8} | params)


@parametrize_with_checks(
    [
        GBT(n_estimators=10),
        GBT(n_estimators=10, multi_strategy="multi_output_tree", grow_policy="depthwise"),
        GBT(n_estimators=10, boosting="extra_trees", colsample_bynode=0.8),
    ]
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@pytest.mark.filterwarnings("ignore:sparse X:UserWarning")
def test_scikit_learn_conventions(estimator, check):
    check(estimator)


def test_parameters_and_defaults_are_the_cores():
    ours = {k: v for k, v in GBT().get_params().items() if k not in GBT._PYTHON_ONLY}
    core = json.loads(_core.defaults("gbt"))
    core["boosting"] = core["boosting"]["kind"]
    assert {name for name, value in ours.items() if value == "auto"} == set(TEXTBOOK)
    ours |= TEXTBOOK
    for resolved in ("monotone_constraints", "interaction_constraints"):
        assert core.pop(resolved) == [] and ours.pop(resolved) is None
    assert json.loads(json.dumps(ours)) == core


def test_learns_and_knows_what_it_learnt(gaps):
    X, y = gaps
    names = np.array(["red", "green", "blue"])[y]
    model = GBT(100, random_state=0).fit(X, names)
    assert model.score(X, names) > 0.97
    assert model.classes_.tolist() == ["blue", "green", "red"]
    assert (model.n_iter_, model.n_trees_, model.n_features_in_) == (100, 300, 5)
    assert model.best_iteration_ is None and model.evals_result_ == {}
    assert not hasattr(model, "feature_names_in_")
    assert model.apply(X[:7]).shape == (7, 300)


def test_scores_agree_with_each_other(gaps, two):
    for X, y in (gaps, two):
        model = quick().fit(X, y)
        margins, proba = model.decision_function(X), model.predict_proba(X)
        exp = np.exp(np.c_[np.zeros(len(X)), margins] if margins.ndim == 1 else margins)
        np.testing.assert_allclose(proba, exp / exp.sum(axis=1, keepdims=True), rtol=1e-13)
        np.testing.assert_allclose(model.predict_log_proba(X), np.log(proba), atol=1e-13)
        assert (model.predict(X) == proba.argmax(axis=1)).all()
        given = model.predict_contributions(X)
        assert given.shape == (*margins.shape, 6)
        np.testing.assert_allclose(given.sum(axis=-1), margins, atol=1e-12)


def test_logarithms_of_probabilities_stay_finite():
    X, y = np.arange(40.0)[:, None], np.arange(40) > 19
    model = GBT(300, learning_rate=30, min_child_samples=1, min_child_weight=0).fit(X, y)
    assert np.isfinite(model.predict_log_proba(X)).all()
    assert model.predict_log_proba(X).min() < -30


@pytest.mark.parametrize("params", [{}, {"subsample": 0.5, "colsample_bynode": 0.7}])
@pytest.mark.parametrize("kind", ["gbdt", "dart", "goss", "extra_trees"])
def test_same_seed_same_bits_whatever_the_threads(kind, params, gaps):
    if kind == "goss" and params:
        pytest.skip("goss samples the rows itself")
    one, two = (quick(boosting=kind, n_jobs=n, **params).fit(*gaps) for n in (1, 2))
    assert bits(one, gaps[0]) == bits(two, gaps[0])


@pytest.mark.parametrize("isa", _core.instruction_sets())
def test_same_seed_same_bits_whatever_the_instruction_set(isa, gaps, tmp_path):
    program = (
        "import sys, numpy as np; from moodcore import GBT\n"
        "d = np.load(sys.argv[1]); m = GBT(20, max_leaves=8, random_state=0).fit(d['X'], d['y'])\n"
        "print(m.decision_function(d['X']).tobytes().hex())"
    )
    np.savez(tmp_path / "rows.npz", X=gaps[0], y=gaps[1])
    out = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "rows.npz")],
        env={**os.environ, "MOODCORE_ISA": isa},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert out.strip() == bits(quick().fit(*gaps), gaps[0]).hex()


def test_pickle_copy_and_clone(gaps):
    X, y = gaps
    model = quick(early_stopping_rounds=3).fit(X, y)
    for again in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model), copy.copy(model)):
        assert bits(again, X) == bits(model, X)
        assert again.predict_proba_row([0.0] * 5) == model.predict_proba_row([0.0] * 5)
    assert bits(clone(model).fit(X, y), X) == bits(model, X)


def test_inside_scikit_learns_tools(gaps):
    X, y = gaps
    pipe = make_pipeline(StandardScaler(), quick(200, early_stopping_rounds=5))
    assert cross_val_score(pipe, X, y, cv=3).mean() > 0.8
    grid = {"gbt__max_leaves": [4, 16], "gbt__boosting": ["gbdt", "extra_trees"]}
    assert GridSearchCV(pipe, grid, cv=2).fit(X, y).best_score_ > 0.8


def test_evaluation_sets_metrics_and_callbacks(gaps):
    X, y = gaps
    seen = []
    metrics = ["mlogloss", "merror", "accuracy", "auc", "brier"]
    model = quick(5, eval_metric=metrics, callbacks=[seen.append])
    weight = np.linspace(0, 1, 300)
    model.fit(
        X[:600],
        y[:600],
        eval_set={"train": (X[:600], y[:600]), "test": (X[600:], y[600:])},
        sample_weight_eval_set={"test": weight},
    )
    assert list(model.evals_result_) == ["train", "test"]
    assert [record["iteration"] for record in seen] == [0, 1, 2, 3, 4]
    own, proba = model.evals_result_["test"], model.predict_proba(X[600:])
    assert [record["test"]["auc"] for record in seen] == own["auc"]
    wrong = model.predict(X[600:]) != y[600:]
    expected = {
        "mlogloss": log_loss(y[600:], proba, sample_weight=weight),
        "merror": np.average(wrong, weights=weight),
        "accuracy": 1 - np.average(wrong, weights=weight),
        "auc": roc_auc_score(y[600:], proba, multi_class="ovr", sample_weight=weight),
        "brier": brier_score_loss(y[600:], proba, sample_weight=weight, scale_by_half=False),
    }
    for name, value in expected.items():
        # The core rounds weights that are not whole to a millionth of the largest.
        assert own[name][-1] == pytest.approx(value, rel=1e-4), name


def test_names_of_evaluation_sets(two):
    X, y = two
    model = quick(2)
    assert list(model.fit(X, y, eval_set=(X, y)).evals_result_) == ["validation_0"]
    pair = [(X, y), (X, y)]
    fitted = model.fit(X, y, eval_set=pair, eval_names=["a", "b"])
    assert list(fitted.evals_result_) == ["a", "b"]
    fitted = model.fit(X, y, eval_set=((X, y), (X, y)))
    assert list(fitted.evals_result_) == ["validation_0", "validation_1"]
    assert fitted.evals_result_["validation_1"].keys() == {"logloss"}


def test_a_metric_of_ones_own(two):
    def hits(y, proba, sample_weight=None):
        assert set(y) <= {"no", "yes"}
        return np.average((proba[:, 1] > 0.5) == (y == "yes"), weights=sample_weight)

    hits.greater_is_better = True
    X, y = two[0], np.array(["no", "yes"])[two[1]]
    model = quick(60, eval_metric=["error", hits], early_stopping_rounds=5)
    model.fit(X[:700], y[:700], eval_set=[(X[700:], y[700:])])
    curves = model.evals_result_["validation_0"]
    np.testing.assert_allclose(curves["hits"], 1 - np.array(curves["error"]), atol=1e-12)
    assert model.best_score_ == max(curves["hits"])


def test_early_stopping_keeps_all_and_predicts_with_the_best(gaps):
    X, y = gaps
    model = quick(2000, learning_rate=0.5, early_stopping_rounds=5).fit(X, y)
    losses = model.evals_result_["validation"]["logloss"]
    assert len(losses) == model.n_iter_ == model.best_iteration_ + 6 < 2000
    assert model.best_iteration_ == np.argmin(losses)
    assert model.best_score_ == min(losses)
    stages = list(model.staged_decision_function(X))
    assert len(stages) == model.best_iteration_ + 1
    assert stages[-1].tobytes() == bits(model, X)
    assert model.apply(X).shape[1] == 3 * len(stages)
    assert model[:].n_iter_ == model.n_iter_
    assert bits(model[: len(stages)], X) == bits(model, X) != bits(model[:], X)


def test_rows_can_be_set_aside_of_any_table(two):
    X, y = two
    model = quick(3, validation_fraction=0.2).fit(X, y)
    assert model.n_iter_ == 3 and list(model.evals_result_) == ["validation"]
    # A class of a single row cannot be on both sides.
    alone = np.r_[2, y[1:]]
    GBT(3, early_stopping_rounds=2, random_state=0).fit(X, alone)
    with pytest.raises(ValueError, match="holding out rows needs at least 2 rows, got n_samples=1"):
        GBT(3, early_stopping_rounds=2).fit(X[:1], y[:1])


def test_a_callback_stops_or_gives_up(two):
    model = quick(1000, callbacks=[lambda record: record["iteration"] == 4]).fit(*two)
    assert model.n_iter_ == 5

    def give_up(record):
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        quick(1000, callbacks=[give_up]).fit(*two)

    def poll():
        raise InterruptedError

    with pytest.raises(InterruptedError), polled(poll):
        GBT(10**6).fit(*two)


@pytest.mark.parametrize(
    "params", [{}, {"subsample": 0.5}, {"multi_strategy": "multi_output_tree"}]
)
def test_training_goes_on_to_the_bit(params, gaps, tmp_path):
    X, y = gaps
    through = quick(20, **params).fit(X, y)
    warm = quick(8, warm_start=True, **params).fit(X, y)
    warm.set_params(n_estimators=20).fit(X, y)
    assert warm.n_iter_ == 20 and bits(warm, X) == bits(through, X)
    half = quick(8, **params).fit(X, y)
    half.save(tmp_path / "half")
    for start in (half, tmp_path / "half"):
        on = quick(12, **params).fit(X, y, init_model=start)
        assert on.n_iter_ == 20 and bits(on, X) == bits(through, X)
    assert half.n_iter_ == 8


def test_how_training_may_go_on(gaps, tmp_path):
    X, y = gaps
    model = quick(8, warm_start=True).fit(X, y)
    with pytest.warns(UserWarning, match="n_estimators is 8, .* warm_start adds none"):
        model.fit(X, y)
    with pytest.raises(ValueError, match="n_estimators must be at least 8, the rounds of the last"):
        model.set_params(n_estimators=7).fit(X, y)
    with pytest.raises(ValueError, match=r"only classes seen in training .* got 3 in row 0"):
        quick(3).fit(X, y + 3, init_model=model)
    with pytest.raises(NotFittedError):
        quick(3).fit(X, y, init_model=GBT())
    MLP(epochs=1).fit(np.nan_to_num(X), y).save(tmp_path / "network")
    with pytest.raises(TypeError, match="init_model must be a GBT, got MLP"):
        quick(3).fit(X, y, init_model=tmp_path / "network")


def test_an_objective_of_ones_own(gaps, two):
    def logistic(y, margins):
        assert margins.ndim == 1
        p = 1 / (1 + np.exp(-margins))
        return p - y, p * (1 - p)

    def softmax(y, margins, sample_weight):
        assert sample_weight.shape == (len(y),)
        e = np.exp(margins - margins.max(axis=1, keepdims=True))
        p = e / e.sum(axis=1, keepdims=True)
        return p - np.eye(3)[y], p * (1 - p)

    weight = np.r_[np.full(450, 2.0), np.ones(450)]
    for (X, y), objective in ((two, logistic), (gaps, softmax)):
        ours = GBT(10, random_state=0, objective=objective).fit(X, y, sample_weight=weight)
        shares = 0.5 if objective is logistic else [0.5, 0.5, 0.5]
        theirs = GBT(10, random_state=0, base_score=shares).fit(X, y, sample_weight=weight)
        both = np.c_[ours.decision_function(X)], np.c_[theirs.decision_function(X)]
        # An equal shift of all margins changes no probability.
        centred = [m - m.mean(axis=1, keepdims=True) if m.shape[1] > 1 else m for m in both]
        np.testing.assert_allclose(*centred, atol=1e-5)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (lambda y, m: (m[:-1], m), "gradient must be of shape .900,., got .899,."),
        (lambda y, m: (m, m * np.nan), "hessian must be finite, got nan in row 0"),
        (lambda y, m: (m, m - 1), "hessian must be at least 0, got less in row 0"),
    ],
)
def test_wrong_derivatives(given, says, two):
    with pytest.raises(ValueError, match=says):
        GBT(objective=given).fit(*two)


def test_where_boosting_starts(gaps, two):
    X, y = two
    rate = np.mean(y)
    model = quick(1).fit(X, y)
    assert bits(quick(1, base_score=rate).fit(X, y), X) == pytest.approx(bits(model, X))
    assert model.core_model_.base[0] == pytest.approx(np.log(rate / (1 - rate)))
    stump = GBT(1, gamma=1e9, base_score=[0.2, 0.3, 0.5], learning_rate=1e-12).fit(*gaps)
    np.testing.assert_allclose(stump.predict_proba(X), [[0.2, 0.3, 0.5]] * 900, rtol=1e-9)
    # Training continues with the margin of the first model as the base of a second one.
    first, second = quick(10).fit(X, y), quick(10)
    margin = first.decision_function(X)
    second.fit(X, y, base_margin=margin, eval_set=(X, y), base_margin_eval_set=[margin])
    loss = second.evals_result_["validation_0"]["logloss"][-1]
    proba = second.predict_proba(X, base_margin=margin)
    assert loss == pytest.approx(log_loss(y, proba), rel=1e-6)
    through = quick(20).fit(X, y).decision_function(X)
    np.testing.assert_allclose(second.decision_function(X, base_margin=margin), through, atol=1e-9)


def test_weights_count(gaps):
    X, y = gaps
    weight = np.r_[np.full(100, 2.0), np.zeros(50), np.ones(750)]
    twice = np.r_[np.arange(100), np.arange(100), np.arange(150, 900)]
    weighted = quick().fit(X, y, sample_weight=weight)
    assert bits(weighted, X) == bits(quick().fit(X[twice], y[twice]), X)
    heavy = quick(class_weight={0: 50, 1: 1, 2: 1}).fit(X, y)
    assert (heavy.predict(X) == 0).mean() > (weighted.predict(X) == 0).mean()
    by_hand = np.array([50.0, 1, 1])[y]
    assert bits(heavy, X) == bits(quick().fit(X, y, sample_weight=by_hand), X)
    quick(class_weight="balanced", warm_start=True).fit(X, y)
    assert 0 not in quick(class_weight={0: 0, 1: 1, 2: 1}).fit(X, y).predict(X)
    with pytest.raises(ValueError, match=r"sample_weight|Sample weights"):
        quick().fit(X, y, sample_weight=np.zeros(900))


def test_one_class_one_row_and_odd_columns():
    X = np.array([[1.0, np.nan, np.inf], [1.0, np.nan, -np.inf], [1.0, np.nan, np.inf]])
    model = GBT(3, early_stopping_rounds=2).fit(X, ["only"] * 3)
    assert model.predict(X).tolist() == ["only"] * 3
    assert model.predict_proba(X).tolist() == [[1.0]] * 3
    assert model.predict_contributions(X).shape == (3, 4)
    assert model.feature_importances_.tolist() == [0, 0, 0]
    assert model.predict_proba_row([0, 0, 0]) == [1.0]
    assert GBT(3).fit(X[:1], ["a"]).predict(X).tolist() == ["a"] * 3
    split = GBT(60, min_child_samples=1, min_child_weight=0).fit(X, [0, 1, 0])
    assert split.predict(X).tolist() == [0, 1, 0]
    assert split.importances("weight").tolist() == [0, 0, 60]


def test_a_row_at_a_time(gaps, two):
    for X, y in (gaps, two):
        model = quick().fit(X, y)
        for row, proba in zip(X[:20].tolist(), model.predict_proba(X[:20]).tolist(), strict=True):
            assert model.predict_proba_row(row) == proba
    with pytest.raises(ValueError, match="5 values, got 2"):
        model.predict_proba_row([0.0, 1.0])
    with pytest.raises(NotFittedError):
        GBT().predict_proba_row([0.0])


def test_verbose_prints_rounds(two, capsys):
    quick(5, verbose=2, eval_metric="error").fit(*two, eval_set=two)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == ["iteration 0", "iteration 2", "iteration 4"]
    assert " validation_0 error=0." in lines[0]


def test_ctrl_c_ends_training_at_once():
    program = (
        "import numpy as np, os, signal, threading, time\n"
        "from moodcore import GBT\n"
        "from moodcore.estimators.progress import polled\n"
        "X = np.random.default_rng(0).normal(size=(200_000, 10)); y = X[:, 0] > 0\n"
        "training = threading.Event()\n"
        "def interrupt():\n"
        "    training.wait(); time.sleep(0.2)\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "threading.Thread(target=interrupt).start()\n"
        "try:\n"
        "    with polled(training.set):\n"
        "        GBT(10**6, max_leaves=1000).fit(X, y)\n"
        "except KeyboardInterrupt:\n"
        "    print('interrupted')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True
    )
    assert done.stdout.strip() == "interrupted"


def test_weights_that_sum_to_one_are_weights_of_the_same_rows():
    X, y = load_breast_cancer(return_X_y=True)
    weight = np.full(len(y), 1 / len(y))
    # The penalty of a leaf is the only parameter in units of the loss.
    model = GBT(20, reg_lambda=0, random_state=0)
    expected = model.fit(X, y).predict_proba(X)
    found = model.fit(X, y, sample_weight=weight).predict_proba(X)
    np.testing.assert_allclose(found, expected, atol=0.02)
    assert GBT(random_state=0).fit(X, y, sample_weight=weight).score(X, y) > 0.95


@pytest.mark.parametrize(
    ("params", "scale", "message"),
    [
        ({}, 0, "all features are constant"),
        ({"gamma": 1e6}, 1, "no split gains more than gamma"),
        ({"min_child_samples": 300}, 1, "fewer than two leaves of min_child_samples=300"),
    ],
    ids=str,
)
def test_a_model_without_splits_warns(params, scale, message):
    X, y = load_breast_cancer(return_X_y=True)
    with pytest.warns(UserWarning, match=message):
        GBT(5, random_state=0, **params).fit(X * scale, y)
