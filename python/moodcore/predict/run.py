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
from moodcore.predict.batches import BadRow, Batch, Reader, RowError, Rows
from moodcore.predict.inputs import InputFile
from moodcore.predict.model_columns import ModelColumns
from moodcore.predict.output import Output
from moodcore.predict.readers import open_input
from moodcore.predict.scorer import OnError, Scored, Scorer
from moodcore.runs.interrupts import RunInterruptedError
from moodcore.runs.listener import Listener
from moodcore.songs.column_checks import ColumnWarning
from moodcore.songs.schema import URI
from moodcore.tables.text_files import ARTIST_NAMES, ID_NAMES, TITLE_NAMES, plain_name

if TYPE_CHECKING:
    import pyarrow as pa

# Rows that are compared with those of training before the run.
_CHECKED = 100_000
# Seconds between two results for the listener.
_EVERY = 5.0
# Seconds between two looks at whether the run is to stop, during a batch.
_POLL = 0.1
ALL = "all"


@dataclass
class ScoringReport:
    """Counts of the rows that were read, scored and rejected.

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
    """

    n_files: int = 0
    n_skipped_files: int = 0
    n_read: int = 0
    n_scored: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    damaged: list[tuple[str, str]] = field(default_factory=list)
    warnings: dict[str, list[ColumnWarning]] = field(default_factory=dict)

    @property
    def n_rejected(self) -> int:
        """Rows that could not be scored."""
        return sum(self.rejected.values())

    def add(self, other: ScoringReport) -> None:
        """Add the report of other files."""
        for name in ("n_files", "n_skipped_files", "n_read", "n_scored"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.rejected += other.rejected
        self.damaged += other.damaged
        self.warnings |= other.warnings

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
        }


@dataclass(frozen=True)
class ScoringTask:
    """What to do with each file: the options of `moodcore.predict.score`."""

    model: Any
    keep: tuple[str, ...] = ()
    id: str | None = None
    on_error: OnError = "fail"
    jobs: int = 1


class Progress:
    """Progress of a run over files: tells a listener, and knows when to stop.

    It shows what share of `n_files` files is done; with none, the listener counts files.
    """

    def __init__(
        self,
        listener: Listener | None = None,
        should_stop: Callable[[], bool] = lambda: False,
        n_files: int = 0,
    ) -> None:
        self.listener = listener or Listener()
        self.should_stop = should_stop
        self.n_done = 0
        self._n_files, self._n_rows = n_files, 0
        self._begin = self._shown = time.monotonic()
        self._percent: int | None = None

    def check(self) -> None:
        """Raise a `RunInterruptedError` if the run is to stop."""
        if self.should_stop():
            raise RunInterruptedError

    def warn(self, file: InputFile, warnings: Sequence[ColumnWarning]) -> None:
        """Report columns that are unlike those of training."""
        lines = [f"{file.name}: unlike the data of training:", *map(str, warnings)]
        self.listener.stage("\n  ".join(lines))

    def add(self, n_rows: int, file: InputFile, share: float) -> None:
        """Count rows, with which this share of the file is done."""
        self._n_rows += n_rows
        now = time.monotonic()
        if share and self._n_files:
            self._show_percent(int(100 * (self.n_done + share) / self._n_files), now)
        if now - self._shown >= _EVERY:
            self._shown = now
            rate = self._n_rows / (now - self._begin)
            part = f", {100 * share:.0f} % of {file.name}" if share else ""
            self.listener.result(f"{self._n_rows:,} rows, {rate:,.0f} per second{part}")

    def _show_percent(self, percent: int, now: float) -> None:
        if self._percent is not None:
            self.listener.advanced(percent - self._percent)
            self._percent = percent
        elif now - self._begin >= _EVERY:
            # A run that is soon over needs no bar.
            self.listener.started(100, percent, "%")
            self._percent = percent


def score_files(
    task: ScoringTask,
    files: Sequence[InputFile],
    result: Path | None,
    rejected: Path | None,
    progress: Progress,
) -> ScoringReport:
    """Score files into one, None for standard output, and list the rows that cannot be scored."""
    report = ScoringReport()
    with Output.open(result) as output, Output.open(rejected, optional=True) as listed:
        for file in files:
            with closing(open_input(file, progress.should_stop)) as reader:
                run = _FileRun(task, file, reader, progress)
                for scored, bad in run.results():
                    output.write(scored)
                    if bad and rejected is not None:
                        listed.write(_listing(file, bad))
                report.add(run.report)
            progress.n_done += 1
    return report


def _listing(file: InputFile, bad: Sequence[BadRow]) -> pa.Table:
    """Return the rows of the list of rejected rows."""
    import pyarrow as pa

    # The header is line 1; a record that spans several lines counts as one.
    lines = [row.row + 2 if file.kind == "csv" else None for row in bad]
    return pa.table(
        {
            # A name that is not UTF-8 has characters that no table can hold.
            "file": [file.name.encode(errors="replace").decode()] * len(bad),
            "row": [row.row for row in bad],
            "line": pa.array(lines, pa.int64()),
            "column": [row.column for row in bad],
            "value": [row.value for row in bad],
            "reason": [row.reason for row in bad],
        }
    )


