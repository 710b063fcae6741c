"""Save and load fitted models: one safetensors file, which runs no code when it is read.

The arrays are the file's tensors. Everything else is one JSON object under the key ``moodcore``
of the file's metadata::

    {"version": 1, "model": MODEL, "provenance": {...}}

``MODEL`` is ``{"kind": "MLP", "params": {...}, ...}`` or a pipeline of such parts; what each kind
holds is in :mod:`moodcore.model_files.registry`. Before it, on a line of its own, is a checksum of
JSON and arrays, which detects damage. (There is one key only because the library writes several
in random order, and the same model must give the same bytes.)
"""

import hashlib
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from moodcore.files import no_such_file, write_bytes
from moodcore.model_files.registry import read_part, write_part
from moodcore.model_files.values import Arrays

__all__ = ["VERSION", "ModelFileError", "load", "save"]

VERSION = 1


class ModelFileError(ValueError):
    """Raised for files that are damaged or not model files of this package."""


def save(
    model: Any, path: str | os.PathLike[str], *, provenance: Mapping[str, Any] | None = None
) -> None:
    """Write a fitted model to one file, atomically.

    Parameters
    ----------
    model : GBT, MLP, SVM, LinearSVM, or a pipeline
        A fitted model. A pipeline may contain the transformers that
        :doc:`/reference/model-file` lists.
    path : path
        The file; an old one is replaced only when the new one is complete.
    provenance : mapping, optional
        Where the model comes from: anything that JSON can represent.

    Raises
    ------
    NotFittedError
        If the model is not fitted.
    TypeError, ValueError
        If a part of the model is of a kind that model files do not contain, or the provenance is
        not JSON.
    OSError
        If the file cannot be written.

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
    described = write_part(model, "model", arrays)
    if provenance is None:
        provenance = getattr(model, "provenance_", {})
    header = {"version": VERSION, "model": described, "provenance": dict(provenance)}
    text = json.dumps(header, sort_keys=True, allow_nan=False)
    metadata = {"moodcore": f"{_digest(arrays, text)}\n{text}"}
    write_bytes(Path(path), safetensors.numpy.save(arrays, metadata=metadata))


def load(path: str | os.PathLike[str]) -> Any:
    """Read a model that :func:`save` wrote.

    Parameters
    ----------
    path : path
        The file.

    Returns
    -------
    GBT, MLP, SVM, LinearSVM, or a pipeline
        The fitted model, with the file's ``provenance_``.

    Raises
    ------
    ModelFileError
        If the file is not a model of this package, of a newer version, truncated or altered.
    OSError
        If the file cannot be read.
    """
    header, arrays = _read_file(Path(path))
    try:
        model = read_part(header["model"], "model", arrays)
    # A forged header can provoke any error in the parts that it describes.
    except Exception as error:
        raise ModelFileError(f"{path}: the header does not describe a model: {error!r}") from error
    model.provenance_ = header["provenance"]
    return model


def check_is_there(path: Path) -> None:
    """Check that a path is a file.

    Raises
    ------
    OSError
        If it is not; the message suggests the most similar name, or the model in the folder.
    """
    if path.is_dir():
        inside = sorted(file.name for file in path.glob("*.safetensors"))
        hint = f"; it contains the model {path / inside[0]}" if len(inside) == 1 else ""
        raise IsADirectoryError(f"{path}: is a folder; a model file is needed{hint}")
    if not path.exists():
        raise no_such_file(path, "model file")
    if not path.is_file():
        raise OSError(f"{path}: is not a regular file; a model file is needed")


def _hint(path: Path) -> str:
    """Return how to read a file of another library."""
    with path.open("rb") as file:
        start = file.read(8)
    if start.startswith((b"{", b"tree\n", b"svm_type")):
        return "; models of XGBoost, LightGBM and libsvm are read by moodcore.exchange.load"
    return ""


def _read_file(path: Path) -> tuple[dict[str, Any], Arrays]:
    """Read and check header and arrays."""
    import safetensors

    check_is_there(path)
    try:
        with safetensors.safe_open(str(path), framework="numpy") as file:
            content = (file.metadata() or {}).get("moodcore")
            arrays = {}
            if content is not None:
                arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    # A type or shape that NumPy does not have is an error of another kind.
    except (safetensors.SafetensorError, AttributeError, TypeError, ValueError) as error:
        hint = _hint(path)
        raise ModelFileError(f"{path} is not a model file, or is damaged: {error}{hint}") from error
    if content is None:
        raise ModelFileError(f"{path} is a safetensors file, but not a moodcore model")
    checksum, _, text = content.partition("\n")
    header = _read_header(path, text)
    if checksum != _digest(arrays, text):
        raise ModelFileError(f"{path}: the content does not match its checksum; it is damaged")
    return header, arrays


def _read_header(path: Path, text: str) -> dict[str, Any]:
    """Read the JSON; other versions are refused first."""
    try:
        header = json.loads(text, parse_constant=_finite, parse_float=_finite)
        version = header["version"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ModelFileError(f"{path}: the header is damaged: {error!r}") from error
    if type(version) is not int or version != VERSION:
        raise ModelFileError(
            f"{path} is of format version {version}; this moodcore reads version {VERSION}"
        )
    if not all(isinstance(header.get(key), dict) for key in ("model", "provenance")):
        raise ModelFileError(f"{path}: the header is damaged: model or provenance is not an object")
    return header


def _finite(text: str) -> float:
    """Read a number of the JSON, which `save` writes without NaN and infinities."""
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"numbers must be finite, got {text}")
    return value


def _digest(arrays: Arrays, text: str) -> str:
    """Hash the JSON, then names, types, shapes and bytes of all arrays."""
    digest = hashlib.sha256(text.encode())
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"{name}\0{array.dtype.str}\0{array.shape}\0".encode())
        digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return digest.hexdigest()
