"""A whole catalogue: files in, files out, and an account of every row."""

from __future__ import annotations

import itertools
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from moodcore.errors import missing_columns
from moodcore.predict.columns import Rejection
from moodcore.predict.files import CatalogueError, Source
from moodcore.predict.reading import Batch, Reader, open_source
from moodcore.predict.rejected import RejectedRows
from moodcore.predict.scoring import OnError, Scored, Scorer
from moodcore.predict.suspicion import Suspicion, suspicions
from moodcore.predict.writing import Output
from moodcore.songs.schema import URI

if TYPE_CHECKING:
    import pyarrow as pa

# Rows that are looked at before the run.
_LOOKED_AT = 100_000
# Rows that are written together.
_TOGETHER = 65_536
ALL = "all"


class Watcher(Protocol):
    """Whoever shows how far it is."""

    def file(self, source: Source, n_rows: int | None) -> None:
        """Hear that a file is begun."""

    def suspicious(self, source: Source, found: Sequence[Suspicion]) -> None:
        """Hear that the columns of a file are unlike those of training."""

    def rows(self, n_rows: int, share: float) -> None:
        """Hear of more rows, and how much of the file has been read."""


class Silent:
    """Shows nothing."""

    def file(self, source: Source, n_rows: int | None) -> None:
        """Do nothing."""

    def suspicious(self, source: Source, found: Sequence[Suspicion]) -> None:
        """Do nothing."""

    def rows(self, n_rows: int, share: float) -> None:
        """Do nothing."""


