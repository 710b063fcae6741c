"""Unusual tables and invalid arguments: a defined result or an error that names the problem."""

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError

from moodcore import GBT


def table(n_rows=60, n_features=3, n_classes=2):
    rng = np.random.default_rng(1)
    X = rng.normal(size=(n_rows, n_features))
    return X, (X[:, 0] * 9).astype(int) % n_classes


def assert_sound(model, X):
    probabilities = model.predict_proba(X)
    assert np.isfinite(probabilities).all()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    assert np.isfinite(model.predict_contributions(X)).all()


@pytest.mark.parametrize(
    "column",
    [
        np.zeros(60),
        np.full(60, np.nan),
        np.full(60, np.inf),
        np.full(60, -np.inf),
        np.tile([np.inf, -np.inf, np.nan, 0.0, 1.0, -1.0], 10),
        np.tile([1e300, -1e300, 5e-324, 0.0, -0.0, 1e-300], 10),
    ],
    ids=["constant", "missing", "inf", "-inf", "mixed", "extreme"],
)
def test_odd_columns_are_taken_as_they_are(column):
    X, y = table()
    X[:, 1] = column
    assert_sound(GBT(5, min_child_samples=2).fit(X, y), X)
    assert_sound(GBT(5, min_child_samples=2).fit(column[:, None], y), column[:, None])


def test_infinite_values_are_the_largest():
    X = np.array([0.0, 1.0, np.inf, -np.inf] * 10)[:, None]
    y = (X[:, 0] == np.inf).astype(int)
    assert GBT(20, min_child_samples=1).fit(X, y).score(X, y) == 1


def test_one_row_and_one_class():
    one = GBT(3).fit([[1.0, 2.0]], ["only"])
    assert one.predict([[5.0, 6.0]]).tolist() == ["only"]
    X, _ = table()
    same = GBT(3).fit(X, np.full(60, 7))
    assert same.predict_proba(X).tolist() == [[1.0]] * 60


@pytest.mark.parametrize("strategy", ["one_output_per_tree", "multi_output_tree"])
def test_a_thousand_classes(strategy):
    X, _ = table(2000, 2)
    y = np.arange(2000) % 1000
    model = GBT(1, min_child_samples=5, multi_strategy=strategy).fit(X, y)
    assert model.predict_proba(X[:5]).shape == (5, 1000)


def test_more_classes_than_margins_fit():
    X = np.zeros((500_000, 1), dtype=np.float32)
    # 75 GiB are refused first, where there are fewer.
    says = r"2\^32 margins are supported, got 500000 rows of 10000|needs about 74.6 GiB"
    with pytest.raises((ValueError, MemoryError), match=says):
        GBT(1).fit(X, np.arange(500_000) % 10_000)


def test_65_536_categories():
    codes = np.arange(70_000) % 65_536
    y = codes % 2
    frame = pd.DataFrame({"code": pd.Categorical(codes), "x": np.arange(70_000.0)})
    model = GBT(2).fit(frame, y)
    assert_sound(model, frame[:100])


def test_a_label_never_seen_is_named():
    X, y = table()
    with pytest.raises(ValueError, match=r"only classes seen in training .* 5 in row 1"):
        GBT(2).fit(X, y, eval_set=(X[:2], [0, 5]))


@pytest.mark.parametrize("weight", [1e12, 1e-12, 3.7])
def test_weights_of_any_size(weight):
    X, y = table(300)
    scaled = GBT(5, min_child_samples=0, min_child_weight=0, reg_lambda=0)
    model = scaled.fit(X, y, sample_weight=np.full(300, weight))
    assert_sound(model, X)
    assert model.score(X, y) > 0.8


def test_weights_of_very_different_size():
    X, y = table(300)
    weight = np.where(np.arange(300) % 2, 1e12, 1e-12)
    assert_sound(GBT(5, min_child_samples=0).fit(X, y, sample_weight=weight), X)


@pytest.mark.parametrize(
    ("weight", "message"),
    [(0.0, "at least one non-zero number"), (-1.0, "[Nn]egative"), (np.nan, "NaN")],
)
def test_weights_that_are_refused(weight, message):
    X, y = table()
    with pytest.raises(ValueError, match=message):
        GBT(2).fit(X, y, sample_weight=np.full(60, weight))


