"""How far a run is: a bar on a terminal, plain lines elsewhere; always on stderr."""

from __future__ import annotations

import sys
from typing import Any

from moodcore.report.cells import parameters
from moodcore.tuning.candidate import CandidateResult


def _described(result: CandidateResult) -> str:
    return f"{result.model} {parameters(result.params)}".rstrip()


def _outcome(result: CandidateResult) -> str:
    if result.state == "complete":
        return f"accuracy {result.accuracy:.4f}"
    return f"{result.state}{result.reason and f' ({result.reason})'}"


class PlainProgress:
    """One line per stage and candidate."""

    def stage(self, text: str) -> None:
        """Print the stage."""
        print(text, file=sys.stderr, flush=True)

    def search_started(self, candidates: int, done: int, folds: int) -> None:
        """Print what is to be done."""
        kept = f", {done} already done" if done else ""
        self.stage(f"search: {candidates} candidates x {folds} folds{kept}")

    def fold_finished(self) -> None:
        """Do nothing: a line per candidate is enough."""

    def candidate_finished(
        self, result: CandidateResult, best: CandidateResult, done: int, candidates: int
    ) -> None:
        """Print the candidate beside the best."""
        top = f" (best {best.accuracy:.4f}, number {best.number})"
        shown = top if best.state == "complete" else ""
        self.stage(f"[{done}/{candidates}] {_described(result)}: {_outcome(result)}{shown}")

    def search_finished(self) -> None:
        """Do nothing: the last candidate's line says it."""


class BarProgress:
    """A bar with the best so far and the time left."""

    def __init__(self) -> None:
        from rich.console import Console

        self._console = Console(stderr=True, highlight=False)
        self._bar: Any = None
        self._task: Any = None

    def stage(self, text: str) -> None:
        """Print the stage above the bar."""
        self._console.print(text, markup=False)

    def search_started(self, candidates: int, done: int, folds: int) -> None:
        """Show the bar."""
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
        )
        from rich.table import Column

        # On a narrow terminal the best settings are cut, not the time left.
        self._bar = Progress(
            TextColumn("{task.fields[done]} candidates", table_column=_whole(16)),
            BarColumn(bar_width=20),
            MofNCompleteColumn(table_column=_whole(7)),
            TextColumn("folds", table_column=_whole(5)),
            TimeRemainingColumn(table_column=_whole(7)),
            TextColumn("{task.fields[best]}", table_column=Column(no_wrap=True, ratio=1)),
            console=self._console,
            expand=True,
        )
        self._task = self._bar.add_task(
            "search",
            total=candidates * folds,
            completed=done * folds,
            done=f"{done}/{candidates}",
            best="",
        )
        self._folds = folds
        self._bar.start()

    def fold_finished(self) -> None:
        """Move the bar."""
        self._bar.advance(self._task)

    def candidate_finished(
        self, result: CandidateResult, best: CandidateResult, done: int, candidates: int
    ) -> None:
        """Show the best so far."""
        found = best.state == "complete"
        self._bar.update(
            self._task,
            done=f"{done}/{candidates}",
            best=f"best {best.accuracy:.4f}: {_described(best)}" if found else "",
        )

    def search_finished(self) -> None:
        """Leave the bar as it stands."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def _whole(width: int) -> Any:
    from rich.table import Column

    return Column(no_wrap=True, min_width=width)


def make_progress() -> PlainProgress | BarProgress:
    """Return a bar if a person watches stderr, plain lines otherwise."""
    return BarProgress() if sys.stderr.isatty() else PlainProgress()
