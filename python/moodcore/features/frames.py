"""What a study found, as tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from moodcore.features.choices import Choice
from moodcore.features.measurement import columns_key, training_key, trees_key
from moodcore.features.parts import Parts
from moodcore.features.plan import Plan
from moodcore.features.table import Table

if TYPE_CHECKING:
    import pandas as pd

#: What is measured of each feature without a model or by the trees, with its unit.
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
    table : Table
        The rows.
    parts : Parts
        Complete.
    choices : tuple of Choice
        All features first.
    models : tuple of str
        Names.
    plan : Plan
        Of the study.
    """

    table: Table
    parts: Parts
    choices: tuple[Choice, ...]
    models: tuple[str, ...]
    plan: Plan

    @property
    def folds(self) -> range:
        """The numbers of the folds."""
        return range(self.plan.folds)

    def described(self, fold: int) -> dict[str, Any]:
        """Return what trees and columns say of a fold."""
        return self.parts[trees_key(fold)] | self.parts[columns_key(fold)]

    def columns(self, choice: Choice, fold: int) -> tuple[str, ...]:
        """Return the features of a choice in a fold."""
        return choice.of_fold(self.described(fold), self.table.names)

    def training(self, model: str, choice: Choice, fold: int) -> dict[str, Any]:
        """Return what was measured of a model with a choice of features in a fold."""
        return self.parts[training_key(fold, model, self.columns(choice, fold))]

    def accuracies(self, model: str, choice: Choice) -> NDArray[np.float64]:
        """Return the accuracy in each fold, NaN where training failed."""
        trainings = [self.training(model, choice, fold) for fold in self.folds]
        return np.array([one.get("accuracy", np.nan) for one in trainings])


def trainings_frame(found: Findings) -> pd.DataFrame:
    """Return one row for each choice, model and fold.

    Columns `choice`, `model`, `fold` (from 1), `accuracy` (NaN where training failed),
    `n_features`, `features` (names, separated by commas), `failure` (empty where there is none).
    """
    import pandas as pd

    rows = []
    for choice in found.choices:
        for name in found.models:
            for fold in found.folds:
                columns = found.columns(choice, fold)
                training = found.training(name, choice, fold)
                rows.append(
                    {
                        "choice": choice.name,
                        "model": name,
                        "fold": fold + 1,
                        "accuracy": training.get("accuracy", np.nan),
                        "n_features": len(columns),
                        "features": ", ".join(columns),
                        "failure": training.get("failure", ""),
                    }
                )
    return pd.DataFrame(rows)


def choices_frame(found: Findings) -> pd.DataFrame:
    """Return one row for each choice and model: accuracy, and what it costs.

    Columns `choice`, `kind`, `level`, `model`, `n_features` (mean over the folds), `accuracy` and
    `accuracy_std` (mean and standard deviation over the folds), `cost` (accuracy lost against all
    features of the same folds, mean), `cost_low` and `cost_high` (95 % interval, Nadeau and Bengio
    2003), `beyond_spread` (whether the interval leaves out zero). Shares of rows, in [0, 1].
    """
    import pandas as pd

    rows = []
    for choice in found.choices:
        for name in found.models:
            accuracies = found.accuracies(name, choice)
            sizes = [len(found.columns(choice, fold)) for fold in found.folds]
            rows.append(
                {
                    "choice": choice.name,
                    "kind": choice.kind,
                    "level": np.nan if choice.level is None else float(choice.level),
                    "model": name,
                    "n_features": float(np.mean(sizes)),
                    "accuracy": float(np.mean(accuracies)),
                    "accuracy_std": float(np.std(accuracies, ddof=1)),
                }
                | _cost(found.accuracies(name, found.choices[0]) - accuracies)
            )
    return pd.DataFrame(rows)


def _cost(lost: NDArray[np.float64]) -> dict[str, Any]:
    low, mean, high = interval(lost)
    return {
        "cost": mean,
        "cost_low": low,
        "cost_high": high,
        "beyond_spread": bool(low > 0 or high < 0),
    }


