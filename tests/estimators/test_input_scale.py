"""Quartiles of features, with and without weights."""

import numpy as np
import pytest

from moodcore.estimators.input_scale import InputScale


@pytest.mark.parametrize("n_rows", [1, 2, 3, 4, 5, 8, 101])
def test_robust_scale_is_that_of_quantiles(n_rows):
    X = np.round(np.random.default_rng(0).normal(size=(n_rows, 6)), 1)
    low, center, high = np.quantile(X, [0.25, 0.5, 0.75], axis=0, method="inverted_cdf")
    spread = np.where(high > low, high - low, X.max(axis=0) - X.min(axis=0))
    for weight in (None, np.ones(n_rows)):
        scale = InputScale.of(X, weight, "robust")
        assert scale.center.tolist() == center.tolist()
        assert scale.factor.tolist() == [1 / s if s else 0.0 for s in spread]


def test_zeros_of_both_signs_have_one_center():
    X = np.array([[-0.0], [0.0], [-0.0], [1.0]])
    assert not np.signbit(InputScale.of(X, None, "robust").center).any()
