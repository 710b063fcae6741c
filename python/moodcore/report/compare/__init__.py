"""The page of `moodcore compare`."""

from moodcore.report.compare.build import build
from moodcore.report.compare.summary import summary

__all__ = ["build", "summary"]
