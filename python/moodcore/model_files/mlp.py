"""Codec of `MLP`."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moodcore import _core
from moodcore.estimators.input_scale import InputScale
from moodcore.estimators.mlp import MLP, evaluation_curves
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


# The core refuses more.
MOST_NETWORKS = 1024
# Values of parameters that older files do not contain.
_BEFORE = {
    "activation": "relu",
    "input_scaling": None,
    "optimizer": "sgd",
    "beta2": 0.999,
    "epsilon": 1e-8,
    "weight_decay": 0.0,
    "dropout": 0.0,
    "label_smoothing": 0.0,
    "n_networks": 1,
    "eval_metric": "logloss",
    "n_iter_no_change": None,
}


def write_mlp(model: MLP, prefix: str, arrays: Arrays) -> Described:
    """Describe a fitted `MLP`."""
    described = write_classifier(model)
    core = model.core_model_
    parts = {"": core.layers(), "_velocity": core.velocities(), "_square": core.squares()}
    for suffix, layers in parts.items():
        if layers is None:
            continue
        for at, (weights, biases) in enumerate(layers):
            arrays[f"{prefix}.coefs{suffix}.{at}"] = weights
            arrays[f"{prefix}.intercepts{suffix}.{at}"] = biases
    for name, values in model.history_.items():
        arrays[f"{prefix}.history.{name}"] = np.asarray(values, dtype=_CURVES[name])
    # Those of the network, whatever the parameter became after training.
    described["params"]["hidden_sizes"] = core.hidden_sizes
    described["params"]["n_networks"] = core.n_networks
    described["params"]["activation"] = core.activation
    scale = model.input_scale_
    if scale is not None:
        arrays[f"{prefix}.input_scale.center"] = scale.center
        arrays[f"{prefix}.input_scale.factor"] = scale.factor
    return {
        **described,
        "seed": model.seed_,
        "epoch": core.n_epochs,
        "updates": core.n_updates,
        "squares": core.squares() is not None,
        "input_scale": None if scale is None else {"clips": scale.clips},
        "history": sorted(model.history_),
        "eval_name": next(iter(model.evals_result_), None),
        "best_epoch": model.best_epoch_,
    }


def read_mlp(described: Mapping[str, Any], prefix: str, arrays: Arrays) -> MLP:
    """Build the `MLP` that `write_mlp` described."""
    params = {**_BEFORE, **described["params"]}
    model = read_classifier(MLP, {**described, "params": params})
    hidden_sizes = tuple(model.hidden_sizes)  # type: ignore[arg-type]
    model.hidden_sizes = hidden_sizes
    sizes = [model.n_features_in_, *hidden_sizes, len(model.classes_)]
    n_networks = int(model.n_networks)
    if not 1 <= n_networks <= MOST_NETWORKS:
        raise ValueError(f"n_networks {n_networks} is out of range")

    def layers(suffix: str) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
        return [
            (
                take_array(arrays, f"{prefix}.coefs{suffix}.{at}", shape, np.float32),
                take_array(arrays, f"{prefix}.intercepts{suffix}.{at}", shape[1:], np.float32),
            )
            for at, shape in enumerate(list(pairwise(sizes)) * n_networks)
        ]

    n_epochs = int(described["epoch"])
    if not 0 <= n_epochs < 2**32:
        raise ValueError(f"epoch {n_epochs} is out of range")
    n_updates = int(described.get("updates", 0))
    if not 0 <= n_updates < 2**63:
        raise ValueError(f"updates {n_updates} is out of range")
    model.core_model_ = _core.MlpModel(
        layers(""),
        layers("_velocity"),
        n_epochs,
        activation=model.activation,
        squares=layers("_square") if described.get("squares") else None,
        n_updates=n_updates,
        n_networks=n_networks,
    )
    model.input_scale_ = _read_scale(described, prefix, arrays, model.n_features_in_)
    model.seed_ = read_seed(described)
    model.history_ = {}
    for name in described["history"]:
        values = arrays[f"{prefix}.history.{name}"]
        if values.ndim != 1 or values.dtype != _CURVES[name]:
            raise ValueError(f"history {name} must be a vector of {np.dtype(_CURVES[name])}")
        model.history_[name] = values if name == "update_loss" else values.tolist()
    name = described.get("eval_name") or "validation"
    model.evals_result_ = evaluation_curves(str(name), model.history_)
    losses = model.history_["loss"]
    model.n_iter_ = max(1, len(losses))
    model.loss_ = losses[-1] if losses else float("nan")
    best = described["best_epoch"]
    model.best_epoch_ = None if best is None else int(best)
    if best is not None and not 0 <= int(best) <= model.n_iter_:
        raise ValueError(f"best_epoch {best} must be one of {model.n_iter_} epochs")
    return model


def _read_scale(
    described: Mapping[str, Any], prefix: str, arrays: Arrays, n_features: int
) -> InputScale | None:
    scale = described.get("input_scale")
    if scale is None:
        return None
    center, factor = (
        take_array(arrays, f"{prefix}.input_scale.{name}", (n_features,), np.float64)
        for name in ("center", "factor")
    )
    if (factor < 0).any() or not isinstance(scale["clips"], bool):
        raise ValueError("factors of input_scale must be at least 0, and clips True or False")
    return InputScale(center, factor, scale["clips"])
