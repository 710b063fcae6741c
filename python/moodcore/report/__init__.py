"""One offline page that tells a run, and its pictures."""

from moodcore.report.page import build
from moodcore.report.summary import summary

__all__ = ["build", "summary"]
