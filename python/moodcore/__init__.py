"""Classifiers for tables, trained in Rust, and the emotion of songs.

Examples
--------
>>> from moodcore import MLP
>>> import numpy as np
>>> rng = np.random.default_rng(0)
>>> X = rng.normal(size=(200, 2))
>>> y = np.where(X[:, 0] * X[:, 1] > 0, "alike", "apart")
>>> model = MLP(hidden_sizes=(16,), epochs=200, random_state=0).fit(X, y)
>>> model.score(X, y) > 0.9
True
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from moodcore import catalogue, exchange, songs
    from moodcore.comparison import compare
    from moodcore.exchange import export
    from moodcore.explanation import Explanation, explain
    from moodcore.features import FeatureStudy, feature_study
    from moodcore.gbt import GBT
    from moodcore.linear_svm import LinearSVM
    from moodcore.mlp import MLP
    from moodcore.model_file import ModelFileError, load
    from moodcore.platform import show_versions
    from moodcore.svm import SVM
    from moodcore.tune_run import TuneRun, tune

__all__ = [
    "GBT",
    "MLP",
    "SVM",
    "Explanation",
    "FeatureStudy",
    "LinearSVM",
    "ModelFileError",
    "TuneRun",
    "__version__",
    "catalogue",
    "compare",
    "exchange",
    "explain",
    "export",
    "feature_study",
    "load",
    "show_versions",
    "songs",
    "tune",
]

# Importing scikit-learn and pandas takes a second; `import moodcore` should not.
_HOMES = {
    "Explanation": "moodcore.explanation",
    "FeatureStudy": "moodcore.features",
    "GBT": "moodcore.gbt",
    "LinearSVM": "moodcore.linear_svm",
    "MLP": "moodcore.mlp",
    "ModelFileError": "moodcore.model_file",
    "SVM": "moodcore.svm",
    "explain": "moodcore.explanation",
    "compare": "moodcore.comparison",
    "feature_study": "moodcore.features",
    "export": "moodcore.exchange",
    "load": "moodcore.model_file",
    "show_versions": "moodcore.platform",
    "TuneRun": "moodcore.tune_run",
    "tune": "moodcore.tune_run",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return import_module("moodcore._core").__version__
    if name in ("catalogue", "exchange", "songs"):
        return import_module(f"moodcore.{name}")
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'moodcore' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
