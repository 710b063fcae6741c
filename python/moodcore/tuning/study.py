"""The Optuna study of a run, kept in a file of the run folder."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Container, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moodcore.tuning.candidate import CandidateResult
from moodcore.tuning.pruning import make_pruner
from moodcore.tuning.run_folder import check_unchanged
from moodcore.tuning.settings import Settings
from moodcore.tuning.space import Params

if TYPE_CHECKING:
    import optuna

_NAME = "search"
# Settings that change no result of the search: where the same bytes lie, and what to draw.
_NOT_COMPARED = ("data", "study")


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
    check_unchanged(before, mark)


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


def finished(study: optuna.Study, known: Container[int] = ()) -> dict[int, CandidateResult]:
    """Return the results that the study holds, by candidate number, without those known."""
    done = study.get_trials(deepcopy=False, states=_done())
    results = (
        CandidateResult(**trial.user_attrs["result"])
        for trial in done
        if trial.user_attrs["candidate"] not in known
    )
    return {result.number: result for result in sorted(results, key=lambda one: one.number)}


def _done() -> tuple[optuna.trial.TrialState, ...]:
    from optuna.trial import TrialState

    return (TrialState.COMPLETE, TrialState.PRUNED)


def _taken(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    """Return the trials whose candidates have a result, or somebody who works on them."""
    from optuna.trial import TrialState

    states = (*_done(), TrialState.RUNNING, TrialState.WAITING)
    return study.get_trials(deepcopy=False, states=states)


def choose_by_tpe(study: optuna.Study, seed: int) -> None:
    """Let TPE choose the next parameters from the results so far.

    The sampler is new each time, with the candidate's own seed: a resumed study goes on
    exactly as an uninterrupted one.
    """
    import optuna

    study.sampler = optuna.samplers.TPESampler(seed=seed)


def open_next(
    study: optuna.Study,
    candidates: int,
    params_of: Callable[[int], Params],
    distributions: Mapping[str, optuna.distributions.BaseDistribution],
) -> optuna.Trial | None:
    """Open a trial for the first candidate that has no result and nobody who works on it.

    Any number of processes may do this on one study. Each queues the candidate that it found
    free, and takes the oldest from the queue, perhaps another's. Where two have queued the same
    candidate, the trial with the lower number, which the storage gives out once, is the one that
    counts.

    Parameters
    ----------
    study : optuna.Study
        Whose sampler chooses what `params_of` leaves open.
    candidates : int
        How many there are.
    params_of : callable
        Gives the parameters of a candidate that are known before the sampler is asked.
    distributions : mapping of str to BaseDistribution
        The space.

    Returns
    -------
    optuna.Trial or None
        With the candidate's number as user attribute `"candidate"`; None when every candidate is
        taken.
    """
    from optuna.trial import TrialState

    while True:
        taken = _taken(study)
        numbers = {trial.user_attrs.get("candidate") for trial in taken}
        free = next((number for number in range(candidates) if number not in numbers), None)
        if free is not None:
            study.enqueue_trial(params_of(free), user_attrs={"candidate": free})
        elif not any(trial.state == TrialState.WAITING for trial in taken):
            return None
        trial = study.ask(dict(distributions))
        if _is_ours(study, trial):
            return trial
        study.tell(trial, state=TrialState.FAIL)


def _is_ours(study: optuna.Study, trial: optuna.Trial) -> bool:
    candidate = trial.user_attrs.get("candidate")
    # Without a number, others have emptied the queue before we asked.
    return candidate is not None and not any(
        one.user_attrs.get("candidate") == candidate and one.number < trial.number
        for one in _taken(study)
    )


def release(study: optuna.Study, trials: Iterable[optuna.Trial]) -> None:
    """Give up trials without a result, so that their candidates are tried again."""
    from optuna.trial import TrialState

    for trial in trials:
        study.tell(trial, state=TrialState.FAIL, skip_if_finished=True)


def record(study: optuna.Study, trial: optuna.Trial, result: CandidateResult) -> bool:
    """Write a result; the trial counts as finished only once all of it is in the storage.

    Returns
    -------
    bool
        False if the trial was given up by others meanwhile, who took us for dead: the candidate
        is theirs now.
    """
    from optuna.exceptions import UpdateFinishedTrialError
    from optuna.trial import TrialState

    try:
        trial.set_user_attr("result", result.to_dict())
    except UpdateFinishedTrialError:
        return False
    if result.state == "pruned":
        study.tell(trial, state=TrialState.PRUNED, skip_if_finished=True)
    else:
        study.tell(trial, result.accuracy, skip_if_finished=True)
    return True
