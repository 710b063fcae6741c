"""The kinds of parts that a model file contains, and the codec of each.

A codec is a pair of functions, ``write_NAME`` and ``read_NAME``, in a module of this package. The
first describes a fitted part with JSON values and adds its arrays; the second checks them and
rebuilds the part. Codecs are named by strings and imported when they are used, so that a file
of one kind needs no other. A new kind of model gets a row in `_CODECS`.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from moodcore.model_files.values import Arrays, Described

__all__ = ["read_part", "write_part"]

# Class name: module and name of the codec.
_CODECS = {
    "BalancedClassifier": ("preprocessing", "balanced"),
    "ColumnTransformer": ("column_transformer", "column_transformer"),
    "CorrelationFilter": ("preprocessing", "filter"),
    "FunctionTransformer": ("transformers", "function"),
    "GBT": ("gbt", "gbt"),
    "LinearSVM": ("linear_svm", "linear_svm"),
    "MLP": ("mlp", "mlp"),
    "MaxAbsScaler": ("transformers", "transformer"),
    "MinMaxScaler": ("preprocessing", "scaler"),
    "OneHotEncoder": ("transformers", "encoder"),
    "OrdinalEncoder": ("transformers", "encoder"),
    "Pipeline": ("pipelines", "pipeline"),
    "PowerTransformer": ("transformers", "power"),
    "QuantileTransformer": ("transformers", "transformer"),
    "RobustScaler": ("transformers", "transformer"),
    "SVM": ("svm", "svm"),
    "SelectColumns": ("preprocessing", "columns"),
    "SimpleImputer": ("transformers", "imputer"),
    "SongPipeline": ("pipelines", "song_pipeline"),
    "StandardScaler": ("preprocessing", "scaler"),
    "TablePipeline": ("tables", "table_pipeline"),
    "TablePreparation": ("tables", "preparation"),
}


def write_part(model: Any, prefix: str, arrays: Arrays) -> Described:
    """Describe a fitted part; its arrays are added to ``arrays`` under names after ``prefix``.

    Raises
    ------
    NotFittedError
        If the part is not fitted.
    TypeError
        If model files do not contain parts of this kind.
    """
    kind = type(model).__name__
    if kind not in _CODECS:
        raise TypeError(f"a model file can contain {', '.join(sorted(_CODECS))}; got {kind}")
    return {"kind": kind, **_codec("write", kind)(model, prefix, arrays)}


def read_part(described: Mapping[str, Any], prefix: str, arrays: Arrays) -> Any:
    """Build the part that `write_part` described.

    Raises
    ------
    KeyError, TypeError, ValueError
        If the description is not one of `write_part`.
    """
    kind = described["kind"]
    if kind not in _CODECS:
        raise ValueError(f"unknown kind {kind!r}")
    return _codec("read", kind)(described, prefix, arrays)


def _codec(action: str, kind: str) -> Any:
    module, name = _CODECS[kind]
    return getattr(import_module(f"moodcore.model_files.{module}"), f"{action}_{name}")
