"""Sparse rows give the bits of dense ones."""

import numpy as np
import pytest
import scipy.sparse as sp

from moodcore import MLP

FORMATS = [sp.csr_array, sp.csc_array, sp.coo_array, sp.csr_matrix, sp.csc_matrix, sp.coo_matrix]


def table():
    rng = np.random.default_rng(0)
    X = sp.random_array((200, 30), density=0.1, rng=rng).tocsr()
    return X, (X @ rng.normal(size=(30, 3))).argmax(axis=1)


@pytest.mark.parametrize("make", FORMATS)
@pytest.mark.parametrize("input_scaling", [None, "standard"])
def test_sparse_rows_give_the_bits_of_dense_rows(make, input_scaling, monkeypatch):
    X, y = table()
    params = {"hidden_sizes": (8,), "epochs": 5, "random_state": 0, "input_scaling": input_scaling}
    held = (X[:40], y[:40])
    dense = MLP(**params).fit(X.toarray(), y, eval_set=(held[0].toarray(), held[1]))
    sparse = MLP(**params).fit(make(X), y, eval_set=(make(held[0]), held[1]))
    for model, rows in ((dense, X.toarray()), (sparse, make(X))):
        model.partial_fit(rows, y)
    # A few rows at a time.
    monkeypatch.setattr("moodcore.estimators.mlp.DENSE_VALUES", 7 * X.shape[1])
    for method in ("predict", "predict_proba", "logits"):
        wanted = getattr(dense, method)(X.toarray())
        np.testing.assert_array_equal(getattr(sparse, method)(make(X)), wanted)
    assert sparse.score(make(X), y) == dense.score(X.toarray(), y)
