"""The table of the candidates, for people."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from moodcore.report.tune.families import several
from moodcore.report.tune.run_data import RunData

if TYPE_CHECKING:
    import pandas as pd

_SHARES = {
    "accuracy": "accuracy %",
    "accuracy_std": "± folds",
    "balanced_accuracy": "balanced %",
    "train_accuracy": "training %",
}


def candidate_table(run: RunData) -> pd.DataFrame | None:
    """Return one row a candidate, the best first; None where nothing was searched.

    What was not varied is left out, for it stands with the model; so is what has nothing to say,
    such as the state where every candidate is complete.
    """
    import pandas as pd

    if run.trials is None:
        return None
    ranked = run.trials.sort_values(
        ["accuracy", "n_weights", "number"], ascending=[False, True, True], ignore_index=True
    )
    table = pd.concat([ranked[["number"]], _hyperparameters(run, ranked)], axis="columns")
    if (ranked["state"] != "complete").any():
        table["state"] = ranked["state"]
    for name, shown in _SHARES.items():
        table[shown] = (100 * ranked[name]).round(2)
    if not several(run.metrics):
        # Weights and support vectors cannot be compared, nor hinge losses and cross-entropies.
        table["validation loss"] = ranked["valid_loss"].round(4)
        table[run.family.learned] = ranked["n_weights"]
    if ranked["diverged_folds"].any():
        table["diverged folds"] = ranked["diverged_folds"]
    return table


def _hyperparameters(run: RunData, ranked: pd.DataFrame) -> pd.DataFrame:
    """Return a column for each, or where families differ in what they have, all in one."""
    import pandas as pd

    families = {one["model"]: one for one in run.metrics["search"]["families"]}
    if not several(run.metrics):
        (only,) = families.values()
        return ranked[[name for name in only["varied"] if name in ranked]]
    rows = ranked.to_dict("records")
    return pd.DataFrame(
        {
            "model": ranked["model"],
            "hyperparameters": [_listed(row, families[row["model"]]["varied"]) for row in rows],
        }
    )


def _listed(row: Mapping[Any, Any], names: list[str]) -> str | None:
    found = {name: row[name] for name in names if not _is_nothing(row.get(name))}
    return ", ".join(f"{name} {_short(value)}" for name, value in found.items()) or None


def _is_nothing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _short(value: Any) -> str:
    # Beside families without it, a column of whole numbers is read as one of fractions.
    return f"{value:.4g}" if isinstance(value, float) else str(value)
