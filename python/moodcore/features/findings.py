"""Results of a study as tables."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from moodcore.features.choices import ALL, Choice
from moodcore.features.jobs import ColumnsJob, TrainingJob, TreesJob, training_key

if TYPE_CHECKING:
    import pandas as pd

#: Measures of a feature that need no trained model but the trees, with their units.
MEASURES = {
    "gain": "share of the gain of all splits",
    "shap": "mean absolute Shapley value, log-odds",
    "mutual_information": "mutual information with the class, nats",
    "label_correlation": "correlation with the class",
}
PERMUTATION = "permutation"


@dataclass(frozen=True)
class Findings:
    """Everything that was measured.

    Attributes
    ----------
    names, numbers : tuple of str
        All features, and those that are numeric.
    choices : tuple of Choice
        All features first.
    models : mapping of str to classifier
        The models that were trained.
    described : list of dict
        Description of each fold.
    results : mapping of str to dict
        Results of trainings by key, perhaps not of all.
    """

    names: tuple[str, ...]
    numbers: tuple[str, ...]
    choices: tuple[Choice, ...]
    models: Mapping[str, Any]
    described: list[dict[str, Any]]
    results: Mapping[str, dict[str, Any]]

    def columns(self, choice: Choice, fold: int) -> tuple[str, ...]:
        """Return the features of a choice in a fold."""
        return choice.of_fold(self.described[fold], self.names)

    def jobs(self) -> list[TrainingJob]:
        """Return the trainings, one where several choices come to the same features."""
        jobs: dict[str, TrainingJob] = {}
        for choice in self.choices:
            for fold in range(len(self.described)):
                for name, model in self.models.items():
                    job = TrainingJob(fold, name, model, self.columns(choice, fold))
                    jobs.setdefault(job.key, job)
        return list(jobs.values())

    def trainings(self, model: str, choice: Choice) -> list[dict[str, Any]] | None:
        """Return the result of each fold; None unless there are all."""
        results = [
            self.results.get(training_key(fold, model, self.columns(choice, fold)))
            for fold in range(len(self.described))
        ]
        return None if None in results else [result for result in results if result is not None]

    def tables(self) -> dict[str, pd.DataFrame]:
        """Return the tables by name."""
        trainings = trainings_table(self)
        importances = importances_table(self)
        return {
            "features": features_table(self, importances),
            "importances": importances,
            "choices": choices_table(self, trainings),
            "trainings": trainings,
        }


def description_jobs(folds: int, trees: Any) -> list[ColumnsJob | TreesJob]:
    """Return the jobs that describe the folds."""
    return [job for fold in range(folds) for job in (TreesJob(fold, trees), ColumnsJob(fold))]


def merge_descriptions(results: Mapping[str, Any], folds: int) -> list[dict[str, Any]]:
    """Return the description of each fold by trees and columns."""
    return [
        results[TreesJob(fold, None).key] | results[ColumnsJob(fold).key] for fold in range(folds)
    ]


def trainings_table(found: Findings) -> pd.DataFrame:
    """Return one row per choice, model and fold, where every fold was trained.

    Columns `choice`, `model`, `fold` (from 1), `accuracy` (NaN where training failed),
    `n_features`, `features` (names, separated by commas), `failure` (empty if there is none).
    """
    import pandas as pd

    return pd.DataFrame(
        {
            "choice": choice.name,
            "model": model,
            "fold": fold + 1,
            "accuracy": result.get("accuracy", np.nan),
            "n_features": len(columns := found.columns(choice, fold)),
            "features": ", ".join(columns),
            "failure": result.get("failure", ""),
        }
        for choice in found.choices
        for model in found.models
        for fold, result in enumerate(found.trainings(model, choice) or ())
    )


def choices_table(found: Findings, trainings: pd.DataFrame) -> pd.DataFrame:
    """Return one row per choice and model: accuracy, and its cost.

    Columns `choice`, `kind`, `level`, `model`, `n_features` (mean over the folds), `accuracy` and
    `accuracy_std` (mean and standard deviation over the folds), `cost` (accuracy lost compared
    with all features of the same folds, mean), `cost_low` and `cost_high` (95 % interval, Nadeau
    and Bengio 2003), `beyond_spread` (whether the interval excludes zero). Shares of rows.
    """
    import pandas as pd

    folds = dict(list(trainings.groupby(["choice", "model"], sort=False)))
    rows = []
    for choice, model in itertools.product(found.choices, found.models):
        if (choice.name, model) not in folds:
            continue
        part = folds[choice.name, model]
        accuracy = part["accuracy"].to_numpy()
        low, cost, high = interval(folds[ALL, model]["accuracy"].to_numpy() - accuracy)
        rows.append(
            {
                "choice": choice.name,
                "kind": choice.kind,
                "level": np.nan if choice.level is None else float(choice.level),
                "model": model,
                "n_features": float(part["n_features"].mean()),
                "accuracy": float(np.mean(accuracy)),
                "accuracy_std": float(np.std(accuracy, ddof=1)),
                "cost": cost,
                "cost_low": low,
                "cost_high": high,
                "beyond_spread": bool(low > 0 or high < 0),
            }
        )
    return pd.DataFrame(rows)


def interval(values: Any) -> tuple[float, float, float]:
    """Return low end, mean and high end of the 95 % interval of a mean over the folds.

    All three are NaN where a fold is NaN.
    """
    from moodcore.runs.statistics import resampled_interval

    if not np.isfinite(values).all():
        return np.nan, np.nan, np.nan
    result = resampled_interval(values, 1 / (len(values) - 1))
    return result.low, result.mean, result.high


def importances_table(found: Findings) -> pd.DataFrame:
    """Return one row per feature and measure.

    Columns `feature`, `measure` (of `MEASURES`, or "permutation"), `model` (of a permutation
    importance, else empty), `mean` and `std` over the folds, `low` and `high` (95 % interval of
    the mean), `repeat_std` (standard deviation over the repeats in a fold, mean over the folds).
    """
    import pandas as pd

    everything = found.choices[0]
    shuffled = {
        model: [result.get(PERMUTATION) for result in found.trainings(model, everything) or ()]
        for model in found.models
    }
    rows: list[dict[str, Any]] = []
    for feature in found.names:
        for measure in MEASURES:
            values = [fold[measure][feature] for fold in found.described]
            rows.append(_importance(feature, measure, "", values, np.nan))
        for model, folds in shuffled.items():
            # A model that failed in a fold was not shuffled there.
            values = [np.nan if fold is None else fold["mean"][feature] for fold in folds]
            spread = [np.nan if fold is None else fold["std"][feature] for fold in folds]
            rows.append(_importance(feature, PERMUTATION, model, values, float(np.mean(spread))))
    return pd.DataFrame(rows)


def _importance(
    feature: str, measure: str, model: str, values: Sequence[float], repeat_std: float
) -> dict[str, Any]:
    low, mean, high = interval(values)
    return {
        "feature": feature,
        "measure": measure,
        "model": model,
        "mean": mean,
        "std": float(np.std(values, ddof=1)),
        "low": low,
        "high": high,
        "repeat_std": repeat_std,
    }


def features_table(found: Findings, importances: pd.DataFrame) -> pd.DataFrame:
    """Return one row per feature with all its measures.

    Columns `feature`, `kind` ("number" or "category"), the mean of each of `MEASURES`,
    `permutation_<model>`, `partner` (the feature with the strongest correlation) and
    `partner_correlation`, `elimination_rank` (mean over the folds; 1 stays longest), and
    `kept_<choice>`, the share of folds in which the choice keeps it.
    """
    labels = importances["measure"].where(
        importances["model"] == "", importances["measure"] + "_" + importances["model"]
    )
    table = importances.assign(label=labels).pivot(index="feature", columns="label", values="mean")
    table = table.loc[list(found.names), list(dict.fromkeys(labels))]
    numbers = set(found.numbers)
    table.insert(0, "kind", ["number" if name in numbers else "category" for name in table.index])
    correlation = correlation_table(found)
    partners = [_partner(name, correlation) for name in table.index]
    table["partner"] = [name for name, _ in partners]
    table["partner_correlation"] = [value for _, value in partners]
    orders = [fold["order"] for fold in found.described]
    table["elimination_rank"] = [
        float(np.mean([order.index(name) + 1 for order in orders])) for name in table.index
    ]
    for choice in found.choices[1:]:
        kept = [set(found.columns(choice, fold)) for fold in range(len(orders))]
        table[f"kept_{choice.name}"] = [
            float(np.mean([name in fold for fold in kept])) for name in table.index
        ]
    return table.rename_axis(columns=None).reset_index()


def correlation_table(found: Findings) -> pd.DataFrame:
    """Return the Pearson correlations of the numeric features, mean over the training rows."""
    import pandas as pd

    numbers = list(found.numbers)
    folds = [
        [[fold["correlation"][row][column] for column in numbers] for row in numbers]
        for fold in found.described
    ]
    mean = np.mean(np.array(folds, dtype=float), axis=0).reshape(len(numbers), len(numbers))
    return pd.DataFrame(mean, index=numbers, columns=numbers)


def _partner(feature: str, correlation: pd.DataFrame) -> tuple[str, float]:
    if feature not in correlation.index or len(correlation) < 2:
        return "", np.nan
    values = correlation[feature].drop(feature)
    name = str(values.abs().idxmax())
    return name, float(values[name])
