"""The plan of a comparison and the time it would take, measured on small parts of the rows."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from moodcore.comparison.entrants import Entrant, seeded
from moodcore.comparison.trainings import Contest
from moodcore.tuning.estimate import duration, with_jobs

# Rows of the two trainings from which each entrant's time is reckoned, as time = a * rows^b.
_ROWS = (500, 2000)
_EXPONENTS = (0.3, 2.2)


@dataclass(frozen=True)
class Estimate:
    """A plan and its time.

    Attributes
    ----------
    source : str
        The rows.
    train_rows, test_rows, folds, repeats, jobs : int
        Sizes.
    models : list of str
        Who takes part.
    curve_rows : list of int
        Points of the learning curves.
    trainings : mapping of str to int
        How many there are for each purpose.
    seconds_by_model : mapping of str to float
        Estimated time of all trainings of each, on one processor.
    seconds : float
        Estimated time of the whole.
    """

    source: str
    train_rows: int
    test_rows: int
    folds: int
    repeats: int
    jobs: int
    models: list[str]
    curve_rows: list[int]
    trainings: Mapping[str, int]
    seconds_by_model: Mapping[str, float]
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as a versioned JSON object."""
        return {"format": "moodcore-comparison-plan", "version": 1} | asdict(self)

    def to_text(self) -> str:
        """Return the plan as lines for a person."""
        curves = ", ".join(f"{rows:,}" for rows in self.curve_rows) or "none"
        counts = ", ".join(f"{count} {what}" for what, count in self.trainings.items())
        times = ", ".join(f"{n} {duration(s)}" for n, s in self.seconds_by_model.items())
        lines = [
            f"songs       {self.source}; {self.train_rows:,} for the folds, {self.test_rows:,} "
            "for the test",
            f"models      {', '.join(self.models)}",
            f"folds       {self.folds}, {self.repeats} times",
            f"curves      {curves} rows",
            f"trainings   {sum(self.trainings.values())}: {counts}",
            f"  each      {times}",
            f"time        about {with_jobs(self.seconds, self.jobs)}",
        ]
        return "\n".join([*lines, "nothing was written"])


def estimate(contest: Contest, source: str, jobs: int) -> Estimate:
    """Train every entrant on two small parts of the rows and reckon the whole.

    Parameters
    ----------
    contest : Contest
        What would be done.
    source : str
        The rows, in words.
    jobs : int
        Processes.
    """
    trainings = contest.trainings()
    sizes: dict[str, list[int]] = {one.key: [] for one in contest.trained}
    for training in trainings:
        sizes[training.model].append(_rows(contest, training.stage, training.size))
    seconds = {}
    for one in contest.trained:
        scale, exponent = _power_law(contest, one)
        seconds[one.name] = sum(scale * rows**exponent for rows in sizes[one.key])
    total = sum(seconds.values())
    return Estimate(
        source=source,
        train_rows=len(contest.train),
        test_rows=len(contest.test),
        folds=contest.plan.folds,
        repeats=contest.plan.repeats,
        jobs=jobs,
        models=[one.name for one in contest.entrants],
        curve_rows=contest.curve_sizes,
        trainings=dict(Counter(_PURPOSES[one.stage] for one in trainings)),
        seconds_by_model=seconds,
        seconds=total / min(jobs, len(trainings)),
    )


_PURPOSES = {"fold": "for the folds", "test": "for the test", "curve": "for the learning curves"}


def _rows(contest: Contest, stage: str, size: int) -> int:
    if stage == "curve":
        return contest.curve_sizes[size]
    whole = len(contest.train)
    return whole if stage == "test" else whole - whole // contest.plan.folds


def _power_law(contest: Contest, entrant: Entrant) -> tuple[float, float]:
    """Return a and b of seconds = a * rows^b through the times of two small trainings."""
    rows = [
        min(count, len(contest.train) // part) for count, part in zip(_ROWS, (4, 2), strict=True)
    ]
    seconds = [_seconds(contest, entrant, count) for count in rows]
    steep = math.log(seconds[1] / seconds[0]) / math.log(rows[1] / rows[0])
    exponent = min(max(steep, _EXPONENTS[0]), _EXPONENTS[1])
    return seconds[1] / rows[1] ** exponent, exponent


def _seconds(contest: Contest, entrant: Entrant, rows: int) -> float:
    import warnings

    import numpy as np
    from sklearn.model_selection import train_test_split
    from sklearn.utils import _safe_indexing
    from threadpoolctl import threadpool_limits

    y = contest.y[contest.train]
    part, _ = train_test_split(contest.train, train_size=rows, stratify=y, random_state=0)
    X = _safe_indexing(contest.X, np.sort(part))
    model = seeded(entrant.estimator, 0)
    begin = time.perf_counter()
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X, contest.y[np.sort(part)])
        model.predict(X)
    return time.perf_counter() - begin
