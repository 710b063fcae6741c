"""The same model as XGBoost's where both do the same."""

import numpy as np
import pytest

from moodcore import GBT

xgboost = pytest.importorskip("xgboost")


def table(n_classes, missing=0.0, n_rows=1200):
    """Rows of at most 200 distinct values a feature: both find the same thresholds."""
    rng = np.random.default_rng(4)
    X = np.round(rng.normal(size=(n_rows, 5)) * 24) / 24
    score = np.sin(2 * X[:, 0]) + X[:, 1] * X[:, 2] + 0.4 * X[:, 3] + 0.4 * rng.normal(size=n_rows)
    y = np.searchsorted(np.quantile(score, np.arange(1, n_classes) / n_classes), score)
    X[rng.random(X.shape) < missing] = np.nan
    # Weights that no two sets of rows have in common, so that no two splits gain the same.
    return X.astype(np.float32), y, rng.gamma(4.0, size=n_rows) / 4


def theirs(X, y, weight, *, n_classes, method="exact", rounds=100, **params):
    """Train XGBoost with steps like ours: its softmax has twice our second derivatives."""
    scale = 1 if n_classes == 2 else 2
    several = {"num_class": n_classes} if n_classes > 2 else {}
    settings = {
        "objective": "binary:logistic" if n_classes == 2 else "multi:softprob",
        "tree_method": method,
        "max_bin": 256,
        "base_score": 0.5,
        "eta": 0.1 * scale,
        "lambda": 1.0 * scale,
        "min_child_weight": 1.0 * scale,
        "max_depth": 5,
        "nthread": 2,
        **several,
    }
    data = xgboost.DMatrix(X, y, weight=weight)
    return xgboost.train(settings | params, data, rounds), data


def ours(X, y, weight, *, n_classes, rounds=100, **params):
    settings = {"max_leaves": None, "max_depth": 5, "min_child_samples": 0, "min_child_weight": 1.0}
    base = 0.5 if n_classes == 2 else [1 / n_classes] * n_classes
    return GBT(rounds, base_score=base, **settings | params).fit(X, y, sample_weight=weight)


@pytest.mark.parametrize("method", ["exact", "hist"])
@pytest.mark.parametrize("missing", [0.0, 0.15])
def test_two_classes_have_the_same_margins(method, missing):
    X, y, weight = table(2, missing)
    booster, data = theirs(X, y, weight, n_classes=2, method=method)
    model = ours(X, y, weight, n_classes=2)
    margins = booster.predict(data, output_margin=True)
    np.testing.assert_allclose(model.decision_function(X), margins, atol=1e-4)


@pytest.mark.parametrize("method", ["exact", "hist"])
def test_more_classes_have_the_same_margins_but_for_a_constant(method):
    X, y, weight = table(4)
    booster, data = theirs(X, y, weight, n_classes=4, method=method)
    margins = booster.predict(data, output_margin=True)
    scores = ours(X, y, weight, n_classes=4).decision_function(X)
    expected, centered = (m - m.mean(axis=1, keepdims=True) for m in (margins, scores))
    np.testing.assert_allclose(centered, expected, atol=1e-3)


@pytest.mark.parametrize(
    # Not gamma: XGBoost grows on and prunes afterwards, here a split must gain it at once.
    ("name", "value"),
    [("alpha", 2.0), ("max_delta_step", 0.7)],
)
def test_penalties_mean_the_same(name, value):
    X, y, weight = table(2)
    booster, data = theirs(X, y, weight, n_classes=2, rounds=30, **{name: value})
    own = {"alpha": "reg_alpha"}.get(name, name)
    model = ours(X, y, weight, n_classes=2, rounds=30, **{own: value})
    margins = booster.predict(data, output_margin=True)
    np.testing.assert_allclose(model.decision_function(X), margins, atol=1e-4)


def test_contributions_are_the_same():
    # With its histograms, whose thresholds are those of the whole table as ours are, and without
    # missing values: where none came in training, their directions differ.
    X, y, weight = table(2)
    booster, _ = theirs(X, y, weight, n_classes=2, rounds=20, method="hist")
    expected = booster.predict(xgboost.DMatrix(X[:200]), pred_contribs=True)
    found = ours(X, y, weight, n_classes=2, rounds=20).predict_contributions(X[:200])
    np.testing.assert_allclose(found, expected, atol=2e-4)
