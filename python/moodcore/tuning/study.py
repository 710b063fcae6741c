"""The Optuna study of a search: created or joined, its candidates claimed, its results kept."""

from __future__ import annotations

import contextlib
import time
import warnings
from collections.abc import Callable, Container, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from moodcore.errors import ConfigError
from moodcore.runs.candidate import CandidateResult
from moodcore.runs.heartbeat import storage_of
from moodcore.runs.mark import check_mark, check_version
from moodcore.runs.space import Params
from moodcore.runs.storage import Storage
from moodcore.tuning.pruning import make_pruner
from moodcore.tuning.settings import TuneSettings, fewest_steps

if TYPE_CHECKING:
    import optuna

# Seconds that the creator of a shared study may take to write its mark.
_MAKER = 3


def open_study(
    storage: Storage, settings: TuneSettings, mark: Mapping[str, Any] | None = None
) -> optuna.Study:
    """Open the study in the storage, or create it.

    The resume mark is written into a new study and compared with that of an old one.

    Raises
    ------
    ConfigError
        If the study was begun with other settings or data; names them.
    ConnectionError
        If the database does not answer.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    backend = storage.connect()
    with storage.explained():
        try:
            # Of processes that begin at the same time, one creates the study.
            study = optuna.create_study(
                storage=backend, study_name=storage.name, direction="maximize"
            )
            if mark is not None:
                study.set_user_attr("fingerprint", dict(mark))
        except optuna.exceptions.DuplicatedStudyError:
            study = optuna.load_study(storage=backend, study_name=storage.name)
        study.sampler = optuna.samplers.RandomSampler(seed=settings.seed)
        study.pruner = make_pruner(settings.pruner, fewest_steps(settings))
        if mark is not None:
            try:
                _claim(study, mark, storage)
            except BaseException:
                close(study)
                raise
    return study


def settings_of(storage: Storage) -> dict[str, Any]:
    """Return the settings that a study was begun with.

    Raises
    ------
    ConfigError
        If there is no such study; says how to begin it.
    ConnectionError
        If the database does not answer.
    """
    import optuna

    backend = storage.connect()
    with storage.explained():
        try:
            study = optuna.load_study(storage=backend, study_name=storage.name)
            before = _mark_of(study, storage)
        except KeyError:
            before = None
        finally:
            backend.remove_session()
            backend.engine.dispose()
    if before is None:
        raise ConfigError(
            f"there is no study {storage.name!r} in {storage.shown} to work on; begin it with "
            f"moodcore tune --storage {storage.shown} --study-name {storage.name}"
        )
    check_version(
        before, action=f"join the study {storage.name!r}", otherwise="choose another --study-name"
    )
    return dict(before["settings"])


def close(study: optuna.Study) -> None:
    """Let go of the study's file or database."""
    backend = storage_of(study)
    backend.remove_session()
    backend.engine.dispose()


def _claim(study: optuna.Study, mark: Mapping[str, Any], storage: Storage) -> None:
    """Compare the mark with that of the study, which has one unless its creator died."""
    before = _mark_of(study, storage)
    if before is None:
        study.set_user_attr("fingerprint", dict(mark))
        return
    if storage.shared:
        action = f"join the study {storage.name!r}"
        check_mark(before, mark, action=action, otherwise="choose another --study-name")
    else:
        check_mark(before, mark)


def _mark_of(study: optuna.Study, storage: Storage) -> Mapping[str, Any] | None:
    """Return the mark of the study, once its creator has had time to write it."""
    until = time.monotonic() + (_MAKER if storage.shared else 0)
    while (found := study.user_attrs.get("fingerprint")) is None and time.monotonic() < until:
        time.sleep(0.1)
    return found


def close_stale(study: optuna.Study) -> None:
    """Mark trials as failed that no process works on any more.

    In a study with heartbeats those whose heartbeat has stopped; in another, which belongs to one
    process, all that a killed run left open. Their candidates are tried again.
    """
    import optuna
    from optuna.trial import TrialState

    if storage_of(study).get_heartbeat_interval() is not None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            optuna.storages.fail_stale_trials(study)
        return
    for trial in running(study):
        study.tell(trial.number, state=TrialState.FAIL)
    for _ in study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
        study.tell(study.ask(), state=TrialState.FAIL)


