"""Folders of results, one file for each input: resume, and the workers of a Dask scheduler."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moodcore.errors import ConfigError, TableError
from moodcore.files import write_text
from moodcore.predict.inputs import InputFile, Kind, rejected_path, result_path
from moodcore.predict.run import Progress, ScoringReport, ScoringTask, score_files
from moodcore.runs.mark import check_mark

_MARK = ".moodcore-predict.json"


def results_of(
    files: Sequence[InputFile], folder: Path, kind: Kind | None
) -> list[tuple[InputFile, Path]]:
    """Return where the result of each file goes.

    Raises
    ------
    ConfigError
        When two files would have the same result.
    """
    pairs = [(file, result_path(file, folder, kind)) for file in files]
    seen: dict[Path, InputFile] = {}
    for file, result in pairs:
        if result in seen:
            raise ConfigError(
                f"{seen[result].name} and {file.name} would both become {result}; rename one"
            )
        seen[result] = file
    return pairs


def begin(folder: Path, mark: Mapping[str, Any], *, resume: bool) -> None:
    """Make a folder for results, or check that an earlier run began it in the same way.

    The folder appears with the mark in it, or not at all.

    Parameters
    ----------
    folder : Path
        New or empty, or with `resume` that of an earlier run.
    mark : mapping
        See `moodcore.runs.mark.make_mark`.
    resume : bool
        Whether to continue an earlier run.

    Raises
    ------
    ConfigError
        When the folder has results and `resume` is false, or they are of another version or model
        or were made with other options; names which.
    """
    if folder.exists() and not folder.is_dir():
        raise ConfigError(
            f"{folder}: is a file, not a folder; results end in .csv, .parquet, .arrow"
        )
    path = folder / _MARK
    if path.exists():
        if not resume:
            raise ConfigError(
                f"{folder}: holds the results of an earlier run; --resume continues it, or choose "
                "another folder"
            )
        check_mark(
            json.loads(path.read_text(encoding="utf-8")), mark, action=f"resume {folder}",
            otherwise="choose another folder",
        )  # fmt: skip
        return
    if folder.exists() and any(folder.iterdir()):
        raise ConfigError(f"{folder}: the folder is not empty; choose another")
    target = folder.absolute()
    target.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        write_text(made / _MARK, json.dumps(mark))
        # mkdtemp makes folders that only their owner can read; results are for everyone.
        mask = os.umask(0)
        os.umask(mask)
        made.chmod(0o777 & ~mask)
        made.replace(target)
    except BaseException:
        shutil.rmtree(made, ignore_errors=True)
        raise


def score_to_folder(
    task: ScoringTask,
    pairs: Sequence[tuple[InputFile, Path]],
    progress: Progress,
    scheduler: str | None = None,
) -> ScoringReport:
    """Score each file into its own result, unless an earlier run did.

    Parameters
    ----------
    task : ScoringTask
        What to do.
    pairs : sequence of (InputFile, Path)
        Files and their results.
    progress : Progress
        Progress.
    scheduler : str or None, default=None
        Address of a Dask scheduler whose workers score the files; results are the same.
    """
    jobs = [FileJob(file, result) for file, result in pairs if not result.exists()]
    report = ScoringReport(n_skipped_files=len(pairs) - len(jobs))
    listener = progress.listener
    listener.started(len(pairs), len(pairs) - len(jobs), "files")

    def finished(job: FileJob, result: ScoringReport) -> None:
        report.add(result)
        listener.advanced()
        if scheduler is not None:
            for warnings in result.warnings.values():
                progress.warn(job.file, warnings)
            progress.add(result.n_read, job.file, 1.0)

    try:
        if scheduler is None:
            for job in jobs:
                finished(job, job.score(task, progress))
        else:
            _score_on_workers(task, jobs, scheduler, progress, finished)
    finally:
        listener.ended()
    return report


@dataclass(frozen=True)
class FileJob:
    """One file to score (see `moodcore.runs.jobs.Job`)."""

    file: InputFile
    result: Path

    @property
    def key(self) -> str:
        """Name of the result."""
        return str(self.result)

    @property
    def group(self) -> str:
        """Name of the group: each file is one of its own."""
        return self.key

    @property
    def shared(self) -> str:
        """Name of the shared input: all files are scored in the same way."""
        return "task"

    def run(self, shared: ScoringTask, should_stop: Callable[[], bool]) -> ScoringReport:
        """Score the file on a worker."""
        if self.file.path is None or not self.file.path.exists():
            raise TableError(
                f"{self.file.path}: a Dask worker does not see this file; the folders must have "
                "the same names on every host"
            )
        return self.score(shared, Progress(should_stop=should_stop))

    def failure(self, reason: str) -> ScoringReport:
        """Return the report of a file that cannot be scored."""
        return ScoringReport(n_files=1, damaged=[(self.file.name, reason)])

    def score(self, task: ScoringTask, progress: Progress) -> ScoringReport:
        """Score the file.

        With another `on_error` than "fail", a file that cannot be read to its end is reported,
        and the others are scored.
        """
        self.result.parent.mkdir(parents=True, exist_ok=True)
        # Left by a process that was killed while it wrote this file.
        for stale in self.result.parent.glob(f".{self.result.name}.*"):
            stale.unlink(missing_ok=True)
        try:
            return score_files(task, [self.file], self.result, rejected_path(self.result), progress)
        except TableError as error:
            if task.on_error == "fail":
                raise
            return self.failure(str(error))


def _score_on_workers(
    task: ScoringTask,
    jobs: Sequence[FileJob],
    scheduler: str,
    progress: Progress,
    finished: Callable[[FileJob, ScoringReport], None],
) -> None:
    import threading

    from moodcore.runs.executors.dask import DaskExecutor

    absolute = (
        FileJob(InputFile(job.file.path.resolve(), job.file.kind, job.file.name),
                job.result.resolve())
        for job in jobs
        if job.file.path is not None
    )  # fmt: skip
    with DaskExecutor(
        {"task": task}, scheduler, threading.Event(), progress.listener.stage
    ) as executor:
        executor.run(absolute, finished, waiting=lambda: None)
