"""Contributions of features to predictions: Shapley values and exact linear contributions."""

from moodcore.explanation.contributions import Explanation, explain

__all__ = ["Explanation", "explain"]
