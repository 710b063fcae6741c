"""The plan of a run and the time it would take, measured on a few steps of training."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from moodcore.runs.data import split
from moodcore.runs.families import Family, family
from moodcore.runs.space import Params
from moodcore.tuning.folds import Fold, make_folds
from moodcore.tuning.plan import Candidate, SearchSpace, n_candidates, plan

if TYPE_CHECKING:
    from moodcore.tuning.experiment import Experiment

_EPOCHS = 2
# Of each family.
_MOST_CANDIDATES = 12


@dataclass(frozen=True)
class FamilyPlan:
    """What is tried of one family.

    Attributes
    ----------
    model : str
        The family.
    candidates : int
        How many are tried; with TPE, which chooses among families, the mean to expect.
    epochs : int
        Steps of a training at most; 1 where there are none.
    unit : str
        What training counts.
    varied : dict of str to Any
        Choices and ranges.
    fixed : dict of str to Any
        Hyperparameters with one value.
    seconds : float
        Estimated time of its part of the search.
    """

    model: str
    candidates: int
    epochs: int
    unit: str
    varied: dict[str, Any]
    fixed: dict[str, Any]
    seconds: float

    def to_lines(self, folds: int) -> list[str]:
        """Return the plan as lines for a person."""
        steps = f"{self.epochs} {self.unit}{'' if self.epochs == 1 else 's'}"
        return [
            f"{self.model:<11} {self.candidates} x {folds} folds x {steps}, "
            f"about {duration(self.seconds)}",
            *(f"  varied    {name}: {values}" for name, values in self.varied.items()),
            *(f"  fixed     {name}: {value}" for name, value in self.fixed.items()),
        ]


@dataclass(frozen=True)
class Estimate:
    """A plan and its time.

    Attributes
    ----------
    source : str
        The songs.
    songs, features, folds, jobs : int
        Sizes.
    candidates : int
        How many are tried.
    families : list of FamilyPlan
        What is tried of each family.
    seconds : float
        Estimated time of the search, if it is not ended before.
    minutes : float or None
        The time that it is given.
    """

    source: str
    songs: int
    features: int
    folds: int
    jobs: int
    candidates: int
    families: list[FamilyPlan]
    seconds: float
    minutes: float | None

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as a versioned JSON object."""
        return {"format": "moodcore-plan", "version": 1} | asdict(self)

    def to_text(self) -> str:
        """Return the plan as lines for a person."""
        lines = [
            f"songs       {self.source}; {self.features} features",
            f"candidates  {self.candidates}",
        ]
        for one in self.families:
            lines += one.to_lines(self.folds)
        lines.append(f"time        about {with_jobs(self.seconds, self.jobs)}")
        if self.minutes is not None and 60 * self.minutes < self.seconds:
            count = max(1, int(self.candidates * 60 * self.minutes / self.seconds))
            lines.append(
                f"            ended after {self.minutes:g} min, at candidate {count} or so"
            )
        return "\n".join([*lines, "nothing was written"])


def duration(seconds: float) -> str:
    """Return a time as a person says it: "40 s", "3 min", "2.5 h"."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def with_jobs(seconds: float, jobs: int) -> str:
    """Return a time and the jobs that it needs: "4 min with 1 job"."""
    return f"{duration(seconds)} with {jobs} job{'' if jobs == 1 else 's'}"


def estimate(experiment: Experiment) -> Estimate:
    """Train some candidates for a few steps on one fold and reckon the whole search."""
    settings, space = experiment.settings, experiment.check()
    songs = experiment.load()
    parts = split(songs, settings.seed)
    fold = make_folds(parts.X_train, parts.y_train, settings)[0]
    count = n_candidates(space, settings)
    planned = plan(space, settings) or _drawn_at_random(space, experiment)
    jobs = min(experiment.jobs, count * settings.folds)
    families = []
    for name in space.spaces:
        own = [one for one in planned if one.model == name]
        alone = _plan_of(name, experiment, space, own, fold)
        families.append(replace(alone, seconds=alone.seconds / jobs))
    return Estimate(
        source=songs.source,
        songs=len(songs.y),
        features=len(fold.columns),
        folds=settings.folds,
        jobs=experiment.jobs,
        candidates=count,
        families=families,
        seconds=sum(one.seconds for one in families),
        minutes=experiment.minutes,
    )


def _plan_of(
    name: str,
    experiment: Experiment,
    space: SearchSpace,
    drawn: Sequence[Candidate],
    fold: Fold,
) -> FamilyPlan:
    settings, kin, own = experiment.settings, family(name), space.spaces[name]
    count = len(drawn)
    if settings.sampler == "tpe":
        count = round(n_candidates(space, settings) / len(space.spaces))
    step = max(1, len(drawn) // _MOST_CANDIDATES)
    tried = [space.arguments(one, settings) for one in drawn[::step]]
    measured = [one for a in tried if (one := _seconds(kin, a, fold)) is not None]
    mean = sum(measured) / len(measured) if measured else 0.0
    return FamilyPlan(
        model=name,
        candidates=count,
        epochs=1 if kin.length is None else settings.epochs,
        unit=kin.unit,
        varied=own.choices | own.ranges,
        fixed=own.fixed,
        seconds=mean * count * settings.folds,
    )


def _drawn_at_random(space: SearchSpace, experiment: Experiment) -> Sequence[Candidate]:
    """Return candidates like those that TPE may choose."""
    trials = _MOST_CANDIDATES * len(space.spaces)
    return plan(space, replace(experiment.settings, sampler="random", trials=trials)) or []


def _seconds(kin: Family, arguments: Params, fold: Fold) -> float | None:
    wanted = kin.steps(arguments)
    short = min(_EPOCHS, wanted)
    shortened = {} if kin.length is None else {kin.length: short}
    model = kin.estimator()(**arguments | shortened, n_jobs=1, random_state=0)
    begin = time.perf_counter()
    try:
        kin.fit(model, fold, 0, lambda _: None, lambda: None)
    except Exception:
        # The search records it with its reason, and it takes next to no time there.
        return None
    return (time.perf_counter() - begin) / short * wanted
