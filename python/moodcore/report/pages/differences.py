"""Candidates of a search compared with the default model, fold by fold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from moodcore.report.gain import default_name, in_units, unit
from moodcore.report.page import Figure
from moodcore.report.text import model_name, parameters

if TYPE_CHECKING:
    import pandas as pd

# Candidates that are drawn.
_MOST = 10


def differences_figure(metrics: Mapping[str, Any], ranked: pd.DataFrame) -> Figure | None:
    """Return the difference of the best candidates to the default model on each fold.

    `ranked` has one row per candidate, the best first; None if there is nothing to compare.
    """
    import pandas as pd

    from moodcore import plots

    search = metrics["search"]
    gain, metric = search.get("gain"), search["metric"]
    folds = [name for name in map(str, ranked) if name.startswith("score_fold_")]
    if not gain or not folds:
        return None
    scores = ranked.set_index("number")[folds]
    default = scores.loc[gain["number"]]
    complete = [number for number in scores.dropna().index if number != gain["number"]]
    chosen = [number for number in complete if number == search["best"]["number"]]
    numbers = list(dict.fromkeys([*chosen, *complete]))[:_MOST]
    if not numbers:
        return None
    rows: list[Any] = ranked.set_index("number").loc[numbers].reset_index().to_dict("records")
    names = [f"{model_name(row['model'])} #{row['number']}" for row in rows]
    values = {
        name: [in_units(metric, float(score)) for score in scores.loc[number] - default]
        for name, number in zip(names, numbers, strict=True)
    }
    frame = pd.DataFrame(values).T
    frame.columns = [f"fold {number}" for number in range(1, frame.shape[1] + 1)]
    frame.insert(0, "mean", frame.mean(axis=1))
    # The names of many hyperparameters would leave no room in the figure.
    frame = frame.round(4)
    frame.insert(0, "hyperparameters", [_hyperparameters(metrics, row) for row in rows])
    name, better = default_name(gain), "lower" if metric == "log_loss" else "higher"
    points = f" in{unit(metric)}" if unit(metric) else ""
    label = f"validation {metric.replace('_', ' ')}, difference{points} to {name}"
    return Figure(
        "differences",
        f"Best candidates compared with {name}",
        f"Difference on the same fold, one dot per fold, one bar per mean; {better} is better. The "
        "best of many candidates looks better here than on new rows. The hyperparameters of the "
        "candidates are in the data of the figure.",
        plots.fold_differences(values, label=label),
        frame.reset_index(names="candidate"),
    )


def _hyperparameters(metrics: Mapping[str, Any], row: Mapping[str, Any]) -> str:
    values = given(metrics, row)
    return parameters(values) if values else "defaults"


def given(metrics: Mapping[str, Any], row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the hyperparameters of a candidate, without those that have their defaults."""
    import pandas as pd

    (varied,) = (
        found["varied"] for found in metrics["search"]["families"] if found["model"] == row["model"]
    )
    return {name: row[name] for name in varied if name in row and pd.notna(row[name])}
