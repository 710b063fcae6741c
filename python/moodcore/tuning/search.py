"""The search: every candidate on every fold, the results in the study as they come."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from moodcore.tuning import study as studies
from moodcore.tuning.candidate import (
    CandidateResult,
    FoldResult,
    PrunedError,
    StoppedError,
    combine,
    fit_fold,
    pruned,
)
from moodcore.tuning.families import CURVES, OnStep
from moodcore.tuning.folds import Fold
from moodcore.tuning.seeds import Stream, derive
from moodcore.tuning.settings import DEFAULT_TRIALS, Settings
from moodcore.tuning.space import Params, Space, draw
from moodcore.tuning.tasks import TaskPool

if TYPE_CHECKING:
    import optuna


class Listener(Protocol):
    """Whoever shows a person how far the run is."""

    def stage(self, text: str) -> None:
        """Begin another part of the run."""

    def search_started(self, candidates: int, done: int, folds: int) -> None:
        """Begin the search, with some candidates perhaps done in an earlier run."""

    def fold_finished(self) -> None:
        """Count one candidate on one fold."""

    def candidate_finished(
        self, result: CandidateResult, best: CandidateResult, done: int, candidates: int
    ) -> None:
        """Show one candidate's result beside the best so far."""

    def search_finished(self) -> None:
        """End the search, finished or not."""


@dataclass
class _OpenCandidate:
    """A candidate in training."""

    number: int
    trial: optuna.Trial
    folds: dict[int, FoldResult | None] = field(default_factory=dict)
    pruned: PrunedError | None = None
    cancelled: threading.Event = field(default_factory=threading.Event)


class Search:
    """One search over the candidates.

    Results do not depend on `jobs`. Candidates of the grid and random sampler are drawn
    before any training and trained in any order. Where a decision rests on earlier results
    (TPE, pruners), candidates come one at a time, their folds in parallel, and the pruner
    looks at the first fold only.

    Parameters
    ----------
    study : optuna.Study
        Where results are kept (see `moodcore.tuning.study.open_study`).
    space : Space
        The hyperparameters.
    folds : sequence of Fold
        Preprocessed folds.
    settings : Settings
        Of which `sampler`, `trials`, `pruner`, `epochs` and `seed` count.
    jobs : int
        Threads.
    stop : threading.Event
        Set by someone else to end the search.
    listener : Listener
        Whoever shows progress.
    """

    def __init__(
        self,
        study: optuna.Study,
        space: Space,
        folds: Sequence[Fold],
        settings: Settings,
        *,
        jobs: int,
        stop: threading.Event,
        listener: Listener,
    ) -> None:
        self._study = study
        self._space = space
        self._folds = folds
        self._settings = settings
        self._jobs = jobs
        self._stop = stop
        self._listener = listener
        self._distributions = space.distributions()
        self._plan = plan(space, settings)
        self._results: dict[int, CandidateResult] = {}
        self._pool = TaskPool(jobs, stop)

    def run(self) -> list[CandidateResult]:
        """Train what has no result yet; returns all results in the order of candidates.

        Raises
        ------
        RunInterruptedError
            When the stop event is set; finished candidates are in the study.
        """
        studies.close_stale(self._study)
        self._results = studies.finished(self._study)
        total = self._n_candidates
        self._listener.search_started(total, len(self._results), len(self._folds))
        numbers = [number for number in range(total) if number not in self._results]
        try:
            if self._settings.sampler == "tpe" or self._settings.pruner != "none":
                for number in numbers:
                    self._evaluate([number])
            else:
                self._evaluate(numbers)
        finally:
            self._listener.search_finished()
        return [self._results[number] for number in sorted(self._results)]

    @property
    def _n_candidates(self) -> int:
        return n_candidates(self._space, self._settings)

    def _evaluate(self, numbers: Sequence[int]) -> None:
        self._pool.run(self._tasks(numbers), self._fold_finished)

    def _tasks(
        self, numbers: Sequence[int]
    ) -> Iterator[tuple[tuple[_OpenCandidate, int], Callable[[], FoldResult | None]]]:
        for number in numbers:
            candidate = _OpenCandidate(number, self._open_trial(number))
            for fold in range(len(self._folds)):
                yield (candidate, fold), self._task(candidate, fold)

    def _open_trial(self, number: int) -> optuna.Trial:
        if self._plan is None:
            seed = derive(self._settings.seed, Stream.SAMPLER, number)
            return studies.ask_sampler(self._study, number, seed, self._distributions)
        return studies.ask_planned(self._study, number, self._plan[number], self._distributions)

    def _task(self, candidate: _OpenCandidate, fold: int) -> Callable[[], FoldResult | None]:
        family = self._settings.family
        drawn = self._space.decode(candidate.trial.params)
        arguments = family.arguments(self._settings.epochs, drawn)
        seed = derive(self._settings.seed, Stream.FIT, candidate.number, fold)
        on_step = self._on_step(candidate, fold, family.steps(arguments))

        def on_poll() -> None:
            if self._pool.should_stop() or candidate.cancelled.is_set():
                raise StoppedError

        def train() -> FoldResult | None:
            if candidate.cancelled.is_set():
                return None
            try:
                return fit_fold(family, arguments, self._folds[fold], seed, (on_step, on_poll))
            except StoppedError:
                return None
            except PrunedError as found:
                candidate.pruned = found
                candidate.cancelled.set()
                return None

        return train

    def _on_step(self, candidate: _OpenCandidate, fold: int, steps: int) -> OnStep:
        watched = fold == 0 and self._settings.pruner != "none"
        rungs = set(studies.rungs(steps)) if watched else set()
        curves: dict[str, list[float]] = {name: [] for name in CURVES}
        passed = 0

        def on_step(state: dict[str, float]) -> None:
            nonlocal passed
            if not watched:
                return
            passed += 1
            for name in CURVES:
                curves[name].append(state[name])
            if passed in rungs:
                candidate.trial.report(curves["valid_accuracy"][-1], passed)
                if candidate.trial.should_prune():
                    raise PrunedError(curves)

        return on_step

    def _fold_finished(self, key: tuple[_OpenCandidate, int], result: FoldResult | None) -> None:
        candidate, fold = key
        candidate.folds[fold] = result
        self._listener.fold_finished()
        if len(candidate.folds) < len(self._folds):
            return
        params = {name: candidate.trial.params[name] for name in self._space.names}
        if candidate.pruned is not None:
            found = pruned(candidate.number, params, candidate.pruned.curves)
        else:
            folds = [candidate.folds[number] for number in range(len(self._folds))]
            found = combine(candidate.number, params, [one for one in folds if one is not None])
        studies.record(self._study, candidate.trial, found)
        self._results[candidate.number] = found
        best = best_of(list(self._results.values()))
        self._listener.candidate_finished(found, best, len(self._results), self._n_candidates)


def n_candidates(space: Space, settings: Settings) -> int:
    """Return how many candidates a search tries."""
    if settings.sampler == "grid":
        return min(settings.trials or space.grid_size, space.grid_size)
    return settings.trials or DEFAULT_TRIALS


def plan(space: Space, settings: Settings) -> list[Params] | None:
    """Return the candidates in their fixed order, or None where they depend on results."""
    if settings.sampler == "tpe":
        return None
    return draw(space, settings, derive(settings.seed, Stream.SAMPLER))


def best_of(results: Sequence[CandidateResult]) -> CandidateResult:
    """Return the most accurate; of equals the smaller model, then the lower number."""
    return min(results, key=lambda one: one.rank)
