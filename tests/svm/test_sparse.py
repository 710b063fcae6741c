"""Sparse rows give the same model as dense ones."""

import pickle
import resource

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.svm import SVC

import moodcore
from moodcore import SVM, _core

FORMATS = [sp.csr_array, sp.csc_array, sp.coo_array, sp.csr_matrix, sp.csc_matrix, sp.coo_matrix]


def table():
    rng = np.random.default_rng(0)
    X = sp.random_array((150, 40), density=0.1, rng=rng, dtype=np.float32).tocsr()
    return X, (X @ rng.normal(size=(40, 3)) + 0.1 * rng.normal(size=(150, 3))).argmax(axis=1)


@pytest.mark.parametrize("make", FORMATS)
@pytest.mark.parametrize("kernel", ["linear", "poly", "rbf", "sigmoid"])
def test_sparse_rows_give_the_bits_of_dense_rows(make, kernel):
    X, y = table()
    weight = np.random.default_rng(1).integers(0, 3, len(y)).astype(float)
    params = {"kernel": kernel, "probability": True, "random_state": 0}
    dense = SVM(**params).fit(X.toarray(), y, weight)
    sparse = SVM(**params).fit(make(X.astype(float)), y, weight)
    np.testing.assert_array_equal(sparse.dual_coef_, dense.dual_coef_)
    np.testing.assert_array_equal(sparse.support_vectors_.toarray(), dense.support_vectors_)
    for method in ("predict", "predict_proba", "decision_function"):
        wanted = getattr(dense, method)(X.toarray())
        np.testing.assert_array_equal(getattr(sparse, method)(make(X)), wanted)
        np.testing.assert_array_equal(getattr(sparse, method)(X.toarray()), wanted)
    assert sparse.score(make(X), y) == dense.score(X.toarray(), y)


def words(n_rows=600, n_features=300, dtype=np.float64):
    """Rows of fractions, and rows of counts: sums of the first are rounded, of the second exact."""
    rng = np.random.default_rng(3)
    X = sp.random_array((n_rows, n_features), density=0.05, rng=rng, dtype=dtype).tocsr()
    y = (X @ rng.normal(size=(n_features, 3))).argmax(axis=1)
    counts = X.copy()
    counts.data = np.ceil(3 * counts.data)
    return {"fractions": X, "counts": counts}, y


@pytest.mark.parametrize("kind", ["fractions", "counts"])
@pytest.mark.parametrize("kernel", ["linear", "poly", "rbf", "sigmoid"])
@pytest.mark.parametrize("instructions", _core.instruction_sets())
def test_rows_of_few_values_give_the_bits_of_dense_rows(kind, kernel, instructions, monkeypatch):
    monkeypatch.setenv("MOODCORE_ISA", instructions)
    tables, y = words(150, 60)
    X = tables[kind]
    params = {"kernel": kernel, "C": 10, "gamma": 0.7, "cache_size": 0.02, "probability": True}
    dense = SVM(**params, random_state=0).fit(X.toarray(), y)
    sparse = SVM(**params, random_state=0, n_jobs=2).fit(X, y)
    np.testing.assert_array_equal(sparse.dual_coef_, dense.dual_coef_)
    np.testing.assert_array_equal(sparse.n_iter_, dense.n_iter_)
    np.testing.assert_array_equal(sparse.intercept_, dense.intercept_)
    # All that models and rows may be: dense or sparse, exact or not.
    for rows in tables.values():
        wanted = dense.predict_proba(rows.toarray())
        for model, given in [(sparse, rows), (dense, rows), (sparse, rows.toarray())]:
            np.testing.assert_array_equal(model.predict_proba(given), wanted)


@pytest.mark.parametrize("kernel", ["linear", "poly", "rbf"])
def test_scikit_learn_finds_the_same_machine(kernel):
    X, y = words()[0]["counts"], words()[1]
    params = {"kernel": kernel, "C": 5, "gamma": 0.05, "tol": 1e-5}
    params["decision_function_shape"] = "ovo"
    model, theirs = SVM(**params).fit(X, y), SVC(**params).fit(X, y)
    wanted = theirs.decision_function(X)
    np.testing.assert_allclose(model.decision_function(X), wanted, atol=2e-4)
    assert sp.issparse(model.support_vectors_) and sp.issparse(theirs.support_vectors_)
    assert model.support_vectors_.shape == (len(model.support_), X.shape[1])
    if kernel == "linear":
        np.testing.assert_allclose(model.coef_, theirs.coef_.toarray(), atol=2e-3)


