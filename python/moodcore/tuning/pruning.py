"""Pruners, and a snapshot of one that can be sent to wherever a candidate is trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from moodcore.tuning.plan import MODEL

if TYPE_CHECKING:
    import optuna

Reports = tuple[tuple[int, float], ...]

# A median of fewer is chance.
_STARTUP = 4
_REDUCTION = 3


def make_pruner(name: str, epochs: int) -> optuna.pruners.BasePruner:
    """Return Optuna's pruner of that name for trainings of `epochs` epochs."""
    import optuna

    if name == "median":
        return optuna.pruners.MedianPruner(n_startup_trials=_STARTUP)
    if name == "halving":
        return optuna.pruners.SuccessiveHalvingPruner(
            min_resource=rungs(epochs)[0] if rungs(epochs) else 1, reduction_factor=_REDUCTION
        )
    return optuna.pruners.NopPruner()


def rungs(epochs: int) -> list[int]:
    """Return the epochs at which a pruner is asked: 1/27, 1/9 and 1/3 of the training.

    Examples
    --------
    >>> rungs(300), rungs(5), rungs(1)
    ([11, 33, 99], [1], [])
    """
    first = max(1, epochs // _REDUCTION**3)
    steps = [first, first * _REDUCTION, first * _REDUCTION**2]
    return [step for step in steps if 2 * step < epochs]


@dataclass(frozen=True)
class PrunerSnapshot:
    """A pruner with the earlier candidates, which pickle can send anywhere."""

    pruner: optuna.pruners.BasePruner
    earlier: tuple[optuna.trial.FrozenTrial, ...]

    @classmethod
    def of(cls, study: optuna.Study, model: str | None = None) -> PrunerSnapshot:
        """Return the pruner of a study with the trials that are finished now.

        In a search over several families, those of the one named `model` only: an epoch of a
        network and a round of boosting are not the same amount of training.
        """
        from optuna.trial import TrialState, create_trial

        done = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))
        earlier = tuple(
            create_trial(
                state=trial.state,
                value=trial.value,
                intermediate_values=trial.intermediate_values,
                system_attrs=trial.system_attrs,
            )
            for trial in done
            if model is None or trial.params[MODEL] == model
        )
        return cls(study.pruner, earlier)

    def begin(self) -> optuna.Trial:
        """Return a trial in memory that reports to the pruner."""
        import optuna

        study = optuna.create_study(direction="maximize", pruner=self.pruner)
        study.add_trials(self.earlier)
        return study.ask()


def repeat_reports(trial: optuna.Trial, reports: Reports) -> None:
    """Repeat in the trial of the study what was reported to a `PrunerSnapshot`.

    The pruner is called each time, because successive halving records its rungs when called.
    """
    for step, value in reports:
        trial.report(value, step)
        trial.should_prune()
