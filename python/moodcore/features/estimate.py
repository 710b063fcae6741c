"""The plan of a study and its time, measured on one training of each model."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from moodcore.features.choices import Choice
from moodcore.features.jobs import StudyTable
from moodcore.runs.estimate import Estimate
from moodcore.runs.run import Execution


def estimate(
    table: StudyTable,
    choices: tuple[Choice, ...],
    models: Mapping[str, Any],
    trees: Any,
    execution: Execution,
) -> Estimate:
    """Train each model once on all features of one fold, and estimate the whole study."""
    seconds = {name: _seconds(table, model) for name, model in models.items()}
    tree_seconds = _seconds(table, trees)[0]
    n_features, folds = len(table.names), table.settings.folds
    fits = sum(fit for fit, _ in seconds.values()) * len(choices)
    shuffles = sum(predict for _, predict in seconds.values()) * n_features * table.settings.repeats
    # Trees train faster with each feature that is eliminated.
    elimination = tree_seconds * n_features / 2
    trainings = folds * (len(models) * len(choices) + n_features - 1)
    source, noun = table.dataset.source, table.dataset.noun
    n_rows = len(table.dataset.y)
    counted = f"{len(models)} model{'' if len(models) == 1 else 's'}"
    counts = f"{counted} x {len(choices)} choices x {folds} folds"
    return Estimate(
        format="moodcore-features-plan",
        values={
            "source": source,
            "rows": n_rows,
            "features": n_features,
            "folds": folds,
            "repeats": table.settings.repeats,
            "models": list(models),
            "choices": [choice.name for choice in choices],
            "trainings": trainings,
        },
        lines=[
            ("data", f"{source}; {n_rows:,} {noun}, {n_features} features"),
            ("models", ", ".join(models)),
            ("choices", ", ".join(choice.name for choice in choices)),
            ("trainings", f"at most {trainings:,}: {counts}, and elimination"),
        ],
        seconds=folds * (fits + shuffles + elimination) / execution.jobs,
        jobs=execution.jobs,
        minutes=execution.minutes,
    )


def _seconds(table: StudyTable, model: Any) -> tuple[float, float]:
    """Return the time of one training, and of one prediction of the validation rows."""
    begin = time.perf_counter()
    fitted = table.fit(model, 0, table.names, lambda: None)
    middle = time.perf_counter()
    fitted.predict(table.valid_rows(0)[0])
    return middle - begin, time.perf_counter() - middle
