"""Standard input that can be interrupted while nothing comes."""

from __future__ import annotations

import io
import os
import queue
import select
import threading
from collections.abc import Iterator
from typing import Any, Generic, TypeVar

T = TypeVar("T")

# How soon a reader that waits for input hears that nobody wants it any more, in seconds.
_PATIENCE = 0.1
# Pieces that are fetched before they are asked for.
_AHEAD = 2


class Waiting(io.RawIOBase):
    """A raw stream whose reads end, as at the end of the file, once they are told to stop.

    Parameters
    ----------
    raw : raw stream or buffer
        What is read.
    """

    def __init__(self, raw: Any) -> None:
        super().__init__()
        self._raw = raw
        self._stopped = threading.Event()
        try:
            # Windows waits for sockets only, and a buffer in memory never waits.
            self._number = raw.fileno() if os.name == "posix" else None
        except (OSError, AttributeError):
            self._number = None

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read some bytes once there are any."""
        while self._number is not None and not self._stopped.is_set():
            if select.select([self._number], [], [], _PATIENCE)[0]:
                break
        return 0 if self._stopped.is_set() else int(self._raw.readinto(buffer))

    def stop(self) -> None:
        """End the read that waits, and those to come."""
        self._stopped.set()


class Background(Generic[T], Iterator[T]):
    """What an iterator gives, fetched in a thread.

    A library that waits for input outside of Python does not hear Ctrl-C; who waits for this does.

    Parameters
    ----------
    pieces : iterator
        Its exceptions come out here.
    """

    def __init__(self, pieces: Iterator[T]) -> None:
        # These queues, unlike those with a limit, are whole again after Ctrl-C at any moment.
        self._pieces: queue.SimpleQueue[tuple[T | None, BaseException | None]] = queue.SimpleQueue()
        self._wanted: queue.SimpleQueue[None] = queue.SimpleQueue()
        for _ in range(_AHEAD):
            self._wanted.put(None)
        self._thread = threading.Thread(target=self._fetch, args=(pieces,), daemon=True)
        self._thread.start()

    def __next__(self) -> T:
        piece, error = self._pieces.get()
        self._wanted.put(None)
        if error is not None:
            # Whoever asks again gets the same answer.
            self._pieces.put((None, error))
            raise error
        assert piece is not None, "there is a piece where there is no error"
        return piece

    def close(self) -> None:
        """Wait until the thread has ended, once its iterator comes to an end."""
        while self._thread.is_alive():
            self._wanted.put(None)
            self._thread.join(_PATIENCE / 10)

    def _fetch(self, pieces: Iterator[T]) -> None:
        try:
            for piece in pieces:
                self._pieces.put((piece, None))
                self._wanted.get()
        except BaseException as error:
            self._pieces.put((None, error))
        else:
            self._pieces.put((None, StopIteration()))
