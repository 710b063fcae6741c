"""Progress of a run in a notebook."""

from __future__ import annotations

from moodcore.estimators.notebook import NotebookBar, in_notebook
from moodcore.runs.listener import Listener


class NotebookProgress(Listener):
    """The stages of a run, a bar of its jobs, and the last result, in one output of the cell."""

    def __init__(self) -> None:
        self._bar = NotebookBar()
        self._stages: list[str] = []
        self._done, self._total, self._unit, self._result = 0, 0, "", ""

    def stage(self, text: str) -> None:
        """Add the stage to the lines above the bar."""
        self._stages.append(text)
        self._show(force=True)

    def started(self, total: int, done: int, unit: str) -> None:
        """Show the bar."""
        self._total, self._done, self._unit = total, done, unit
        self._show(force=True)

    def advanced(self, count: int = 1) -> None:
        """Move the bar."""
        self._done += count
        self._show(force=self._done == self._total)

    def result(self, text: str) -> None:
        """Show the last result after the bar."""
        self._result = text
        self._show()

    def ended(self) -> None:
        """Leave the bar as it is."""
        self._show(force=True)

    def _show(self, *, force: bool = False) -> None:
        text = " ".join(filter(None, (self._unit, self._result)))
        above = "\n".join(self._stages)
        self._bar.show(self._done, self._total or None, text, above=above, force=force)


def default_listener() -> Listener:
    """Return the listener of a run that was passed none: a bar in notebooks, silence elsewhere."""
    return NotebookProgress() if in_notebook() else Listener()
