"""How each part of a model is described in a model file: plain values, and arrays by name.

Every kind has two functions: one writes a fitted part to values that JSON holds and puts its
arrays aside, the other checks them and builds the part again. A new family of models moves in by
adding a row to `_KINDS`.
"""

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from moodcore.model_files.gbt import read_gbt, write_gbt
from moodcore.model_files.linear_svm import read_linear_svm, write_linear_svm
from moodcore.model_files.svm import read_svm, write_svm
from moodcore.model_files.tables import read_preparation, write_preparation
from moodcore.model_files.values import (
    Arrays,
    Described,
    read_class_weight,
    read_classes,
    read_features,
    take_array,
    write_class_weight,
    write_features,
    write_labels,
    write_params,
)

__all__ = ["Arrays", "Described", "read_part", "write_part"]


def write_part(model: Any, prefix: str, arrays: Arrays) -> Described:
    """Describe a fitted part; its arrays are added to ``arrays`` under names after ``prefix``.

    Raises
    ------
    TypeError
        When the format does not hold parts of this kind.
    """
    kind = type(model).__name__
    if kind not in _KINDS:
        raise TypeError(f"a model file holds {', '.join(sorted(_KINDS))}; got {kind}")
    return {"kind": kind, **_KINDS[kind][0](model, prefix, arrays)}


def read_part(described: Mapping[str, Any], prefix: str, arrays: Arrays) -> Any:
    """Build the part that `write_part` described.

    Raises
    ------
    KeyError, TypeError, ValueError
        When the description is not one of `write_part`'s.
    """
    kind = described["kind"]
    if kind not in _KINDS:
        raise ValueError(f"unknown kind {kind!r}")
    return _KINDS[kind][1](described, prefix, arrays)


def _write_mlp(model: Any, prefix: str, arrays: Arrays) -> Described:
    check_is_fitted(model)
    layers = zip(model.coefs_, model.intercepts_, strict=True)
    for index, (weights, biases) in enumerate(layers):
        arrays[f"{prefix}.coefs.{index}"] = weights
        arrays[f"{prefix}.intercepts.{index}"] = biases
    for index, (weights, biases) in enumerate(model.velocities_):
        arrays[f"{prefix}.coefs_velocity.{index}"] = weights
        arrays[f"{prefix}.intercepts_velocity.{index}"] = biases
    for name, values in model.history_.items():
        arrays[f"{prefix}.history.{name}"] = np.asarray(
            values, dtype=_HISTORY.get(name, np.float64)
        )
    return {
        "params": write_params(model),
        "class_weight": write_class_weight(model.class_weight),
        "classes": write_labels(model.classes_),
        "seed": model.seed_,
        "epoch": model.n_epochs_,
        "history": sorted(model.history_),
        "best_epoch": model.best_epoch_,
        **write_features(model),
    }


# Curves with one entry an update are kept in single precision; those by epoch in double.
_HISTORY = {"update_loss": np.float32}


def _read_mlp(described: Mapping[str, Any], prefix: str, arrays: Arrays) -> Any:
    from moodcore.estimators.mlp import MLP

    model = read_features(MLP(**described["params"]), described)
    model.class_weight = read_class_weight(described["class_weight"])
    model.hidden_sizes = tuple(model.hidden_sizes)
    model.check_parameters()
    model.classes_ = read_classes(described["classes"])
    sizes = [model.n_features_in_, *model.hidden_sizes, len(model.classes_)]

    def layers(suffix: str) -> list[tuple[NDArray[Any], NDArray[Any]]]:
        found = []
        for index, shape in enumerate(pairwise(sizes)):
            weights = take_array(arrays, f"{prefix}.coefs{suffix}.{index}", shape, np.float32)
            biases = take_array(
                arrays, f"{prefix}.intercepts{suffix}.{index}", shape[1:], np.float32
            )
            found.append((weights, biases))
        return found

    model.coefs_ = [weights for weights, _ in layers("")]
    model.intercepts_ = [biases for _, biases in layers("")]
    model.velocities_ = layers("_velocity")
    model.seed_, model.n_epochs_ = int(described["seed"]), int(described["epoch"])
    if not (0 <= model.seed_ < 2**64 and 0 <= model.n_epochs_ < 2**32):
        raise ValueError(f"seed {model.seed_} or epoch {model.n_epochs_} is out of range")
    best = described["best_epoch"]
    model.best_epoch_ = None if best is None else int(best)
    model.history_ = {}
    for name in described["history"]:
        values = arrays[f"{prefix}.history.{name}"]
        model.history_[name] = values if name in _HISTORY else values.tolist()
    losses = model.history_["loss"]
    model.n_iter_ = max(1, len(losses))
    model.loss_ = losses[-1] if losses else float("nan")
    return model


