"""Progress of a run, whatever it measures."""

from __future__ import annotations


class Listener:
    """Receives the progress of a run; the base class ignores it.

    Override what you want to show. All methods are called in the thread that runs the run.

    Examples
    --------
    >>> class Stages(Listener):
    ...     def stage(self, text):
    ...         print(text)
    >>> Stages().stage("preprocessing the folds")
    preprocessing the folds
    """

    def stage(self, text: str) -> None:
        """Begin another part of the run, or report a message."""

    def started(self, total: int, done: int, unit: str) -> None:
        """Begin a number of jobs, some of which an earlier run may have done.

        Parameters
        ----------
        total, done : int
            Number of jobs, and of those done already.
        unit : str
            What a job is, in the plural, such as "folds".
        """

    def advanced(self, count: int = 1) -> None:
        """Count finished jobs."""

    def result(self, text: str) -> None:
        """Report a result in one line."""

    def ended(self) -> None:
        """End the jobs, finished or not."""
