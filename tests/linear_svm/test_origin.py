"""Features that are far from zero: the optimum, without the digits that float32 would lose."""

import pickle
import warnings

import numpy as np
import pytest
import scipy.sparse
from linear_svm_reference import objectives
from sklearn.svm import LinearSVC

from moodcore import LinearSVM, load
from moodcore.estimators.linear_rotation import Rotation

RNG = np.random.default_rng(0)
X = RNG.normal(size=(300, 7))
Y = (X[:, 0] + RNG.normal(size=300) > 0).astype(int)
THREE = Y + (X[:, 1] > 0.5)
OFFSETS = [1e4, 1e5, 1e6, 1e8]


@pytest.mark.parametrize("offset", OFFSETS)
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("y", [Y, THREE], ids=["two classes", "three classes"])
def test_the_optimum_is_that_of_liblinear(offset, fit_intercept, y):
    far = X + offset
    model = LinearSVM(fit_intercept=fit_intercept).fit(far, y)
    assert model.takes_float64_
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        peer = LinearSVC(fit_intercept=fit_intercept, dual=False, tol=1e-10, max_iter=10_000)
        peer.fit(far, y)
    peer.class_weight = None
    for ours, theirs in zip(objectives(model, far, y), objectives(peer, far, y), strict=True):
        assert ours <= theirs * (1 + 1e-6)
        # At 1e8 theirs is above the optimum.
        assert offset == 1e8 or ours >= theirs * (1 - 1e-6)


@pytest.mark.parametrize("params", [{"loss": "hinge"}, {"multi_class": "crammer_singer"}], ids=str)
@pytest.mark.parametrize("y", [Y, THREE], ids=["two classes", "three classes"])
def test_the_hinge_tends_to_a_limit(params, y):
    # The intercept goes to zero as one over the offset.
    found = [objectives(LinearSVM(**params).fit(X + at, y), X + at, y) for at in OFFSETS]
    for values, offset in zip(found, OFFSETS, strict=True):
        np.testing.assert_allclose(values, found[-1], rtol=1e-5 + 1 / offset)


def test_columns_of_different_origins_and_spreads():
    far = X * [1, 1e-3, 1e3, 1, 1, 1, 1] + [0, 1e3, 0, 1e7, -1e6, 3, 0]
    model = LinearSVM().fit(far, Y)
    assert model.score(far, Y) == LinearSVM(C=10).fit(X, Y).score(X, Y)
    # liblinear ends at an objective of 297.7 there, on rotated rows at the optimum.
    rotation = Rotation.of_far_rows(far, 1.0)
    peer = LinearSVC(dual=False, fit_intercept=False, tol=1e-10, max_iter=10_000)
    weights = peer.fit(rotation.rows(far), Y).coef_
    peer.coef_, peer.intercept_ = rotation.weights(weights)
    peer.class_weight = None
    np.testing.assert_allclose(objectives(model, far, Y), objectives(peer, far, Y), rtol=1e-5)


def test_what_float32_holds_is_computed_in_float32():
    for near in (X, X + 100, np.round(X * 20) + 2000.0, (X + 1e6).astype(np.float32)):
        assert not LinearSVM().fit(near, Y).takes_float64_


def test_a_rotation_changes_no_scores():
    rotation = Rotation.of_far_rows(X + 1e6, 2.0)
    weights = RNG.normal(size=(2, 8))
    coef, intercept = rotation.weights(weights)
    rotated = rotation.rows(X + 1e6)
    np.testing.assert_allclose((X + 1e6) @ coef.T + intercept, rotated @ weights.T, rtol=1e-9)
    norms = np.square(np.column_stack([coef, intercept / 2])).sum(axis=1)
    np.testing.assert_allclose(norms, np.square(weights).sum(axis=1), rtol=1e-12)
    assert np.abs(rotated[:, :-1]).max() < 10


def test_copies_and_files_keep_the_digits(tmp_path):
    far = X + 1e7
    model = LinearSVM(random_state=0).fit(far, Y)
    expected = model.decision_function(far)
    assert model.score(far, Y) > 0.7
    model.save(tmp_path / "model")
    for again in (load(tmp_path / "model"), pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(again.decision_function(far), expected)
    sparse = scipy.sparse.csr_array(far)
    np.testing.assert_array_equal(model.decision_function(sparse), expected)
    one_by_one = [model.decision_function(row[np.newaxis])[0] for row in far[:9]]
    np.testing.assert_array_equal(one_by_one, expected[:9])
    # A later fit on other rows forgets it.
    assert not model.fit(X, Y).takes_float64_


def test_the_absolute_penalty_warns():
    with pytest.warns(UserWarning, match="float32 changes their differences; center them"):
        LinearSVM(penalty="l1").fit(X + 1e8, Y)
