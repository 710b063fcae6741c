"""A model on a whole catalogue: files of any length, row by row accounted for.

Examples
--------
>>> import tempfile
>>> from moodcore import GBT, predict, songs
>>> X, y = songs.synthesize(500, random_state=0)
>>> model = songs.pipeline(GBT(5, random_state=0)).fit(X, y)
>>> folder = tempfile.mkdtemp()
>>> X.to_csv(f"{folder}/songs.csv", index=False)
>>> account = predict.score(model, f"{folder}/songs.csv", f"{folder}/moods.parquet")
>>> account.n_read, account.n_scored, account.n_rejected
(500, 500, 0)
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from moodcore.predict.files import (
    STDIN,
    WRITABLE,
    CatalogueError,
    Source,
    check_kind,
    find_sources,
    kind_of,
    rejected_path,
)
from moodcore.predict.folders import checksum, claim, results_of, score_one, without_done
from moodcore.predict.playlists import Playlist, make_playlists, write_playlists
from moodcore.predict.run import Account, Silent, Task, Watcher, score_together
from moodcore.predict.scoring import OnError

__all__ = [
    "Account",
    "CatalogueError",
    "Playlist",
    "make_playlists",
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
    on_error: OnError = "fail",
    kind: str | None = None,
    resume: bool = False,
    jobs: int | None = None,
    rejected: str | os.PathLike[str] | None = None,
    scheduler: str | None = None,
    watcher: Watcher | None = None,
) -> Account:
    """Add label and probabilities to every row of a file, or of all files of a folder.

    Rows are read, scored and written a batch at a time: memory stays the same however many they
    are. The result has the columns kept, `predicted_label`, and a `probability_<class>` for each
    class, in the order of the rows.

    Parameters
    ----------
    model : path, or a fitted model
        A song pipeline, or another model that was trained on named columns.
    source : path
        A CSV (also `.gz`, `.zst`), Parquet or Arrow file, a folder of such files, a pattern with
        `*`, or "-" for CSV on standard input.
    output : path or None
        A file (.csv, .parquet, .arrow), into which several inputs go one after another; a folder,
        for an input that is a folder: a name without ending, or one that is there; None for CSV on
        standard output.
    keep : sequence of str, default=()
        Columns that are passed through; "all" for all. `uri` always is, where there is one.
    on_error : {"fail", "skip", "null"}, default="fail"
        What becomes of rows with values that are missing, no numbers, infinite or out of range:
        stop with an error and write nothing, leave them out, or keep them without a prediction.
    kind : {"csv", "parquet", "arrow"}, optional
        Kind of the files in an output folder; by default that of each input.
    resume : bool, default=False
        Go on with an output folder: files whose result is there are left as they are.
    jobs : int, optional
        Batches scored at the same time; by default one a processor, at most four.
    rejected : path, optional
        Where rejected rows are listed; by default beside each result, as `<result>.rejected.csv`.
    scheduler : str, optional
        Address of a Dask scheduler, such as `tcp://HOST:8786`, whose workers score the files of a
        folder; they must see both folders under the same names.
    watcher : Watcher, optional
        Whoever shows progress.

    Returns
    -------
    Account
        Counts of rows by what became of them, and what was suspicious about the columns.

    Raises
    ------
    CatalogueError
        A `ValueError`, when what is asked for cannot be done, columns are missing, a file is
        damaged, or with `on_error="fail"` a row is unusable.
    OSError
        When a file cannot be read or written.
    """
    from moodcore.platform import thread_count

    if scheduler is not None:
        from moodcore.tuning.dask_engine import check_address, check_scheduler

        check_address(scheduler)
        check_scheduler(scheduler)
    watcher = watcher or Silent()
    out = None if output is None else Path(output)
    task = Task(
        _loaded(model), tuple(keep), _checked(on_error), jobs or min(thread_count(-1), _MOST_JOBS)
    )
    sources = _without_results(find_sources(os.fspath(source)), out)
    read = [one.path for one in sources if one.path]
    if isinstance(model, str | os.PathLike):
        read.append(Path(model))
    _refuse_overwriting(read, out, "output")
    _refuse_overwriting(read, None if rejected is None else Path(rejected), "rejected")
    if out is None or not _is_folder(out):
        if resume or scheduler or kind:
            raise CatalogueError(
                "resume, scheduler and format are for an output folder; the output is "
                f"{out or 'standard output'}"
            )
        listed = rejected_path(out) if out and rejected is None else rejected
        return score_together(task, sources, out, Path(listed) if listed else None, watcher)
    if os.fspath(source) == STDIN:
        raise CatalogueError(f"{out}: is a folder; standard input goes to a file")
    if rejected is not None:
        raise CatalogueError("rejected rows of a folder are listed beside each result")
    pairs = results_of(sources, out, None if kind is None else check_kind(kind))
    claim(out, _mark(model, task), resume=resume)
    left, account = without_done(pairs)
    if scheduler is not None:
        from moodcore.predict.cluster import score_on_cluster

        account.add(score_on_cluster(task, left, scheduler, watcher))
        return account
    for one, result in left:
        account.add(score_one(task, one, result, watcher))
    return account


def _loaded(model: Any) -> Any:
    from moodcore import load

    return load(model) if isinstance(model, str | os.PathLike) else model


def _without_results(sources: list[Source], out: Path | None) -> list[Source]:
    """Leave out what an earlier run wrote into a folder inside the one that is read."""
    if out is None or not out.is_dir():
        return sources
    inside = out.resolve()
    return [one for one in sources if not one.path or inside not in one.path.resolve().parents]


def _refuse_overwriting(read: Sequence[Path], written: Path | None, name: str) -> None:
    """Refuse to write a file over the model or one of the inputs."""
    if written is None or not written.exists():
        return
    for path in read:
        if path.exists() and path.samefile(written):
            raise CatalogueError(
                f"{name} {written} would be written over {path}, which is read; choose another name"
            )


def _checked(on_error: str) -> OnError:
    from moodcore.songs.problems import choice

    choice("on_error", on_error, ("fail", "skip", "null"))
    return on_error  # type: ignore[return-value]


def _is_folder(path: Path) -> bool:
    """Whether an output is a folder: it is one, or its name has no ending of a file."""
    if path.is_dir():
        return True
    if path.suffix:
        kind_of(path.name, WRITABLE)
        return False
    return True


def _mark(model: Any, task: Task) -> dict[str, Any]:
    """Return what must be the same for a run to go on."""
    import tempfile

    from moodcore.model_files.container import save

    if isinstance(model, str | os.PathLike):
        told = checksum(model)
    else:
        with tempfile.TemporaryDirectory() as folder:
            save(model, f"{folder}/model")
            told = checksum(f"{folder}/model")
    return {"model": told, "keep": sorted(task.keep), "on_error": task.on_error}
