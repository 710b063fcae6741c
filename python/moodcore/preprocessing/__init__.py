"""Preparation of tables: balance the classes, choose columns, drop correlated ones.

Each part is a scikit-learn transformer or classifier, so that inside a pipeline it learns from
the training rows of a fold and from nothing else.
"""

from moodcore.preprocessing.balance import BalancedClassifier, Downsampling, downsample
from moodcore.preprocessing.columns import SelectColumns
from moodcore.preprocessing.correlation import CorrelationFilter

__all__ = ["BalancedClassifier", "CorrelationFilter", "Downsampling", "SelectColumns", "downsample"]
