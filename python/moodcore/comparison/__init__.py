"""Which classifier is best, and how sure that is: all on the same folds.

Examples
--------
>>> from sklearn.datasets import load_iris
>>> from moodcore.comparison import compare
>>> X, y = load_iris(return_X_y=True)
>>> found = compare(X, y, models=["linear-svm", "gbt"], repeats=1, curve_sizes=0, random_state=0)
>>> sorted(found.summary["model"])
['GBT', 'LinearSVM', 'logistic regression', 'majority class', 'nearest neighbours']
"""

from moodcore.comparison.result import Comparison
from moodcore.comparison.tables import compare

__all__ = ["Comparison", "compare"]