def running(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    """Return the trials that are open."""
    from optuna.trial import TrialState

    return study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))


def finished(study: optuna.Study, known: Container[int] = ()) -> dict[int, CandidateResult]:
    """Return the results that the study holds, by candidate number, without those known."""
    results = (
        CandidateResult(**trial.user_attrs["result"])
        for trial in study.get_trials(deepcopy=False)
        if _has_result(trial) and trial.user_attrs["candidate"] not in known
    )
    return {result.number: result for result in sorted(results, key=lambda other: other.number)}


def _has_result(trial: optuna.trial.FrozenTrial) -> bool:
    """Whether the candidate of a trial is done; one that was given up is tried again."""
    from optuna.trial import TrialState

    if trial.state == TrialState.FAIL:
        return bool(trial.user_attrs.get("result", {}).get("state") == "failed")
    return trial.state in (TrialState.COMPLETE, TrialState.PRUNED)


def _taken(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    """Return the trials that are open or have a result."""
    return [
        trial
        for trial in study.get_trials(deepcopy=False)
        if _has_result(trial) or not trial.state.is_finished()
    ]


def choose_by_tpe(study: optuna.Study, seed: int) -> None:
    """Let TPE choose the next parameters from the results so far.

    The sampler is new each time, with the candidate's own seed, so that a resumed study continues
    exactly as an uninterrupted one.
    """
    import optuna

    study.sampler = optuna.samplers.TPESampler(seed=seed)


def open_next(
    study: optuna.Study,
    candidates: int,
    params_of: Callable[[int], Params],
) -> optuna.Trial | None:
    """Open a trial for the first candidate that is neither open nor done; None if there is none.

    The trial has the candidate's number as user attribute `"candidate"`. Its parameters are those
    of `params_of(number)`; the sampler suggests the others.

    Any number of processes may call this on one study. Each enqueues the candidate that it found
    free, and takes the oldest from the queue, perhaps another's. If two enqueued the same
    candidate, the trial with the lower number, which the storage gives out once, counts.
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
        with warnings.catch_warnings():
            # Optuna expects heartbeats of its own loop only; ours come from `Heartbeat`.
            warnings.filterwarnings("ignore", message="Heartbeat of storage")
            trial = study.ask()
        if _is_ours(study, trial):
            return trial
        study.tell(trial, state=TrialState.FAIL)


def _is_ours(study: optuna.Study, trial: optuna.Trial) -> bool:
    candidate = trial.user_attrs.get("candidate")
    # Without a number, others have emptied the queue.
    return candidate is not None and not any(
        other.user_attrs.get("candidate") == candidate and other.number < trial.number
        for other in _taken(study)
    )


def release(study: optuna.Study, trials: Iterable[optuna.Trial]) -> None:
    """Abandon trials without a result, so that their candidates are tried again."""
    from optuna.exceptions import StorageInternalError
    from optuna.trial import TrialState

    # The error of a lost database is raised elsewhere; the trials become stale.
    with contextlib.suppress(StorageInternalError):
        for trial in trials:
            study.tell(trial, state=TrialState.FAIL, skip_if_finished=True)


def record(study: optuna.Study, trial: optuna.Trial, result: CandidateResult) -> bool:
    """Write a result; the trial is finished only once all of it is in the storage.

    Return False if other processes gave the trial up meanwhile: the candidate is theirs now.
    """
    from optuna.exceptions import UpdateFinishedTrialError
    from optuna.trial import TrialState

    try:
        trial.set_user_attr("result", result.to_dict())
    except UpdateFinishedTrialError:
        return False
    if result.state == "complete":
        study.tell(trial, result.accuracy, skip_if_finished=True)
    else:
        states = {"pruned": TrialState.PRUNED, "failed": TrialState.FAIL}
        study.tell(trial, state=states[result.state], skip_if_finished=True)
    return True
