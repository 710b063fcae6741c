"""The Optuna study of a run, kept in a file of the run folder."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moodcore.tuning.candidate import CandidateResult
from moodcore.tuning.settings import ConfigError, Settings
from moodcore.tuning.space import Params

if TYPE_CHECKING:
    import optuna

_NAME = "search"
# Settings that change no result of the search: where the same bytes lie, and what to draw.
_NOT_COMPARED = ("data", "study")
# A median of fewer is chance.
_PRUNER_STARTUP = 4
_REDUCTION = 3


def make_pruner(name: str, epochs: int) -> optuna.pruners.BasePruner:
    """Return Optuna's pruner of that name for trainings of `epochs` epochs."""
    import optuna

    if name == "median":
        return optuna.pruners.MedianPruner(n_startup_trials=_PRUNER_STARTUP)
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


def open_study(path: Path, settings: Settings) -> optuna.Study:
    """Open the study in the file, or make it.

    Parameters
    ----------
    path : Path
        SQLite file; its folder must exist.
    settings : Settings
        Of which the pruner and the epochs count.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        storage = optuna.storages.RDBStorage(f"sqlite:///{path.resolve().as_posix()}")
    return optuna.create_study(
        storage=storage,
        study_name=_NAME,
        direction="maximize",
        sampler=optuna.samplers.RandomSampler(seed=settings.seed),
        pruner=make_pruner(settings.pruner, settings.epochs),
        load_if_exists=True,
    )


def close(study: optuna.Study) -> None:
    """Let go of the study's file."""
    storage: Any = study._storage
    storage.remove_session()
    backend = getattr(storage, "_backend", storage)
    backend.engine.dispose()


def fingerprint(settings: Settings, data_sha256: str) -> dict[str, Any]:
    """Return what must stay the same for a run to be resumed."""
    values = settings.to_dict()
    kept = {name: value for name, value in values.items() if name not in _NOT_COMPARED}
    return {"data": data_sha256, "settings": kept}


def claim(study: optuna.Study, mark: Mapping[str, Any]) -> None:
    """Write the fingerprint into a new study, or hold it against that of an old one.

    Raises
    ------
    ConfigError
        If the study was begun with other settings or data; names them with both values.
    """
    before = study.user_attrs.get("fingerprint")
    if before is None:
        study.set_user_attr("fingerprint", dict(mark))
        return
    old, new = before["settings"], mark["settings"]
    for name in [*old, *(name for name in new if name not in old)]:
        if old.get(name) != new.get(name):
            raise ConfigError(
                f"cannot resume: {name} was {old.get(name, 'not set')} when the run began "
                f"and is {new.get(name, 'not set')} now; leave it as it was, or start a new run"
            )
    if before["data"] != mark["data"]:
        raise ConfigError(
            f"cannot resume: the songs have changed since the run began (SHA-256 "
            f"{before['data'][:12]}… then, {mark['data'][:12]}… now); start a new run"
        )


def close_stale(study: optuna.Study) -> int:
    """Mark as failed the trials that a killed run left open; returns how many.

    Their candidates have no result yet, so the search enqueues the same parameters again
    under the same candidate number.
    """
    from optuna.trial import TrialState

    stale = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    for trial in stale:
        study.tell(trial.number, state=TrialState.FAIL)
    waiting = len(study.get_trials(deepcopy=False, states=(TrialState.WAITING,)))
    for _ in range(waiting):
        study.tell(study.ask(), state=TrialState.FAIL)
    return len(stale) + waiting


def finished(study: optuna.Study) -> dict[int, CandidateResult]:
    """Return the results that the study holds, by candidate number."""
    from optuna.trial import TrialState

    done = (TrialState.COMPLETE, TrialState.PRUNED)
    results = (
        CandidateResult(**trial.user_attrs["result"])
        for trial in study.get_trials(deepcopy=False, states=done)
    )
    return {result.number: result for result in sorted(results, key=lambda one: one.number)}


def ask_planned(
    study: optuna.Study,
    number: int,
    params: Params,
    distributions: Mapping[str, optuna.distributions.BaseDistribution],
) -> optuna.Trial:
    """Open a trial for a candidate whose parameters are already known."""
    study.enqueue_trial(params, user_attrs={"candidate": number})
    return study.ask(dict(distributions))


def ask_sampler(
    study: optuna.Study,
    number: int,
    seed: int,
    distributions: Mapping[str, optuna.distributions.BaseDistribution],
) -> optuna.Trial:
    """Open a trial whose parameters TPE chooses from the results so far.

    The sampler is new each time, with the candidate's own seed: a resumed study goes on
    exactly as an uninterrupted one.
    """
    import optuna

    study.sampler = optuna.samplers.TPESampler(seed=seed)
    trial = study.ask(dict(distributions))
    trial.set_user_attr("candidate", number)
    return trial


def record(study: optuna.Study, trial: optuna.Trial, result: CandidateResult) -> None:
    """Write a result; the trial counts as finished only once all of it is in the file."""
    from optuna.trial import TrialState

    trial.set_user_attr("result", result.to_dict())
    if result.state == "pruned":
        study.tell(trial, state=TrialState.PRUNED)
    else:
        study.tell(trial, result.accuracy)
