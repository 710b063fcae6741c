"""The command `moodcore`: parsing and printing, nothing else."""

from moodcore.cli.app import main, run

__all__ = ["main", "run"]
