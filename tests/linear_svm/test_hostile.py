"""Degenerate tables: training ends, and every number is finite."""

import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from moodcore import LinearSVM

PARAMS = [
    {},
    {"dual": True},
    {"dual": False, "fit_intercept": False},
    {"loss": "hinge"},
    {"loss": "hinge", "dual": True},
    {"penalty": "l1"},
    {"multi_class": "crammer_singer"},
]


def tables():
    rng = np.random.default_rng(2)
    X, y = rng.normal(size=(60, 3)), np.arange(60) % 3
    yield "fine", X, y
    yield "opposite labels", np.repeat(X[:20], 3, axis=0), y
    yield "opposite labels of two classes", np.repeat(X[:30], 2, axis=0), np.arange(60) % 2
    yield "constant", np.ones((60, 3)), y
    yield "zero", np.zeros((60, 3)), y
    yield "one column constant", np.column_stack([X[:, 0], np.full(60, 7.0)]), y
    yield "one row per class", np.eye(4), np.arange(4)
    yield "two rows", np.array([[1.0], [2.0]]), np.array([0, 1])
    yield "huge", X * 1e8, y
    yield "largest", np.sign(X) * 3e38, y
    yield "tiny", X * 1e-30, y
    yield "denormal", (np.sign(X) * 1e-44).astype(np.float32), y
    yield "mixed", X * [1e8, 1.0, 1e-8], y
    yield "equal columns", np.repeat(X[:, :1], 3, axis=1), y
    yield "separable", np.column_stack([y * 10.0, X[:, 0]]), y
    yield "wide", rng.normal(size=(12, 400)), np.arange(12) % 3
    yield "wide constant", np.ones((12, 400)), np.arange(12) % 3
    yield "one odd row", np.vstack([X, [1e30, 0, 0]]), np.r_[y, 0]


TABLES = list(tables())


@pytest.mark.parametrize("C", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize("params", PARAMS, ids=str)
@pytest.mark.parametrize(("name", "X", "y"), TABLES, ids=[name for name, *_ in TABLES])
def test_training_ends_and_is_finite(name, X, y, params, C):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = LinearSVM(C, max_iter=300, random_state=0, **params).fit(X, y)
    assert np.isfinite(model.coef_).all() and np.isfinite(model.intercept_).all()
    assert np.isfinite(model.decision_function(X)).all()
    assert 1 <= model.n_iter_ <= 300
    # Subnormal weights would slow down training and prediction.
    size = np.abs(model.coef_)
    assert ((size == 0) | (size >= np.finfo(float).tiny)).all()


@pytest.mark.parametrize("params", PARAMS, ids=str)
def test_weights_of_zero_and_of_any_size(params):
    X, y = TABLES[0][1:]
    rng = np.random.default_rng(0)
    weight = 10.0 ** rng.uniform(-12, 12, size=60)
    weight[:10] = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = LinearSVM(max_iter=300, **params).fit(X, y, sample_weight=weight)
    assert np.isfinite(model.coef_).all()


@pytest.mark.parametrize("params", PARAMS, ids=str)
def test_a_class_that_weighs_nothing(params):
    X, y = TABLES[0][1:]
    model = LinearSVM(class_weight={0: 0.0}, random_state=0, **params).fit(X, y)
    assert np.isfinite(model.coef_).all()
    two = LinearSVM(class_weight={0: 0.0}, random_state=0, **params).fit(X[y < 2], y[y < 2])
    assert (two.predict(X) == 1).mean() > 0.5


def test_one_row_of_all_weight_wins():
    X, y = TABLES[0][1:]
    weight = np.ones(60)
    weight[7] = 1e6
    for params in PARAMS:
        if params.get("multi_class") is None:
            model = LinearSVM(0.01, random_state=0, **params).fit(X, y, sample_weight=weight)
            assert model.predict(X[7:8])[0] == y[7]


@pytest.mark.parametrize(
    ("weight", "message"),
    [(0.0, "at least one non-zero number"), (-1.0, "[Nn]egative"), (np.nan, "NaN")],
)
def test_weights_that_are_refused(weight, message):
    X, y = TABLES[0][1:]
    with pytest.raises(ValueError, match=message):
        LinearSVM().fit(X, y, sample_weight=np.full(60, weight))


def test_a_hundred_classes():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(1000, 4)), np.arange(1000) % 100
    for params in ({}, {"multi_class": "crammer_singer"}):
        model = LinearSVM(0.1, **params).fit(X, y)
        assert model.coef_.shape == (100, 4) and np.isfinite(model.coef_).all()
