"""Options of every command that leaves a run folder: how to begin, go on, and say it again."""

from __future__ import annotations

from pathlib import Path

import click

from moodcore.cli import options
from moodcore.cli.options import Command

_FOLDER = click.Path(path_type=Path)
_OPTIONS = (
    click.option(
        "--seed", type=int, metavar="N", help="Seed of every random choice.  [default: 0]"
    ),
    click.option(
        "--config",
        "config_file",
        type=options.INPUT_FILE,
        metavar="FILE.toml",
        help="Settings of an earlier run (its config.toml); other options go before it.",
    ),
    click.option(
        "--jobs",
        type=click.IntRange(min=1),
        metavar="N",
        help="Trainings at a time; the results do not depend on it.  [default: all processors]",
    ),
    click.option(
        "--out",
        type=_FOLDER,
        metavar="FOLDER",
        help="New folder for the run.  [default: runs/<time>]",
    ),
    click.option("--resume", type=_FOLDER, metavar="RUN", help="Go on with an interrupted run."),
    click.option("--dry-run", is_flag=True, help="Print the plan and the time it would take."),
)


def run_options(command: Command) -> Command:
    """Add the options to a command, in their order."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
