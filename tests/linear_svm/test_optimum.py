"""The optimum: against scikit-learn's LinearSVC, and against the dual problem in plain NumPy."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from linear_svm_reference import gaps, objectives
from sklearn.svm import LinearSVC

from moodcore import LinearSVM

# No deadline: a slow machine is no failure.
TRIALS = settings(max_examples=25, deadline=None)

# What scikit-learn takes for it follows after what we are given.
PROBLEMS = {
    "squared hinge": ({}, False),
    "squared hinge, dual": ({"dual": True}, True),
    "squared hinge, primal": ({"dual": False}, False),
    "hinge": ({"loss": "hinge"}, True),
    "hinge, dual": ({"loss": "hinge", "dual": True}, True),
    "l1": ({"penalty": "l1"}, False),
    "l1, primal": ({"penalty": "l1", "dual": False}, False),
    "all classes": ({"multi_class": "crammer_singer"}, True),
}


@st.composite
def tables(draw, most_features=12):
    """Rows of classes that overlap, with weights; the classes are all there."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    n_classes = draw(st.integers(2, 5))
    n_rows = draw(st.integers(2 * n_classes, 80))
    n_features = draw(st.integers(1, most_features))
    y = np.arange(n_rows) % n_classes
    centres = rng.normal(size=(n_classes, n_features)) * draw(st.sampled_from([0.3, 1, 3]))
    X = (centres[y] + rng.normal(size=(n_rows, n_features))).astype(np.float32)
    weight = None
    if draw(st.booleans()):
        weight = rng.uniform(0.1, 3, n_rows).astype(np.float32).astype(np.float64)
    class_weight = draw(st.sampled_from([None, {0: 2.5, 1: 0.5}]))
    return X.astype(np.float64), y, weight, class_weight


settings_of_all = st.fixed_dictionaries(
    {
        "C": st.floats(-3, 3).map(lambda exponent: 10.0**exponent),
        "fit_intercept": st.booleans(),
        "intercept_scaling": st.sampled_from([0.3, 1.0, 10.0]),
    }
)


def theirs(given_to_us, dual, table, max_iter=20_000):
    """scikit-learn's, run as far as it gets."""
    X, y, weight, class_weight = table
    params = {**given_to_us, "dual": dual, "class_weight": class_weight}
    model = LinearSVC(**params, tol=1e-8, max_iter=max_iter, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(X, y, sample_weight=weight)


def ours(params, table, **more):
    X, y, weight, class_weight = table
    model = LinearSVM(**params, class_weight=class_weight, random_state=0, **more)
    return model.fit(X, y, sample_weight=weight)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(("params", "dual"), PROBLEMS.values(), ids=PROBLEMS)
@TRIALS
@given(table=tables(), more=settings_of_all)
def test_no_objective_is_above_that_of_scikit_learn(params, dual, table, more):
    X, y, weight, _ = table
    # Coordinate descent gets as many passes as theirs; the other solvers end long before.
    mine, other = ours(params | more, table, max_iter=20_000), theirs(params | more, dual, table)
    other.class_weight = mine.class_weight
    for a, b in zip(objectives(mine, X, y, weight), objectives(other, X, y, weight), strict=True):
        assert a <= b * (1 + 1e-6) + 1e-12


@pytest.mark.parametrize("params", [{}, {"penalty": "l1"}, {"loss": "hinge"}], ids=str)
@TRIALS
@given(table=tables(), more=settings_of_all)
def test_the_dual_problem_says_that_it_is_the_optimum(params, table, more):
    X, y, weight, _ = table
    model = ours(params | more, table, tol=1e-6)
    # The reference finds the hinge's multipliers to no more than some 1e-6.
    most = 2e-5 if "loss" in params else 1e-6
    for gap, value in zip(gaps(model, X, y, weight), objectives(model, X, y, weight), strict=True):
        assert gap <= most * value + 1e-9


@pytest.mark.parametrize("params", [{}, {"penalty": "l1"}], ids=str)
@TRIALS
@given(table=tables(), more=settings_of_all)
def test_coefficients_are_those_of_scikit_learn(params, table, more):
    more["C"] = min(more["C"], 10.0)
    mine = ours(params | more, table, tol=1e-6)
    other = theirs(params | more, False, table, 200_000)
    size = max(1.0, np.abs(other.coef_).max(), np.abs(other.intercept_).max())
    np.testing.assert_allclose(mine.coef_, other.coef_, atol=2e-3 * size)
    np.testing.assert_allclose(
        mine.intercept_, np.broadcast_to(other.intercept_, len(mine.coef_)), atol=2e-3 * size
    )
    assert mine.coef_.shape == other.coef_.shape


WIDE = {
    "auto": ({}, True),
    "primal": ({"dual": False}, False),
    "hinge": ({"loss": "hinge"}, True),
    "l1": ({"penalty": "l1"}, False),
    "all classes": ({"multi_class": "crammer_singer"}, True),
}


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("C", [1e-3, 1.0, 1e3])
@pytest.mark.parametrize(("params", "dual"), WIDE.values(), ids=WIDE)
def test_more_columns_than_small_matrices_take(params, dual, C, n_classes):
    rng = np.random.default_rng(n_classes)
    X = rng.normal(size=(90, 300)).astype(np.float32).astype(np.float64)
    y = rng.permutation(np.arange(90) % n_classes)
    table = (X, y, None, None)
    mine, other = ours({"C": C, **params}, table), theirs({"C": C, **params}, dual, table)
    other.class_weight = None
    for a, b in zip(objectives(mine, X, y), objectives(other, X, y), strict=True):
        assert a <= b * (1 + 1e-6)
    if params == {"dual": False}:
        model = ours({"C": C, **params}, table, tol=1e-6)
        for gap, value in zip(gaps(model, X, y), objectives(model, X, y), strict=True):
            assert gap <= 1e-5 * value


@pytest.mark.parametrize("C", [1e-2, 1.0, 30.0])
@pytest.mark.parametrize("share", [0.0, 0.7])
def test_l1_with_many_columns_meets_the_optimum_in_few_iterations(share, C):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(600, 160))
    X += share * rng.normal(size=(600, 5)) @ rng.normal(size=(5, 160))
    X = X.astype(np.float32).astype(np.float64)
    y = (X[:, :8].sum(axis=1) + 3 * rng.normal(size=600) > 0).astype(int)
    table = (X, y, None, None)
    model = ours({"C": C, "penalty": "l1"}, table)
    # Passes of coordinate descent, and steps of Newton's method on the columns that matter.
    assert model.n_iter_ < 150
    for gap, value in zip(gaps(model, X, y), objectives(model, X, y), strict=True):
        assert gap <= 1e-2 * model.tol * value


