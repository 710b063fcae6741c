"""The files of a folder scored by the workers of a Dask scheduler, a file a task."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from moodcore import _core
from moodcore.predict.files import CatalogueError, Source
from moodcore.predict.folders import score_one
from moodcore.predict.run import Account, Silent, Task, Watcher


def score_on_cluster(
    task: Task, pairs: Sequence[tuple[Source, Path]], address: str, watcher: Watcher
) -> Account:
    """Score files on workers that see the same folders; the results are those of one machine.

    A worker that dies has its file scored again by another. Results are complete or not there, so
    that an interrupted run goes on with `resume`.

    Parameters
    ----------
    task : Task
        Sent to each worker once.
    pairs : sequence of (Source, Path)
        Files and their results.
    address : str
        Of the scheduler.
    watcher : Watcher
        Hears of each file when it is done.

    Raises
    ------
    ConnectionError
        When no scheduler answers.
    CatalogueError
        For the first file that cannot be scored with `on_error="fail"`; open ones are cancelled.
    """
    import distributed

    from moodcore.runs.executors.dask import connected

    account = Account()
    absolute = [
        (Source(source.path.resolve(), source.kind, source.name), result.resolve())
        for source, result in pairs
        if source.path is not None
    ]
    with connected(address) as client:
        sent = client.scatter(task, broadcast=True, hash=False)
        futures = [
            client.submit(_score, sent, *pair, _core.__version__, pure=False) for pair in absolute
        ]
        names = {future: source for future, (source, _) in zip(futures, absolute, strict=True)}
        try:
            for future in distributed.as_completed(futures, loop=client.loop):
                one: Account = future.result()
                account.add(one)
                source = names[future]
                watcher.file(source, one.n_read)
                if source.name in one.suspicions:
                    watcher.suspicious(source, one.suspicions[source.name])
                watcher.rows(one.n_read, 1.0)
        except BaseException:
            client.cancel(futures, force=True)
            raise
    return account


def _score(task: Task, source: Source, result: Path, version: str) -> Account:
    """Score a file; runs in a thread of a worker."""
    if _core.__version__ != version:
        raise CatalogueError(
            f"a Dask worker has moodcore {_core.__version__}, the run was started with {version}; "
            "install the same there"
        )
    if source.path is None or not source.path.exists():
        raise CatalogueError(
            f"{source.path}: a Dask worker does not see this file; the folders must be there under "
            "the same names on every machine"
        )
    return score_one(task, source, result, Silent())
