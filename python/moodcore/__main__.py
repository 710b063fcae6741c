"""`python -m moodcore`, the same as the command `moodcore`."""

from moodcore.cli import run

run()