# Fitted arrays of scikit-learn's scalers: what `transform` and `inverse_transform` read. One that
# an argument makes needless is None, and not in the file.
_SCALERS = {
    "MinMaxScaler": ("min_", "scale_", "data_min_", "data_max_", "data_range_"),
    "StandardScaler": ("mean_", "var_", "scale_"),
}


def _write_scaler(model: Any, prefix: str, arrays: Arrays) -> Described:
    check_is_fitted(model)
    for name in _SCALERS[type(model).__name__]:
        values = getattr(model, name)
        if values is not None:
            arrays[f"{prefix}.{name}"] = np.asarray(values, dtype=np.float64)
    return {
        "params": model.get_params(),
        "n_samples": int(model.n_samples_seen_),
        **write_features(model),
    }


def _read_scaler(described: Mapping[str, Any], prefix: str, arrays: Arrays) -> Any:
    import sklearn.preprocessing

    kind = described["kind"]
    params = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in described["params"].items()
    }
    model = read_features(getattr(sklearn.preprocessing, kind)(**params), described)
    needless = _needless(params)
    for name in _SCALERS[kind]:
        array = None
        if name not in needless:
            array = take_array(arrays, f"{prefix}.{name}", (model.n_features_in_,), np.float64)
        setattr(model, name, array)
    model.n_samples_seen_ = int(described["n_samples"])
    return model


def _needless(params: Mapping[str, Any]) -> frozenset[str]:
    """Name what a `StandardScaler` with these arguments leaves None."""
    without_std = frozenset({"var_", "scale_"}) if params.get("with_std") is False else frozenset()
    neither = without_std and params.get("with_mean") is False
    return without_std | {"mean_"} if neither else without_std


def _write_columns(model: Any, prefix: str, arrays: Arrays) -> Described:
    check_is_fitted(model, "columns_")
    every = model.columns is None
    output = getattr(model, "_sklearn_output_config", {}).get("transform")
    return {
        "columns": list(model.columns_),
        "every": every,
        "output": output,
        **write_features(model),
    }


def _read_columns(described: Mapping[str, Any], prefix: str, arrays: Arrays) -> Any:
    from moodcore.preprocessing import SelectColumns

    columns = list(described["columns"])
    model = SelectColumns(None if described["every"] else tuple(columns))
    model.columns_ = columns
    # The part after it may want names with its columns: `set_output` of scikit-learn.
    model.set_output(transform=described["output"])
    return read_features(model, described)


def _write_filter(model: Any, prefix: str, arrays: Arrays) -> Described:
    check_is_fitted(model, "support_")
    arrays[f"{prefix}.correlation_"] = model.correlation_
    arrays[f"{prefix}.relevance_"] = model.relevance_
    return {
        "threshold": float(model.threshold),
        "support": model.support_.tolist(),
        "dropped": model.dropped_,
        **write_features(model),
    }


def _read_filter(described: Mapping[str, Any], prefix: str, arrays: Arrays) -> Any:
    from moodcore.preprocessing import CorrelationFilter

    model = read_features(CorrelationFilter(float(described["threshold"])), described)
    n = model.n_features_in_
    model.support_ = np.array(described["support"], dtype=bool)
    if model.support_.shape != (n,):
        raise ValueError(f"support must have one entry for each of {n} features")
    model.dropped_ = list(described["dropped"])
    model.correlation_ = take_array(arrays, f"{prefix}.correlation_", (n, n), np.float64)
    model.relevance_ = take_array(arrays, f"{prefix}.relevance_", (n,), np.float64)
    return model


def _write_balanced(model: Any, prefix: str, arrays: Arrays) -> Described:
    check_is_fitted(model, "estimator_")
    drawn = model.downsampling_
    return {
        "estimator": write_part(model.estimator_, f"{prefix}.estimator", arrays),
        "counts_before": drawn.counts_before.tolist(),
        "counts_after": drawn.counts_after.tolist(),
        **write_features(model),
    }


def _read_balanced(described: Mapping[str, Any], prefix: str, arrays: Arrays) -> Any:
    from sklearn.base import clone

    from moodcore.preprocessing import BalancedClassifier, Downsampling

    fitted = read_part(described["estimator"], f"{prefix}.estimator", arrays)
    model = read_features(BalancedClassifier(clone(fitted)), described)
    model.estimator_, model.classes_ = fitted, fitted.classes_
    # Which rows of the training table were kept is not kept with the model.
    model.downsampling_ = Downsampling(
        np.empty(0, dtype=np.intp),
        fitted.classes_,
        np.array(described["counts_before"], dtype=np.intp),
        np.array(described["counts_after"], dtype=np.intp),
    )
    return model


