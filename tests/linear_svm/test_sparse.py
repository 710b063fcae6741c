"""Sparse rows give the optimum of the dense ones, without a dense table."""

import resource

import numpy as np
import pytest
import scipy.sparse as sp

from moodcore import LinearSVM

FORMATS = [sp.csr_array, sp.csc_array, sp.coo_array, sp.csr_matrix, sp.csc_matrix, sp.coo_matrix]
PROBLEMS = {
    "squared hinge": {},
    "dual": {"dual": True},
    "hinge": {"loss": "hinge"},
    "l1": {"penalty": "l1"},
    "joint": {"multi_class": "crammer_singer"},
}


def table(n_rows=300, n_features=200, density=0.05, seed=0):
    rng = np.random.default_rng(seed)
    X = sp.random_array((n_rows, n_features), density=density, rng=rng, dtype=np.float32).tocsr()
    scores = X @ rng.normal(size=(n_features, 3)) + 0.1 * rng.normal(size=(n_rows, 3))
    return X, scores.argmax(axis=1)


@pytest.mark.parametrize("n_features", [20, 200, 900])
@pytest.mark.parametrize("name", PROBLEMS)
def test_sparse_rows_have_the_optimum_of_dense_rows(name, n_features):
    X, y = table(n_features=n_features)
    params = {"tol": 1e-6, "random_state": 0, "max_iter": 10_000} | PROBLEMS[name]
    sparse, dense = LinearSVM(**params).fit(X, y), LinearSVM(**params).fit(X.toarray(), y)
    np.testing.assert_allclose(sparse.coef_, dense.coef_, atol=2e-3)
    np.testing.assert_allclose(sparse.intercept_, dense.intercept_, atol=2e-3)
    # Predictions are equal to the bit.
    dense.core_model_ = sparse.core_model_
    decisions = sparse.decision_function(X)
    np.testing.assert_array_equal(decisions, dense.decision_function(X.toarray()))
    np.testing.assert_array_equal(sparse.predict(X), dense.predict(X.toarray()))
    assert sparse.score(X, y) == dense.score(X.toarray(), y)


@pytest.mark.parametrize("make", FORMATS)
def test_any_format_gives_the_same_weights(make):
    X, y = table()
    weight = np.random.default_rng(1).integers(0, 3, len(y))
    wanted = LinearSVM(random_state=0).fit(X, y, weight)
    model = LinearSVM(random_state=0).fit(make(X.astype(float)), y, weight)
    np.testing.assert_array_equal(model.coef_, wanted.coef_)
    np.testing.assert_array_equal(model.predict(make(X)), wanted.predict(X))


def test_entries_that_repeat_are_added_and_the_table_is_not_changed():
    X = sp.coo_array(([1.0, 2.0, 3.0], ([0, 0, 1], [1, 1, 0])), shape=(2, 200))
    before = X.data.copy()
    model = LinearSVM(random_state=0).fit(X, [0, 1])
    np.testing.assert_array_equal(
        model.coef_, LinearSVM(random_state=0).fit(X.tocsr(), [0, 1]).coef_
    )
    np.testing.assert_array_equal(X.data, before)


def test_wrong_values_are_named():
    X, y = table()
    X = X.astype(float)
    X.data[7] = 1e60
    row = np.searchsorted(X.indptr, 7, side="right") - 1
    with pytest.raises(
        ValueError, match=rf"must fit float32 .* in row {row}, column {X.indices[7]}"
    ):
        LinearSVM().fit(X, y)
    X.data[7] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        LinearSVM().fit(X, y)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", PROBLEMS)
def test_a_large_sparse_table_needs_no_dense_one(name):
    rng = np.random.default_rng(0)
    X = sp.random_array((100_000, 20_000), density=2e-5, rng=rng, dtype=np.float32).tocsr()
    y = (np.arange(100_000) % 2).astype(int)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    model = LinearSVM(max_iter=5, random_state=0, **PROBLEMS[name]).fit(X, y)
    assert model.predict(X[:10]).shape == (10,)
    # A dense table of float32 has 8 GB.
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 400_000
