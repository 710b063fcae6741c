"""The command `moodcore`: parsing and printing, nothing else."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

__all__ = ["main", "run"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code (see `moodcore.cli.app.main`)."""
    from moodcore.cli import app

    return app.main(arguments)


def run() -> NoReturn:
    """Run the command of `sys.argv`, and end the process with its exit code."""
    try:
        from moodcore.cli import app
    except KeyboardInterrupt:
        # Before the handler of the application is there.
        if sys.stderr is not None:
            sys.stderr.write("moodcore: interrupted\n")
            sys.stderr.flush()
        os._exit(130)
    app.run()
