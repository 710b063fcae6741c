"""Several networks as one network that computes their mean scores."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import block_diag

from moodcore import _core

Layer = tuple[NDArray[np.float32], NDArray[np.float32]]


def networks_of(model: _core.MlpModel) -> list[list[Layer]]:
    """Return weights and biases of the layers of each network."""
    layers = model.layers()
    count = len(layers) // model.n_networks
    return [layers[at : at + count] for at in range(0, len(layers), count)]


def merged_layers(model: _core.MlpModel) -> list[Layer]:
    """Return the layers of one network whose scores are the mean scores of the networks.

    Hidden layers are side by side, with zero weights between different networks, so that each
    computes as before. The output layer is divided by their number.
    """
    networks = networks_of(model)
    if len(networks) == 1:
        return networks[0]
    n_layers = len(networks[0])
    return [
        _merged([network[at] for network in networks], at == 0, at == n_layers - 1)
        for at in range(n_layers)
    ]


def _merged(layers: list[Layer], is_first: bool, is_last: bool) -> Layer:
    """Merge one layer of each network; the first ones have the same inputs."""
    weights, biases = [weights for weights, _ in layers], [biases for _, biases in layers]
    if is_first and is_last:
        return _fixed(np.mean(weights, axis=0)), _fixed(np.mean(biases, axis=0))
    if is_last:
        return _fixed(np.vstack(weights) / len(layers)), _fixed(np.mean(biases, axis=0))
    joined = np.hstack(weights) if is_first else block_diag(*weights)
    return _fixed(joined), _fixed(np.concatenate(biases))


def _fixed(values: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return a read-only float32 array, as the core does."""
    fixed = np.ascontiguousarray(values, dtype=np.float32)
    fixed.flags.writeable = False
    return fixed
