"""One thread for numerical libraries, and the warnings of one training."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any


class Isolation:
    """Trains with one BLAS thread, and collects the warnings of the thread that trains.

    With more BLAS threads, sums would depend on how many there are. Their number and the filters
    of warnings belong to the whole process, whose other threads may train too: the first training
    sets them, and the last one restores them.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._trainings = 0
        self._restore = ExitStack()
        self._thread = threading.local()

    @contextmanager
    def __call__(self) -> Iterator[list[str]]:
        """Return the list of warnings, which fills while the context is open."""
        self._begin()
        notes: list[str] = []
        self._thread.notes = notes
        try:
            yield notes
        finally:
            self._thread.notes = []
            with self._lock:
                self._trainings -= 1
                if not self._trainings:
                    self._restore.close()

    def _begin(self) -> None:
        from threadpoolctl import threadpool_limits

        with self._lock:
            if not self._trainings:
                self._restore.enter_context(threadpool_limits(1))
                self._restore.enter_context(warnings.catch_warnings())
                warnings.simplefilter("always")
                # Given when an object of any other code is deleted.
                warnings.simplefilter("ignore", ResourceWarning)
                warnings.showwarning = self._collect
            self._trainings += 1

    def _collect(self, message: Any, category: type[Warning], *_: Any, **__: Any) -> None:
        getattr(self._thread, "notes", []).append(f"{category.__name__}: {message}")


isolated = Isolation()
