"""Progress in Jupyter notebooks: one output of the cell, updated in place."""

import html
import sys
import time
import uuid
from importlib import import_module
from typing import Any

# Seconds between two updates; each is a message to the browser.
_SECONDS = 0.1


def in_notebook() -> bool:
    """Return whether the code runs in the kernel of a notebook (Jupyter, VS Code, Colab)."""
    ipython = sys.modules.get("IPython")
    return ipython is not None and hasattr(ipython.get_ipython(), "kernel")


class NotebookBar:
    """A progress bar with a line of text, in HTML, and as plain text where HTML is not shown."""

    def __init__(self) -> None:
        self._id = f"moodcore-{uuid.uuid4().hex}"
        self._shown: float | None = None

    def show(
        self, done: int, total: int | None, text: str, *, above: str = "", force: bool = False
    ) -> None:
        """Display the progress, at most ten times per second.

        Parameters
        ----------
        done : int
            Number of finished steps.
        total : int or None
            Number of all steps; None draws no bar.
        text : str
            Text after the bar.
        above : str, default=""
            Lines above the bar.
        force : bool, default=False
            Show it in any case, such as the end.
        """
        now = time.monotonic()
        if not force and self._shown is not None and now - self._shown < _SECONDS:
            return
        display: Any = import_module("IPython.display").display
        count = "" if total is None else f"{done}/{total} "
        bar = "" if total is None else f'<progress value="{done}" max="{total}"></progress> '
        lines = html.escape(above).replace("\n", "<br>")
        data = {
            "text/plain": "\n".join(filter(None, (above, f"{count}{text}".strip()))),
            "text/html": f"<div>{lines}{'<br>' if above else ''}{bar}{count}"
            f"<code>{html.escape(text)}</code></div>",
        }
        display(data, raw=True, display_id=self._id, update=self._shown is not None)
        self._shown = now


def bar_listener(total: int | None, every: int) -> Any:
    """Return a function that shows an iteration and its text in a bar (see `progress_listener`)."""
    bar = NotebookBar()

    def show(iteration: int, text: str) -> None:
        done = iteration + 1
        if iteration % every == 0 or done == total:
            bar.show(done, total, text, force=done == total)

    return show
