"""The job of a search: one candidate on one fold."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from moodcore.runs.candidate import FoldResult, PrunedError, failure, fit_fold
from moodcore.runs.families import family
from moodcore.runs.fits import CURVES, Curves, OnStep
from moodcore.runs.folds import Fold
from moodcore.runs.interrupts import StoppedError
from moodcore.runs.space import Params
from moodcore.tuning.file_fold import FileFold
from moodcore.tuning.folds import FoldKey
from moodcore.tuning.pruning import PrunerSnapshot, Reports, rungs


@dataclass(frozen=True)
class Outcome:
    """Result of a job."""

    result: FoldResult | None = None
    pruned: Curves | None = None
    reports: Reports = ()
    failed: str = ""


@dataclass(frozen=True)
class FoldJob:
    """One candidate on one fold: all that training needs but the rows, and small."""

    candidate: int
    fold: int
    shared: FoldKey
    model: str
    arguments: Params
    seed: int
    metric: str = "accuracy"
    as_called: bool = False
    pruner: PrunerSnapshot | None = None

    @property
    def key(self) -> str:
        """Name of the result."""
        return f"candidate {self.candidate}, fold {self.fold + 1}"

    @property
    def group(self) -> int:
        """Jobs of a candidate are cancelled together."""
        return self.candidate

    def run(self, shared: Fold | FileFold, should_stop: Callable[[], bool]) -> Outcome | None:
        """Train on the fold and validate; None if it was stopped."""
        reports: list[tuple[int, float]] = []

        def on_poll() -> None:
            if should_stop():
                raise StoppedError

        kind = family(self.model)
        given: dict[str, Any] = {
            "seed": self.seed,
            "metric": self.metric,
            "on_step": self._on_step(kind.steps(self.arguments), reports),
            "on_poll": on_poll,
        }
        try:
            if isinstance(shared, FileFold):
                result = shared.fit(self.arguments, **given)
            else:
                result = fit_fold(kind, self.arguments, shared, as_called=self.as_called, **given)
        except StoppedError:
            return None
        except PrunedError as error:
            return Outcome(pruned=error.curves, reports=tuple(reports))
        except ConnectionError:
            # The scheduler of a cluster was lost, which is no fault of the candidate.
            raise
        except Exception as error:
            # Whatever a model raises for its hyperparameters and these rows, the others continue.
            return Outcome(failed=failure(f"fold {self.fold + 1}", error))
        return Outcome(result, reports=tuple(reports))

    def failure(self, reason: str) -> Outcome:
        """Return the outcome of a job that cannot be carried out."""
        return Outcome(failed=f"fold {self.fold + 1}: {reason}")

    def _on_step(self, steps: int, reports: list[tuple[int, float]]) -> OnStep:
        if self.pruner is None:
            return lambda _: None
        trial, watched = self.pruner.begin(), set(rungs(steps))
        curves: Curves = {name: [] for name in CURVES}

        def on_step(state: dict[str, float]) -> None:
            for name in CURVES:
                curves[name].append(state[name])
            passed, value = len(curves["valid_accuracy"]), state["valid_accuracy"]
            # Networks that hold out no rows have no validation accuracy.
            if passed in watched and not math.isnan(value):
                reports.append((passed, value))
                trial.report(value, passed)
                if trial.should_prune():
                    raise PrunedError(curves)

        return on_step
