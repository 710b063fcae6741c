"""`python -m moodcore.cli`."""

from moodcore.cli import run

run()
