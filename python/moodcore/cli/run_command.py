"""The one body of the commands `tune`, `compare` and `features`, and their shared options."""

from __future__ import annotations

import json
import shlex
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from moodcore.cli import options
from moodcore.cli.cluster import chosen_scheduler
from moodcore.cli.exit_codes import ExitCode
from moodcore.runs.folder import RunFolder, check_free, new_path, read_json
from moodcore.runs.interrupts import RunInterruptedError
from moodcore.runs.run import Execution, Run
from moodcore.runs.settings import RunSettings, read_toml, settings_of

Command = TypeVar("Command", bound=Callable[..., Any])
S = TypeVar("S", bound=RunSettings)

_FOLDER = click.Path(path_type=Path)
_DATA = (
    options.data,
    options.target,
    options.test,
    options.id_column,
    options.drop,
    options.features,
    options.rows,
    options.bad_rows,
    options.duplicates,
    options.balance,
)
_RUN = (
    options.seed,
    click.option(
        "--config",
        "config_file",
        type=options.INPUT_FILE,
        metavar="FILE.toml",
        help="Settings of an earlier run (its config.toml); other options override them.",
    ),
    click.option(
        "--jobs",
        type=click.IntRange(min=1),
        metavar="N",
        help="Number of parallel trainings; the results do not depend on it.  [default: one per "
        "CPU]",
    ),
    click.option(
        "--minutes",
        type=float,
        callback=options.positive,
        metavar="M",
        help="Time limit: no training starts after it, and the results so far are used once there "
        "are enough of them.  [default: no limit]",
    ),
    options.engine,
    options.scheduler,
    click.option(
        "--out",
        "-o",
        type=_FOLDER,
        metavar="FOLDER",
        help="New folder for the run.  [default: runs/<time>]",
    ),
    click.option("--resume", type=_FOLDER, metavar="RUN", help="Continue an interrupted run."),
    click.option("--dry-run", is_flag=True, help="Print the plan and its estimated time."),
    options.as_json,
    options.debug,
)


def data_options(command: Command) -> Command:
    """Add the options that describe the data to a command."""
    for option in reversed(_DATA):
        command = option(command)
    return command


def run_options(command: Command) -> Command:
    """Add the options of every run to a command, after its own."""
    for option in reversed(_RUN):
        command = option(command)
    return command


def read_settings(
    kind: type[S], given: Mapping[str, Any], *, base: Mapping[str, Any], where: str
) -> S:
    """Return settings: options over those of a file or an earlier run.

    Parameters
    ----------
    kind : type
        Class of the settings.
    given : mapping
        Options by the name of the setting; None where they were not given.
    base : mapping
        Settings that the options override.
    where : str
        Where `base` comes from, for errors.
    """
    values = {name: value for name, value in given.items() if value is not None}
    for name in ("data", "test"):
        if name in values:
            # The run can then be resumed and repeated from any folder.
            values[name] = str(Path(values[name]).resolve())
    return settings_of(kind, {**base, **values}, where=where)


class RunCommand:
    """One call of a run command.

    Parameters
    ----------
    command : str
        Name of the command.
    options : dict
        All its options; those of every run are taken out.
    """

    def __init__(self, command: str, options: dict[str, Any]) -> None:
        self.command = command
        self.out: Path | None = options.pop("out")
        self.resume: Path | None = options.pop("resume")
        self.dry_run: bool = options.pop("dry_run")
        self.as_json: bool = options.pop("as_json")
        self.config_file: Path | None = options.pop("config_file")
        self.scheduler = chosen_scheduler(options.pop("engine"), options.pop("scheduler"))
        self.jobs: int | None = options.pop("jobs")
        self.minutes: float | None = options.pop("minutes")
        self.given = options
        if self.resume and (self.out or self.config_file or self.dry_run):
            raise click.UsageError("--resume cannot be combined with --out, --config or --dry-run")
        if not (self.resume or self.dry_run):
            check_free(self.out or new_path(0))

    def base(self) -> tuple[dict[str, Any], str]:
        """Return the settings that the options override, and where they come from."""
        if self.resume:
            path = RunFolder.existing(self.resume, self.command).config
        elif self.config_file:
            path = self.config_file
        else:
            return {}, "options"
        return read_toml(path), str(path)

    def settings(self, kind: type[S]) -> S:
        """Return the settings of the run."""
        base, where = self.base()
        return read_settings(kind, self.given, base=base, where=where)

    def execution(self, **changes: Any) -> Execution:
        """Return how the run is carried out."""
        from moodcore.cli.progress import make_progress
        from moodcore.platform import thread_count

        stop = click.get_current_context().obj
        values: dict[str, Any] = {
            "jobs": self.jobs or thread_count(-1),
            "listener": make_progress(),
            "stop": stop if isinstance(stop, threading.Event) else threading.Event(),
            "command": shlex.join(["moodcore", *sys.argv[1:]]),
            "minutes": self.minutes,
            "scheduler": self.scheduler,
        }
        return Execution(**values | changes)

    def carry_out(
        self,
        run: Run[Any],
        *,
        before: Callable[[Any], None] | None = None,
        prepared: Callable[[RunFolder], None] | None = None,
    ) -> int:
        """Check, load, plan or run, report; return the exit code.

        Parameters
        ----------
        run : Run
            The run.
        before : callable, optional
            Called with the data set before the folder is made.
        prepared : callable, optional
            Called with the folder before the run begins in it.
        """
        listener = run.execution.listener
        if not self.dry_run:
            run.execution.check_connections()
        run.check()
        dataset = run.load()
        if dataset.synthetic:
            listener.stage(options.SYNTHETIC_NOTICE)
        for note in dataset.notes:
            listener.stage(note)
        if self.dry_run:
            plan = run.estimate(dataset)
            click.echo(json.dumps(plan.to_dict()) if self.as_json else plan.to_text())
            return ExitCode.DONE
        if before is not None:
            before(dataset)
        folder = RunFolder(self.resume) if self.resume else run.begin(self.out, dataset)
        if prepared is not None:
            prepared(folder)
        try:
            return self._run(run, folder, dataset)
        except (RunInterruptedError, KeyboardInterrupt):
            self._show_resume("interrupted", folder)
            return ExitCode.INTERRUPTED
        except ConnectionError:
            self._show_resume("connection lost", folder)
            raise

    def _run(self, run: Run[Any], folder: RunFolder, dataset: Any) -> int:
        from moodcore import report

        if folder.complete:
            folder.check(run.mark(dataset))
            click.echo(f"{folder.path}: this run is finished; rebuilding its report", err=True)
            metrics = read_json(folder.metrics)
        else:
            metrics = run.run(folder, dataset)
        run.execution.stage("writing the report")
        report.build(folder)
        if run.execution.stop.is_set():
            # Python swallowed the exception of an interrupt while the report was written.
            raise RunInterruptedError
        if not folder.complete:
            click.echo("the time limit was reached. To train the rest:", err=True)
            click.echo(f"  {self._resume(folder)}", err=True)
        if self.as_json:
            paths = {"run": str(folder.path), "report": str(folder.report)}
            click.echo(json.dumps(metrics | paths))
        else:
            click.echo(report.summary(metrics))
            click.echo(f"report: {folder.report}")
        return ExitCode.DONE

    def _show_resume(self, reason: str, folder: RunFolder) -> None:
        click.echo(f"{reason}; finished results are kept. To continue:", err=True)
        click.echo(f"  {self._resume(folder)}", err=True)

    def _resume(self, folder: RunFolder) -> str:
        return f"moodcore {self.command} --resume {shlex.quote(str(folder.path))}"
