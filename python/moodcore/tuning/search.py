"""The search: every candidate on every fold, the results in the study as they come."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from moodcore.tuning import study as studies
from moodcore.tuning.candidate import CandidateResult, combine, pruned
from moodcore.tuning.engine import Engine, FoldTask, Outcome
from moodcore.tuning.heartbeat import Heartbeat
from moodcore.tuning.pruning import Judge, repeat_reports
from moodcore.tuning.seeds import Stream, derive
from moodcore.tuning.settings import DEFAULT_TRIALS, Settings
from moodcore.tuning.space import Params, Space, draw
from moodcore.tuning.tasks import RunInterruptedError

if TYPE_CHECKING:
    import optuna


# How often the results of others are looked for when nothing is left to train, in seconds.
_WAIT = 0.5


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
    outcomes: dict[int, Outcome] = field(default_factory=dict)


class Search:
    """One search over the candidates.

    Results do not depend on the engine, nor on how many processes share the study, as far as
    no decision rests on earlier results. Candidates of the grid and random sampler are drawn
    before any training and trained in any order. Where a decision rests on earlier results
    (TPE, pruners), candidates come one at a time, their folds in parallel, and the pruner
    looks at the first fold only.

    Parameters
    ----------
    study : optuna.Study
        Where results are kept (see `moodcore.tuning.study.open_study`).
    space : Space
        The hyperparameters.
    settings : Settings
        Of which `sampler`, `trials`, `pruner`, `folds`, `epochs` and `seed` count.
    engine : Engine
        Whoever trains; it holds the folds.
    stop : threading.Event
        Set by someone else to end the search.
    listener : Listener
        Whoever shows progress.
    """

    def __init__(
        self,
        study: optuna.Study,
        space: Space,
        settings: Settings,
        *,
        engine: Engine,
        stop: threading.Event,
        listener: Listener,
    ) -> None:
        self._study = study
        self._space = space
        self._settings = settings
        self._engine = engine
        self._stop = stop
        self._listener = listener
        self._distributions = space.distributions()
        self._plan = plan(space, settings)
        self._total = n_candidates(space, settings)
        self._open: dict[int, _OpenCandidate] = {}
        self._results: dict[int, CandidateResult] = {}
        self._heartbeat = Heartbeat(study, self._open_trials)
        self._trained = 0

    def run(self) -> list[CandidateResult]:
        """Train what has no result yet; returns all results in the order of candidates.

        Raises
        ------
        RunInterruptedError
            When the stop event is set; finished candidates are in the study.
        """
        studies.close_stale(self._study)
        self._results = studies.finished(self._study)
        self._listener.search_started(self._total, len(self._results), self._settings.folds)
        try:
            with self._heartbeat:
                while len(self._results) < self._total:
                    self._pass()
        finally:
            studies.release(self._study, self._open_trials())
            self._listener.search_finished()
        return [self._results[number] for number in sorted(self._results)]

    @property
    def trained(self) -> int:
        """How many candidates got their result from this process."""
        return self._trained

    def _open_trials(self) -> list[optuna.Trial]:
        return [one.trial for one in list(self._open.values())]

    def _pass(self) -> None:
        """Train the candidates that are free, or wait for those that others work on."""
        before = self._trained
        self._engine.run(self._tasks(), self._fold_finished)
        self._adopt()
        if self._trained > before or len(self._results) == self._total:
            return
        self._heartbeat.begin_for_others(studies.running(self._study))
        if self._stop.wait(_WAIT):
            raise RunInterruptedError
        studies.close_stale(self._study)

    def _tasks(self) -> Iterator[FoldTask]:
        while candidate := self._next():
            for fold in range(self._settings.folds):
                yield self._task(candidate, fold)
            if self._plan is None or self._settings.pruner != "none":
                return

    def _next(self) -> _OpenCandidate | None:
        self._adopt()
        trial = studies.open_next(self._study, self._total, self._params_of, self._distributions)
        if trial is None:
            return None
        number = trial.user_attrs["candidate"]
        self._open[number] = _OpenCandidate(number, trial)
        self._heartbeat.begin(trial)
        return self._open[number]

    def _adopt(self) -> None:
        """Take over the results that others have written."""
        for found in studies.finished(self._study, self._results).values():
            for _ in range(self._settings.folds):
                self._listener.fold_finished()
            self._keep(found)

    def _params_of(self, number: int) -> Params:
        if self._plan is not None:
            return self._plan[number]
        seed = derive(self._settings.seed, Stream.SAMPLER, number)
        studies.choose_by_tpe(self._study, seed)
        return {}

    def _task(self, candidate: _OpenCandidate, fold: int) -> FoldTask:
        settings = self._settings
        drawn = self._space.decode(candidate.trial.params)
        watched = fold == 0 and settings.pruner != "none"
        return FoldTask(
            candidate.number,
            fold,
            settings.model,
            settings.family.arguments(settings.epochs, drawn),
            derive(settings.seed, Stream.FIT, candidate.number, fold),
            Judge.of(self._study) if watched else None,
        )

    def _fold_finished(self, task: FoldTask, outcome: Outcome) -> None:
        candidate = self._open[task.candidate]
        candidate.outcomes[task.fold] = outcome
        if outcome.pruned is not None:
            self._engine.cancel(candidate.number)
        self._listener.fold_finished()
        if len(candidate.outcomes) == self._settings.folds:
            self._candidate_finished(candidate)

    def _candidate_finished(self, candidate: _OpenCandidate) -> None:
        del self._open[candidate.number]
        outcomes = [candidate.outcomes[fold] for fold in range(self._settings.folds)]
        params = {name: candidate.trial.params[name] for name in self._space.names}
        for one in outcomes:
            repeat_reports(candidate.trial, one.reports)
        curves = next((one.pruned for one in outcomes if one.pruned is not None), None)
        if curves is not None:
            found = pruned(candidate.number, params, curves)
        else:
            folds = [one.result for one in outcomes if one.result is not None]
            found = combine(candidate.number, params, folds)
        if studies.record(self._study, candidate.trial, found):
            self._trained += 1
            self._keep(found)

    def _keep(self, found: CandidateResult) -> None:
        self._results[found.number] = found
        best = best_of(list(self._results.values()))
        self._listener.candidate_finished(found, best, len(self._results), self._total)


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
