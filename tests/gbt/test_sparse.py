"""Sparse columns give the bits of dense ones, without a dense table."""

import pickle
import resource

import numpy as np
import pytest
import scipy.sparse as sp

from moodcore import GBT

FORMATS = [sp.csr_array, sp.csc_array, sp.coo_array, sp.csr_matrix, sp.csc_matrix, sp.coo_matrix]


def table(dtype=np.float32):
    rng = np.random.default_rng(0)
    X = sp.random_array((400, 30), density=0.2, rng=rng, dtype=dtype).tocsr()
    X.data[::17] = np.nan
    X.data[::3] *= -1
    scores = np.nan_to_num(X.toarray()) @ rng.normal(size=(30, 3))
    return X, scores.argmax(axis=1)


@pytest.mark.parametrize("make", FORMATS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("weighted", [False, True])
def test_sparse_rows_give_the_bits_of_dense_rows(make, dtype, weighted):
    X, y = table(dtype)
    weight = np.random.default_rng(1).integers(0, 3, len(y)) if weighted else None
    params = {"n_estimators": 10, "random_state": 0, "subsample": 0.8}
    dense = GBT(**params).fit(X.toarray(), y, weight, eval_set=(X[:90].toarray(), y[:90]))
    sparse = GBT(**params).fit(make(X), y, weight, eval_set=(make(X[:90]), y[:90]))
    assert sparse.evals_result_ == dense.evals_result_
    for method in ("predict", "predict_proba", "decision_function", "apply"):
        wanted = getattr(dense, method)(X.toarray())
        np.testing.assert_array_equal(getattr(sparse, method)(make(X)), wanted)
        np.testing.assert_array_equal(getattr(sparse, method)(X.toarray()), wanted)


@pytest.mark.parametrize("missing", [0, 2.5])
def test_a_value_that_counts_as_missing(missing):
    X, y = table()
    X.data[1::5] = 2.5
    params = {"n_estimators": 5, "random_state": 0, "missing": missing}
    dense, sparse = GBT(**params).fit(X.toarray(), y), GBT(**params).fit(X, y)
    wanted = dense.predict_proba(X.toarray())
    np.testing.assert_array_equal(sparse.predict_proba(X), wanted)


def test_a_large_sparse_table_needs_no_dense_one():
    rng = np.random.default_rng(0)
    X = sp.random_array((100_000, 2_000), density=5e-4, rng=rng, dtype=np.float32).tocsr()
    y = np.asarray(X[:, :1000].sum(axis=1) > X[:, 1000:].sum(axis=1)).ravel().astype(int)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    model = GBT(n_estimators=2, random_state=0).fit(X, y)
    assert model.predict(X[:10]).shape == (10,)
    # The table has 800 MB as float32, its bins a quarter of that.
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 700_000


@pytest.mark.parametrize("n_rows", [3_000, 300_000])
@pytest.mark.parametrize("weighted", [False, True])
def test_bins_are_learned_from_values_and_the_number_of_zeros(n_rows, weighted):
    """Columns without values, without zeros, of few and of many values; a sample of many rows."""
    rng = np.random.default_rng(2)
    X = np.zeros((n_rows, 5))
    some = rng.random((n_rows, 5)) < [0, 0.01, 0.4, 1, 0.02]
    X[some] = np.round(rng.normal(size=(n_rows, 5)), 3)[some]
    X[:, 3] = rng.integers(1, 9, n_rows)
    X[rng.random(n_rows) < 0.01, 1] = np.nan
    y = (np.nan_to_num(X).sum(axis=1) + rng.normal(size=n_rows) > 0).astype(int)
    weight = rng.integers(1, 4, n_rows) if weighted else None
    params = {"n_estimators": 2, "random_state": 0, "max_bin": 40, "categorical_features": [3]}
    dense, sparse = GBT(**params).fit(X, y, weight), GBT(**params).fit(sp.csc_array(X), y, weight)
    np.testing.assert_array_equal(sparse.predict_proba(X[:500]), dense.predict_proba(X[:500]))
    assert pickle.dumps(sparse.core_model_) == pickle.dumps(dense.core_model_)
