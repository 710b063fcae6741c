"""The plan of a run and the time it would take, measured on a few steps of training."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from moodcore.tuning.data import split
from moodcore.tuning.families import Family
from moodcore.tuning.folds import Fold, make_folds
from moodcore.tuning.search import n_candidates
from moodcore.tuning.seeds import Stream, derive
from moodcore.tuning.space import Params, draw

if TYPE_CHECKING:
    from moodcore.tuning.experiment import Experiment

_EPOCHS = 2
_MOST_CANDIDATES = 12


@dataclass(frozen=True)
class Estimate:
    """A plan and its time.

    Attributes
    ----------
    source : str
        The songs.
    songs, features, folds, epochs, jobs : int
        Sizes.
    candidates : int
        How many are tried.
    unit : str
        What training counts.
    varied : dict of str to Any
        Choices and ranges.
    fixed : dict of str to Any
        Hyperparameters with one value.
    seconds : float
        Estimated time of the search.
    """

    source: str
    songs: int
    features: int
    folds: int
    epochs: int
    jobs: int
    candidates: int
    unit: str
    varied: dict[str, Any]
    fixed: dict[str, Any]
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as a versioned JSON object."""
        return {"format": "moodcore-plan", "version": 1} | asdict(self)

    def to_text(self) -> str:
        """Return the plan as lines for a person."""
        lines = [
            f"songs       {self.source}; {self.features} features",
            f"candidates  {self.candidates} x {self.folds} folds x {self.epochs} {self.unit}"
            f"{'' if self.epochs == 1 else 's'}",
        ]
        lines += [f"  varied    {name}: {values}" for name, values in self.varied.items()]
        lines += [f"  fixed     {name}: {value}" for name, value in self.fixed.items()]
        lines.append(f"time        about {duration(self.seconds)} with {self.jobs} jobs")
        return "\n".join([*lines, "nothing was written"])


def duration(seconds: float) -> str:
    """Return a time as a person says it: "40 s", "3 min", "2.5 h"."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def estimate(experiment: Experiment) -> Estimate:
    """Train some candidates for a few steps on one fold and reckon the whole search."""
    settings, space = experiment.settings, experiment.check()
    songs = experiment.load()
    parts = split(songs, settings.seed)
    fold = make_folds(parts.X_train, parts.y_train, settings)[0]
    drawn = (
        draw(space, settings, derive(settings.seed, Stream.SAMPLER))
        if settings.sampler != "tpe"
        else _drawn_at_random(experiment)
    )
    step = max(1, len(drawn) // _MOST_CANDIDATES)
    tried = [settings.family.arguments(settings.epochs, space.decode(p)) for p in drawn[::step]]
    measured = [_seconds(settings.family, arguments, fold) for arguments in tried]
    count = n_candidates(space, settings)
    total = sum(measured) / len(measured) * count * settings.folds
    return Estimate(
        source=songs.source,
        songs=len(songs.y),
        features=len(fold.columns),
        folds=settings.folds,
        epochs=1 if settings.family.length is None else settings.epochs,
        jobs=experiment.jobs,
        candidates=count,
        unit=settings.family.unit,
        varied=space.choices | space.ranges,
        fixed=space.fixed,
        seconds=total / min(experiment.jobs, count * settings.folds),
    )


def _drawn_at_random(experiment: Experiment) -> list[Params]:
    from dataclasses import replace

    settings = replace(experiment.settings, sampler="random", trials=_MOST_CANDIDATES)
    return draw(experiment.check(), settings, settings.seed)


def _seconds(family: Family, arguments: Params, fold: Fold) -> float:
    wanted = family.steps(arguments)
    short = min(_EPOCHS, wanted)
    shortened = {} if family.length is None else {family.length: short}
    model = family.estimator()(**arguments | shortened, n_jobs=1, random_state=0)
    begin = time.perf_counter()
    family.fit(model, fold, 0, lambda _: None, lambda: None)
    return (time.perf_counter() - begin) / short * wanted
