"""The search: every candidate on every fold, the results in the study as they come."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from moodcore.runs.candidate import (
    Candidate,
    CandidateResult,
    best_of,
    combine,
    failed,
    pruned,
)
from moodcore.runs.heartbeat import Heartbeat
from moodcore.runs.interrupts import RunInterruptedError
from moodcore.runs.jobs import Executor
from moodcore.runs.listener import Listener
from moodcore.runs.seeds import Stream, derive
from moodcore.runs.space import Params
from moodcore.tuning import study as studies
from moodcore.tuning.fold_job import FoldJob, Outcome
from moodcore.tuning.folds import FoldKey
from moodcore.tuning.plan import SearchSpace, n_candidates, plan
from moodcore.tuning.pruning import PrunerSnapshot, repeat_reports
from moodcore.tuning.results import describe
from moodcore.tuning.settings import TuneSettings

if TYPE_CHECKING:
    import optuna


# Seconds between two looks at the results of other processes when nothing is left to train.
_WAIT = 0.5


@dataclass
class _OpenCandidate:
    """A candidate in training."""

    number: int
    trial: optuna.Trial
    drawn: Candidate
    outcomes: dict[int, Outcome] = field(default_factory=dict)
    sent: int = 0
    ended: bool = False

    def is_settled(self) -> bool:
        """Whether no other fold can change the candidate's result.

        The reason of a failure is that of the first fold that fails, which must not depend on
        which fold is the quickest.
        """
        for fold in range(len(self.outcomes)):
            outcome = self.outcomes.get(fold)
            if outcome is None:
                return False
            if outcome.pruned is not None or outcome.failed:
                return True
        return False


class Search:
    """One search over the candidates.

    Results do not depend on the executor, nor on how many processes share the study, as far as
    no decision rests on earlier results. Candidates of the grid and random sampler are drawn
    before any training and trained in any order. Where a decision rests on earlier results
    (TPE, pruners), candidates come one at a time, their folds in parallel, and the pruner
    looks at the first fold only. A candidate that cannot be trained is recorded with its reason.

    The executor holds the folds under the names that `fold_key` gives them. After `minutes` no
    other candidate begins and those in training are abandoned, once one candidate is complete.
    """

    def __init__(
        self,
        study: optuna.Study,
        space: SearchSpace,
        settings: TuneSettings,
        *,
        executor: Executor,
        fold_key: Callable[[str, int], FoldKey],
        stop: threading.Event,
        listener: Listener,
        minutes: float | None = None,
    ) -> None:
        self._study = study
        self._space = space
        self._settings = settings
        self._executor = executor
        self._fold_key = fold_key
        self._stop = stop
        self._listener = listener
        self._seconds = math.inf if minutes is None else 60 * minutes
        self._deadline = math.inf
        self._plan = plan(space, settings)
        self._total = n_candidates(space, settings)
        self._open: dict[int, _OpenCandidate] = {}
        self._results: dict[int, CandidateResult] = {}
        self._heartbeat = Heartbeat(study, self._open_trials)
        self._trained = 0

    def run(self) -> list[CandidateResult]:
        """Train what has no result yet; returns all results in the order of candidates.

        Where the time is over before the last candidate, there are fewer.

        Raises
        ------
        RunInterruptedError
            When the stop event is set; finished candidates are in the study.
        """
        studies.close_stale(self._study)
        self._results = studies.finished(self._study)
        self._deadline = time.monotonic() + self._seconds
        folds = self._settings.folds
        self._listener.started(self._total * folds, len(self._results) * folds, "folds")
        try:
            with self._heartbeat:
                while len(self._results) < self._total and not self._is_over():
                    self._pass()
        finally:
            studies.release(self._study, self._open_trials())
            self._listener.ended()
        return [self._results[number] for number in sorted(self._results)]

    @property
    def trained(self) -> int:
        """How many candidates got their result from this process."""
        return self._trained

    def _open_trials(self) -> list[optuna.Trial]:
        return [candidate.trial for candidate in list(self._open.values())]

    def _pass(self) -> None:
        """Train the candidates that are free, or wait for those that others work on."""
        before = self._trained
        self._executor.run(self._jobs(), self._fold_finished, self._check_time)
        self._adopt()
        if self._trained > before or len(self._results) == self._total or self._is_over():
            return
        self._heartbeat.begin_for_others(studies.running(self._study))
        if self._stop.wait(_WAIT):
            raise RunInterruptedError
        studies.close_stale(self._study)

    def _is_over(self) -> bool:
        """Whether the time is over; never before one candidate is complete."""
        if time.monotonic() < self._deadline:
            return False
        return any(candidate.state == "complete" for candidate in self._results.values())

    def _check_time(self) -> None:
        if self._is_over():
            for candidate in self._open.values():
                self._end(candidate)

    def _end(self, candidate: _OpenCandidate) -> None:
        """End the training of a candidate, finished or not."""
        if not candidate.ended:
            candidate.ended = True
            self._executor.cancel(candidate.number)

    def _jobs(self) -> Iterator[FoldJob]:
        while not self._is_over() and (candidate := self._next()):
            while candidate.sent < self._settings.folds and not candidate.ended:
                candidate.sent += 1
                yield self._job(candidate, candidate.sent - 1)
            # Where it was ended between two folds, nothing of it may be left to wait for.
            self._close_if_done(candidate)
            if self._settings.sampler == "tpe" or self._settings.pruner != "none":
                return

    def _next(self) -> _OpenCandidate | None:
        self._adopt()
        trial = studies.open_next(self._study, self._total, self._params_of)
        if trial is None:
            return None
        self._heartbeat.begin(trial)
        number = trial.user_attrs["candidate"]
        planned = self._plan[number] if number < len(self._plan) else None
        drawn = self._space.suggest(trial, planned)
        self._open[number] = _OpenCandidate(number, trial, drawn)
        return self._open[number]

    def _adopt(self) -> None:
        """Take over the results that others have written."""
        for result in studies.finished(self._study, self._results).values():
            self._listener.advanced(self._settings.folds)
            self._keep(result)

    def _params_of(self, number: int) -> Params:
        if number < len(self._plan):
            return self._space.enqueued(self._plan[number])
        seed = derive(self._settings.seed, Stream.SAMPLER, number)
        studies.choose_by_tpe(self._study, seed)
        return self._space.first(number - len(self._plan))

    def _job(self, candidate: _OpenCandidate, fold: int) -> FoldJob:
        settings, model = self._settings, candidate.drawn.model
        watched = fold == 0 and settings.pruner != "none"
        related = model if self._space.joint else None
        return FoldJob(
            candidate=candidate.number,
            fold=fold,
            shared=self._fold_key(model, fold),
            model=model,
            arguments=self._space.arguments(candidate.drawn, settings),
            seed=derive(settings.seed, Stream.FIT, candidate.number, fold),
            metric=settings.metric,
            as_called=settings.around_defaults,
            pruner=PrunerSnapshot.of(self._study, related) if watched else None,
        )

    def _fold_finished(self, job: FoldJob, outcome: Outcome | None) -> None:
        candidate = self._open[job.candidate]
        candidate.outcomes[job.fold] = outcome or Outcome()
        if candidate.is_settled():
            self._end(candidate)
        self._listener.advanced()
        self._close_if_done(candidate)

    def _close_if_done(self, candidate: _OpenCandidate) -> None:
        """Write the result of a candidate once no fold of it is in training or to come."""
        waited_for = candidate.sent if candidate.ended else self._settings.folds
        if len(candidate.outcomes) < waited_for or candidate.number not in self._open:
            return
        del self._open[candidate.number]
        for outcome in candidate.outcomes.values():
            repeat_reports(candidate.trial, outcome.reports)
        result = _result_of(candidate, self._settings.folds)
        if result is None:
            studies.release(self._study, [candidate.trial])
        elif studies.record(self._study, candidate.trial, result):
            self._trained += 1
            self._keep(result)

    def _keep(self, result: CandidateResult) -> None:
        self._results[result.number] = result
        best = best_of(list(self._results.values()))
        place = f"candidate {result.number} ({len(self._results)} of {self._total})"
        around_defaults = self._settings.around_defaults
        shown = describe(result, around_defaults=around_defaults)
        if best.state == "complete":
            shown += f"; best: {describe(best, around_defaults=around_defaults)}"
        self._listener.result(f"{place}: {shown}")


def _result_of(candidate: _OpenCandidate, n_folds: int) -> CandidateResult | None:
    """Return what the folds say together; None where the time ended one of them."""
    number, drawn = candidate.number, candidate.drawn
    results = []
    for fold in range(n_folds):
        outcome = candidate.outcomes.get(fold, Outcome())
        if outcome.pruned is not None:
            return pruned(number, drawn, outcome.pruned)
        if outcome.failed:
            return failed(number, drawn, outcome.failed)
        if outcome.result is None:
            return None
        results.append(outcome.result)
    return combine(number, drawn, results)
