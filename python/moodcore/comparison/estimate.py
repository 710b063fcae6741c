"""The plan of a comparison and the time it would take, measured on small parts of the rows."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from moodcore.comparison.models import Model
from moodcore.comparison.settings import CompareSettings
from moodcore.comparison.training import Task, Training, fit_again
from moodcore.runs.estimate import Estimate, duration
from moodcore.runs.run import Execution

if TYPE_CHECKING:
    from moodcore.tables import Dataset

# Rows of the two trainings from which each model's time is extrapolated, as time = a * rows^b.
_ROWS = (500, 2000)
_EXPONENTS = (0.3, 2.2)
_STAGES = {"fold": "for the folds", "test": "for the test", "curve": "for the learning curves"}


def estimate(
    dataset: Dataset, task: Task, models: Sequence[Model], execution: Execution
) -> Estimate:
    """Train every model on two small parts of the rows and extrapolate to all trainings."""
    trainings = task.trainings(models)
    times: dict[str, list[float]] = {}
    for model in models:
        if model.is_trained:
            scale, exponent = _power_law(task, model)
            sizes = [_rows(task, training) for training in trainings if training.model == model.key]
            times[model.name] = [scale * size**exponent for size in sizes]
    seconds = {name: sum(each) for name, each in times.items()}
    counts = Counter(_STAGES[training.stage] for training in trainings)
    settings, rows = task.settings, len(task.y)
    points = ", ".join(f"{size:,}" for size in task.curve_sizes)
    curves = f"{points} {dataset.noun}" if points else "none"
    if settings.curve_sizes and not points:
        curves += ": too few rows"
    repeats = f", repeated {settings.repeats} times" if settings.repeats > 1 else ""
    listed = ", ".join(f"{count} {stage}" for stage, count in counts.items())
    lines = [
        ("data", f"{dataset.source}; {rows:,} {dataset.noun} for the folds, "
         f"{len(task.y_test):,} for the test"),
        ("models", ", ".join(model.name for model in models)),
        ("folds", f"{settings.folds}{repeats}"),
        ("curves", curves),
        *([("search", _search(settings))] if settings.tune else []),
        ("trainings", f"{len(trainings)}: {listed}"),
        *(("", _times(name, each)) for name, each in times.items()),
    ]  # fmt: skip
    values = {
        "source": dataset.source,
        "train_rows": rows,
        "test_rows": len(task.y_test),
        "folds": settings.folds,
        "repeats": settings.repeats,
        "models": [model.name for model in models],
        "curve_rows": task.curve_sizes,
        "trainings": dict(counts),
        "seconds_by_model": seconds,
    }
    return Estimate(
        format="moodcore-comparison-plan",
        values=values,
        lines=lines,
        seconds=sum(seconds.values()) / min(execution.jobs, len(trainings)),
        jobs=execution.jobs,
        minutes=execution.minutes,
    )


def _search(settings: CompareSettings) -> str:
    """Return the search inside each training in words."""
    grids = "around the defaults" if settings.around_defaults else "in the grids of the experiment"
    return (
        f"in each training of a family, at most {settings.trials} candidates {grids}, each in "
        f"{settings.inner_folds} folds"
    )


def _times(model: str, seconds: Sequence[float]) -> str:
    """Return the trainings of a model in words: how many, and how long each and all take."""
    short, long = duration(min(seconds)), duration(max(seconds))
    each = short if short == long else f"{short} to {long}"
    return f"{model}: {len(seconds)}, about {each} each, {duration(sum(seconds))} in all"


def _rows(task: Task, training: Training) -> int:
    if training.stage == "curve":
        return task.curve_sizes[training.size]
    rows = len(task.y)
    return rows if training.stage == "test" else rows - rows // task.settings.folds


def _power_law(task: Task, model: Model) -> tuple[float, float]:
    """Return a and b of seconds = a * rows^b through the times of two small trainings."""
    rows = [min(_ROWS[0], len(task.y) // 4), min(_ROWS[1], len(task.y) // 2)]
    seconds = [_seconds(task, model.estimator, count) for count in rows]
    exponent = math.log(seconds[1] / seconds[0]) / math.log(rows[1] / rows[0])
    exponent = min(max(exponent, _EXPONENTS[0]), _EXPONENTS[1])
    return seconds[1] / rows[1] ** exponent, exponent


def _seconds(task: Task, estimator: Any, rows: int) -> float:
    from sklearn.model_selection import train_test_split

    part, _ = train_test_split(
        np.arange(len(task.y)), train_size=rows, stratify=task.y, random_state=0
    )
    X, y = task.X.iloc[part], task.y[part]
    begin = time.perf_counter()
    # The run records a model that fails, with its reason.
    with suppress(Exception):
        fit_again(task, estimator, Training("", "test"), X, y).predict(X)
    return time.perf_counter() - begin
