"""The plan of a search and its time, measured on a few epochs of some candidates."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from moodcore.runs.candidate import Candidate
from moodcore.runs.estimate import Estimate, duration
from moodcore.runs.families import Family, family
from moodcore.runs.folds import Fold, split
from moodcore.runs.run import Execution
from moodcore.runs.space import Params, Space
from moodcore.tuning.folds import make_folds, preparation_of
from moodcore.tuning.plan import SearchSpace, n_candidates, plan
from moodcore.tuning.settings import TuneSettings

if TYPE_CHECKING:
    from moodcore.tables import Dataset

_EPOCHS = 2
# Candidates of each family that are measured.
_MEASURED = 12
# Around the defaults, where models choose their own number of epochs or rounds, whole trainings of
# some candidates are measured.
_MEASURED_WHOLE = 3


def estimate(
    settings: TuneSettings, space: SearchSpace, dataset: Dataset, execution: Execution
) -> Estimate:
    """Train some candidates for a few steps on one fold and estimate the whole search."""
    parts = split(dataset, settings.seed)
    folds = make_folds(dataset, parts, settings, settings.families)
    count = n_candidates(space, settings)
    planned = plan(space, settings)
    if settings.sampler == "tpe":
        # Candidates like those that TPE may choose.
        trials = _MEASURED * len(space.spaces)
        planned = plan(space, replace(settings, sampler="random", trials=trials))
    jobs = min(execution.jobs, count * settings.folds)
    families = []
    for name in space.spaces:
        drawn = [candidate for candidate in planned if candidate.model == name]
        fold = folds[preparation_of(dataset, name), 0]
        families.append(_family_plan(name, settings, space, drawn=drawn, fold=fold, jobs=jobs))
    columns = len(next(iter(folds.values())).columns)
    source = f"{dataset.source}; {len(dataset.y):,} {dataset.noun}, {columns} features"
    lines = [("data", source), ("candidates", str(count))]
    for plan_of_family in families:
        lines += _lines(plan_of_family, settings.folds)
    return Estimate(
        format="moodcore-plan",
        values={
            "source": dataset.source,
            "rows": len(dataset.y),
            "features": columns,
            "folds": settings.folds,
            "candidates": count,
            "families": families,
        },
        lines=lines,
        seconds=sum(plan_of_family["seconds"] for plan_of_family in families),
        jobs=execution.jobs,
        minutes=execution.minutes,
    )


def _family_plan(
    name: str,
    settings: TuneSettings,
    space: SearchSpace,
    *,
    drawn: Sequence[Candidate],
    fold: Fold,
    jobs: int,
) -> dict[str, Any]:
    kind, hyperparameters = family(name), space.spaces[name]
    count = len(drawn)
    if settings.sampler == "tpe":
        count = round(n_candidates(space, settings) / len(space.spaces))
    whole = settings.around_defaults
    step = max(1, len(drawn) // (_MEASURED_WHOLE if whole else _MEASURED))
    tried = [space.arguments(candidate, settings) for candidate in drawn[::step]]
    times = [_seconds(kind, arguments, fold, whole=whole) for arguments in tried]
    measured = [seconds for seconds in times if seconds is not None]
    mean = sum(measured) / len(measured) if measured else 0.0
    return {
        "model": name,
        "candidates": count,
        "epochs": 1 if kind.length is None else settings.epochs,
        "unit": kind.unit,
        "varied": _varied(hyperparameters),
        "fixed": hyperparameters.fixed,
        "seconds": mean * count * settings.folds / jobs,
    }


def _varied(space: Space) -> dict[str, Any]:
    """Return the values or the range of each hyperparameter that differs between candidates."""
    return {name: space.ranges.get(name) or space.options(name) for name in space.names}


def _lines(family_plan: dict[str, Any], folds: int) -> list[tuple[str, str]]:
    epochs, unit = family_plan["epochs"], family_plan["unit"]
    head = f"{family_plan['candidates']} x {folds} folds"
    if epochs is not None:
        head += f" x {epochs} {unit}{'s' * (epochs != 1)}"
    return [
        (family_plan["model"], f"{head}, about {duration(family_plan['seconds'])}"),
        *(("  varied", f"{name}: {values}") for name, values in family_plan["varied"].items()),
        *(("  fixed", f"{name}: {value}") for name, value in family_plan["fixed"].items()),
    ]


def _seconds(kind: Family, arguments: Params, fold: Fold, *, whole: bool) -> float | None:
    wanted = kind.steps(arguments)
    short = wanted if whole else min(_EPOCHS, wanted)
    shortened = {} if kind.length is None or whole else {kind.length: short}
    train = kind.fit_as_called if whole else kind.fit
    model = kind.estimator()(**arguments | shortened, n_jobs=1, random_state=0)
    begin = time.perf_counter()
    try:
        train(model, fold, 0, lambda _: None, lambda: None, probabilities=False)
    except Exception:
        # The search records it with its reason, and it takes next to no time there.
        return None
    return (time.perf_counter() - begin) / short * wanted
