"""A warning for features of very different scales, in the estimators that depend on them."""

import warnings

import numpy as np
import pytest

from moodcore import GBT, MLP, SVM, LinearSVM

X = np.random.default_rng(0).normal(size=(60, 3)) * [1.0, 20.0, 1e5]
Y = (X[:, 0] > 0).astype(int)
MODELS = {
    "the widest decide alone.*SVM": SVM(),
    "weights of the narrowest near zero.*LinearSVM": LinearSVM(),
    'learns little from the narrowest.*input_scaling="robust"': MLP(epochs=1, input_scaling=None),
}


@pytest.mark.parametrize(("message", "model"), MODELS.items(), ids=lambda value: str(value)[:9])
def test_the_columns_are_named(message, model):
    with pytest.warns(UserWarning, match=r"in column 2, 1 in column 0\): .*" + message) as caught:
        model.fit(X.round(6) / X.std(axis=0) * [1, 20, 1e5], Y)
    assert caught[0].filename == __file__


@pytest.mark.parametrize("model", [*MODELS.values(), GBT(3), MLP(epochs=1)], ids=str)
def test_scaled_features_and_other_estimators_do_not_warn(model):
    dependent = any(model is other for other in MODELS.values())
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "features differ")
        model.fit(X / X.std(axis=0) if dependent else X, Y)
