"""Fast scikit-learn classifiers for tabular data, implemented in Rust, and moods of songs.

Examples
--------
>>> from moodcore import MLP
>>> import numpy as np
>>> rng = np.random.default_rng(0)
>>> X = rng.normal(size=(200, 2))
>>> y = np.where(X[:, 0] * X[:, 1] > 0, "same sign", "other sign")
>>> model = MLP(hidden_sizes=(16,), epochs=200, random_state=0).fit(X, y)
>>> model.score(X, y) > 0.9
True
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from moodcore import (
        datasets,
        exchange,
        metrics,
        model_files,
        platform,
        plots,
        predict,
        preprocessing,
        songs,
        tables,
    )
    from moodcore.comparison import Comparison, compare
    from moodcore.estimators.checkpoint import Checkpoint
    from moodcore.estimators.gbt.estimator import GBT
    from moodcore.estimators.linear_svm import LinearSVM
    from moodcore.estimators.mlp import MLP
    from moodcore.estimators.svm.estimator import SVM
    from moodcore.exchange import export
    from moodcore.explanation.contributions import Explanation, explain
    from moodcore.features import FeatureStudy, feature_study
    from moodcore.model_files.container import ModelFileError, load
    from moodcore.platform import show_versions
    from moodcore.tuning.tune import TuneResult, tune

__all__ = [
    "GBT",
    "MLP",
    "SVM",
    "Checkpoint",
    "Comparison",
    "Explanation",
    "FeatureStudy",
    "LinearSVM",
    "ModelFileError",
    "TuneResult",
    "__version__",
    "compare",
    "datasets",
    "exchange",
    "explain",
    "export",
    "feature_study",
    "load",
    "metrics",
    "model_files",
    "platform",
    "plots",
    "predict",
    "preprocessing",
    "show_versions",
    "songs",
    "tables",
    "tune",
]

# Importing scikit-learn and pandas takes a second; `import moodcore` should not. So names and
# submodules are imported when they are first used.
_SUBMODULES = (
    "datasets",
    "exchange",
    "metrics",
    "model_files",
    "platform",
    "plots",
    "predict",
    "preprocessing",
    "songs",
    "tables",
)
_HOMES = {
    "Checkpoint": "moodcore.estimators.checkpoint",
    "Comparison": "moodcore.comparison",
    "Explanation": "moodcore.explanation.contributions",
    "FeatureStudy": "moodcore.features",
    "GBT": "moodcore.estimators.gbt.estimator",
    "LinearSVM": "moodcore.estimators.linear_svm",
    "MLP": "moodcore.estimators.mlp",
    "ModelFileError": "moodcore.model_files.container",
    "SVM": "moodcore.estimators.svm.estimator",
    "explain": "moodcore.explanation.contributions",
    "compare": "moodcore.comparison",
    "feature_study": "moodcore.features",
    "export": "moodcore.exchange",
    "load": "moodcore.model_files.container",
    "show_versions": "moodcore.platform",
    "TuneResult": "moodcore.tuning.tune",
    "tune": "moodcore.tuning.tune",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return import_module("moodcore._core").__version__
    if name in _SUBMODULES:
        return import_module(f"moodcore.{name}")
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'moodcore' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
