"""The formats of other programs: names, endings, and who reads and writes them."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

from numpy.typing import ArrayLike

from moodcore.files import write_bytes
from moodcore.model_files.container import ModelFileError, check_is_there

__all__ = ["FORMATS", "Format", "export", "load"]


@dataclass(frozen=True)
class Format:
    """A format of model files.

    Attributes
    ----------
    name : str
    endings : tuple of str
        Endings of file names that mean it.
    summary : str
        What it is, in a few words.
    reads, writes : bool
    """

    name: str
    endings: tuple[str, ...]
    summary: str
    reads: bool
    writes: bool


FORMATS = {
    found.name: found
    for found in (
        Format("onnx", (".onnx",), "ONNX graph", False, True),
        Format("xgboost-json", (".json",), "XGBoost, JSON", True, True),
        Format("xgboost-ubjson", (".ubj", ".ubjson"), "XGBoost, UBJSON", True, True),
        Format("lightgbm", (".txt", ".lgb"), "LightGBM, text", True, False),
        Format("libsvm", (".model", ".libsvm"), "libsvm, text", True, True),
        Format("c", (".c",), "C source with declarations", False, True),
        Format("c-header", (".h",), "C header with the source in it", False, True),
        Format("rust", (".rs",), "Rust module", False, True),
        Format("safetensors", (".safetensors",), "moodcore's own", True, True),
    )
}

# Formats that have to know the type of the numbers that come in.
_TYPED = ("onnx", "xgboost-json", "xgboost-ubjson")


def export(
    model: Any,
    path: str | os.PathLike[str],
    *,
    format: str | None = None,
    classifier_only: bool = False,
    inputs: Literal["tensor", "columns"] | None = None,
    dtype: Literal["float64", "float32"] = "float64",
) -> None:
    """Write a fitted model in a format of another program, atomically.

    Parameters
    ----------
    model : MLP, GBT, SVM, LinearSVM, or a fitted pipeline
        ONNX, C and Rust hold the preparation of a pipeline too. XGBoost's format holds that of
        trees, whose thresholds take the scaling in; libsvm's holds the machine alone.
    path : path
        The file. Its ending says which format is meant: ``.onnx``, ``.json`` or ``.ubj``
        (XGBoost), ``.model`` (libsvm), ``.c``, ``.h``, ``.rs``, ``.safetensors``.
    format : str, optional
        The format's name, for other endings: a key of ``FORMATS``.
    classifier_only : bool, default=False
        Leave out what a pipeline does before its classifier; rows must then come prepared.
    inputs : {"tensor", "columns"} or None, default=None
        For ONNX: one input with all columns, or one a column by its name. None takes the tensor,
        unless a column holds text.
    dtype : {"float64", "float32"}, default="float64"
        For ONNX and XGBoost: the type of the numbers that come in. XGBoost rounds them to single
        precision; see :doc:`/exchange`.

    Raises
    ------
    NotFittedError
        When the model is not fitted.
    TypeError, ValueError
        When the format is unknown, or does not hold such a model.
    ModuleNotFoundError
        When ONNX is asked for and the package onnx is not installed.
    OSError
        When the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from moodcore import GBT, exchange
    >>> model = GBT(n_estimators=2, min_child_samples=1).fit([[0.0], [1.0]], ["no", "yes"])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     exchange.export(model, f"{folder}/model.json")
    ...     again = exchange.load(f"{folder}/model.json")
    >>> again.predict([[0.0], [1.0]]).tolist()
    ['no', 'yes']
    """
    path = Path(path)
    chosen = _format_of(path, format, "writes")
    if chosen.name == "safetensors":
        from moodcore.model_files.container import save

        save(model, path)
        return
    options: dict[str, Any] = {"dtype": dtype}
    if chosen.name == "onnx":
        options["inputs"] = inputs
    elif inputs is not None:
        raise ValueError(f"inputs is an option of ONNX, not of {chosen.name}")
    if dtype not in ("float64", "float32"):
        raise ValueError(f"dtype must be float64 or float32, got {dtype!r}")
    if dtype != "float64" and chosen.name not in _TYPED:
        raise ValueError(f"dtype is an option of {', '.join(_TYPED)}, not of {chosen.name}")
    write_bytes(path, _content(model, path, chosen, classifier_only, options))


def _content(
    model: Any, path: Path, chosen: Format, classifier_only: bool, options: dict[str, Any]
) -> bytes:
    if chosen.name == "libsvm":
        from moodcore.exchange.libsvm_text import write_libsvm

        return write_libsvm(_machine_alone(model, classifier_only))
    if chosen.name.startswith("xgboost"):
        from moodcore.exchange.xgboost_writer import write_xgboost

        binary = chosen.name == "xgboost-ubjson"
        return write_xgboost(model, binary=binary, classifier_only=classifier_only, **options)
    from moodcore.exchange.computation import computation_of

    computation = computation_of(model, classifier_only=classifier_only)
    if chosen.name == "onnx":
        from moodcore.exchange.onnx_graph import write_onnx

        return write_onnx(computation, **options)
    from moodcore.exchange.source_code import write_source

    return write_source(computation, chosen.name, path.stem)  # type: ignore[arg-type]


def _machine_alone(model: Any, classifier_only: bool) -> Any:
    """Give the `SVM` that is written, which must stand alone or be asked for alone."""
    from moodcore.exchange.computation import flat_parts

    parts = flat_parts(model)
    kind = type(parts[-1]).__name__
    if kind != "SVM":
        raise TypeError(f"libsvm's file holds an SVM, got {kind}")
    if len(parts) > 1 and not classifier_only:
        raise ValueError(
            "libsvm's file has no place for what the pipeline does before its classifier; with "
            "classifier_only=True (--classifier-only) the machine is written alone, and rows must "
            "come prepared. ONNX, C and Rust hold the whole"
        )
    return parts[-1]


def load(
    path: str | os.PathLike[str],
    *,
    format: str | None = None,
    classes: ArrayLike | None = None,
) -> Any:
    """Read a model of another program as a fitted model of this package.

    Parameters
    ----------
    path : path
        The file: XGBoost's ``.json`` or ``.ubj``, LightGBM's ``.txt``, libsvm's ``.model``, or our
        own. What is in it decides, not its ending.
    format : str, optional
        The format's name, where it should be this one and no other.
    classes : array-like of shape (n_classes,), optional
        Labels of the classes, ascending; by default those in the file, or 0, 1, 2, ...

    Returns
    -------
    GBT, SVM, or what `moodcore.load` gives
        Its ``provenance_`` tells the format.

    Raises
    ------
    ModelFileError
        When the file is damaged, or holds what no model of this package can be. Nothing in a file
        is ever run.
    ValueError
        When ``format`` is unknown or is not read.
    OSError
        When the file cannot be read.
    """
    path = Path(path)
    if format is not None:
        _format_of(path, format, "reads")
    check_is_there(path)
    data = path.read_bytes()
    name = format or _guess(data)
    if name is None:
        known = "; ".join(found.summary for found in FORMATS.values() if found.reads)
        raise ModelFileError(f"{path} is none of the formats that are read: {known}")
    if name == "safetensors":
        from moodcore.model_files.container import load as load_own

        return load_own(path)
    try:
        model = _reader(name)(data, classes=classes)
    # A damaged file can provoke any error in a reader; what can be foreseen is a ValueError.
    except (ValueError, TypeError, ArithmeticError, LookupError, MemoryError) as error:
        told = str(error) if isinstance(error, ValueError) else repr(error)
        raise ModelFileError(f"{path}: {FORMATS[name].summary}: {told}") from error
    model.provenance_ = {"format": name, "file": path.name}
    return model


def _reader(name: str) -> Callable[..., Any]:
    if name == "lightgbm":
        from moodcore.exchange.lightgbm_text import read_lightgbm

        return read_lightgbm
    if name == "libsvm":
        from moodcore.exchange.libsvm_text import read_libsvm

        return read_libsvm
    from moodcore.exchange.xgboost_reader import read_xgboost

    return read_xgboost


def _guess(data: bytes) -> str | None:
    """Tell the format by the first bytes."""
    start = data[:4096].lstrip()
    if start.startswith(b"tree\n") or start.startswith(b"tree\r\n"):
        return "lightgbm"
    if start.startswith(b"svm_type"):
        return "libsvm"
    # A length of eight bytes, then JSON; a UBJSON file begins with its brace.
    if data[8:9] == b"{" and not start.startswith(b"{"):
        return "safetensors"
    if start.startswith(b"{"):
        return "xgboost-json" if start[1:].lstrip()[:1] in (b'"', b"}") else "xgboost-ubjson"
    return None


def _format_of(path: Path, name: str | None, does: Literal["reads", "writes"]) -> Format:
    """Give the format of a name or an ending."""
    able = [found for found in FORMATS.values() if getattr(found, does)]
    if name is not None:
        if name in FORMATS and FORMATS[name] in able:
            return FORMATS[name]
        names = [found.name for found in able]
        near = get_close_matches(name, names, n=1)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        only = f"; {name} is not {'read' if does == 'reads' else 'written'}"
        raise ValueError(
            f"format must be one of {', '.join(names)}{only if name in FORMATS else ''}, "
            f"got {name!r}{hint}"
        )
    for found in able:
        if path.suffix.lower() in found.endings:
            return found
    endings = ", ".join(ending for found in able for ending in found.endings)
    raise ValueError(
        f"{path}: the ending says which format is meant, one of {endings}; got {path.suffix!r}. "
        "Or name the format"
    )