def interval(values: Any) -> tuple[float, float, float]:
    """Return low end, mean and high end of the 95 % interval of a mean over the folds.

    NaN, all three, where a fold is NaN.
    """
    from moodcore.comparison.statistics import resampled_interval

    if not np.isfinite(values).all():
        return np.nan, np.nan, np.nan
    found = resampled_interval(values, 1 / (len(values) - 1))
    return found.low, found.mean, found.high


def importances_frame(found: Findings) -> pd.DataFrame:
    """Return one row for each feature and measure.

    Columns `feature`, `measure` (of `MEASURES`, or "permutation"), `model` (of the permutation
    importance, else empty), `mean` and `std` over the folds, `low` and `high` (95 % interval of
    the mean), `repeat_std` (standard deviation over the repeats in a fold, mean over the folds).
    """
    import pandas as pd

    rows: list[dict[str, Any]] = []
    for feature in found.table.names:
        for measure in MEASURES:
            values = [found.described(fold)[measure][feature] for fold in found.folds]
            head = {"feature": feature, "measure": measure, "model": ""}
            rows.append(head | _measured(values) | {"repeat_std": np.nan})
        for name in found.models:
            shuffled = [
                found.training(name, found.choices[0], fold).get(PERMUTATION)
                for fold in found.folds
            ]
            # A model that failed in a fold was not shuffled there.
            values = [np.nan if one is None else one["mean"][feature] for one in shuffled]
            spread = [np.nan if one is None else one["std"][feature] for one in shuffled]
            head = {"feature": feature, "measure": PERMUTATION, "model": name}
            rows.append(head | _measured(values) | {"repeat_std": float(np.mean(spread))})
    return pd.DataFrame(rows)


def _measured(values: list[float]) -> dict[str, Any]:
    low, mean, high = interval(values)
    return {"mean": mean, "std": float(np.std(values, ddof=1)), "low": low, "high": high}


def features_frame(found: Findings, importances: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each feature, everything side by side.

    Columns `feature`, `kind` ("number" or "category"), a mean for each of `MEASURES`,
    `permutation_<model>`, `partner` (the feature it correlates with most) and
    `partner_correlation`, `elimination_rank` (mean over the folds; 1 stays longest), and
    `kept_<choice>`, the share of folds in which the choice keeps it.
    """
    import pandas as pd

    orders = [found.described(fold)["order"] for fold in found.folds]
    correlation = correlation_frame(found)
    labels = importances["measure"].where(
        importances["model"] == "", importances["measure"] + "_" + importances["model"]
    )
    named = zip(importances["feature"], labels, importances["mean"], strict=True)
    means = {(feature, label): float(mean) for feature, label, mean in named}
    rows = []
    for feature in found.table.names:
        row: dict[str, Any] = {
            "feature": feature,
            "kind": "number" if feature in found.table.numbers else "category",
        }
        row |= {label: means[feature, label] for label in dict.fromkeys(labels)}
        row |= _partner(feature, correlation)
        row["elimination_rank"] = float(np.mean([order.index(feature) + 1 for order in orders]))
        for choice in found.choices[1:]:
            kept = [feature in found.columns(choice, fold) for fold in found.folds]
            row[f"kept_{choice.name}"] = float(np.mean(kept))
        rows.append(row)
    return pd.DataFrame(rows)


def correlation_frame(found: Findings) -> pd.DataFrame:
    """Return the Pearson correlations of the numbers, mean over the folds' training rows."""
    import pandas as pd

    numbers = list(found.table.numbers)
    tables = []
    for fold in found.folds:
        own = found.described(fold)["correlation"]
        tables.append([[own[row][column] for column in numbers] for row in numbers])
    mean = np.mean(np.array(tables, dtype=float), axis=0).reshape(len(numbers), len(numbers))
    return pd.DataFrame(mean, index=numbers, columns=numbers)


def _partner(feature: str, correlation: pd.DataFrame) -> dict[str, Any]:
    if feature not in correlation.index or len(correlation) < 2:
        return {"partner": "", "partner_correlation": np.nan}
    values = correlation[feature].to_dict()
    name = max((one for one in values if one != feature), key=lambda one: abs(values[one]))
    return {"partner": str(name), "partner_correlation": float(values[name])}
