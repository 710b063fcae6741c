"""A multilayer perceptron in plain NumPy: slow, in float64, and meant to be read.

The fast network in Rust is held against this one. Sizes: B samples, n inputs, K classes; the
weights of a layer are (inputs, outputs).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]


@dataclass
class Layer:
    """Weights (inputs, outputs), biases (outputs,), and the last step of each."""

    W: Vector
    b: Vector

    def __post_init__(self) -> None:
        self.vW = np.zeros_like(self.W)
        self.vb = np.zeros_like(self.b)


def forward(layers: list[Layer], X: Vector) -> list[Vector]:
    """Return the inputs of every layer (B, inputs) and, last, the scores (B, K)."""
    activations = [X]
    for layer in layers[:-1]:
        activations.append(np.maximum(activations[-1] @ layer.W + layer.b, 0))
    return [*activations, activations[-1] @ layers[-1].W + layers[-1].b]


def softmax(scores: Vector) -> Vector:
    exponentials = np.exp(scores - scores.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def loss(layers: list[Layer], X: Vector, y: NDArray[np.intp], weight: Vector) -> float:
    """Weighted mean cross-entropy."""
    probability = softmax(forward(layers, X)[-1])[np.arange(len(y)), y]
    return float(np.average(-np.log(probability), weights=weight))


def gradients(
    layers: list[Layer],
    X: Vector,
    y: NDArray[np.intp],
    weight: Vector,
    l1: float,
    l2: float,
    mean_weight: float | None = None,
) -> list[tuple[Vector, Vector]]:
    """Compute dL/dW and db of every layer (Bishop 2006, section 5.3).

    Weights are divided by their sum, or by the number of rows times ``mean_weight``.
    """
    *activations, scores = forward(layers, X)
    delta = softmax(scores)
    delta[np.arange(len(y)), y] -= 1
    total = weight.sum() if mean_weight is None else mean_weight * len(y)
    delta *= (weight / total)[:, None]
    found = []
    for layer, inputs in zip(reversed(layers), reversed(activations), strict=True):
        dW = inputs.T @ delta + l1 * np.sign(layer.W) + l2 * layer.W
        found.append((dW, delta.sum(axis=0)))
        delta = (delta @ layer.W.T) * (inputs > 0)
    return found[::-1]


def step(
    layers: list[Layer],
    X: Vector,
    y: NDArray[np.intp],
    weight: Vector,
    *,
    learning_rate: float,
    momentum: float = 0.0,
    nesterov: bool = False,
    l1: float = 0.0,
    l2: float = 0.0,
    mean_weight: float | None = None,
) -> None:
    """Update the layers: dW(n) = -eta dL/dW + alpha dW(n-1)."""
    found = gradients(layers, X, y, weight, l1, l2, mean_weight)
    for layer, (dW, db) in zip(layers, found, strict=True):
        layer.vW = momentum * layer.vW - learning_rate * dW
        layer.vb = momentum * layer.vb - learning_rate * db
        if nesterov:
            layer.W = layer.W + momentum * layer.vW - learning_rate * dW
            layer.b = layer.b + momentum * layer.vb - learning_rate * db
        else:
            layer.W = layer.W + layer.vW
            layer.b = layer.b + layer.vb
