"""Heartbeats of trials in training, for a study that several processes share."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    import optuna


class Heartbeat:
    """Records heartbeats of the trials that `alive` returns, from a thread.

    A trial without heartbeats is given up by the other processes, and its candidate tried again. A
    storage that records none belongs to one process.
    """

    def __init__(self, study: optuna.Study, alive: Callable[[], Iterable[optuna.Trial]]) -> None:
        self._storage: Any = storage_of(study)
        self._interval: int | None = self._storage.get_heartbeat_interval()
        self._alive = alive
        self._met: set[int] = set()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._repeat, name="heartbeat", daemon=True)

    def __enter__(self) -> Self:
        if self._interval is not None:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        if self._interval is not None:
            self._thread.join()

    def begin(self, trial: optuna.Trial) -> None:
        """Record the first heartbeat of a trial."""
        if self._interval is not None:
            self._storage.record_heartbeat(trial._trial_id)

    def begin_for_others(self, trials: Iterable[optuna.trial.FrozenTrial]) -> None:
        """Record one heartbeat for each trial of other processes.

        A process that died before its first one would otherwise never be detected.
        """
        for trial in trials:
            if self._interval is not None and trial._trial_id not in self._met:
                self._met.add(trial._trial_id)
                self._storage.record_heartbeat(trial._trial_id)

    def _repeat(self) -> None:
        from optuna.exceptions import StorageInternalError

        while not self._ended.wait(self._interval):
            try:
                for trial in self._alive():
                    self._storage.record_heartbeat(trial._trial_id)
            except StorageInternalError:
                # The next one may succeed; if none does, the search itself fails soon.
                continue
            finally:
                self._storage.remove_session()


def storage_of(study: optuna.Study) -> Any:
    """Return the study's storage behind Optuna's cache."""
    storage: Any = study._storage
    return getattr(storage, "_backend", storage)
