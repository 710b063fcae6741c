"""The formats of other programs: names and endings; `export` and `load`."""

from __future__ import annotations

import os
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
    """A format of model files: its name, the endings that select it, and what it is."""

    name: str
    endings: tuple[str, ...]
    summary: str
    reads: bool
    writes: bool


FORMATS = {
    entry.name: entry
    for entry in (
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

# Formats that depend on the type of the input numbers.
_TYPED = ("onnx", "xgboost-json", "xgboost-ubjson")


def export(
    model: Any,
    path: str | os.PathLike[str],
    *,
    format: str | None = None,
    classifier_only: bool = False,
    inputs: Literal["tensor", "columns"] | None = None,
    dtype: Literal["float64", "float32"] = "float64",
    label_positions: bool = False,
) -> None:
    """Write a fitted model in a format of another program, atomically.

    Parameters
    ----------
    model : MLP, GBT, SVM, LinearSVM, or a fitted pipeline
        ONNX, C and Rust files contain the preparation of a pipeline too; for ONNX, skl2onnx
        converts scikit-learn's transformers that C and Rust files do not support. XGBoost's contain
        the scaling, in the thresholds of the trees; libsvm's contain the SVM alone.
    path : path
        The file. Its ending selects the format: ``.onnx``, ``.json`` or ``.ubj``
        (XGBoost), ``.model`` (libsvm), ``.c``, ``.h``, ``.rs``, ``.safetensors``.
    format : str, optional
        The format's name, for other endings: a key of ``FORMATS``.
    classifier_only : bool, default=False
        Write only the classifier of a pipeline; rows must then be prepared before prediction.
    inputs : {"tensor", "columns"} or None, default=None
        For ONNX: one input with all columns, or one named input per column. None selects
        "tensor", unless a column holds text.
    dtype : {"float64", "float32"}, default="float64"
        For ONNX and XGBoost: the type of the input numbers. XGBoost rounds them to single
        precision; see :doc:`/how-to/exchange`.
    label_positions : bool, default=False
        For libsvm, whose labels are integers of 32 bits: write the positions of other labels, 0,
        1, 2, ..., instead. By default such labels are refused.

    Raises
    ------
    NotFittedError
        If the model is not fitted.
    TypeError, ValueError
        If the format is unknown, or cannot represent the model.
    ModuleNotFoundError
        If the package onnx is missing, which ONNX needs, skl2onnx, which other transformers
        need, or xgboost, which ``.ubj`` needs.
    OSError
        If the file cannot be written.

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
    chosen = _format_of(path, format, "writes").name
    if chosen == "safetensors":
        from moodcore.model_files.container import save

        save(model, path)
        return
    if inputs is not None and chosen != "onnx":
        raise ValueError(f"inputs is an option for ONNX only, not for {chosen}")
    if dtype not in ("float64", "float32"):
        raise ValueError(f"dtype must be float64 or float32, got {dtype!r}")
    if dtype != "float64" and chosen not in _TYPED:
        raise ValueError(f"dtype is an option for {', '.join(_TYPED)} only, not for {chosen}")
    if label_positions and chosen != "libsvm":
        raise ValueError(f"label_positions is an option for libsvm only, not for {chosen}")
    if chosen == "libsvm":
        from moodcore.exchange.libsvm_text import write_libsvm

        svm = _single_svm(model, classifier_only)
        content = write_libsvm(svm, label_positions=label_positions)
    elif chosen in ("xgboost-json", "xgboost-ubjson"):
        from moodcore.exchange.xgboost_ubjson import convert
        from moodcore.exchange.xgboost_writer import write_xgboost

        content = write_xgboost(model, classifier_only=classifier_only, dtype=dtype)
        if chosen == "xgboost-ubjson":
            content = convert(content, to="ubj")
    else:
        content = (
            _onnx(model, classifier_only=classifier_only, inputs=inputs, dtype=dtype)
            if chosen == "onnx"
            else _source(model, chosen, path.stem, classifier_only=classifier_only)
        )
    write_bytes(path, content)


def _onnx(model: Any, *, classifier_only: bool, inputs: Any, dtype: Any) -> bytes:
    """Return an ONNX file; skl2onnx converts pipelines that `computation_of` does not support."""
    from moodcore.exchange.computation import computation_of, flat_parts, is_known_transformer

    if not classifier_only and not all(map(is_known_transformer, flat_parts(model)[:-1])):
        from moodcore.exchange.skl2onnx_converter import write_with_skl2onnx

        return write_with_skl2onnx(model, inputs=inputs, dtype=dtype)
    from moodcore.exchange.onnx_writer import write_onnx

    computation = computation_of(model, classifier_only=classifier_only)
    return write_onnx(computation, inputs=inputs, dtype=dtype)


def _source(model: Any, language: str, stem: str, *, classifier_only: bool) -> bytes:
    """Return C or Rust source code."""
    from moodcore.exchange.computation import computation_of
    from moodcore.exchange.source_code import write_source

    computation = computation_of(model, classifier_only=classifier_only)
    return write_source(computation, language, stem)  # type: ignore[arg-type]


def _single_svm(model: Any, classifier_only: bool) -> Any:
    """Return the `SVM` to write; a pipeline around it is refused without `classifier_only`."""
    from moodcore.exchange.computation import flat_parts

    parts = flat_parts(model)
    kind = type(parts[-1]).__name__
    if kind != "SVM":
        raise TypeError(f"only an SVM can be written as a libsvm model, got {kind}")
    if len(parts) > 1 and not classifier_only:
        raise ValueError(
            "libsvm's file has no place for what the pipeline does before its classifier; with "
            "classifier_only=True (--classifier-only) the SVM is written alone, and rows must "
            "come prepared. ONNX, C and Rust hold the whole pipeline"
        )
    return parts[-1]


def load(
    path: str | os.PathLike[str],
    *,
    format: str | None = None,
    classes: ArrayLike | None = None,
    missing: float | None = None,
    n_features: int | None = None,
) -> Any:
    """Load a model file of another library as a fitted model of this package.

    Parameters
    ----------
    path : path
        The file: XGBoost's ``.json`` or ``.ubj``, LightGBM's ``.txt``, libsvm's ``.model``, or our
        own. Its content decides, not its ending.
    format : str, optional
        Name of the expected format; other formats are refused.
    classes : array-like of shape (n_classes,), optional
        Labels of the classes, ascending; by default those in the file, or 0, 1, 2, ...
    missing : float, optional
        For XGBoost, whose files do not contain it: the value that was passed as ``missing`` to
        ``XGBClassifier`` or ``DMatrix``. The default is NaN.
    n_features : int, optional
        For libsvm, whose files do not contain it: the number of columns of the training data. The
        default is the largest column in the file, which is smaller if the last columns of all
        support vectors are zero.

    Returns
    -------
    GBT, SVM, or any model that `moodcore.load` returns
        Its ``provenance_`` names the format and the file.

    Raises
    ------
    ModelFileError
        If the file is damaged, or no model of this package can represent it. No code in a file is
        executed.
    ValueError
        If ``format`` is unknown or write-only, or an option does not apply to it.
    OSError
        If the file cannot be read.

    Examples
    --------
    >>> import tempfile, xgboost
    >>> X, y = [[-999.0], [0.0], [1.0], [2.0]] * 10, [1, 0, 0, 1] * 10
    >>> trained = xgboost.XGBClassifier(n_estimators=20, missing=-999.0).fit(X, y)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     trained.save_model(f"{folder}/model.json")
    ...     model = load(f"{folder}/model.json", missing=-999.0)
    >>> model.predict(X[:4]).tolist()
    [1, 0, 0, 1]
    """
    path = Path(path)
    if format is not None:
        _format_of(path, format, "reads")
    check_is_there(path)
    data = path.read_bytes()
    name = format or _detect(data)
    if name is None:
        known = "; ".join(entry.summary for entry in FORMATS.values() if entry.reads)
        raise ModelFileError(f"{path} has none of the supported formats: {known}")
    if missing is not None and not name.startswith("xgboost"):
        raise ValueError(f"missing is an option for XGBoost files only, not for {name}")
    if n_features is not None and name != "libsvm":
        raise ValueError(f"n_features is an option for libsvm files only, not for {name}")
    if name == "safetensors":
        from moodcore.model_files.container import load as load_moodcore

        if classes is not None:
            raise ValueError(
                "classes is an option for models of other libraries only, not for moodcore's"
            )
        return load_moodcore(path)
    try:
        model = _read(name, data, classes, missing, n_features)
    # A damaged file can raise any error in a reader; expected ones are a ValueError.
    except (ValueError, TypeError, ArithmeticError, LookupError, MemoryError) as error:
        reason = str(error) if isinstance(error, ValueError) else repr(error)
        raise ModelFileError(f"{path}: {FORMATS[name].summary}: {reason}") from error
    model.provenance_ = {"format": name, "file": path.name}
    return model


def _read(
    name: str,
    data: bytes,
    classes: ArrayLike | None,
    missing: float | None,
    n_features: int | None,
) -> Any:
    if name == "lightgbm":
        from moodcore.exchange.lightgbm_text import read_lightgbm

        return read_lightgbm(data, classes=classes)
    if name == "libsvm":
        from moodcore.exchange.libsvm_text import read_libsvm

        return read_libsvm(data, classes=classes, n_features=n_features)
    from moodcore.exchange.xgboost_reader import read_xgboost
    from moodcore.exchange.xgboost_ubjson import convert

    document = convert(data, to="json") if name == "xgboost-ubjson" else data
    return read_xgboost(document, classes=classes, missing=missing)


def _detect(data: bytes) -> str | None:
    """Detect the format by the first bytes."""
    start = data[:4096].lstrip()
    if start.startswith((b"tree\n", b"tree\r\n")):
        return "lightgbm"
    if start.startswith(b"svm_type"):
        return "libsvm"
    # Our own files begin with a length of eight bytes, then JSON.
    if data[8:9] == b"{" and not start.startswith(b"{"):
        return "safetensors"
    if start.startswith(b"{"):
        return "xgboost-json" if start[1:].lstrip()[:1] in (b'"', b"}") else "xgboost-ubjson"
    return None


def _format_of(path: Path, name: str | None, ability: Literal["reads", "writes"]) -> Format:
    """Return the format of a name, or else of the file's ending."""
    able = {entry.name: entry for entry in FORMATS.values() if getattr(entry, ability)}
    if name is not None:
        if name in able:
            return able[name]
        near = get_close_matches(name, able, n=1)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        known = f"; {name} is not {'read' if ability == 'reads' else 'written'}"
        raise ValueError(
            f"format must be one of {', '.join(able)}{known if name in FORMATS else ''}, "
            f"got {name!r}{hint}"
        )
    for entry in able.values():
        if path.suffix.lower() in entry.endings:
            return entry
    endings = ", ".join(ending for entry in able.values() for ending in entry.endings)
    raise ValueError(
        f"{path}: the ending must be one of {endings} unless format is given, got {path.suffix!r}"
    )
