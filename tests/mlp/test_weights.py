"""A row with weight two has the effect of two equal rows, whatever the batch size."""

import numpy as np
import pytest
from experiment import plain


def rare_class(n_rows: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    """Draw rows of which one percent are of class 1, partly separable."""
    rng = np.random.default_rng(0)
    y = (np.arange(n_rows) % 100 == 0).astype(int)
    return rng.normal(size=(n_rows, 4)) + y[:, None] * 0.8, y


def displacement(X, y, batch_size, weight=None):
    """Return the change of the weights by one epoch of small steps, per row."""
    params = {"hidden_sizes": (), "momentum": 0.0, "batch_size": batch_size, "epochs": 1}
    params |= {"optimizer": "sgd", "learning_rate_schedule": "constant", "input_scaling": None}
    params |= {"weight_decay": 0.0, "random_state": 0}
    start = plain(learning_rate=1e-30, **params).fit(X, y, sample_weight=weight)
    end = plain(learning_rate=1e-4, **params).fit(X, y, sample_weight=weight)
    n_updates = 1 if batch_size == "full" else -(-len(X) // batch_size)
    return (end.coefs_[0] - start.coefs_[0]).astype(float) / n_updates


@pytest.mark.parametrize("batch_size", [1, 8, 40, "full"])
def test_the_expected_step_is_that_of_repeated_rows(batch_size):
    rng = np.random.default_rng(1)
    X, y = rng.normal(size=(80, 3)), np.arange(80) % 2
    X += y[:, None]
    weight = np.where(y == 1, 3.0, 1.0)
    weighted = displacement(X, y, batch_size, weight)
    repeated = displacement(np.repeat(X, weight.astype(int), 0), np.repeat(y, weight.astype(int)),
                            batch_size)  # fmt: skip
    np.testing.assert_allclose(weighted, repeated, rtol=0.03, atol=1e-6)
    assert np.abs(weighted - displacement(X, y, batch_size)).max() > 5e-6


@pytest.mark.parametrize("batch_size", [1, 32])
def test_balanced_classes_are_predicted_as_often(batch_size):
    X, y = rare_class()
    model = plain(
        (), class_weight="balanced", batch_size=batch_size, epochs=40, learning_rate=0.003,
        momentum=0.0, optimizer="sgd", learning_rate_schedule="cosine", random_state=0,
    ).fit(X, y)  # fmt: skip
    probabilities = model.predict_proba(X)[:, 1]
    by_class = [probabilities[y == label].mean() for label in (0, 1)]
    assert np.mean(by_class) == pytest.approx(0.5, abs=0.05)
    assert (probabilities[y == 1] > 0.5).mean() > 0.6


def test_only_ratios_of_weights_matter():
    X, y = rare_class(400)
    weight = np.random.default_rng(2).uniform(0.5, 2, size=400)
    fits = [plain(epochs=3, random_state=0).fit(X, y, sample_weight=weight * factor)
            for factor in (1.0, 2.0**-60, 2.0**100)]  # fmt: skip
    for model in fits[1:]:
        np.testing.assert_array_equal(model.coefs_[0], fits[0].coefs_[0])


def test_weights_of_extreme_ratios():
    X, y = rare_class(400)
    weight = np.where(np.arange(400) % 2 == 0, 1e-300, 1e300)
    model = plain(epochs=3, random_state=0).fit(X, y, sample_weight=weight)
    assert np.isfinite(model.predict_proba(X)).all()


def test_partial_fit_takes_weights_as_they_are():
    X, y = rare_class(200)
    params = {"momentum": 0.0, "optimizer": "sgd", "learning_rate": 1e-3, "batch_size": 1}
    params |= {"random_state": 0, "input_scaling": None, "hidden_sizes": ()}
    twice, doubled = plain(**params), plain(**params)
    for row in range(0, 200, 10):
        part = slice(row, row + 1)
        doubled.partial_fit(X[part], y[part], classes=[0, 1], sample_weight=[2.0])
        for _ in range(2):
            twice.partial_fit(X[part], y[part], classes=[0, 1])
    np.testing.assert_allclose(doubled.coefs_[0], twice.coefs_[0], atol=5e-4)
