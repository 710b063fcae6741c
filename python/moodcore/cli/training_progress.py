"""How far a number of trainings is: a bar on a terminal, plain lines elsewhere; on stderr."""

from __future__ import annotations

import sys
import time
from typing import Any

from moodcore.tuning.estimate import duration


class PlainLines:
    """One line a training, every few seconds."""

    # A line for each of hundreds of quick trainings would bury everything else.
    _SECONDS = 5.0
    _COUNTED = 5

    def __init__(self) -> None:
        self._total = self._done = self._before = 0
        self._begun = self._told = 0.0

    def stage(self, text: str) -> None:
        """Print the stage."""
        print(text, file=sys.stderr, flush=True)

    def started(self, total: int, done: int) -> None:
        """Print what is to be done."""
        self._total, self._done, self._before = total, done, done
        self._begun = self._told = time.monotonic()
        kept = f", {done} already done" if done else ""
        self.stage(f"{total} trainings{kept}")

    def finished(self, what: str) -> None:
        """Print the training and the time left, if the last line is some seconds old."""
        self._done += 1
        now = time.monotonic()
        if now - self._told < self._SECONDS and self._done < self._total:
            return
        self._told = now
        counted, left = self._done - self._before, self._total - self._done
        told = ""
        # The first trainings wait for their processes.
        if counted >= self._COUNTED and left:
            told = f" (about {duration((now - self._begun) / counted * left)} left)"
        self.stage(f"[{self._done}/{self._total}] {what}{told}")

    def ended(self) -> None:
        """Do nothing: the last line says it."""


class TrainingBar:
    """A bar with the last training and the time left."""

    def __init__(self) -> None:
        from rich.console import Console

        self._console = Console(stderr=True, highlight=False)
        self._bar: Any = None
        self._task: Any = None

    def stage(self, text: str) -> None:
        """Print the stage above the bar."""
        self._console.print(text, markup=False)

    def started(self, total: int, done: int) -> None:
        """Show the bar."""
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
        )
        from rich.table import Column

        self._bar = Progress(
            TextColumn("trainings"),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn(
                "{task.fields[last]}", markup=False, table_column=Column(no_wrap=True, ratio=1)
            ),
            console=self._console,
            expand=True,
        )
        self._task = self._bar.add_task("trainings", total=total, completed=done, last="")
        self._bar.start()

    def finished(self, what: str) -> None:
        """Move the bar."""
        self._bar.update(self._task, advance=1, last=what)

    def ended(self) -> None:
        """Leave the bar as it stands."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def make_training_progress() -> PlainLines | TrainingBar:
    """Return a bar if a person watches stderr, plain lines otherwise."""
    return TrainingBar() if sys.stderr.isatty() else PlainLines()
