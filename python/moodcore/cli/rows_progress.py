"""How far a catalogue is: rows a second and the time left, always on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

from moodcore.predict.files import Source
from moodcore.predict.suspicion import Suspicion

_EVERY = 10.0


class PlainRows:
    """A line now and then, for runs that are long."""

    def __init__(self) -> None:
        self._begin = self._told = time.monotonic()
        self._rows = 0
        self._source = ""

    def file(self, source: Source, n_rows: int | None) -> None:
        """Remember what is read."""
        self._source = source.name

    def suspicious(self, source: Source, found: Sequence[Suspicion]) -> None:
        """Say what is unlike training."""
        print(f"{source.name}: unlike the songs of training:", file=sys.stderr)
        for one in found:
            print(f"  {one}", file=sys.stderr, flush=True)

    def rows(self, n_rows: int, share: float) -> None:
        """Say how far it is, every ten seconds."""
        self._rows += n_rows
        now = time.monotonic()
        if now - self._told >= _EVERY:
            self._told = now
            rate = self._rows / (now - self._begin)
            far = f", {100 * share:.0f} % of {self._source}" if share else ""
            print(f"{self._rows:,} rows, {rate:,.0f} a second{far}", file=sys.stderr, flush=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Do nothing."""


class BarRows(PlainRows):
    """A bar for the file that is read, with the rate and the time left."""

    def __enter__(self) -> Self:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=20),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[rate]}"),
            console=Console(stderr=True, highlight=False),
            transient=True,
        )
        self._task: Any = None
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Take the bar away."""
        self._bar.stop()

    def file(self, source: Source, n_rows: int | None) -> None:
        """Begin a bar."""
        super().file(source, n_rows)
        if self._task is not None:
            self._bar.remove_task(self._task)
        self._task = self._bar.add_task(source.name, total=1.0, rate="")

    def suspicious(self, source: Source, found: Sequence[Suspicion]) -> None:
        """Say above the bar what is unlike training."""
        self._bar.console.print(f"{source.name}: unlike the songs of training:", markup=False)
        for one in found:
            self._bar.console.print(f"  {one}", markup=False)

    def rows(self, n_rows: int, share: float) -> None:
        """Move the bar."""
        self._rows += n_rows
        rate = self._rows / max(time.monotonic() - self._begin, 1e-9)
        told = f"{self._rows:,} rows, {rate:,.0f} a second"
        self._bar.update(self._task, completed=share, rate=told)


def make_rows_progress() -> PlainRows:
    """Return a bar if a person watches stderr, plain lines otherwise."""
    return BarRows() if sys.stderr.isatty() else PlainRows()
