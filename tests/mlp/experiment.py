"""The network of the song experiment, by which tests of the training loop are written."""

from typing import Any

from moodcore import MLP

PLAIN = {
    "n_networks": 1,
    "activation": "relu",
    "input_scaling": None,
    "optimizer": "sgd",
    "learning_rate": 0.005,
    "batch_size": 32,
    "weight_decay": 0.0,
    "epochs": 300,
    "init": "he",
    "learning_rate_schedule": "constant",
    "early_stopping": False,
    "patience": 20,
}


def plain(hidden_sizes: Any = (16, 16), **parameters: Any) -> MLP:
    """Return a network trained by gradient descent with momentum, and nothing else."""
    return MLP(hidden_sizes, **PLAIN | parameters)