@pytest.mark.parametrize("loss", ["hinge", "squared_hinge"])
@pytest.mark.parametrize("C", [1e-3, 1.0, 1e3])
def test_descent_on_multipliers_meets_the_optimum_where_classes_overlap(loss, C, two):
    X, y = two
    auto = LinearSVM(C, loss=loss).fit(X, y)
    dual = LinearSVM(C, loss=loss, dual=True, random_state=1).fit(X, y)
    (a,), (b,) = objectives(auto, X, y), objectives(dual, X, y)
    assert abs(a - b) <= 1e-6 * a


def test_two_classes_at_once_are_the_hinge_with_twice_the_c(two):
    """With w = w_1 - w_0 the penalty is w^2 / 4 and the loss that of one margin."""
    X, y = two
    joint = LinearSVM(0.4, multi_class="crammer_singer", tol=1e-6).fit(X, y)
    hinge = LinearSVM(0.8, loss="hinge", tol=1e-6).fit(X, y)
    np.testing.assert_allclose(joint.coef_, hinge.coef_, atol=1e-4)
    np.testing.assert_allclose(joint.intercept_, hinge.intercept_, atol=1e-4)


@pytest.mark.parametrize("params", [p for p, _ in PROBLEMS.values()], ids=PROBLEMS)
def test_a_weight_of_two_is_the_row_twice(params, clouds):
    X, y = clouds
    weight = 1.0 + (np.arange(len(y)) < 100)
    weight[-50:] = 0
    once = LinearSVM(0.1, tol=1e-6, random_state=0, **params).fit(X, y, sample_weight=weight)
    kept = np.repeat(np.arange(len(y)), weight.astype(int))
    twice = LinearSVM(0.1, tol=1e-6, random_state=0, **params).fit(X[kept], y[kept])
    np.testing.assert_allclose(once.coef_, twice.coef_, atol=2e-3)
    for a, b in zip(
        objectives(once, X[kept], y[kept]), objectives(twice, X[kept], y[kept]), strict=True
    ):
        assert abs(a - b) <= 1e-7 * a


def test_balanced_classes(clouds):
    X, y = clouds
    rows = np.r_[np.arange(len(y)), np.repeat(np.flatnonzero(y == 0), 4)]
    table = (X[rows].astype(np.float64), y[rows])
    mine = LinearSVM(class_weight="balanced").fit(*table)
    other = LinearSVC(class_weight="balanced", tol=1e-8).fit(*table)
    np.testing.assert_allclose(mine.coef_, other.coef_, atol=1e-5)


def test_the_absolute_penalty_makes_zeros(clouds):
    X, y = clouds
    noise = np.random.default_rng(1).normal(size=(len(y), 10))
    model = LinearSVM(0.02, penalty="l1").fit(np.hstack([X, noise]), y)
    assert (model.coef_[:, 5:] == 0).mean() > 0.8
    assert (model.coef_[:, :5] != 0).any(axis=1).all()
