"""`python -m moodcore.cli`."""

from moodcore.cli.app import run

run()
