"""Gradient-boosted decision trees."""

from moodcore.estimators.gbt.estimator import GBT

__all__ = ["GBT"]
