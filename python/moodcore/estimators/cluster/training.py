"""Training on one worker: bin its rows and grow the trees together with the other workers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moodcore import _core
from moodcore.estimators.cluster.parts import FilePart, Part, tables_of
from moodcore.estimators.cluster.rows import BinnedSet
from moodcore.estimators.cluster.sums import SumNode, WorkerLostError, is_ended
from moodcore.estimators.evaluation import EvaluationSet
from moodcore.estimators.gbt.estimator import GBT
from moodcore.estimators.gbt.rows import BoostingRows, read_margin
from moodcore.estimators.gbt.streamed import BinnedRows, evaluation_bins
from moodcore.estimators.gbt.training import run_core
from moodcore.estimators.progress import current_poll, polled
from moodcore.estimators.rows import readable
from moodcore.platform import instruction_set

EvaluationRows = BoostingRows | BinnedSet | EvaluationSet


@dataclass(frozen=True)
class Progress:
    """Progress of a training that was interrupted."""

    model: _core.GbtModel
    first: int
    history: list[list[list[float]]]
    best_round: int | None
    best_score: float | None

    def arguments(self) -> tuple[int, list[list[list[float]]], int | None, float | None]:
        """Return the progress in the form that the core takes."""
        return self.first, self.history, self.best_round, self.best_score


@dataclass(frozen=True)
class Plan:
    """The data and parameters that one worker needs for a training.

    Attributes
    ----------
    run : str
        Name of the training.
    rank : int
        Index of the worker; the first one has the evaluation sets.
    addresses : list of str
        Addresses of all workers.
    model : GBT
        The model with columns, classes and parameters, without trees.
    bins : GbtModel
        The bins, without trees.
    kept : list of ndarray or None
        For each part of the worker, the indices of its training rows; None for all rows.
    pieces : list of tuple of int
        For each part, the index of its first row among all training rows, and its number of rows.
    totals : dict
        Totals over all training rows (`ClusterRows.totals`).
    sets : dict of BoostingRows, BinnedSet or EvaluationSet
        Evaluation sets in memory, held-out rows, or sets in files, on the first worker.
    listens : bool
        Whether the client waits for a record after each round.
    checkpoint_every : int or None
        Number of rounds between two checkpoints; None for none.
    """

    run: str
    rank: int
    addresses: list[str]
    model: GBT
    rounds: int
    bins: _core.GbtModel
    kept: list[NDArray[np.intp] | None]
    pieces: list[tuple[int, int]]
    y: NDArray[np.uint32]
    weight: NDArray[np.float64] | None
    totals: Mapping[str, Any]
    sets: dict[str, EvaluationRows]
    n_sets: int
    listens: bool
    checkpoint_every: int | None
    start: _core.GbtModel | None
    resume: Progress | None


def train(plan: Plan, parts: list[Part | FilePart], version: str) -> dict[str, Any]:
    """Train with the other workers; runs in a thread of a worker.

    Returns
    -------
    dict
        The result of the core, with the number of messages and bytes that this worker sent.
    """
    from distributed import get_worker, secede

    worker = get_worker()
    if _core.__version__ != version:
        raise RuntimeError(
            f"the Dask worker {worker.address} has moodcore {_core.__version__}, the client "
            f"{version}; install the same"
        )
    key = worker.get_current_task()
    # Give up the worker's task slot: otherwise two trainings could wait for each other's workers.
    secede()

    def should_stop() -> bool:
        # The scheduler forgets a task when it is cancelled, or when its client is gone.
        state = worker.state.tasks.get(key)
        running = state is not None and state.state in ("executing", "long-running")
        return not running or worker.status.name not in ("running", "paused")

    def poll() -> None:
        if should_stop():
            raise WorkerLostError("the training was cancelled")

    jobs = plan.model.n_jobs
    threads = worker.state.nthreads if jobs is None or jobs < 0 else jobs
    with (
        SumNode(worker, plan.run, plan.rank, plan.addresses, should_stop) as node,
        polled(poll),
    ):
        shard = {
            "rank": plan.rank,
            "size": len(plan.addresses),
            "pieces": plan.pieces,
            "n_eval_sets": plan.n_sets,
            "listens": plan.listens,
            "sum": node.sum,
            **plan.totals,
        }
        try:
            rows = _binned(plan, parts, threads)
            sets = _evaluation_rows(plan, rows)
            result = run_core(
                _listening(plan, worker),
                rows,
                sets,
                start=plan.start if plan.resume is None else plan.resume.model,
                rounds=plan.rounds,
                threads=threads,
                shard=shard,
                resume=None if plan.resume is None else plan.resume.arguments(),
                checkpoint=_checkpoint(plan, worker),
            )
        except WorkerLostError as error:
            # The worker was lost before the first round.
            return {"interrupted": str(error), "model": None}
    interrupted = result["interrupted"]
    if interrupted is not None and not isinstance(interrupted, WorkerLostError):
        raise interrupted
    result["interrupted"] = None if interrupted is None else str(interrupted)
    result["n_messages"], result["n_bytes"] = node.n_messages, node.n_bytes
    return result


def _binned(plan: Plan, parts: list[Part | FilePart], threads: int) -> BinnedRows:
    model, bins = plan.model, _core.GbtBinnedRows.of_model(plan.bins, len(plan.y))
    names = getattr(model, "feature_names_in_", None)
    names = None if names is None else tuple(names.tolist())
    poll, margins = current_poll(), list[NDArray[np.float64]]()
    for part, kept in zip(parts, plan.kept, strict=True):
        for table in tables_of(part, kept, names, model.table_schema_):
            if poll is not None:
                poll()
            bins.append(table, threads=threads, instructions=instruction_set())
        if isinstance(part, Part) and part.margin is not None:
            values = np.asarray(part.margin)
            values = values if kept is None else values[kept]
            checked = read_margin(values, len(values), model._n_outputs)
            assert checked is not None
            margins.append(checked)
    weight = None if plan.weight is None else readable(plan.weight)
    margin = readable(np.concatenate(margins)) if margins else None
    return BinnedRows(bins, readable(plan.y), weight, len(plan.y), margin=margin)


def _evaluation_rows(plan: Plan, rows: BinnedRows) -> dict[str, BoostingRows | BinnedRows]:
    """Return the evaluation sets, after reading those in files."""
    reader = plan.model._training_copy(fitted=True)
    # The client reports progress.
    reader.callbacks, reader.verbose = None, 0
    sets: dict[str, BoostingRows | BinnedRows] = {}
    for name, given in plan.sets.items():
        if isinstance(given, EvaluationSet):
            sets[name] = evaluation_bins(reader, given, rows)
        else:
            sets[name] = given.rows(plan.bins) if isinstance(given, BinnedSet) else given
    return sets


def _row_by_row(objective: Callable[..., Any]) -> Callable[..., Any]:
    """Check, when an objective is first called, that its values belong to single rows.

    A worker calls it with its own rows: an objective that, for example, subtracts the mean over all
    rows would return other values than in one process.
    """
    is_checked = False

    @wraps(objective)
    def checked(y: Any, margins: Any, **named: Any) -> Any:
        nonlocal is_checked
        returned = objective(y, margins, **named)
        if not is_checked and len(y) > 1 and isinstance(returned, tuple | list):
            half = slice(0, len(y) // 2)
            part = {name: None if value is None else value[half] for name, value in named.items()}
            alone_values = objective(y[half], margins[half], **part)
            for whole, alone in zip(returned, alone_values, strict=True):
                if not np.allclose(np.asarray(whole)[half], alone, rtol=1e-6, equal_nan=True):
                    raise ValueError(
                        "objective must compute the derivatives of a row from this row alone in "
                        "moodcore.dask.GBT, because each worker calls it with its own rows; its "
                        "values for the first half of the rows are others without the second half"
                    )
        is_checked = True
        return returned

    return checked


def _listening(plan: Plan, worker: Any) -> GBT:
    """Return the model; on the first worker with a callback that waits for the client's answer."""
    model = plan.model._training_copy(fitted=True)
    model.callbacks, model.verbose = None, 0
    if model.objective is not None:
        model.objective = _row_by_row(model.objective)
    if plan.rank == 0 and plan.listens:
        key = worker.get_current_task()
        model.callbacks = [lambda record: _ask(plan, worker, key, {"record": record})]
    return model


