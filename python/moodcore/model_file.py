"""Save and load fitted models: one safetensors file, which runs no code when it is read.

The arrays are the file's tensors. Everything else is one JSON object under the key ``moodcore``
of the file's metadata::

    {"version": 1, "model": MODEL, "provenance": {...}, "sha256": "..."}

``MODEL`` is ``{"kind": "MLP", "params": {...}, ...}`` or a pipeline of such parts. Each kind has
a *room* in `_ROOMS`: two functions that write it to plain values and arrays and read it back.
The checksum covers the arrays, so that a flipped bit is found before it is believed.
"""

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moodcore._atomic import write_bytes

__all__ = ["VERSION", "ModelFileError", "load", "save"]

VERSION = 1

Arrays = dict[str, NDArray[Any]]


class ModelFileError(ValueError):
    """A file is not a model of this package, or is damaged."""


def save(
    model: Any, path: str | os.PathLike[str], *, provenance: Mapping[str, Any] | None = None
) -> None:
    """Write a fitted model to one file, atomically.

    Parameters
    ----------
    model : MLP or SongPipeline
        A fitted model.
    path : path
        The file; an old one is replaced only when the new one is complete.
    provenance : mapping, optional
        Where the model comes from: anything that JSON can hold.

    Raises
    ------
    NotFittedError
        When the model is not fitted.
    TypeError
        When the model is of a kind that the format does not hold, or the provenance is not JSON.
    OSError
        When the file cannot be written.

    Examples
    --------
    >>> import tempfile, numpy as np
    >>> from moodcore import MLP, load
    >>> model = MLP((4,), epochs=5, random_state=0).fit([[0.0], [1.0]], ["no", "yes"])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(model, f"{folder}/model.safetensors")
    ...     again = load(f"{folder}/model.safetensors")
    >>> bool(np.array_equal(again.predict_proba([[0.5]]), model.predict_proba([[0.5]])))
    True
    """
    import safetensors.numpy

    arrays: Arrays = {}
    described = _write(model, "model", arrays)
    if provenance is None:
        provenance = getattr(model, "provenance_", {})
    header = {
        "version": VERSION,
        "model": described,
        "provenance": dict(provenance),
        "sha256": _digest(arrays),
    }
    text = json.dumps(header, sort_keys=True)
    write_bytes(Path(path), safetensors.numpy.save(arrays, metadata={"moodcore": text}))


def load(path: str | os.PathLike[str]) -> Any:
    """Read a model that :func:`save` wrote.

    Parameters
    ----------
    path : path
        The file.

    Returns
    -------
    MLP or SongPipeline
        The fitted model, with the file's ``provenance_``.

    Raises
    ------
    ModelFileError
        When the file is no model of this package, is of a newer version, truncated or altered.
    OSError
        When the file cannot be read.
    """
    header, arrays = _read_file(Path(path))
    try:
        model = _read(header["model"], "model", arrays)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ModelFileError(f"{path}: the header does not describe a model: {error}") from error
    model.provenance_ = header["provenance"]
    return model


def _read_file(path: Path) -> tuple[dict[str, Any], Arrays]:
    """Read and check header and arrays."""
    import safetensors

    if not path.is_file():
        raise FileNotFoundError(f"no model file at {path}")
    try:
        with safetensors.safe_open(str(path), framework="numpy") as file:
            text = (file.metadata() or {}).get("moodcore")
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except safetensors.SafetensorError as error:
        raise ModelFileError(f"{path} is no model file, or is damaged: {error}") from error
    if text is None:
        raise ModelFileError(f"{path} is a safetensors file, but not of moodcore")
    try:
        header = json.loads(text)
        version, digest = header["version"], header["sha256"]
        header["model"], header["provenance"]
    except (ValueError, KeyError, TypeError) as error:
        raise ModelFileError(f"{path}: the header is damaged: {error!r}") from error
    if version != VERSION:
        raise ModelFileError(
            f"{path} is of format version {version}; this moodcore reads version {VERSION}"
        )
    if digest != _digest(arrays):
        raise ModelFileError(f"{path}: the arrays do not match their checksum; the file is damaged")
    return header, arrays


