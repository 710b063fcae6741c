"""The fast network against the readable one."""

import numpy as np
import pytest
import reference
from experiment import plain

from moodcore import MLP

OPTIMIZERS = {
    "gradient descent": {"batch_size": "full", "momentum": 0.0},
    "sgd": {"batch_size": 16, "momentum": 0.0},
    "momentum": {"batch_size": 16, "momentum": 0.9},
    "nesterov": {"batch_size": 16, "momentum": 0.9, "nesterov": True},
    "penalties": {"batch_size": 16, "momentum": 0.9, "l1": 1e-3, "l2": 1e-2},
}
STEP = ("momentum", "nesterov", "l1", "l2")


def table(n_rows: int, n_features: int = 5, n_classes: int = 4, seed: int = 0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, n_features)).astype(np.float32)
    y = (np.abs(X).sum(axis=1) * 0.9).astype(int) % n_classes
    return X, y


def layers_of(model: MLP) -> list[reference.Layer]:
    pairs = zip(model.coefs_, model.intercepts_, strict=True)
    return [reference.Layer(W.astype(np.float64), b.astype(np.float64)) for W, b in pairs]


@pytest.mark.parametrize("hidden", [(), (8,), (16, 16), (5, 20, 3)])
def test_reference_gradients_are_finite_differences(hidden):
    X, y = table(40)
    model = plain(hidden, epochs=1, random_state=0).fit(X, y)
    layers, weight = layers_of(model), np.linspace(0.5, 2, 40)
    X = X.astype(np.float64)
    for (dW, db), layer in zip(
        reference.gradients(layers, X, y, weight, 0, 0), layers, strict=True
    ):
        for gradient, values in ((dW, layer.W), (db, layer.b)):
            for at in list(np.ndindex(values.shape))[:: max(1, values.size // 10)]:
                kept, h = values[at], 1e-6
                values[at] = kept + h
                up = reference.loss(layers, X, y, weight)
                values[at] = kept - h
                down = reference.loss(layers, X, y, weight)
                values[at] = kept
                assert gradient[at] == pytest.approx((up - down) / (2 * h), abs=1e-7)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_hundred_updates_follow_the_reference(name, weighted):
    """Single batches through partial_fit, so that both see the same rows at each update."""
    options = OPTIMIZERS[name]
    X, y = table(1600)
    weight = np.random.default_rng(1).uniform(0.5, 2, size=1600) if weighted else np.ones(1600)
    model = plain((16, 16), learning_rate=0.05, random_state=0, **options)
    rows = 1600 if options["batch_size"] == "full" else 16
    batches = [slice(16 * at, 16 * at + rows) if rows == 16 else slice(None) for at in range(100)]
    start = plain((16, 16), learning_rate=1e-30, momentum=0, epochs=1, random_state=0)
    layers = layers_of(start.partial_fit(X[:16], y[:16], classes=range(4)))
    for batch in batches:
        model.partial_fit(
            X[batch], y[batch], classes=range(4), sample_weight=weight[batch] if weighted else None
        )
        step = {key: options[key] for key in STEP if key in options}
        reference.step(
            layers,
            X[batch].astype(np.float64),
            y[batch],
            weight[batch],
            learning_rate=0.05,
            mean_weight=1.0,
            **step,
        )
    for layer, W, b in zip(layers, model.coefs_, model.intercepts_, strict=True):
        np.testing.assert_allclose(W, layer.W, rtol=0, atol=5e-5)
        np.testing.assert_allclose(b, layer.b, rtol=0, atol=5e-5)


def test_probabilities_are_the_references():
    X, y = table(300)
    model = plain((16, 7), epochs=5, random_state=0).fit(X, y)
    expected = reference.softmax(reference.forward(layers_of(model), X.astype(np.float64))[-1])
    np.testing.assert_allclose(model.predict_proba(X), expected, atol=2e-6)
    np.testing.assert_allclose(model.predict_log_proba(X), np.log(expected), atol=2e-5)
    assert (model.predict(X) == expected.argmax(axis=1)).all()


def test_update_losses_are_the_epochs_loss():
    X, y = table(320)
    model = plain(epochs=3, record="update", random_state=0).fit(X, y)
    updates = model.history_["update_loss"].reshape(3, 10)
    np.testing.assert_allclose(updates.mean(axis=1), model.history_["loss"], rtol=1e-6)
    first = plain(epochs=1, learning_rate=1e-30, momentum=0, random_state=0).fit(X, y)
    assert first.loss_ == pytest.approx(
        reference.loss(layers_of(first), X.astype(np.float64), y, np.ones(320)), rel=1e-5
    )