def _write_steps(model: Any, prefix: str, arrays: Arrays) -> Described:
    check_is_fitted(model)
    steps = [[name, write_part(step, _inside(prefix, name), arrays)] for name, step in model.steps]
    return {"steps": steps}


def _inside(prefix: str, name: str) -> str:
    """Name a step's arrays; a dot in its name is none between names."""
    return f"{prefix}.{name.replace('%', '%25').replace('.', '%2E')}"


def _read_steps(described: Mapping[str, Any], prefix: str, arrays: Arrays) -> list[Any]:
    steps = [
        (name, read_part(step, _inside(prefix, name), arrays)) for name, step in described["steps"]
    ]
    names = [name for name, _ in steps]
    if not steps or len(set(names)) != len(names):
        raise ValueError(f"a pipeline needs steps whose names differ, got {names}")
    for name, step in steps[:-1]:
        if not hasattr(step, "transform"):
            raise ValueError(f"only the last step of a pipeline can be a classifier, got {name}")
    return steps


def _read_plain_pipeline(described: Mapping[str, Any], prefix: str, arrays: Arrays) -> Any:
    from sklearn.pipeline import Pipeline

    return Pipeline(_read_steps(described, prefix, arrays))


def _write_songs(model: Any, prefix: str, arrays: Arrays) -> Described:
    quantiles = getattr(model, "training_quantiles_", None)
    if quantiles is not None:
        arrays[f"{prefix}.training_quantiles"] = quantiles
    return {"label_names": list(model.label_names), **_write_steps(model, prefix, arrays)}


def _read_songs(described: Mapping[str, Any], prefix: str, arrays: Arrays) -> Any:
    from moodcore.songs.column_checks import LEVELS
    from moodcore.songs.song_pipeline import SongPipeline

    names = tuple(str(name) for name in described["label_names"])
    steps = _read_steps(described, prefix, arrays)
    if not hasattr(steps[-1][1], "predict"):
        raise ValueError(f"the last step of a song model must be a classifier, got {steps[-1][0]}")
    model = SongPipeline(steps, label_names=names)
    # Files of the first version may lack them.
    if (name := f"{prefix}.training_quantiles") in arrays:
        shape = (len(model.feature_names_in_), len(LEVELS))
        model.training_quantiles_ = take_array(arrays, name, shape, np.float64)
    return model


def _write_table(model: Any, prefix: str, arrays: Arrays) -> Described:
    names = model.class_names
    return {
        "class_names": None if names is None else list(names),
        **_write_steps(model, prefix, arrays),
    }


def _read_table(described: Mapping[str, Any], prefix: str, arrays: Arrays) -> Any:
    from moodcore.tables.table_pipeline import TablePipeline

    names = described["class_names"]
    steps = _read_steps(described, prefix, arrays)
    if not hasattr(steps[-1][1], "predict"):
        raise ValueError(f"the last step of a table model must be a classifier, got {steps[-1][0]}")
    if names is not None and len(names) != len(steps[-1][1].classes_):
        raise ValueError(f"class_names: {len(names)} for {len(steps[-1][1].classes_)} classes")
    return TablePipeline(steps, class_names=None if names is None else tuple(map(str, names)))


_Writer = Callable[[Any, str, Arrays], Described]
_Reader = Callable[[Mapping[str, Any], str, Arrays], Any]
_KINDS: dict[str, tuple[_Writer, _Reader]] = {
    "BalancedClassifier": (_write_balanced, _read_balanced),
    "CorrelationFilter": (_write_filter, _read_filter),
    "GBT": (write_gbt, read_gbt),
    "LinearSVM": (write_linear_svm, read_linear_svm),
    "MLP": (_write_mlp, _read_mlp),
    "MinMaxScaler": (_write_scaler, _read_scaler),
    "Pipeline": (_write_steps, _read_plain_pipeline),
    "SVM": (write_svm, read_svm),
    "SelectColumns": (_write_columns, _read_columns),
    "SongPipeline": (_write_songs, _read_songs),
    "StandardScaler": (_write_scaler, _read_scaler),
    "TablePipeline": (_write_table, _read_table),
    "TablePreparation": (write_preparation, read_preparation),
}
