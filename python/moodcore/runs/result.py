"""Runs from Python: the same machinery as the commands, with objects instead of files."""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from collections.abc import Mapping, Sequence
from html import escape
from importlib import import_module
from pathlib import Path
from typing import Any, Self

from moodcore.errors import ConfigError
from moodcore.runs.folder import RunFolder, read_json
from moodcore.runs.interrupts import RunInterruptedError
from moodcore.runs.listener import Listener
from moodcore.runs.notebook import default_listener
from moodcore.runs.run import Execution, Run
from moodcore.runs.settings import default_base, settings_of


class RunResult:
    """Outcome of a run.

    Attributes
    ----------
    metrics : dict
        Every number of the run but its times: the content of `metrics.json`, which the command
        prints with `--json`.
    folder : Path or None
        Folder of the run; None where it is not kept.
    """

    command: str

    def __init__(self, files: RunFolder, scratch: Path | None = None) -> None:
        self._files = files
        if scratch is not None:
            # Deleted with this object, or when the interpreter ends.
            weakref.finalize(self, shutil.rmtree, scratch, ignore_errors=True)
        self.metrics: Mapping[str, Any] = read_json(files.metrics)
        self.folder: Path | None = None if scratch else files.path

    @classmethod
    def read(cls, folder: str | os.PathLike[str]) -> Self:
        """Read a finished run from its folder.

        Raises
        ------
        ConfigError
            If there is no run of this kind, or it is not finished.
        """
        files = RunFolder.existing(Path(folder), cls.command)
        if not files.finished:
            raise ConfigError(
                f"{files.path}: the run is not finished; continue it with "
                f"moodcore {cls.command} --resume {files.path}"
            )
        return cls(files)

    @property
    def summary(self) -> str:
        """The outcome in a few sentences."""
        # By name, because the report is built on the runs.
        return str(import_module("moodcore.report").summary(self.metrics))

    def report(self, path: str | os.PathLike[str]) -> Path:
        """Write the report of the run: one HTML file that needs no other.

        Parameters
        ----------
        path : path
            File, such as "report.html".

        Returns
        -------
        Path
            The file.
        """
        target = Path(path)
        import_module("moodcore.report").build(self._files)
        if target.absolute() != self._files.report.absolute():
            shutil.copyfile(self._files.report, target)
        return target

    def __repr__(self) -> str:
        where = f", folder={str(self.folder)!r}" if self.folder else ""
        lines = self.summary.splitlines()
        return "\n  ".join([f"<{type(self).__name__}{where}>", *lines])

    def _repr_html_(self) -> str:
        return "".join(f"<p>{escape(line)}</p>" for line in self.summary.splitlines())


def in_memory(
    kind: Any,
    settings: Any,
    X: Any,
    y: Any,
    values: Mapping[str, Any],
    *,
    where: str,
    **options: Any,
) -> Any:
    """Return a run on a table in memory, a path, or the embedded songs.

    Parameters
    ----------
    kind, settings : type
        Class of the run, and of its settings.
    X, y : table and labels, or path and column name
        See `moodcore.tune`.
    values : mapping
        Settings by name.
    where : str
        Name of the function, for errors.
    **options
        Other arguments of the run.
    """
    given = dict(values)
    if isinstance(X, str | os.PathLike):
        given["data"], X = os.path.realpath(os.fspath(X)), None
    if isinstance(y, str):
        given["target"], y = y, None
    elif y is not None:
        # With labels in memory, no target says that the table does not hold songs.
        given.setdefault("base", default_base({**given, "target": "y"}))
    if given.get("test") is not None:
        given["test"] = os.path.realpath(os.fspath(given["test"]))
    named: Sequence[str] = [name for name in ("X", "y") if name in given]
    if named:
        raise TypeError(f"{where} takes {named[0]} by position")
    return kind(settings_of(settings, given, where=where), table=X, y=y, **options)


def run_in_process(
    run: Run[Any],
    *,
    out: str | os.PathLike[str] | None,
    n_jobs: int | None,
    minutes: float | None,
    listener: Listener | None,
    scheduler: str | None = None,
    command: str,
) -> tuple[RunFolder, Path | None]:
    """Carry out a run for a function of the Python interface.

    Parameters
    ----------
    run : Run
        Not yet begun.
    out : path or None
        New folder for the run; None keeps a temporary one with the result.
    n_jobs : int or None
        Trainings at a time, as in scikit-learn.
    minutes, listener, scheduler, command
        See `Execution`.

    Returns
    -------
    RunFolder, Path or None
        The finished run, and the temporary folder that it is in, if it is not kept.

    Raises
    ------
    KeyboardInterrupt
        On Ctrl-C; with `out`, `--resume` of the command continues the run.
    """
    from moodcore.platform import thread_count

    if minutes is not None and not minutes > 0:
        raise ConfigError(f"minutes must be above 0 or None, got {minutes!r}")
    run.execution = Execution(
        jobs=thread_count(n_jobs),
        listener=listener or default_listener(),
        minutes=minutes,
        scheduler=scheduler,
        command=command,
    )
    run.execution.check_connections()
    run.check()
    dataset = run.load()
    scratch = Path(tempfile.mkdtemp(prefix="moodcore-")) if out is None else None
    try:
        folder = run.begin(scratch / "run" if scratch else Path(os.fspath(out or "")), dataset)
        run.run(folder, dataset)
    except BaseException as error:
        if scratch is not None:
            shutil.rmtree(scratch, ignore_errors=True)
        if isinstance(error, RunInterruptedError):
            raise KeyboardInterrupt from error
        raise
    if out is not None:
        import_module("moodcore.report").build(folder)
    return folder, scratch
