"""Cases that other histogram boosting met in the field, as scikit-learn's tests know them."""

import numpy as np
import pytest
from sklearn.datasets import make_classification
from sklearn.metrics import accuracy_score

from moodcore import GBT


@pytest.fixture(scope="module")
def waves():
    return make_classification(400, 8, n_informative=5, random_state=2)


def test_saturated_probabilities_leave_no_division_by_zero():
    # Steps so long that after some rounds all second derivatives are zero.
    X, y = make_classification(100, random_state=0)
    model = GBT(10, learning_rate=100.0, min_child_samples=5).fit(X, y)
    assert np.isfinite(model.decision_function(X)).all()
    assert model.score(X, y) > 0.9


def test_tables_smaller_than_a_leaf_give_single_nodes(waves):
    X, y = waves
    model = GBT(3, min_child_samples=len(y)).fit(X, y)
    assert (model.trees_to_dataframe()["Feature"] == "Leaf").all()
    np.testing.assert_allclose(model.predict_proba(X[:3])[:, 1], y.mean())
    assert not model.feature_importances_.any()


def test_missing_values_alone_can_tell_classes_apart():
    X = np.array([[0.0, np.nan, 1.0, np.nan]]).T
    y = np.isnan(X[:, 0])
    model = GBT(30, min_child_samples=1, learning_rate=0.5).fit(X, y)
    assert (model.predict(X) == y).all() and model.predict([[7.0]]) == [False]


def test_a_random_column_that_is_missing_hurts_little(waves):
    X, y = waves
    holes = np.where(np.random.default_rng(0).random(X.shape) < 0.2, np.nan, X)
    model = GBT(50).fit(holes[:300], y[:300])
    assert accuracy_score(y[300:], model.predict(holes[300:])) > 0.75


def test_small_integers_are_binned_as_the_numbers_they_are():
    X = np.random.default_rng(0).integers(0, 100, (200, 3)).astype(np.uint8)
    y = X.sum(axis=1) % 2
    model = GBT(5, min_child_samples=5).fit(X, y)
    for dtype in (np.float32, np.float64, np.int64):
        np.testing.assert_array_equal(model.predict_proba(X.astype(dtype)), model.predict_proba(X))


def test_codes_below_zero_and_unknown_ones_are_missing_or_categories_like_any():
    codes = np.array([-5.0, -1.0, 0.0, 3.0] * 40)
    y = (codes == -1) | (codes == 3)
    model = GBT(20, categorical_features=[0], min_child_samples=5).fit(codes[:, None], y)
    assert (model.predict(codes[:, None]) == y).all()
    unknown, missing = model.predict_proba([[77.0], [np.nan]])
    np.testing.assert_array_equal(unknown, missing)


def test_early_stopping_with_text_labels_and_weights(waves):
    X, y = waves
    names = np.array(["yes", "no"], dtype=object)[y]
    weight = np.random.default_rng(0).uniform(0.5, 2.0, len(y))
    model = GBT(300, early_stopping_rounds=5, random_state=0).fit(X, names, weight)
    assert model.n_iter_ < 300 and set(model.predict(X)) == {"yes", "no"}
    curve = model.evals_result_["validation"]["logloss"]
    assert int(np.argmin(curve)) == model.best_iteration_ == model.n_iter_ - 6


def test_two_classes_are_one_loss_whichever_is_positive(waves):
    X, y = waves
    found, turned = (GBT(20).fit(X, labels).predict_proba(X) for labels in (y, 1 - y))
    np.testing.assert_allclose(found, turned[:, ::-1], atol=1e-7)


def test_balanced_classes_weigh_as_their_weights(waves):
    X, y = waves
    rare = np.flatnonzero((y == 0) | (np.arange(len(y)) % 4 == 0))
    X, y = X[rare], y[rare]
    weight = len(y) / (2 * np.bincount(y))[y]
    by_class = GBT(10, class_weight="balanced").fit(X, y)
    by_row = GBT(10).fit(X, y, sample_weight=weight)
    np.testing.assert_array_equal(by_class.predict_proba(X), by_row.predict_proba(X))
