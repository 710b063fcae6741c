"""The optimum does not depend on the scale and the origin of the features."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics.pairwise import pairwise_kernels
from sklearn.svm import SVC
from svm_reference import objective, problems, violation

from moodcore import SVM
from moodcore.estimators.rows import plain_spreads
from moodcore.estimators.svm.kernels import in_sufficient_precision

pytestmark = pytest.mark.filterwarnings("ignore:features differ:UserWarning")


def centered_objective(model, X, y):
    """Return objective and violation of a linear model of two classes, in float64."""
    center = X.mean(axis=0)
    beta = np.zeros(len(y))
    beta[model.support_] = -model.dual_coef_[0]
    signs = np.where(y == model.classes_[0], 1.0, -1.0)
    K = (X - center) @ (X - center).T
    bound = np.full(len(y), model.C)
    return objective(K, signs, beta), violation(K, signs, beta, bound)


@pytest.mark.parametrize(("C", "optimum"), [(1.0, -48.8757), (10.0, -398.31706)])
def test_unscaled_features_of_very_different_spreads(C, optimum):
    # libsvm's kernel values in single precision stop at -48.13 and -309.3.
    X, y = load_breast_cancer(return_X_y=True)
    model = SVM(C, kernel="linear").fit(X, y)
    assert model.fit_status_ == 0
    # The rows that the model computes with.
    X = X.astype(np.float32).astype(float)
    assert model.dual_objective_[0] == pytest.approx(optimum, rel=1e-6)
    value, left = centered_objective(model, X, y)
    assert value == pytest.approx(optimum, rel=1e-6)
    assert left <= 1.1 * model.tol
    assert model.duality_gap_[0] < 1e-5
    assert model.score(X, y) > 0.96


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("scale", [1.0, 1e-15, 1e15, 1e-30, 1e35, 1e-200])
@pytest.mark.parametrize("offset", [0.0, 10.0, 100.0, 1e4])
def test_plain_columns_fit_float32(dtype, scale, offset):
    """What two sums per column decide is what the exact computation decides."""
    if dtype == np.float32 and not 1e-37 < scale < 1e33:
        scale = 1.0
    X = np.random.default_rng(0).normal(size=(500, 3)) * [1.0, 50.0, 0.0] + [offset, 0.0, 0.0]
    X = (X * scale).astype(dtype)
    spreads = plain_spreads(X)
    if spreads is None:
        assert offset > 20 or not 1e-20 < scale < 1e29
    else:
        assert in_sufficient_precision(X).dtype == np.float32
        np.testing.assert_allclose(spreads, X.std(axis=0, dtype=np.float64), rtol=1e-9)
    if offset == 1e4 and dtype == np.float64:
        assert in_sufficient_precision(X).dtype == np.float64


def noise():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 7))
    return X, (X[:, 0] + rng.normal(size=300) > 0).astype(int)


@pytest.mark.parametrize("offset", [0, 100, 300, 1e4, 1e6, 1e8])
def test_a_common_offset_changes_nothing(offset):
    X, y = noise()
    wanted = SVM(100.0, kernel="linear").fit(X, y)
    model = SVM(100.0, kernel="linear").fit(X + offset, y)
    assert model.fit_status_ == 0
    np.testing.assert_allclose(model.dual_objective_, -17383.035, rtol=1e-5)
    np.testing.assert_allclose(wanted.dual_objective_, -17383.035, rtol=1e-6)
    decisions = wanted.decision_function(X)
    np.testing.assert_allclose(model.decision_function(X + offset), decisions, atol=0.01)
    np.testing.assert_allclose(model.coef_, wanted.coef_, atol=2e-3)


def test_features_that_float32_holds_stay_float32():
    X, y = noise()
    assert SVM().fit(X + 100, y).support_vectors_.dtype == np.float32
    assert SVM().fit(X + 1e6, y).support_vectors_.dtype == np.float64
    years = np.round(X * 20) + 2000.0
    assert SVM().fit(years, y).support_vectors_.dtype == np.float32


TRIALS = settings(max_examples=60, deadline=None)


@TRIALS
@given(
    st.integers(0, 10_000),
    st.sampled_from(["linear", "poly", "rbf"]),
    st.sampled_from([0.1, 1.0, 30.0]),
    st.floats(-3, 3),
    st.floats(-1, 4),
    st.booleans(),
)
def test_any_scale_and_offset_has_the_optimum(seed, kernel, C, exponent, distance, is_float32):
    rng = np.random.default_rng(seed)
    y = np.arange(80) % 2
    X = rng.normal(size=(80, 3)) + y[:, None] * rng.normal(size=3)
    X = (X + 10**distance * rng.normal(size=3)) * 10**exponent
    X = X.astype(np.float32) if is_float32 else X
    gamma = {"linear": 1.0, "poly": 0.1 / np.square(X.astype(float)).sum(axis=1).max()}
    params = {"gamma": gamma.get(kernel, "scale"), "degree": 2, "coef0": 1.0}
    # The same problem whatever the scale is.
    C = C / 10 ** (2 * exponent) if kernel == "linear" else C
    model = SVM(C, kernel=kernel, **params).fit(X, y)
    assert model.fit_status_ == 0
    # The optimum for the rows as the model has them, which may be rounded to single precision.
    X = X.astype(model.support_vectors_.dtype)
    Z = X.astype(float) - (X.astype(float).mean(axis=0) if kernel == "linear" else 0)
    values = {"gamma": model.core_model_.gamma, "degree": 2, "coef0": 1.0}
    K = pairwise_kernels(Z, metric=kernel, filter_params=True, **values)
    signs = np.where(y == 0, 1.0, -1.0)
    beta = np.zeros(80)
    beta[model.support_] = -model.dual_coef_[0]
    left = violation(K, signs, beta, np.full(80, model.C))
    assert left <= 1.1 * model.tol
    value = objective(K, signs, beta)
    np.testing.assert_allclose(model.dual_objective_[0], value, rtol=1e-5)
    # libsvm on kernel values without its rounding of rows.
    peer = SVC(C=model.C, kernel="precomputed", tol=1e-5, max_iter=2_000_000)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        peer.fit(K, y)
    theirs = np.zeros(80)
    theirs[peer.support_] = -peer.dual_coef_[0]
    theirs = objective(K, signs, theirs)
    assert value <= theirs + 1e-4 * abs(theirs)
    decisions = K @ beta
    ours = -model.decision_function(X)
    offset = np.median(ours - decisions)
    np.testing.assert_allclose(ours, decisions + offset, atol=2e-3)


@pytest.mark.parametrize("gamma", [1e-6, 1e-9, 1e-11])
def test_an_rbf_kernel_whose_values_are_all_one_in_single_precision(gamma):
    X, y = load_iris(return_X_y=True)
    model = SVM(gamma=gamma).fit(X, y)
    # All coefficients are at their bounds: the decisions compare distances from the class means.
    assert model.score(X, y) == 0.92 >= SVC(gamma=gamma).fit(X, y).score(X, y)
    K = pairwise_kernels(X, metric="rbf", gamma=gamma)
    decisions = model.decision_function(X)
    given = SVM(kernel="precomputed").fit(K, y)
    np.testing.assert_array_equal(given.predict(K), model.predict(X))
    assert np.ptp(decisions, axis=0).min() > 0


@pytest.mark.parametrize("kernel", ["rbf", "poly", "sigmoid"])
@pytest.mark.parametrize("factor", [1e-60, 1e-30, 1e-12, 1e12, 1e30, 1e60])
def test_gamma_by_scale_makes_the_model_independent_of_units(kernel, factor):
    X, y = load_iris(return_X_y=True)
    wanted = SVM(kernel=kernel, tol=1e-5).fit(X, y)
    model = SVM(kernel=kernel, tol=1e-5).fit(X * factor, y)
    assert model.fit_status_ == wanted.fit_status_ == 0
    decisions = wanted.decision_function(X)
    np.testing.assert_allclose(model.decision_function(X * factor), decisions, atol=1e-3)
    np.testing.assert_array_equal(model.predict(X * factor), wanted.predict(X))


@pytest.mark.parametrize("factor", [1e-30, 1e30])
def test_c_makes_the_linear_kernel_independent_of_units(factor):
    X, y = load_iris(return_X_y=True)
    wanted = SVM(kernel="linear", tol=1e-5).fit(X, y)
    model = SVM(1.0 / factor**2, kernel="linear", tol=1e-5).fit(X * factor, y)
    np.testing.assert_allclose(
        model.decision_function(X * factor), wanted.decision_function(X), atol=1e-3
    )


def test_a_limit_of_iterations_leaves_true_figures_and_no_worse_than_zero():
    X, y = noise()
    for kernel in ("linear", "rbf", "poly"):
        for max_iter in (0, 1, 10, 300):
            with pytest.warns(ConvergenceWarning, match=rf"stopped at max_iter \({max_iter}\)"):
                model = SVM(100.0, kernel=kernel, max_iter=max_iter).fit(X + 3, y)
            assert model.n_iter_.tolist() == [max_iter]
            for K, signs, beta, bound, intercept in problems(model, (X + 3), y):
                value = objective(K, signs, beta)
                assert value <= 0
                np.testing.assert_allclose(model.dual_objective_[0], value, rtol=1e-4, atol=1e-3)
                slack = np.maximum(0, 1 - signs * (K @ beta + intercept))
                gap = 0.5 * beta @ K @ beta + bound @ slack + value
                np.testing.assert_allclose(model.duality_gap_[0], gap, rtol=1e-3)


def test_no_limit_is_no_limit():
    # 200 nearly equal pairs of opposite classes: many steps, all of which are taken.
    X, y = load_breast_cancer(return_X_y=True)
    limited = SVM(1.0, kernel="linear", max_iter=50_000)
    with pytest.warns(ConvergenceWarning, match="raise max_iter"):
        limited.fit(X, y)
    assert SVM(1.0, kernel="linear").fit(X, y).n_iter_[0] > 50_000


def test_a_model_of_float64_rows_is_saved_and_pickled(tmp_path):
    import pickle

    from moodcore import load

    X, y = noise()
    for kernel in ("linear", "rbf"):
        model = SVM(kernel=kernel, probability=True, random_state=0).fit(X + 1e6, y)
        model.save(tmp_path / "model")
        for other in (load(tmp_path / "model"), pickle.loads(pickle.dumps(model))):
            np.testing.assert_array_equal(
                other.predict_proba(X + 1e6), model.predict_proba(X + 1e6)
            )
