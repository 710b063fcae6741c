"""Progress of a run on stderr: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from typing import Any

from moodcore.runs.estimate import duration
from moodcore.runs.listener import Listener

# Result lines that are always printed; after them one every few seconds, because a line for each
# of hundreds of quick trainings would bury everything else.
_LINES = 30
_SECONDS = 5.0
# Jobs from which the time left is estimated.
_COUNTED = 5


class PlainProgress(Listener):
    """One line per stage, and a result line every few seconds."""

    def __init__(self) -> None:
        self._total = self._done = self._before = 0
        self._unit = ""
        self._lines = 0
        self._begun = self._shown = 0.0

    def stage(self, text: str) -> None:
        """Print the stage."""
        # A run does not end because its progress cannot be shown.
        with suppress(OSError):
            print(text, file=sys.stderr, flush=True)

    def started(self, total: int, done: int, unit: str) -> None:
        """Print the number of jobs."""
        self._total, self._done, self._before, self._unit = total, done, done, unit
        self._begun = self._shown = time.monotonic()
        kept = f", {done:,} already done" if done else ""
        if unit != "%":
            self.stage(f"{total:,} {unit}{kept}")

    def advanced(self, count: int = 1) -> None:
        """Count finished jobs."""
        self._done += count

    def result(self, text: str) -> None:
        """Print a result and the time left, unless there are too many."""
        now = time.monotonic()
        many = self._lines >= _LINES and self._done < self._total
        if many and now - self._shown < _SECONDS:
            return
        self._lines += 1
        self._shown = now
        counted, left = self._done - self._before, self._total - self._done
        remaining = ""
        if counted >= _COUNTED and left > 0:
            remaining = f" (about {duration((now - self._begun) / counted * left)} left)"
        count = f"[{self._done}/{self._total} {self._unit}] " if self._total else ""
        self.stage(f"{count}{text}{remaining}")


class BarProgress(Listener):
    """A bar with the last result and the time left."""

    def __init__(self) -> None:
        from rich.console import Console

        self._console = Console(stderr=True, highlight=False)
        self._bar: Any = None
        self._task: Any = None

    def stage(self, text: str) -> None:
        """Print the stage above the bar."""
        self._console.print(text, markup=False)

    def started(self, total: int, done: int, unit: str) -> None:
        """Show the bar."""
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
        )
        from rich.table import Column

        def whole(width: int) -> Column:
            return Column(no_wrap=True, min_width=width)

        # On a narrow terminal the result is cut, not the time left.
        self._bar = Progress(
            BarColumn(bar_width=20),
            MofNCompleteColumn(table_column=whole(7)),
            TextColumn(unit, table_column=whole(len(unit))),
            TimeRemainingColumn(table_column=whole(7)),
            TextColumn(
                "{task.fields[result]}", markup=False, table_column=Column(no_wrap=True, ratio=1)
            ),
            console=self._console,
            expand=True,
        )
        self._task = self._bar.add_task("run", total=total, completed=done, result="")
        self._bar.start()

    def advanced(self, count: int = 1) -> None:
        """Move the bar."""
        self._bar.advance(self._task, count)

    def result(self, text: str) -> None:
        """Show the last result, above where there is no bar."""
        if self._bar is None:
            self.stage(text)
        else:
            self._bar.update(self._task, result=text)

    def ended(self) -> None:
        """Leave the bar as it is."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def make_progress() -> Listener:
    """Return a bar if stderr is a terminal, plain lines otherwise."""
    return BarProgress() if sys.stderr.isatty() else PlainProgress()
