"""The command `moodcore`: parsing and printing, nothing else."""

from moodcore.cli.app import main

__all__ = ["main"]
