"""Support vector machines with kernels."""

from moodcore.estimators.svm.estimator import SVM

__all__ = ["SVM"]