WRONG = {
    "n_estimators": [
        (0, "at least 1, got 0"),
        (-1, "must be at least 1, got -1"),
        ("ten", "must be an int, got 'ten'"),
    ],
    "learning_rate": [(0.0, "above 0, got 0"), (np.inf, "must be finite, got inf")],
    "max_leaves": [(1, "at least 2, got 1"), (2.5, "must be an int or None, got 2.5")],
    "max_depth": [(0, "at least 1, got 0")],
    "grow_policy": [("widest", "must be one of 'lossguide', 'depthwise'")],
    "min_child_samples": [(-1, "at least 0, got -1")],
    "min_child_weight": [(-0.1, "at least 0, got -0.1")],
    "reg_alpha": [(-1.0, "at least 0, got -1")],
    "reg_lambda": [(-1.0, "at least 0, got -1")],
    "gamma": [(-1.0, "at least 0, got -1")],
    "max_delta_step": [(-1.0, "at least 0, got -1")],
    "subsample": [(0.0, r"in \(0, 1\], got 0"), (1.5, "got 1.5")],
    "colsample_bytree": [(0.0, r"in \(0, 1\], got 0")],
    "colsample_bylevel": [(2.0, r"in \(0, 1\], got 2")],
    "colsample_bynode": [(-1.0, r"in \(0, 1\], got -1")],
    "max_bin": [(1, "from 2 to 255, got 1"), (256, "from 2 to 255, got 256")],
    "multi_strategy": [("both", "got 'both'")],
    "boosting": [("drat", "did you mean 'dart'"), ({"kind": "goss", "top_rat": 1}, "top_rat")],
    "early_stopping_rounds": [(0, "at least 1, got 0")],
    "validation_fraction": [(1.0, "validation_fraction")],
    "monotone_constraints": [([1, 2, 0], "monotone_constraints"), ([1], "monotone_constraints")],
    "interaction_constraints": [([[0, 9]], "interaction_constraints")],
    "categorical_features": [(["absent"], "categorical_features")],
    "base_score": [(1.5, "base_score"), ([0.2, 0.3, 0.5], "base_score")],
    "eval_metric": [("logless", "eval_metric")],
    "n_jobs": [(0, "n_jobs"), ("two", "n_jobs must be an int or None, got 'two'")],
    "callbacks": [(print, "callbacks must be a list of callables"), ("log", "got 'log'")],
    "class_weight": [
        ("balance", 'None, "balanced" or a dict, got .balance'),
        ({0: -1}, "at least 0, got -1 for class 0"),
        ({0: "much"}, "got 'much' for class 0"),
    ],
    "verbose": [(-1, "verbose must be an int of at least 0, got -1"), ("yes", "got 'yes'")],
    "warm_start": [("yes", "warm_start must be a bool, got 'yes'")],
}


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [(name, value, message) for name, cases in WRONG.items() for value, message in cases],
)
def test_wrong_parameters_say_what_is_allowed(name, value, message):
    X, y = table()
    with pytest.raises((ValueError, TypeError), match=message) as caught:
        GBT(**{"n_estimators": 3, name: value}).fit(X, y, eval_set=(X, y))
    assert name.split("_")[0] in str(caught.value)


ASKED = {
    "predict": 1,
    "predict_proba": 1,
    "predict_log_proba": 1,
    "decision_function": 1,
    "predict_contributions": 1,
    "apply": 1,
    "staged_predict": 1,
    "staged_predict_proba": 1,
    "staged_decision_function": 1,
    "predict_proba_row": 1,
    "importances": 0,
    "trees_to_dataframe": 0,
    "dump": 0,
    "plot_tree": 0,
    "plot_importance": 0,
}


@pytest.mark.parametrize("name", ASKED)
def test_an_unfitted_model_says_so(name):
    X, _ = table()
    with pytest.raises(NotFittedError, match="not fitted yet"):
        found = getattr(GBT(), name)(*[X] * ASKED[name])
        list(found)


def test_other_columns_are_refused():
    X, y = table()
    model = GBT(2).fit(X, y)
    with pytest.raises(ValueError, match="2 features, but GBT is expecting 3"):
        model.predict(X[:, :2])
    with pytest.raises(ValueError, match="3 values, got 2"):
        model.predict_proba_row([1.0, 2.0])
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    named = GBT(2).fit(frame, y)
    with pytest.raises(ValueError, match="feature names"):
        named.predict(frame.rename(columns={"c": "d"}))


@pytest.mark.parametrize(
    ("objective", "message"),
    [
        (lambda y, z: (z, z[:3]), "hessian"),
        (lambda y, z: (z * np.nan, z), "gradient"),
        (lambda y, z: (z, z * 0 - 1), "hessian"),
        (lambda y, z: None, "objective"),
    ],
)
def test_objectives_that_return_nonsense(objective, message):
    X, y = table()
    with pytest.raises((ValueError, TypeError), match=message):
        GBT(2, objective=objective).fit(X, y)


def test_what_callables_raise_comes_back():
    def raises(*_):
        raise RuntimeError("enough")

    X, y = table()
    for params in ({"objective": raises}, {"eval_metric": raises}, {"callbacks": [raises]}):
        with pytest.raises(RuntimeError, match="enough"):
            GBT(2, **params).fit(X, y, eval_set=(X, y))
