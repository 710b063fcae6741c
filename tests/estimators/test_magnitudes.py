"""Values and weights of extreme size: a right answer or a clear error, never NaN."""

import re

import numpy as np
import pytest
from sklearn.svm import SVC

from moodcore import GBT, MLP, SVM, LinearSVM

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 3))
Y = (X[:, 0] + 0.3 * X[:, 1] > 0).astype(int)
BASE = RNG.uniform(0.9, 1.0, size=200)

SINGLE = [
    MLP((8,), epochs=40, random_state=0),
    SVM(),
    LinearSVM(random_state=0),
]
NAMES = ["MLP", "SVM", "LinearSVM"]


def trees():
    return GBT(20, min_child_samples=5, random_state=0)


def refused_or_learned(model, X, weight, message):
    """Train: an error that says what is wrong, or a model that has learned."""
    try:
        model.fit(X, Y, sample_weight=weight)
    except ValueError as error:
        assert re.search(message, str(error)), error
        return False
    assert model.score(X, Y) > 0.85
    return True


@pytest.mark.parametrize("model", SINGLE, ids=NAMES)
@pytest.mark.parametrize("scale", [1e-320, 1e-200, 1e-40, 1e39, 1e200, 1e306])
def test_weights_beyond_single_precision(model, scale):
    message = r"must be 0 or from 1.2e-38 to 3.4e38, got .*; scale them"
    learned = refused_or_learned(model, X, BASE * scale, message)
    # The loss of a network is a weighted mean; the others' C is relative to the weights.
    assert learned == isinstance(model, MLP)


def test_the_product_with_class_weights_is_checked():
    model = SVM(class_weight={0: 1e30, 1: 1.0})
    with pytest.raises(ValueError, match=r"row weights .* got (9|1)"):
        model.fit(X, Y, sample_weight=BASE * 1e30)


def with_tiny_values(scale):
    """Return rows with a column of ordinary values, except for five of that size."""
    mixed = X.copy()
    mixed[:5, 0] = scale
    mixed[:, 1] = 0.0
    return mixed


@pytest.mark.parametrize("model", [SINGLE[0], SINGLE[2]], ids=["MLP", "LinearSVM"])
@pytest.mark.parametrize("scale", [1e-320, 1e-200, 1e-40])
def test_columns_that_vanish_in_single_precision(model, scale):
    message = "all values of column 0 are below 1.2e-38"
    refused_or_learned(model, X * [scale, 1.0, 1.0], None, message)
    # Zeros are zeros, and other values of the column are large enough.
    mixed = with_tiny_values(scale)
    assert model.fit(mixed, Y).score(mixed, Y) > 0.85


@pytest.mark.parametrize("scale", [1e-320, 1e-200, 1e-40])
def test_svm_computes_with_tiny_columns_as_libsvm_does(scale):
    # Distances between rows do not depend on such a column: the model is that of the others.
    rows = X * [scale, 1.0, 1.0]
    with pytest.warns(UserWarning, match="features differ by orders of magnitude"):
        model = SVM(tol=1e-6).fit(rows, Y)
    expected = SVC(tol=1e-6).fit(rows, Y).decision_function(rows)
    np.testing.assert_allclose(model.decision_function(rows), expected, atol=1e-4)
    mixed = with_tiny_values(scale)
    assert SVM().fit(mixed, Y).score(mixed, Y) > 0.85


@pytest.mark.parametrize(
    "model",
    [*SINGLE, SVM(kernel="linear"), SVM(kernel="poly")],
    ids=[*NAMES, "linear", "polynomial"],
)
def test_rows_that_overflow_are_named_in_prediction(model):
    model.fit(X, Y)
    rows = np.vstack([X[:3], np.sign(X[3:4]) * 3e38])
    score = getattr(model, "decision_function", None) or model.logits
    try:
        assert np.isfinite(score(rows)).all()
    except ValueError as error:
        assert re.search("the scores of row 3 (overflow|of X are not finite)", str(error))


@pytest.mark.parametrize("scale", [1e-320, 1e-40, 1e30, 1e308])
def test_trees_do_not_depend_on_the_scale_of_a_column(scale):
    rows = np.clip(X, -1, 1) * [scale, 1.0, 1.0]
    assert trees().fit(rows, Y).score(rows, Y) > 0.98


@pytest.mark.parametrize("scale", [1e10, 1e39, 1e97])
def test_trees_take_large_weights(scale):
    assert trees().fit(X, Y, sample_weight=BASE * scale).score(X, Y) > 0.98


@pytest.mark.parametrize("scale", [1e98, 1e154, 1e306])
def test_trees_refuse_weights_whose_squares_overflow(scale):
    with pytest.raises(ValueError, match=r"must sum to at most 1e100, got .*; scale them"):
        trees().fit(X, Y, sample_weight=BASE * scale)


def test_trees_ignore_rows_of_tiny_weight():
    weight = np.where(np.arange(200) < 100, 1e-300, 1.0)
    model = trees().fit(X, Y, sample_weight=weight)
    assert model.score(X[100:], Y[100:]) > 0.98


ROWS = [
    ([1, 2], "a row must have 3 values, got 2"),
    ([], "a row must have 3 values, got 0"),
    (3, "values must be a sequence of numbers, got int"),
    (None, "values must be a sequence of numbers, got NoneType"),
    (iter([1, 2, 3]), "values must be a sequence of numbers, got list_iterator"),
    ({1, 2, 3}, "values must be a sequence of numbers, got set"),
    ({0: 1, 1: 2, 2: 3}, "values must be a sequence of numbers, got dict"),
    ("abc", "values must be a sequence of numbers, got str"),
    ([[1], 2, 3], "column 0 must hold numbers or categories, got list"),
    ([1, np.array([1, 2]), 3], "column 1 must hold numbers or categories, got ndarray"),
    ([1j, 2, 3], "column 0 must hold numbers or categories, got complex"),
    ([10**400, 2, 3], "column 0 holds a number beyond float64"),
    (["1", "2", "3"], "column 0 must hold numbers, got '1'"),
    ([b"1", 2, 3], "column 0 must hold numbers or categories, got bytes"),
]


@pytest.mark.parametrize(("values", "message"), ROWS, ids=[message[-12:] for _, message in ROWS])
def test_odd_single_rows(values, message):
    model = trees().fit(X, Y)
    with pytest.raises((ValueError, TypeError), match=message):
        model.predict_proba_row(values)


@pytest.mark.parametrize("values", [[None, 1, 2], [np.inf, True, 2], np.arange(3.0), range(3)])
def test_single_rows_equal_tables(values):
    model = trees().fit(X, Y)
    rows = np.array([[np.nan if value is None else value for value in values]], dtype=float)
    assert model.predict_proba_row(values) == model.predict_proba(rows)[0].tolist()