def test_gamma_is_that_of_dense_rows():
    for X in words()[0].values():
        y = np.arange(X.shape[0]) % 2
        dense, sparse = SVM().fit(X.toarray(), y), SVM().fit(X, y)
        assert sparse.core_model_.gamma == dense.core_model_.gamma
        np.testing.assert_allclose(dense.core_model_.gamma, 1 / (X.shape[1] * X.toarray().var()))


def test_rows_far_from_the_origin_are_not_centered():
    """A column of years is the same in all kernel values; its differences decide."""
    tables, y = words()
    years = 2000 + np.random.default_rng(0).normal(size=(len(y), 1))
    X = sp.hstack([tables["fractions"], 1e4 * years]).tocsr()
    X = X[:200]
    params = {"kernel": "linear", "C": 1e-6, "tol": 1e-5}
    with pytest.warns(UserWarning, match="orders of magnitude"):
        dense = SVM(**params).fit(X.toarray(), y[:200])
    with pytest.warns(UserWarning, match="orders of magnitude"):
        sparse = SVM(**params).fit(X, y[:200])
    assert sparse.fit_status_ == dense.fit_status_ == 0
    assert sparse.support_vectors_.dtype == dense.support_vectors_.dtype
    np.testing.assert_allclose(sparse.dual_objective_, dense.dual_objective_, rtol=1e-4)
    wanted = dense.decision_function(X.toarray())
    np.testing.assert_allclose(sparse.decision_function(X), wanted, atol=1e-3)


def test_rows_that_need_double_precision():
    tables, y = words()
    X = tables["fractions"].copy()
    X.data *= 1e100
    model, dense = SVM().fit(X, y), SVM().fit(X.toarray(), y)
    assert model.support_vectors_.dtype == np.float64
    np.testing.assert_array_equal(model.decision_function(X), dense.decision_function(X.toarray()))


def test_training_and_prediction_take_memory_for_the_values_alone():
    rng = np.random.default_rng(0)
    rows, columns = np.repeat(np.arange(2000), 20), rng.integers(0, 200_000, 40_000)
    X = sp.csr_array((rng.random(40_000), (rows, columns)), shape=(2000, 200_000))
    y = np.asarray(X[:, :100_000].sum(axis=1) > X[:, 100_000:].sum(axis=1)).astype(int)
    SVM(gamma=1.0).fit(X[:100], y[:100])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    SVM(gamma=1.0).fit(X, y).predict(X)
    # The rows have 1.6 GB as float32.
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_models_of_sparse_rows_are_saved_and_copied(tmp_path, dtype):
    tables, y = words()
    X = tables["fractions"] * (1 if dtype == np.float32 else 1e100)
    model = SVM(kernel="rbf").fit(X, y)
    assert model.support_vectors_.dtype == dtype
    model.save(tmp_path / "model.safetensors")
    wanted = model.decision_function(X)
    for again in (moodcore.load(tmp_path / "model.safetensors"), pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(again.decision_function(X), wanted)
        assert (again.support_vectors_ != model.support_vectors_).nnz == 0
    with pytest.raises(ValueError, match="read-only"):
        model.support_vectors_.data[0] = 1


def test_kernel_matrices_and_callables_need_an_array():
    X, y = table()
    kernel = (X @ X.T).toarray()
    given = SVM(kernel="precomputed").fit(kernel, y)
    with pytest.raises(TypeError, match="dense data is required"):
        given.predict(sp.csr_array(kernel))
    with pytest.raises(TypeError, match="dense data is required"):
        SVM(kernel="precomputed").fit(sp.csr_array(kernel), y)
    with pytest.raises(TypeError, match="dense data is required"):
        SVM(kernel=lambda A, B: A @ B.T).fit(X, y)
