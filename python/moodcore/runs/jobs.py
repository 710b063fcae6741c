"""Jobs: the trainings of a run, each small enough to be sent anywhere."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from typing import Any, Protocol


class Job(Protocol):
    """One training, which pickle can send to a thread, a process or another host.

    Attributes
    ----------
    key : str
        Names the result; unique in a run.
    shared : hashable
        Names the shared input that the job needs, such as the rows of a fold.
    group : hashable
        Jobs of a group are cancelled together.
    """

    @property
    def key(self) -> str:
        """Return the name of the result."""

    @property
    def shared(self) -> Hashable:
        """Return the name of the shared input."""

    @property
    def group(self) -> Hashable:
        """Return the name of the group."""

    def run(self, shared: Any, should_stop: Callable[[], bool]) -> Any:
        """Train, and return the result.

        Parameters
        ----------
        shared : Any
            The shared input of that name.
        should_stop : callable
            Checked many times a second where the learner allows it; a job that stops for it
            returns None.
        """

    def failure(self, reason: str) -> Any:
        """Return the result of a job that cannot be carried out."""


Finished = Callable[[Any, Any], None]


class Executor(Protocol):
    """Carries out jobs; results must not depend on which executor it is."""

    def run(
        self,
        jobs: Iterator[Any],
        finished: Finished,
        waiting: Callable[[], None] = lambda: None,
    ) -> None:
        """Carry out every job, and pass job and result to `finished` in this thread.

        Jobs are taken from the iterator no sooner than there is room for them. `waiting` is
        called in this thread several times a second. The result of a cancelled job is None.

        Raises
        ------
        RunInterruptedError
            When the run is to stop, or on Ctrl-C.
        Exception
            What a job raises ends the others and is raised here.
        """

    def cancel(self, group: Hashable) -> None:
        """End the jobs of a group; their result is None."""
