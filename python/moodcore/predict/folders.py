"""Folders of results, one file for each input: resume, and the workers of a Dask scheduler."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from moodcore.errors import ConfigError, TableError
from moodcore.files import atomic_folder, check_new_folder, write_text
from moodcore.predict.inputs import InputFile, Kind, rejected_path, result_path
from moodcore.predict.run import Progress, ScoringReport, ScoringTask, score_files
from moodcore.runs.mark import check_mark

_MARK = ".moodcore-predict.json"


def results_of(
    files: Sequence[InputFile], folder: Path, kind: Kind | None
) -> list[tuple[InputFile, Path]]:
    """Return where the result of each file goes, for each file somewhere else."""
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
    """Make a folder for results, or with `resume` check that a run of the same mark began it.

    The folder appears with the mark in it, or not at all.
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
    check_new_folder(folder)
    with atomic_folder(folder) as made:
        write_text(made / _MARK, json.dumps(mark))


def score_to_folder(
    task: ScoringTask,
    pairs: Sequence[tuple[InputFile, Path]],
    progress: Progress,
    scheduler: str | None = None,
) -> ScoringReport:
    """Score each file into its own result, here or on Dask workers, unless an earlier run did."""
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
        """Score the file; unless `on_error` is "fail", one that is damaged is only reported."""
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
    from moodcore.runs.executors.dask import DaskExecutor

    absolute = []
    for job in jobs:
        assert job.file.path is not None, "files of a folder have paths"
        file = replace(job.file, path=job.file.path.resolve())
        absolute.append(FileJob(file, job.result.resolve()))
    stop = threading.Event()
    with DaskExecutor({"task": task}, scheduler, stop, progress.listener.stage) as executor:
        executor.run(iter(absolute), finished)
