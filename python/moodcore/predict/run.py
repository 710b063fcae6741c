"""Scoring of files: rows in, rows out, and a report that accounts for every row."""

from __future__ import annotations

import itertools
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moodcore.errors import TableError, missing_columns
from moodcore.predict.inputs import InputFile
from moodcore.predict.model_columns import ModelColumns
from moodcore.predict.output import Output, RejectedRows
from moodcore.predict.readers import (
    BadRow,
    Batch,
    ParsedBatch,
    Reader,
    RowError,
    Rows,
    open_input,
)
from moodcore.predict.scorer import OnError, Scored, Scorer
from moodcore.runs.interrupts import RunInterruptedError
from moodcore.runs.listener import Listener
from moodcore.songs.column_checks import ColumnWarning
from moodcore.songs.schema import URI
from moodcore.tables.text_files import ID_NAMES, plain_name

if TYPE_CHECKING:
    import pyarrow as pa

# Rows that are compared with those of training before the run.
_CHECKED = 100_000
# Rows that are written together.
_TOGETHER = 65_536
# Seconds between two results for the listener.
_EVERY = 0.5
# Seconds between two looks at whether the run is to stop, during a batch.
_POLL = 0.1
ALL = "all"


@dataclass
class ScoringReport:
    """What became of the rows.

    Attributes
    ----------
    n_files, n_skipped_files : int
        Files scored, and files that an earlier run had scored.
    n_read, n_scored : int
        Rows.
    rejected : Counter of str
        Rows that could not be scored, by column and reason.
    damaged : list of (str, str)
        Files that could not be read to their end, and why.
    warnings : dict of str to list of ColumnWarning
        Columns unlike those of training, by file.
    seconds : dict of str to float
        Busy time of "reading", "checking", "model" and "writing"; they overlap.
    """

    n_files: int = 0
    n_skipped_files: int = 0
    n_read: int = 0
    n_scored: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    damaged: list[tuple[str, str]] = field(default_factory=list)
    warnings: dict[str, list[ColumnWarning]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def n_rejected(self) -> int:
        """Rows that could not be scored."""
        return sum(self.rejected.values())

    def add_seconds(self, name: str, seconds: float) -> None:
        """Add the time of a part of the work."""
        self.seconds[name] = self.seconds.get(name, 0.0) + seconds

    def add(self, other: ScoringReport) -> None:
        """Add the report of other files."""
        for name in ("n_files", "n_skipped_files", "n_read", "n_scored"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.rejected += other.rejected
        self.damaged += other.damaged
        self.warnings |= other.warnings
        for name, seconds in other.seconds.items():
            self.add_seconds(name, seconds)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON can hold it."""
        return {
            "files": self.n_files,
            "files_done_before": self.n_skipped_files,
            "rows": self.n_read,
            "scored": self.n_scored,
            "rejected": self.n_rejected,
            "reasons": dict(self.rejected.most_common()),
            "damaged_files": dict(self.damaged),
            "warnings": {file: [str(w) for w in found] for file, found in self.warnings.items()},
            "seconds": {name: round(value, 3) for name, value in self.seconds.items()},
        }


@dataclass(frozen=True)
class ScoringTask:
    """What to do with each file.

    Attributes
    ----------
    model : classifier or pipeline
        Fitted on named columns.
    keep : tuple of str
        Columns to pass through; "all" for all.
    id : str or None
        Column that identifies the rows, passed through too; None means the usual names.
    on_error : {"fail", "skip", "null"}
        What to do with rows that cannot be scored.
    jobs : int
        Batches that are scored at the same time.
    """

    model: Any
    keep: tuple[str, ...] = ()
    id: str | None = None
    on_error: OnError = "fail"
    jobs: int = 1


class Progress:
    """Progress of a run over files, for a listener.

    Parameters
    ----------
    listener : Listener
        Receives the progress.
    should_stop : callable
        Checked for every batch; true ends the run.
    """

    def __init__(
        self, listener: Listener | None = None, should_stop: Callable[[], bool] = lambda: False
    ) -> None:
        self.listener = listener or Listener()
        self.should_stop = should_stop
        self._n_rows = 0
        self._begin = time.monotonic()
        self._shown = self._begin

    def warn(self, file: InputFile, warnings: Sequence[ColumnWarning]) -> None:
        """Report columns that are unlike those of training."""
        lines = [f"{file.name}: unlike the data of training:", *map(str, warnings)]
        self.listener.stage("\n  ".join(lines))

    def add(self, n_rows: int, file: InputFile, share: float) -> None:
        """Count rows."""
        self._n_rows += n_rows
        now = time.monotonic()
        if now - self._shown >= _EVERY:
            self._shown = now
            rate = self._n_rows / (now - self._begin)
            part = f", {100 * share:.0f} % of {file.name}" if share else ""
            self.listener.result(f"{self._n_rows:,} rows, {rate:,.0f} per second{part}")


def score_files(
    task: ScoringTask,
    files: Sequence[InputFile],
    result: Path | None,
    rejected: Path | None,
    progress: Progress,
) -> ScoringReport:
    """Score files into one.

    Parameters
    ----------
    task : ScoringTask
        What to do.
    files : sequence of InputFile
        Files, whose rows follow each other.
    result : Path or None
        Where the result goes; None for standard output.
    rejected : Path or None
        Where rows that could not be scored are listed, if there are any.
    progress : Progress
        Progress.

    Raises
    ------
    TableError
        When columns are missing, a file is damaged, or with `on_error="fail"` a row is unusable.
    OSError
        When a file cannot be read or written.
    """
    report = ScoringReport()
    with Output(result) as output, RejectedRows(rejected) as listed:
        for file in files:
            with closing(open_input(file, progress.should_stop)) as reader:
                report.add(_FileRun(task, file, reader, (output, listed), progress).run())
    return report


class _FileRun:
    """One file on its way through the model."""

    def __init__(
        self,
        task: ScoringTask,
        file: InputFile,
        reader: Reader,
        out: tuple[Output, RejectedRows],
        progress: Progress,
    ) -> None:
        self._task, self._file, self._reader, self._progress = task, file, reader, progress
        self._columns = ModelColumns.find(task.model, reader.columns, file.name)
        self._scorer = Scorer(
            task.model,
            self._columns,
            _kept_columns(task, reader.columns, self._columns, file),
            null_rows=task.on_error == "null",
        )
        self._report = ScoringReport(n_files=1)
        self._pending = _PendingRows(out[0], self._report)
        self._listed = out[1]

    def run(self) -> ScoringReport:
        batches = self._timed(self._reader.batches(self._scorer.wanted))
        batches = self._check_columns(batches)
        workers = ThreadPoolExecutor(self._task.jobs)
        queue: deque[tuple[Batch, Future[Scored]]] = deque()
        try:
            for batch in batches:
                queue.append((batch, workers.submit(self._scorer.score, batch)))
                if len(queue) > self._task.jobs:
                    self._settle(*queue.popleft())
            while queue:
                self._settle(*queue.popleft())
        finally:
            # Without waiting: a batch may take long, and its result is not wanted any more.
            workers.shutdown(wait=False, cancel_futures=True)
        if not self._pending.begun:
            nothing = ParsedBatch(Rows.of(_no_rows(self._scorer.wanted)))
            self._pending.add(self._scorer.score(nothing).table)
        self._pending.flush()
        return self._report

    def _timed(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        while True:
            if self._progress.should_stop():
                raise RunInterruptedError
            begin = time.perf_counter()
            batch = next(batches, None)
            self._report.add_seconds("reading", time.perf_counter() - begin)
            if batch is None:
                return
            yield batch

    def _check_columns(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        """Compare the first rows with those of training; return all batches."""
        first: list[Batch] = []
        parsed: list[Rows] = []
        n_rows = 0
        for batch in batches:
            try:
                parsed.append(batch.rows())
            except RowError:
                # Reported in its turn, with the number of the row.
                first.append(batch)
                break
            first.append(ParsedBatch(parsed[-1], batch.share))
            n_rows += parsed[-1].n_rows
            if n_rows >= _CHECKED:
                break
        found = self._columns.check(self._task.model, parsed)
        if found:
            self._report.warnings[self._file.name] = found
            self._progress.warn(self._file, found)
        return itertools.chain(first, batches)

    def _wait(self, future: Future[Scored]) -> Scored:
        while True:
            with suppress(TimeoutError):
                return future.result(timeout=_POLL)
            if self._progress.should_stop():
                raise RunInterruptedError

    def _settle(self, batch: Batch, future: Future[Scored]) -> None:
        """Account for the rows of a batch and write them, in the order of the file."""
        report = self._report
        before = report.n_read
        try:
            scored = self._wait(future)
        except RowError as error:
            row = before + error.row
            raise TableError(
                f"{self._file.name}: row {row:,} (counted from 0 without the header): "
                f"{error.reason}"
            ) from error
        except TableError as error:
            raise TableError(f"{self._file.name}: {error}") from error
        bad = [replace(row, row=before + row.row) for row in scored.bad]
        if bad and self._task.on_error == "fail":
            raise TableError(_refusal(self._file, bad[0]))
        self._listed.add(self._file, bad)
        report.n_read += scored.n_rows
        report.n_scored += scored.n_rows - len(bad)
        report.rejected.update(row.summary for row in bad)
        for name, seconds in scored.seconds.items():
            report.add_seconds(name, seconds)
        self._pending.add(scored.table)
        self._progress.add(scored.n_rows, self._file, batch.share)


class _PendingRows:
    """Rows that wait to be written with others."""

    def __init__(self, output: Output, report: ScoringReport) -> None:
        self._output, self._report = output, report
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
        self._report.add_seconds("writing", time.perf_counter() - begin)


def _no_rows(columns: Sequence[str]) -> pa.RecordBatch:
    """Return the columns of a file without rows."""
    import pyarrow as pa

    return pa.RecordBatch.from_pydict({name: pa.array([], pa.string()) for name in columns})


def _kept_columns(
    task: ScoringTask, present: Sequence[str], columns: ModelColumns, file: InputFile
) -> list[str]:
    """Return the columns to pass through: the identifier and those requested."""
    if ALL in task.keep and ALL not in present:
        return [name for name in present if name]
    requested = [task.id, *task.keep] if task.id is not None else list(task.keep)
    missing = [name for name in requested if name not in present]
    if missing:
        option = "--id" if task.id in missing else "--keep"
        raise TableError(f"{file.name}: {option}: {missing_columns(missing, present)}")
    if task.id is None and (found := _identifier(present, columns)) is not None:
        requested.insert(0, found)
    return list(dict.fromkeys(requested))


def _identifier(present: Sequence[str], columns: ModelColumns) -> str | None:
    """Return the column of the usual names for identifiers that the model does not read."""
    if URI in columns.names:
        return columns.names[URI]
    used = set(columns.in_file)
    return next((n for n in present if plain_name(n) in ID_NAMES and n not in used), None)


def _refusal(file: InputFile, row: BadRow) -> str:
    where = f"column {row.column!r}, " if row.column else ""
    return (
        f"{file.name}: {where}row {row.row} (counted from 0 without the header): {row.reason}: "
        f"{row.value!r}; nothing was written. --on-error skip leaves such rows out, "
        "--on-error null keeps them without a prediction; both list them"
    )
