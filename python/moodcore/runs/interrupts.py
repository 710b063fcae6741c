"""Ctrl-C: a flag that every loop checks, and an exception where nothing loops."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


class RunInterruptedError(Exception):
    """The run was stopped from outside; finished results are kept."""


class StoppedError(Exception):
    """Training ended because its result is no longer wanted."""


@contextmanager
def stop_on_interrupt(stop: threading.Event) -> Iterator[None]:
    """Set `stop` on Ctrl-C instead of raising, for loops that check it.

    No write is then cut in half. A second Ctrl-C raises `KeyboardInterrupt` as usual. Outside the
    main thread, where Python delivers no signals, nothing changes.
    """

    def handle(_signal: int, _frame: FrameType | None) -> None:
        stop.set()
        signal.signal(signal.SIGINT, before)

    with _handler(handle) as before:
        yield


@contextmanager
def raise_on_interrupt(stop: threading.Event) -> Iterator[None]:
    """Set `stop` on Ctrl-C and raise `KeyboardInterrupt`, for work that checks nothing.

    Python swallows an exception raised inside a destructor or a weak reference callback; the flag
    stays set, and the next loop or stage ends the run.
    """

    def handle(_signal: int, _frame: FrameType | None) -> None:
        stop.set()
        raise KeyboardInterrupt

    with _handler(handle):
        yield


Handler = Callable[[int, FrameType | None], object]


@contextmanager
def _handler(handle: Handler) -> Iterator[Handler | int | None]:
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread():
        yield before
        return
    signal.signal(signal.SIGINT, handle)
    try:
        yield before
    finally:
        signal.signal(signal.SIGINT, before)