class _FileRun:
    """One file on its way through the model."""

    def __init__(
        self, task: ScoringTask, file: InputFile, reader: Reader, progress: Progress
    ) -> None:
        self._task, self._file, self._progress = task, file, progress
        self._columns = ModelColumns.find(task.model, reader.columns, file.name)
        keep = _kept_columns(task, reader.columns, self._columns, file)
        if not keep and set(reader.columns) - set(self._columns.in_file):
            progress.listener.stage(
                f"{file.name}: no column that identifies the rows was found; --keep COLUMN passes "
                "one through"
            )
        null_rows = task.on_error == "null"
        self._scorer = Scorer(task.model, self._columns, keep, null_rows=null_rows)
        self._batches = reader.batches(self._scorer.wanted)
        self._n_batches = 0
        self.report = ScoringReport(n_files=1)

    def results(self) -> Iterator[tuple[pa.Table, list[BadRow]]]:
        """Yield the result of each batch and its bad rows, in the order of the file."""
        workers = ThreadPoolExecutor(self._task.jobs)
        queue: deque[tuple[Batch, Future[Scored]]] = deque()
        try:
            for batch in self._compared():
                self._progress.check()
                queue.append((batch, workers.submit(self._scorer.score, batch)))
                if len(queue) > self._task.jobs:
                    yield self._settle(*queue.popleft())
            while queue:
                yield self._settle(*queue.popleft())
            if not self._n_batches:
                # The result has its columns even if the file has no rows.
                yield self._scorer.score(Batch.of(_no_rows(self._scorer.wanted))).table, []
        finally:
            # Without waiting: a batch may take long, and its result is not wanted any more.
            workers.shutdown(wait=False, cancel_futures=True)

    def _compared(self) -> Iterator[Batch]:
        """Return all batches, the first ones parsed and compared with the data of training."""
        first: list[Batch] = []
        parsed: list[Rows] = []
        for batch in self._batches:
            self._progress.check()
            first.append(batch)
            # A row that cannot be read is reported in its turn, with its number.
            with suppress(RowError):
                rows = batch.parse()
                first[-1] = Batch(lambda rows=rows: rows, batch.share)  # type: ignore[misc]
                parsed.append(rows)
            if sum(rows.n_rows for rows in parsed) >= _CHECKED or len(parsed) < len(first):
                break
        warnings = self._columns.check(self._task.model, parsed)
        if warnings:
            self.report.warnings[self._file.name] = warnings
            self._progress.warn(self._file, warnings)
        return itertools.chain(first, self._batches)

    def _settle(self, batch: Batch, future: Future[Scored]) -> tuple[pa.Table, list[BadRow]]:
        """Account for the rows of a batch."""
        report, before = self.report, self.report.n_read
        self._n_batches += 1
        try:
            scored = self._wait(future)
        except RowError as error:
            raise row_error(self._file, before, error) from error
        except TableError as error:
            raise TableError(f"{self._file.name}: {error}") from error
        bad = [replace(row, row=before + row.row) for row in scored.bad]
        if bad and self._task.on_error == "fail":
            raise TableError(_refusal(self._file, bad[0]))
        report.n_read += scored.n_rows
        report.n_scored += scored.n_rows - len(bad)
        report.rejected.update(row.summary for row in bad)
        self._progress.add(scored.n_rows, self._file, batch.share)
        return scored.table, bad

    def _wait(self, future: Future[Scored]) -> Scored:
        while True:
            with suppress(TimeoutError):
                return future.result(timeout=_POLL)
            self._progress.check()


def row_error(file: InputFile, before: int, error: RowError) -> TableError:
    """Return the error for a row from which on a file cannot be read, after other batches."""
    return TableError(
        f"{file.name}: row {before + error.row} (counted from 0 without the header): {error.reason}"
    )


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
    if task.id is None:
        requested = _identifiers(present, columns) + requested
    return list(dict.fromkeys(requested))


def _identifiers(present: Sequence[str], columns: ModelColumns) -> list[str]:
    """Return the column of the usual names for identifiers, else those of artist and title.

    Columns that the model reads are left out.
    """
    if URI in columns.names:
        return [columns.names[URI]]
    used = set(columns.in_file)
    free = {name: plain_name(name) for name in present if name not in used}
    for known in (ID_NAMES, ARTIST_NAMES | TITLE_NAMES):
        found = [name for name, plain in free.items() if plain in known]
        if found:
            return found[:1] if known is ID_NAMES else found
    return []


def _refusal(file: InputFile, row: BadRow) -> str:
    where = f"column {row.column!r}, " if row.column else ""
    return (
        f"{file.name}: {where}row {row.row} (counted from 0 without the header): {row.reason}: "
        f"{row.value!r}; nothing was written. --on-error skip leaves such rows out, "
        "--on-error null keeps them without a prediction; both list them"
    )
