"""Comparison of classifiers on the same folds, with tests of their differences.

Examples
--------
>>> from sklearn.datasets import load_iris
>>> from moodcore.comparison import compare
>>> X, y = load_iris(return_X_y=True)
>>> result = compare(X, y, models=["linear-svm", "gbt"], repeats=1, curve_sizes=0, n_jobs=1)
>>> sorted(result.table.index)
['GBT', 'LinearSVM', 'logistic regression', 'majority class', 'nearest neighbors']
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from moodcore.comparison.comparison import Comparison, compare

__all__ = ["Comparison", "compare"]


def __getattr__(name: str) -> Any:
    # Imported when they are used, because the settings, which --help needs, are quick to import.
    if name in __all__:
        return getattr(import_module("moodcore.comparison.comparison"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