def _digest(arrays: Arrays) -> str:
    """Hash names, types, shapes and bytes of all arrays."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"{name}\0{array.dtype.str}\0{array.shape}\0".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _write(model: Any, prefix: str, arrays: Arrays) -> dict[str, Any]:
    kind = type(model).__name__
    if kind not in _ROOMS:
        raise TypeError(f"a model file holds {', '.join(sorted(_ROOMS))}; got {kind}")
    return {"kind": kind, **_ROOMS[kind][0](model, prefix, arrays)}


def _read(described: Mapping[str, Any], prefix: str, arrays: Arrays) -> Any:
    kind = described["kind"]
    if kind not in _ROOMS:
        raise ValueError(f"unknown kind {kind!r}")
    return _ROOMS[kind][1](described, prefix, arrays)


def _labels(values: NDArray[Any]) -> dict[str, Any]:
    """Describe class labels or names: text and numbers keep their type."""
    if values.dtype.kind not in "OUSTbiuf":
        raise TypeError(f"class labels of type {values.dtype} cannot be saved")
    listed = values.tolist()
    if not all(isinstance(value, str | int | float | bool) for value in listed):
        raise TypeError("class labels must be text or numbers to be saved")
    dtype = "object" if values.dtype.kind in "OT" else values.dtype.str
    return {"dtype": dtype, "values": listed}


def _read_labels(described: Mapping[str, Any]) -> NDArray[Any]:
    return np.array(described["values"], dtype=np.dtype(described["dtype"]))


def _write_features(model: Any) -> dict[str, Any]:
    names = getattr(model, "feature_names_in_", None)
    return {
        "n_features": int(model.n_features_in_),
        "feature_names": None if names is None else list(names),
    }


def _read_features(model: Any, described: Mapping[str, Any]) -> Any:
    model.n_features_in_ = int(described["n_features"])
    if described["feature_names"] is not None:
        model.feature_names_in_ = np.array(described["feature_names"], dtype=object)
    return model


def _write_mlp(model: Any, prefix: str, arrays: Arrays) -> dict[str, Any]:
    from sklearn.utils.validation import check_is_fitted

    check_is_fitted(model, "coefs_")
    layers = zip(model.coefs_, model.intercepts_, strict=True)
    for index, (weights, biases) in enumerate(layers):
        arrays[f"{prefix}.coefs.{index}"] = weights
        arrays[f"{prefix}.intercepts.{index}"] = biases
    params = json.loads(model._core_parameters(frozenset(model.get_params()) - {"random_state"}))
    return {
        "params": params,
        "classes": _labels(model.classes_),
        "n_iter": model.n_iter_,
        "loss": None if np.isnan(model.loss_) else model.loss_,
        **_write_features(model),
    }


def _read_mlp(described: Mapping[str, Any], prefix: str, arrays: Arrays) -> Any:
    from moodcore.mlp import MLP

    model = _read_features(MLP(**described["params"]), described)
    model.hidden_sizes = tuple(model.hidden_sizes)
    model.classes_ = _read_labels(described["classes"])
    sizes = [model.n_features_in_, *model.hidden_sizes, len(model.classes_)]
    model.coefs_, model.intercepts_ = [], []
    for index, shape in enumerate(zip(sizes[:-1], sizes[1:], strict=True)):
        weights = _array(arrays, f"{prefix}.coefs.{index}", shape, np.float32)
        biases = _array(arrays, f"{prefix}.intercepts.{index}", shape[1:], np.float32)
        model.coefs_.append(weights)
        model.intercepts_.append(biases)
    model.n_iter_ = int(described["n_iter"])
    model.loss_ = float("nan") if described["loss"] is None else float(described["loss"])
    return model


def _array(arrays: Arrays, name: str, shape: tuple[int, ...], dtype: type) -> NDArray[Any]:
    """Take an array out of the file; its shape, type and values are what the header says."""
    array = arrays[name]
    if array.shape != shape or array.dtype != dtype:
        raise ValueError(f"{name} must be {np.dtype(dtype)} of shape {shape}, "
                         f"got {array.dtype} of shape {array.shape}")  # fmt: skip
    if not np.isfinite(array).all():
        raise ValueError(f"{name} holds values that are not finite")
    return array


# Fitted arrays of scikit-learn's scalers: what `transform` and `inverse_transform` read.
_SCALERS = {
    "MinMaxScaler": ("min_", "scale_", "data_min_", "data_max_", "data_range_"),
    "StandardScaler": ("mean_", "var_", "scale_"),
}


def _write_scaler(model: Any, prefix: str, arrays: Arrays) -> dict[str, Any]:
    from sklearn.utils.validation import check_is_fitted

    check_is_fitted(model)
    for name in _SCALERS[type(model).__name__]:
        arrays[f"{prefix}.{name}"] = np.asarray(getattr(model, name), dtype=np.float64)
    return {"n_samples": int(model.n_samples_seen_), **_write_features(model)}


def _read_scaler(described: Mapping[str, Any], prefix: str, arrays: Arrays) -> Any:
    import sklearn.preprocessing

    kind = described["kind"]
    model = _read_features(getattr(sklearn.preprocessing, kind)(), described)
    for name in _SCALERS[kind]:
        array = _array(arrays, f"{prefix}.{name}", (model.n_features_in_,), np.float64)
        setattr(model, name, array)
    model.n_samples_seen_ = int(described["n_samples"])
    return model


_Writer = Callable[[Any, str, Arrays], dict[str, Any]]
_Reader = Callable[[Mapping[str, Any], str, Arrays], Any]
_ROOMS: dict[str, tuple[_Writer, _Reader]] = {
    "MLP": (_write_mlp, _read_mlp),
    "MinMaxScaler": (_write_scaler, _read_scaler),
    "StandardScaler": (_write_scaler, _read_scaler),
}
