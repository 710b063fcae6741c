"""The plan of a run and the time it would take, measured on one training of each model."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from moodcore.features.models import TREES, default_models, fit, pipeline
from moodcore.runs.folds import cut

if TYPE_CHECKING:
    from moodcore.features.run import FeatureRun
    from moodcore.features.table import Table


@dataclass(frozen=True)
class FeaturePlan:
    """A plan and its time.

    Attributes
    ----------
    source : str
        The songs.
    songs, features, folds, repeats, jobs : int
        Sizes.
    models : list of str
        To be trained.
    choices : list of str
        Choices of features.
    trainings : int
        At most; choices that come to the same features are trained once.
    seconds : float
        Estimated time.
    """

    source: str
    songs: int
    features: int
    folds: int
    repeats: int
    jobs: int
    models: list[str]
    choices: list[str]
    trainings: int
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as a versioned JSON object."""
        return {"format": "moodcore-features-plan", "version": 1} | asdict(self)

    def to_text(self) -> str:
        """Return the plan as lines for a person."""
        from moodcore.tuning.estimate import with_jobs

        return "\n".join(
            [
                f"songs      {self.source}; {self.features} features",
                f"models     {', '.join(self.models)}",
                f"choices    {', '.join(self.choices)}",
                f"trainings  at most {self.trainings:,}: {len(self.models)} models x "
                f"{len(self.choices)} choices x {self.folds} folds, and elimination",
                f"time       at most about {with_jobs(self.seconds, self.jobs)}",
                "nothing was written",
            ]
        )


def estimate(run: FeatureRun) -> FeaturePlan:
    """Train each model once on all features of one fold, and reckon the whole."""
    from moodcore.features.choices import choices_of

    songs = run.load()
    table = run.table(songs)
    plan = run.settings.plan()
    choices = choices_of(table, plan, run.sets())
    models = default_models(run.settings.models, run.settings.epochs)
    seconds = {name: _seconds(table, model, run) for name, model in models.items()}
    trees = seconds.get(TREES)
    if trees is None:
        default = default_models([TREES], run.settings.epochs)[TREES]
        trees = _seconds(table, default, run)
    fits = sum(one[0] for one in seconds.values()) * len(choices)
    # Each feature is shuffled and predicted `repeats` times.
    shuffles = sum(one[1] for one in seconds.values()) * len(table.names) * plan.repeats
    # Trees become smaller work with each feature that is gone.
    eliminations = trees[0] * len(table.names) / 2
    return FeaturePlan(
        source=songs.source,
        songs=len(songs.y),
        features=len(table.names),
        folds=plan.folds,
        repeats=plan.repeats,
        jobs=run.jobs,
        models=list(models),
        choices=[one.name for one in choices],
        trainings=plan.folds * (len(models) * len(choices) + len(table.names) - 1),
        seconds=plan.folds * (fits + shuffles + eliminations) / run.jobs,
    )


def _seconds(table: Table, model: Any, run: FeatureRun) -> tuple[float, float]:
    """Return the time of one training, and of one prediction of the validation rows."""
    plan = run.settings.plan()
    train, valid = cut(table.y, plan.folds, plan.seed)[0]
    made = pipeline(model, balance=plan.balance, seed=0, balance_seed=0)
    begin = time.perf_counter()
    fit(made, table.X.iloc[train], table.y[train])
    middle = time.perf_counter()
    made.predict(table.X.iloc[valid])
    return middle - begin, time.perf_counter() - middle
