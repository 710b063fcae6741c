"""Progress of training: callbacks, printed lines, and interruption by the caller's thread.

One protocol for all estimators that train in iterations (rounds of `GBT`, epochs of `MLP`). After
each iteration every callback gets a record ::

    {"iteration": 0, "training": {"logloss": 1.31}, "validation": {"logloss": 1.33, "error": 0.4}}

with the iteration from 0, the loss of the training rows, and the metrics of each evaluation set by
its name. The same numbers of the evaluation sets are in `evals_result_` after training. A callback
that returns True ends training and keeps what is trained; an exception ends it and is raised by
`fit`, which then leaves the estimator as it was.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np

from moodcore.estimators.checkpoint import checkpoint_of
from moodcore.estimators.notebook import bar_listener, in_notebook

Metrics = Mapping[str, float]
Callback = Callable[[dict[str, Any]], object]
# Called with the iteration, from 0, and the metrics of each set; returns whether to stop.
OnIteration = Callable[[int, Mapping[str, Metrics]], bool]

_poll: ContextVar[Callable[[], object] | None] = ContextVar("poll", default=None)


@contextmanager
def polled(on_poll: Callable[[], object] | None) -> Iterator[None]:
    """Call a function 20 to 50 times per second during each fit in this context.

    It reaches an estimator at any depth of pipelines and meta-estimators, as long as they train in
    the thread that entered the context. An exception in the function ends training and is raised by
    `fit`. Ctrl-C ends training in the main thread without it.

    Parameters
    ----------
    on_poll : callable or None
        Called without arguments; None calls nothing.
    """
    token = _poll.set(on_poll)
    try:
        yield
    finally:
        _poll.reset(token)


def current_poll() -> Callable[[], object] | None:
    """Return the function of the innermost `polled` context, which an estimator's core polls."""
    return _poll.get()


def check_callbacks(callbacks: Any, *, without_checkpoint: str = "") -> None:
    """Raise a TypeError unless callbacks are a list of callables or None.

    ``without_checkpoint`` is the name of an estimator that does not write checkpoints.
    """
    if callbacks is None:
        return
    if not isinstance(callbacks, list | tuple):
        raise TypeError(f"callbacks must be a list of callables or None, got {callbacks!r}")
    for callback in callbacks:
        if not callable(callback):
            raise TypeError(f"callbacks must be a list of callables or None, got {callbacks!r}")
    if without_checkpoint and checkpoint_of(callbacks) is not None:
        raise TypeError(
            f"callbacks of {without_checkpoint} must not contain a Checkpoint, which resumes the "
            "training of GBT only; use warm_start to continue"
        )


def progress_listener(
    callbacks: Sequence[Callback] | None, verbose: int, total: int | None = None
) -> OnIteration | None:
    """Return the function to call after each iteration; None if nothing listens.

    Parameters
    ----------
    callbacks : list of callable or None
        The parameter `callbacks` of the estimator.
    verbose : int
        Print one line every `verbose` iterations; 0 prints nothing. In a notebook, a bar is
        updated instead.
    total : int or None, default=None
        Maximum number of iterations.
    """
    listening, every = list(callbacks or ()), int(verbose)
    if not listening and not every:
        return None
    show = bar_listener(total, every) if every and in_notebook() else None

    def on_iteration(iteration: int, metrics: Mapping[str, Metrics]) -> bool:
        if show is not None:
            show(iteration, progress_line(iteration, metrics))
        elif every and iteration % every == 0:
            print(progress_line(iteration, metrics), flush=True)
        record = {
            "iteration": iteration,
            **{name: dict(values) for name, values in metrics.items()},
        }
        answers = [callback(record) for callback in listening]
        return any(isinstance(answer, bool | np.bool_) and answer for answer in answers)

    return on_iteration


def progress_line(iteration: int, metrics: Mapping[str, Metrics]) -> str:
    """Return the line that `verbose` prints: ``iteration 0: training logloss=1.31210``."""
    printed = (
        f"{name} {metric}={value:.5f}"
        for name, values in metrics.items()
        for metric, value in values.items()
    )
    return f"iteration {iteration}: {' '.join(printed)}"
