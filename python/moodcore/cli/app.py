"""The group of commands, and the way errors leave it."""

from __future__ import annotations

import atexit
import contextlib
import difflib
import errno
import io
import os
import sys
import threading
import traceback
import warnings
from collections.abc import Sequence
from typing import NoReturn

import click

from moodcore import __version__
from moodcore.cli.exit_codes import ExitCode
from moodcore.runs.interrupts import raise_on_interrupt

_COMMANDS = {
    "tune": "Search the best model, test it, and write a report.",
    "compare": "Compare model families and test their differences.",
    "features": "Measure feature importance and the cost of dropping features.",
    "data": "Synthesize songs, or check a table.",
    "train": "Train one model and save it.",
    "evaluate": "Test a saved model on labeled rows.",
    "predict": "Add labels and probabilities to tables.",
    "playlists": "Write one playlist per mood.",
    "explain": "Show what each feature contributes.",
    "export": "Write a model as ONNX, XGBoost, libsvm, C or Rust.",
}


class LazyGroup(click.Group):
    """A group whose commands are imported when used, so that --help is quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        if cmd_name not in _COMMANDS:
            return None
        from importlib import import_module

        found = import_module(f"moodcore.cli.{cmd_name}").command
        return found if isinstance(found, click.Command) else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find a command, or name the nearest."""
        near = difflib.get_close_matches(args[0], _COMMANDS, n=1)
        if near and args[0] not in _COMMANDS:
            ctx.fail(f"no such command {args[0]!r}; did you mean {near[0]!r}?")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 done, 1 run failed, 2 usage error, 3 done but for rejected rows, "
    "130 interrupted. Shell completion: add the output of _MOODCORE_COMPLETE=bash_source moodcore "
    "(or zsh_source, fish_source) to the startup file of the shell.",
)
@click.version_option(__version__, message="%(prog)s %(version)s")
def cli() -> None:
    """Train, tune, compare and use classifiers on tables; predict the mood of songs."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    Parameters
    ----------
    arguments : sequence of str, default=None
        What follows the command's name; None means `sys.argv`.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    stop = threading.Event()
    try:
        # Before anything heavy is imported: Python swallows an interrupt in some places there.
        with raise_on_interrupt(stop):
            code = cli.main(words, prog_name="moodcore", standalone_mode=False, obj=stop)
        return int(code) if isinstance(code, int) else ExitCode.DONE
    except click.ClickException as error:
        # Where messages cannot be written, the exit code says what happened.
        with contextlib.suppress(OSError):
            error.show()
        return ExitCode.USAGE_ERROR
    except (click.Abort, KeyboardInterrupt):
        with contextlib.suppress(OSError):
            click.echo("moodcore: interrupted", err=True)
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        # The program that read the output has ended.
        return ExitCode.DONE
    except Exception as error:
        if debug:
            traceback.print_exc()
        return _explain(error, debug=debug)


def _prepare_streams() -> None:
    """Make standard streams safe: closed ones, and names that their encoding does not have.

    A file opened later would get the number of a closed stream, and what libraries write there, so
    the null device gets it. Standard input stays None.
    """
    for number, stream in enumerate((sys.stdin, sys.stdout, sys.stderr)):
        if stream is None:
            # The lowest free number is that of the stream.
            if os.open(os.devnull, os.O_RDWR) == number:
                os.set_inheritable(number, True)
        elif number and isinstance(stream, io.TextIOWrapper):
            is_utf8 = stream.encoding.lower().replace("-", "") == "utf8"
            stream.reconfigure(errors="surrogateescape" if is_utf8 else "backslashreplace")
    # Libraries write to both without looking.
    if sys.stdout is None:
        sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w", encoding="utf-8", closefd=False)


def run() -> NoReturn:
    """Run the command of `sys.argv`, and end the process with its exit code."""
    interrupted: list[ExitCode] = []
    # Python ends by a signal, without the exit code, if an interrupt came while an extension module
    # was imported. What is registered first is called last.
    atexit.register(lambda: os._exit(ExitCode.INTERRUPTED) if interrupted else None)
    _prepare_streams()
    warnings.formatwarning = lambda message, *_, **__: f"moodcore: warning: {message}\n"
    try:
        code = main()
    except KeyboardInterrupt:
        # Another Ctrl-C, while the first was answered.
        code = ExitCode.INTERRUPTED
    code = _flush_streams(code)
    if code == ExitCode.INTERRUPTED:
        interrupted.append(ExitCode.INTERRUPTED)
        sys.stderr.flush()
        if "moodcore.predict" in sys.modules:
            # Without waiting: a batch may still be in the model. All files are closed by now.
            os._exit(code)
    sys.exit(code)


def _flush_streams(code: int) -> int:
    """Write what the standard streams still buffer; return the exit code.

    If Python failed to write it at the end, the exit code would be 120. Messages that cannot be
    written are not a failure; output is.
    """
    failure: OSError | None = None
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError as error:
            # What cannot be written is dropped here, or Python would try once more.
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
            if stream is sys.stdout and not isinstance(error, BrokenPipeError):
                failure = error
    return _explain(failure, debug=False) if failure and code == ExitCode.DONE else code


def _explain(error: Exception, *, debug: bool) -> ExitCode:
    from moodcore.errors import RunFailedError
    from moodcore.platform import MissingPackageError

    expected = isinstance(error, ValueError | OSError | MissingPackageError | RunFailedError)
    text = str(error) if expected else f"{type(error).__name__}: {error}"
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        # Without the number that the system has for it.
        text = f"{error.filename}: {error.strerror}"
    elif isinstance(error, OSError) and error.errno == errno.ENOSPC and error.strerror:
        # All files that a command writes are named.
        text = f"standard output or the folder for temporary files (TMPDIR): {error.strerror}"
    if isinstance(error, MemoryError):
        text = f"out of memory: {error}"
    known = expected or isinstance(error, MemoryError)
    with contextlib.suppress(OSError):
        click.echo(f"moodcore: error: {text or type(error).__name__}", err=True)
        if not known and not debug:
            click.echo("This is a bug; --debug shows where.", err=True)
    asked = ValueError | MissingPackageError
    paths = FileNotFoundError | PermissionError | IsADirectoryError | NotADirectoryError
    if isinstance(error, asked | paths):
        return ExitCode.USAGE_ERROR
    return ExitCode.RUN_FAILED
