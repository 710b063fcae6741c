"""The page of a study of features."""

from moodcore.report.features.build import build, summary

__all__ = ["build", "summary"]
