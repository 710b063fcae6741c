"""Support vector machines with kernels."""

from moodcore.estimators.svm.estimator import SVM
from moodcore.estimators.svm.path import svm_path

__all__ = ["SVM", "svm_path"]
