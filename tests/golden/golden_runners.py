"""Two ways to run the command line: in a process of its own, and in this one."""

import contextlib
import io
import os
import subprocess
import sys
import warnings
from pathlib import Path


class CommandFailedError(RuntimeError):
    """A command did not end with exit code 0."""


def run_in_subprocess(arguments: tuple[str, ...], folder: Path) -> str:
    """Run `python -m moodcore.cli` and return its standard output."""
    command = [sys.executable, "-m", "moodcore.cli", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return _checked(arguments, done.returncode, done.stdout, done.stderr)


def run_in_process(arguments: tuple[str, ...], folder: Path) -> str:
    """Run the command line here, which saves the imports, and return its standard output."""
    from moodcore.cli import main

    out, err, before = io.StringIO(), io.StringIO(), Path.cwd()
    os.chdir(folder)
    try:
        with (
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
            warnings.catch_warnings(),
        ):
            # Warnings are printed, as in a process of its own; the tests make them errors.
            warnings.simplefilter("default")
            code = main(list(arguments))
    finally:
        os.chdir(before)
    return _checked(arguments, code, out.getvalue(), err.getvalue())


def _checked(arguments: tuple[str, ...], code: int, out: str, err: str) -> str:
    if code != 0:
        line = " ".join(arguments)
        raise CommandFailedError(f"moodcore {line}: exit code {int(code)}\n{out}\n{err}")
    return out