def _checkpoint(plan: Plan, worker: Any) -> tuple[int, Callable[..., None]] | None:
    """Return the number of rounds between two checkpoints, and the function that reports them."""
    if plan.rank > 0 or plan.checkpoint_every is None:
        return None
    key = worker.get_current_task()
    first = 0 if plan.start is None else plan.start.n_rounds

    def report(
        model: _core.GbtModel,
        history: list[list[list[float]]],
        best_round: int | None,
        best_score: float | None,
    ) -> None:
        progress = Progress(model, first, history, best_round, best_score)
        _ask(plan, worker, key, {"rounds": model.n_rounds}, progress)

    return plan.checkpoint_every, report


def _ask(
    plan: Plan, worker: Any, key: Any, message: dict[str, Any], progress: Progress | None = None
) -> bool:
    """Send the client a message, and wait for its answer.

    The scheduler stores messages, so the client fetches the large ``progress`` separately.
    """
    answer = _answers[plan.run] = _Answer(progress)
    # `log_event` adds the address of the worker to the event.
    worker.log_event(plan.run, message)
    try:
        while not answer.given.wait(0.2):
            if worker.state.tasks.get(key) is None or is_ended(worker.address, plan.run):
                raise WorkerLostError("the training was cancelled")
    finally:
        del _answers[plan.run]
    return answer.stop


class _Answer:
    """The client's answer: whether to stop training; and the progress that it may fetch before."""

    def __init__(self, progress: Progress | None) -> None:
        self.given = threading.Event()
        self.stop = False
        self.progress = progress


_answers: dict[str, _Answer] = {}


def answer(run: str, stop: bool) -> None:
    """Answer the record of a round; runs on the first worker."""
    waiting = _answers.get(run)
    if waiting is not None:
        waiting.stop = stop
        waiting.given.set()


def waiting_progress(run: str) -> Progress | None:
    """Return the rounds that the first worker reports, on which this runs."""
    waiting = _answers.get(run)
    return None if waiting is None else waiting.progress
