"""Folder to folder, file by file: what is done stays done."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from moodcore.files import write_text
from moodcore.predict.files import CatalogueError, Kind, Source, rejected_path, result_path
from moodcore.predict.run import Account, Task, Watcher, score_file

_MARK = ".moodcore-predict.json"
# So much of a checksum tells two models apart.
_SHOWN = 40


def results_of(
    sources: Sequence[Source], folder: Path, kind: Kind | None
) -> list[tuple[Source, Path]]:
    """Return where the result of each file goes.

    Raises
    ------
    CatalogueError
        When two files would have one result.
    """
    pairs = [(source, result_path(source, folder, kind)) for source in sources]
    seen: dict[Path, Source] = {}
    for source, result in pairs:
        if result in seen:
            raise CatalogueError(
                f"{seen[result].name} and {source.name} would both become {result}; rename one"
            )
        seen[result] = source
    return pairs


def claim(folder: Path, mark: dict[str, Any], *, resume: bool) -> None:
    """Take a folder for results, or go on with one that an earlier run began.

    Parameters
    ----------
    folder : Path
        Made if it is not there.
    mark : dict
        What must be the same for a run to go on.
    resume : bool
        Whether to go on.

    Raises
    ------
    CatalogueError
        When the folder has results and `resume` is false, or they are of another model or with
        other options; says which.
    """
    if folder.exists() and not folder.is_dir():
        raise CatalogueError(
            f"{folder}: is there and is no folder; files of results end in .csv, .parquet, .arrow"
        )
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / _MARK
    if not path.exists():
        if any(folder.iterdir()):
            raise CatalogueError(f"{folder}: the folder is not empty; choose another")
        write_text(path, json.dumps(mark))
        return
    if not resume:
        raise CatalogueError(
            f"{folder}: an earlier run left results here; --resume goes on with it, or choose "
            "another folder"
        )
    before = json.loads(path.read_text(encoding="utf-8"))
    for name, value in mark.items():
        if before.get(name) != value:
            was, now = (str(one)[:_SHOWN] for one in (before.get(name), value))
            raise CatalogueError(
                f"{folder}: cannot resume: {name} was {was} when the run began and is {now} now"
            )


def checksum(path: str | os.PathLike[str]) -> str:
    """Return the SHA-256 of a file."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def score_one(task: Task, source: Source, result: Path, watcher: Watcher) -> Account:
    """Score a file of a folder.

    With another `on_error` than "fail" a file that cannot be read to its end is noted, and the
    others go on.
    """
    result.parent.mkdir(parents=True, exist_ok=True)
    # What a process left behind that was killed over this file.
    for stale in result.parent.glob(f".{result.name}.*"):
        stale.unlink(missing_ok=True)
    try:
        return score_file(task, source, result, rejected_path(result), watcher)
    except CatalogueError as error:
        if task.on_error == "fail":
            raise
        return Account(n_files=1, damaged=[(source.name, str(error))])


def without_done(
    pairs: Sequence[tuple[Source, Path]],
) -> tuple[list[tuple[Source, Path]], Account]:
    """Leave out the files whose result an earlier run wrote; gives the others, and an account."""
    left = [(source, result) for source, result in pairs if not result.exists()]
    return left, Account(n_skipped_files=len(pairs) - len(left))
