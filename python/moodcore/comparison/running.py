"""All trainings of a comparison, several at a time, each kept as soon as it is done.

Trainings run in processes (joblib), not in the threads of the search: baselines and models of
other libraries cannot be told to stop in the middle, but a process can be ended at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

from moodcore.comparison.outputs import Output
from moodcore.comparison.trainings import Contest, Training, train
from moodcore.files import write_bytes


class Store(Protocol):
    """Where outputs are kept."""

    def get(self, training: Training) -> Output | None:
        """Return what was kept of a training, or None."""

    def put(self, training: Training, output: Output) -> None:
        """Keep an output."""


class MemoryStore:
    """Outputs in memory."""

    def __init__(self) -> None:
        self._kept: dict[Training, Output] = {}

    def get(self, training: Training) -> Output | None:
        """Return what was kept of a training, or None."""
        return self._kept.get(training)

    def put(self, training: Training, output: Output) -> None:
        """Keep an output."""
        self._kept[training] = output


class FolderStore:
    """Outputs in a folder, one file each, so that an interrupted run can go on.

    Parameters
    ----------
    path : Path
        The folder; made when the first output comes.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def get(self, training: Training) -> Output | None:
        """Return what was kept of a training; None if nothing was, or the file is damaged."""
        try:
            return Output.from_bytes(self._file(training).read_bytes())
        except (FileNotFoundError, ValueError):
            # Whatever cannot be read is trained again.
            return None

    def put(self, training: Training, output: Output) -> None:
        """Write an output to its file."""
        self._path.mkdir(exist_ok=True)
        write_bytes(self._file(training), output.to_bytes())

    def _file(self, training: Training) -> Path:
        return self._path / f"{training.name}.npz"


class Listener(Protocol):
    """Whoever shows a person how far a comparison is."""

    def started(self, total: int, done: int) -> None:
        """Begin, with some trainings perhaps done in an earlier run."""

    def finished(self, what: str) -> None:
        """Count one training."""

    def ended(self) -> None:
        """End, finished or not."""


class Silent:
    """A listener that shows nothing."""

    def started(self, total: int, done: int) -> None:
        """Do nothing."""

    def finished(self, what: str) -> None:
        """Do nothing."""

    def ended(self) -> None:
        """Do nothing."""


def run_trainings(
    contest: Contest, store: Store, *, n_jobs: int | None, listener: Listener
) -> Mapping[Training, Output]:
    """Do every training that the store does not hold yet; return all outputs.

    Outputs do not depend on `n_jobs`, but for their times.

    Parameters
    ----------
    contest : Contest
        What is to be done.
    store : Store
        Where outputs are kept; after an interrupt those that were done are in it.
    n_jobs : int or None
        Processes, as in scikit-learn.
    listener : Listener
        Whoever shows progress.

    Raises
    ------
    RunFailedError
        If a process was killed; what was finished is in the store.
    """
    trainings = contest.trainings()
    found = {one: output for one in trainings if (output := store.get(one)) is not None}
    missing = [one for one in trainings if one not in found]
    listener.started(len(trainings), len(found))
    try:
        for training, output in _outputs(contest, missing, n_jobs):
            store.put(training, output)
            found[training] = output
            listener.finished(_line(contest, training, output))
    finally:
        listener.ended()
    return {one: found[one] for one in trainings}


def _outputs(
    contest: Contest, trainings: list[Training], n_jobs: int | None
) -> Iterator[tuple[Training, Output]]:
    from concurrent.futures.process import BrokenProcessPool

    from joblib import Parallel, delayed

    from moodcore.tuning.experiment import RunFailedError

    work: Any = Parallel(n_jobs=n_jobs, return_as="generator_unordered")
    try:
        yield from work(delayed(_numbered)(contest, one) for one in trainings)
    except BrokenProcessPool:
        # Nobody is left to say which training it was.
        raise RunFailedError(
            "a process that trained was ended from outside, perhaps because memory ran out; fewer "
            "jobs need less of it"
        ) from None


def _numbered(contest: Contest, training: Training) -> tuple[Training, Output]:
    return training, train(contest, training)


def _line(contest: Contest, training: Training, output: Output) -> str:
    name = contest.by_key[training.model].name
    if output.failure is not None:
        return f"{name}, {training}: failed: {output.failure}"
    _, judged = contest.rows(training)
    share = float((output.labels == contest.codes[judged]).mean())
    return f"{name}, {training}: accuracy {share:.4f}"
