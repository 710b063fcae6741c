"""The page of `moodcore tune`."""

from moodcore.report.tune.build import build
from moodcore.report.tune.summary import summary

__all__ = ["build", "summary"]