@dataclass
class Account:
    """What became of the rows.

    Attributes
    ----------
    n_files, n_skipped_files : int
        Files scored, and left as an earlier run made them.
    n_read, n_scored : int
        Rows.
    rejected : Counter of str
        Rows that could not be scored, by column and reason.
    damaged : list of (str, str)
        Files that could not be read to their end, and why.
    suspicions : dict of str to list of Suspicion
        By file.
    seconds : dict of str to float
        Busy time of "reading", "checking", "model" and "writing"; they overlap.
    """

    n_files: int = 0
    n_skipped_files: int = 0
    n_read: int = 0
    n_scored: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    damaged: list[tuple[str, str]] = field(default_factory=list)
    suspicions: dict[str, list[Suspicion]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def n_rejected(self) -> int:
        """Rows that could not be scored."""
        return sum(self.rejected.values())

    def took(self, name: str, seconds: float) -> None:
        """Add the time of a part of the work."""
        self.seconds[name] = self.seconds.get(name, 0.0) + seconds

    def add(self, other: Account) -> None:
        """Add the account of other files."""
        for name in ("n_files", "n_skipped_files", "n_read", "n_scored"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.rejected += other.rejected
        self.damaged += other.damaged
        self.suspicions |= other.suspicions
        for name, seconds in other.seconds.items():
            self.took(name, seconds)

    def to_dict(self) -> dict[str, Any]:
        """Return the account as JSON can hold it."""
        return {
            "files": self.n_files,
            "files_done_before": self.n_skipped_files,
            "rows": self.n_read,
            "scored": self.n_scored,
            "rejected": self.n_rejected,
            "reasons": dict(self.rejected.most_common()),
            "damaged_files": dict(self.damaged),
            "suspicions": {n: [str(one) for one in found] for n, found in self.suspicions.items()},
            "seconds": {name: round(value, 3) for name, value in self.seconds.items()},
        }


@dataclass(frozen=True)
class Task:
    """What to do with each file.

    Attributes
    ----------
    model : Any
        The fitted model.
    keep : tuple of str
        Columns to pass through; "all" for all; `uri` is kept where there is one.
    on_error : {"fail", "skip", "null"}
        What to do with rows that cannot be scored.
    jobs : int
        Batches that are scored at the same time.
    """

    model: Any
    keep: tuple[str, ...] = ()
    on_error: OnError = "fail"
    jobs: int = 1


def score_file(
    task: Task, source: Source, result: Path | None, rejected: Path | None, watcher: Watcher
) -> Account:
    """Score one file into another.

    Parameters
    ----------
    task : Task
    source : Source
    result : Path or None
        Where the result goes; None for standard output.
    rejected : Path or None
        Where rows that could not be scored are listed, if there are any.
    watcher : Watcher

    Raises
    ------
    CatalogueError
        When columns are missing, a file is damaged, or with `on_error="fail"` a row is unusable.
    OSError
        When a file cannot be read or written.
    """
    with Output(result) as output, RejectedRows(rejected, [source]) as listed:
        return score_into(task, source, (output, listed), watcher)


def score_together(
    task: Task, sources: Sequence[Source], result: Path | None, rejected: Path | None,
    watcher: Watcher,
) -> Account:  # fmt: skip
    """Score several files into one (see `score_file`)."""
    account = Account()
    with Output(result) as output, RejectedRows(rejected, sources) as listed:
        for source in sources:
            account.add(score_into(task, source, (output, listed), watcher))
    return account


def score_into(
    task: Task, source: Source, out: tuple[Output, RejectedRows], watcher: Watcher
) -> Account:
    """Score a file into an open output."""
    with closing(open_source(source)) as reader:
        watcher.file(source, reader.n_rows)
        scorer = Scorer(
            task.model, _kept(task.keep, reader, source), null_rows=task.on_error == "null"
        )
        _refuse_missing(scorer, reader, source)
        return _FileRun(task, source, scorer, out, watcher).run(reader)


class _FileRun:
    """The way of one file through the model."""

    def __init__(
        self,
        task: Task,
        source: Source,
        scorer: Scorer,
        out: tuple[Output, RejectedRows],
        watcher: Watcher,
    ) -> None:
        self._task, self._source, self._scorer, self._watcher = task, source, scorer, watcher
        self._account = Account(n_files=1)
        self._pending = _Pending(out[0], self._account)
        self._listed = out[1]

    def run(self, reader: Reader) -> Account:
        batches = _timed(reader.batches(self._scorer.wanted), self._account)
        looked, batches = _look(batches)
        found = suspicions(self._task.model, looked, self._scorer.columns)
        if found:
            self._account.suspicions[self._source.name] = found
            self._watcher.suspicious(self._source, found)
        with ExitStack() as stack:
            workers = stack.enter_context(ThreadPoolExecutor(self._task.jobs))
            stack.callback(lambda: workers.shutdown(cancel_futures=True))
            queue: deque[tuple[Batch, Future[Scored]]] = deque()
            for batch in batches:
                queue.append((batch, workers.submit(self._scorer.score, batch)))
                if len(queue) > self._task.jobs:
                    self._settle(*queue.popleft())
            while queue:
                self._settle(*queue.popleft())
        if not self._pending.begun:
            self._pending.add(_nothing(self._scorer))
        self._pending.flush()
        return self._account

    def _settle(self, batch: Batch, future: Future[Scored]) -> None:
        """Take account of a batch, in the order of the file."""
        scored, account = future.result(), self._account
        if scored.rejected and self._task.on_error == "fail":
            raise CatalogueError(_refusal(self._source, scored.rejected[0]))
        self._listed.add(self._source, scored.rejected)
        account.n_read += scored.n_rows
        account.n_scored += scored.n_rows - len(scored.rejected)
        for one in scored.rejected:
            account.rejected[one.told] += 1
        for name, seconds in scored.seconds.items():
            account.took(name, seconds)
        self._pending.add(scored.table)
        self._watcher.rows(scored.n_rows, batch.share)


class _Pending:
    """Rows that wait to be written with others."""

    def __init__(self, output: Output, account: Account) -> None:
        self._output, self._account = output, account
        self._tables: list[pa.Table] = []
        self._n_rows = 0
        self.begun = False

    def add(self, table: pa.Table) -> None:
        self.begun = True
        self._tables.append(table)
        self._n_rows += table.num_rows
        if self._n_rows >= _TOGETHER:
            self.flush()

    def flush(self) -> None:
        import pyarrow as pa

        if not self._tables:
            return
        begin = time.perf_counter()
        self._output.write(pa.concat_tables(self._tables))
        self._tables, self._n_rows = [], 0
        self._account.took("writing", time.perf_counter() - begin)


def _nothing(scorer: Scorer) -> pa.Table:
    """Return the columns of a result without rows, for a file without rows."""
    import numpy as np
    import pyarrow as pa

    empty = pa.RecordBatch.from_pydict({name: pa.array([], pa.string()) for name in scorer.wanted})
    return scorer.score(Batch(empty, np.empty(0, np.int64), 1.0)).table


def _timed(batches: Iterator[Batch], account: Account) -> Iterator[Batch]:
    while True:
        begin = time.perf_counter()
        batch = next(batches, None)
        account.took("reading", time.perf_counter() - begin)
        if batch is None:
            return
        yield batch


def _look(batches: Iterator[Batch]) -> tuple[list[Batch], Iterator[Batch]]:
    """Take the first rows, and put them back."""
    looked: list[Batch] = []
    for batch in batches:
        looked.append(batch)
        if sum(one.table.num_rows for one in looked) >= _LOOKED_AT:
            break
    return looked, itertools.chain(looked, batches)


def _kept(keep: Sequence[str], reader: Reader, source: Source) -> list[str]:
    if ALL in keep and ALL not in reader.columns:
        return [name for name in reader.columns if name]
    missing = [name for name in keep if name not in reader.columns]
    if missing:
        raise CatalogueError(f"{source.name}: --keep: {missing_columns(missing, reader.columns)}")
    uri = [URI] if URI in reader.columns else []
    return list(dict.fromkeys([*uri, *keep]))


def _refuse_missing(scorer: Scorer, reader: Reader, source: Source) -> None:
    missing = [one.name for one in scorer.columns if one.name not in reader.columns]
    if missing:
        raise CatalogueError(f"{source.name}: {missing_columns(missing, reader.columns)}")


def _refusal(source: Source, one: Rejection) -> str:
    where = f"column {one.column!r}, " if one.column else ""
    return (
        f"{source.name}: {where}row {one.row} (counted from 0 without the header): {one.reason}: "
        f"{one.value!r}; nothing was written. --on-error skip leaves such rows out, "
        "--on-error null keeps them without a prediction; both list them"
    )
