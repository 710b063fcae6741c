"""Predictions of a model for files of any length, with an account of every row.

Examples
--------
>>> import tempfile
>>> from moodcore import GBT, predict, songs
>>> X, y = songs.synthesize(500, random_state=0)
>>> model = songs.pipeline(GBT(5, random_state=0)).fit(X, y)
>>> folder = tempfile.mkdtemp()
>>> X.to_csv(f"{folder}/songs.csv", index=False)
>>> report = predict.score(model, f"{folder}/songs.csv", f"{folder}/moods.parquet")
>>> report.n_read, report.n_scored, report.n_rejected
(500, 500, 0)
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from moodcore.errors import ConfigError
from moodcore.predict.folders import begin, results_of, score_to_folder
from moodcore.predict.inputs import (
    STDIN,
    WRITABLE,
    InputFile,
    check_kind,
    find_inputs,
    kind_of,
    rejected_path,
)
from moodcore.predict.labeled import FileEvaluation, evaluate_file, read_rows
from moodcore.predict.playlists import Playlist, make_playlists, write_playlists
from moodcore.predict.run import Progress, ScoringReport, ScoringTask, score_files
from moodcore.predict.scorer import OnError
from moodcore.runs.listener import Listener

__all__ = [
    "FileEvaluation",
    "Playlist",
    "ScoringReport",
    "evaluate_file",
    "make_playlists",
    "read_rows",
    "score",
    "write_playlists",
]

# More batches at the same time take memory, and wait for the file.
_MOST_JOBS = 4


def score(
    model: Any,
    source: str | os.PathLike[str],
    output: str | os.PathLike[str] | None,
    *,
    keep: Sequence[str] = (),
    id: str | None = None,
    on_error: OnError = "fail",
    kind: str | None = None,
    resume: bool = False,
    jobs: int | None = None,
    rejected: str | os.PathLike[str] | None = None,
    scheduler: str | None = None,
    listener: Listener | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> ScoringReport:
    """Add label and probabilities to every row of a file, or of all files of a folder.

    Rows are read, scored and written a batch at a time, in memory that does not grow with their
    number. The result has the columns kept, `predicted_label`, and one `probability_<class>` per
    class, in the order of the rows.

    Parameters
    ----------
    model : path, or a fitted model
        Any model that was trained on named columns. Song models also know the columns by
        their common aliases.
    source : path
        Text (.csv, .tsv, .txt, also .gz, .zst, .zip), Parquet or Arrow file, a folder of such
        files, a pattern with `*`, or "-" for CSV on standard input.
    output : path or None
        A file (.csv, .parquet, .arrow), into which several inputs go one after another; a folder,
        for an input that is a folder: a name without ending, or an existing one; None for CSV on
        standard output.
    keep : sequence of str, default=()
        Columns that are passed through; "all" for all.
    id : str, optional
        Column that identifies the rows, which is passed through first; by default that of one of
        the usual names, such as `uri` or `id`, or those of artist and title.
    on_error : {"fail", "skip", "null"}, default="fail"
        What to do with rows whose values are missing (unless the model takes them so), not
        numbers, infinite or out of range: stop with an error and write nothing, leave them out, or
        keep them without a prediction.
    kind : {"csv", "parquet", "arrow"}, optional
        Kind of the files in an output folder; by default that of each input.
    resume : bool, default=False
        Continue an interrupted run in an output folder: files that have a result are skipped.
    jobs : int, optional
        Batches scored at the same time; by default one per CPU, at most four.
    rejected : path, optional
        Where rejected rows are listed; by default next to each result, as `<result>.rejected.csv`.
    scheduler : str, optional
        Address of a Dask scheduler, such as `tcp://HOST:8786`, whose workers score the files of a
        folder; they must see both folders under the same names.
    listener : Listener, optional
        Receives the progress (see `moodcore.runs.listener`).
    should_stop : callable, optional
        Checked for every batch; when it returns true, the run ends.

    Returns
    -------
    ScoringReport
        Numbers of rows by what became of them, and warnings about columns.

    Raises
    ------
    ConfigError
        A `ValueError`, when an option cannot be used.
    TableError
        A `ConfigError`, when columns are missing, a file is damaged, or with `on_error="fail"` a
        row is unusable.
    OSError
        When a file cannot be read or written.
    RunInterruptedError
        When `should_stop` returned true.
    """
    from moodcore.errors import check_choice
    from moodcore.files import check_writable
    from moodcore.platform import thread_count

    if scheduler is not None:
        from moodcore.runs.executors.dask import check_address, check_scheduler

        check_address(scheduler)
        check_scheduler(scheduler)
    check_choice("on_error", on_error, ("fail", "skip", "null"))
    out = None if output is None else Path(output)
    task = ScoringTask(
        _loaded(model), tuple(keep), id, on_error, jobs or min(thread_count(-1), _MOST_JOBS)
    )
    files = _without_results(find_inputs(os.fspath(source)), out)
    read = [file.path for file in files if file.path]
    if isinstance(model, str | os.PathLike):
        read.append(Path(model))
    _refuse_overwriting(read, out, "output")
    _refuse_overwriting(read, None if rejected is None else Path(rejected), "rejected")
    if out is None or not _is_folder(out):
        if resume or scheduler or kind:
            raise ConfigError(
                "resume, scheduler and format need an output folder; the output is "
                f"{out or 'standard output'}"
            )
        listed = rejected_path(out) if out and rejected is None else rejected
        for path in (out, listed):
            if path is not None:
                check_writable(path)
        progress = Progress(listener, should_stop, len(files))
        try:
            return score_files(task, files, out, Path(listed) if listed else None, progress)
        finally:
            progress.listener.ended()
    if os.fspath(source) == STDIN:
        raise ConfigError(f"{out}: is a folder; for standard input the output must be a file")
    if rejected is not None:
        raise ConfigError("rejected rows of a folder are listed next to each result")
    pairs = results_of(files, out, None if kind is None else check_kind(kind))
    begin(out, _mark(model, task, kind), resume=resume)
    return score_to_folder(task, pairs, Progress(listener, should_stop), scheduler)


def _loaded(model: Any) -> Any:
    from moodcore import load

    return load(model) if isinstance(model, str | os.PathLike) else model


def _without_results(files: list[InputFile], out: Path | None) -> list[InputFile]:
    """Leave out what an earlier run wrote into a folder inside the one that is read."""
    if out is None or not out.is_dir():
        return files
    inside = out.resolve()
    return [file for file in files if not file.path or inside not in file.path.resolve().parents]


def _refuse_overwriting(read: Sequence[Path], written: Path | None, name: str) -> None:
    """Refuse to write a file over the model or one of the inputs."""
    if written is None or not written.exists():
        return
    for path in read:
        if path.exists() and path.samefile(written):
            raise ConfigError(
                f"{name} {written} would overwrite {path}, which is read; choose another name"
            )


def _is_folder(path: Path) -> bool:
    """Return whether an output is a folder: it is one, or its name has no ending of a file."""
    if path.is_dir():
        return True
    if path.suffix:
        kind_of(path.name, WRITABLE)
        return False
    return True


def _mark(model: Any, task: ScoringTask, kind: str | None) -> dict[str, Any]:
    """Return the resume mark; inputs may be added between runs, so they are not part of it."""
    import hashlib
    import tempfile

    from moodcore.model_files.container import save
    from moodcore.runs.mark import make_mark

    def checksum(path: str | os.PathLike[str]) -> str:
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    if isinstance(model, str | os.PathLike):
        sha256 = checksum(model)
    else:
        with tempfile.TemporaryDirectory() as folder:
            save(model, f"{folder}/model")
            sha256 = checksum(f"{folder}/model")
    settings = {"model": f"SHA-256 {sha256}", "keep": sorted(task.keep), "id": task.id,
                "on_error": task.on_error, "format": kind}  # fmt: skip
    return make_mark(settings, "")
