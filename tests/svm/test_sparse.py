"""Sparse rows give the same model as dense ones."""

import numpy as np
import pytest
import scipy.sparse as sp

from moodcore import SVM

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
    np.testing.assert_array_equal(sparse.support_vectors_, dense.support_vectors_)
    for method in ("predict", "predict_proba", "decision_function"):
        wanted = getattr(dense, method)(X.toarray())
        np.testing.assert_array_equal(getattr(sparse, method)(make(X)), wanted)
        np.testing.assert_array_equal(getattr(sparse, method)(X.toarray()), wanted)
    assert sparse.score(make(X), y) == dense.score(X.toarray(), y)


def test_prediction_makes_few_rows_dense_at_a_time(monkeypatch):
    X, y = table()
    model = SVM().fit(X, y)
    wanted = model.decision_function(X)
    monkeypatch.setattr("moodcore.estimators.svm.estimator.DENSE_VALUES", 7 * X.shape[1])
    np.testing.assert_array_equal(model.decision_function(X), wanted)


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
