"""Codec of `MLP`."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moodcore import _core
from moodcore.estimators.mlp import MLP
from moodcore.model_files.values import (
    Arrays,
    Described,
    read_classifier,
    read_seed,
    take_array,
    write_classifier,
)

# Curves with one entry per update are kept in single precision; those by epoch in double.
_CURVES = {
    "loss": np.float64,
    "accuracy": np.float64,
    "eval_loss": np.float64,
    "eval_accuracy": np.float64,
    "update_loss": np.float32,
}


def write_mlp(model: MLP, prefix: str, arrays: Arrays) -> Described:
    """Describe a fitted `MLP`."""
    described = write_classifier(model)
    core = model.core_model_
    for suffix, layers in (("", core.layers()), ("_velocity", core.velocities())):
        for at, (weights, biases) in enumerate(layers):
            arrays[f"{prefix}.coefs{suffix}.{at}"] = weights
            arrays[f"{prefix}.intercepts{suffix}.{at}"] = biases
    for name, values in model.history_.items():
        arrays[f"{prefix}.history.{name}"] = np.asarray(values, dtype=_CURVES[name])
    # Those of the network, whatever the parameter became after training.
    described["params"]["hidden_sizes"] = [len(biases) for _, biases in core.layers()[:-1]]
    return {
        **described,
        "seed": model.seed_,
        "epoch": core.n_epochs,
        "history": sorted(model.history_),
        "best_epoch": model.best_epoch_,
    }


def read_mlp(described: Mapping[str, Any], prefix: str, arrays: Arrays) -> MLP:
    """Build the `MLP` that `write_mlp` described."""
    model = read_classifier(MLP, described)
    model.hidden_sizes = tuple(model.hidden_sizes)
    sizes = [model.n_features_in_, *model.hidden_sizes, len(model.classes_)]

    def layers(suffix: str) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
        return [
            (
                take_array(arrays, f"{prefix}.coefs{suffix}.{at}", shape, np.float32),
                take_array(arrays, f"{prefix}.intercepts{suffix}.{at}", shape[1:], np.float32),
            )
            for at, shape in enumerate(pairwise(sizes))
        ]

    n_epochs = int(described["epoch"])
    if not 0 <= n_epochs < 2**32:
        raise ValueError(f"epoch {n_epochs} is out of range")
    model.core_model_ = _core.MlpModel(layers(""), layers("_velocity"), n_epochs)
    model.seed_ = read_seed(described)
    model.history_ = {}
    for name in described["history"]:
        values = arrays[f"{prefix}.history.{name}"]
        if values.ndim != 1 or values.dtype != _CURVES[name]:
            raise ValueError(f"history {name} must be a vector of {np.dtype(_CURVES[name])}")
        model.history_[name] = values if name == "update_loss" else values.tolist()
    losses = model.history_["loss"]
    model.n_iter_ = max(1, len(losses))
    model.loss_ = losses[-1] if losses else float("nan")
    best = described["best_epoch"]
    model.best_epoch_ = None if best is None else int(best)
    if best is not None and not 0 <= int(best) <= model.n_iter_:
        raise ValueError(f"best_epoch {best} is none of {model.n_iter_} epochs")
    return model
