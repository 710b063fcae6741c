"""The best of each family beside the best of all, where a search had several families."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from moodcore.report.cells import parameters, percent

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


def several(metrics: Mapping[str, Any]) -> bool:
    """Whether the search had more than one family."""
    return "search" in metrics and len(metrics["search"]["families"]) > 1


def family_table(metrics: Mapping[str, Any]) -> pd.DataFrame | None:
    """Return one row a family, the best first; None where there was only one."""
    import pandas as pd

    if not several(metrics):
        return None
    return pd.DataFrame([_row(one) for one in metrics["search"]["families"]])


def _row(one: Mapping[str, Any]) -> dict[str, Any]:
    row: dict[str, Any] = {"family": one["noun"], "candidates": one["candidates"]}
    best, against = one["best"], one["against_best"]
    if best is None:
        nothing = dict.fromkeys(("accuracy %", "points behind"), math.nan)
        return row | nothing | {"folds behind": None, "hyperparameters": None}
    return row | {
        "accuracy %": round(100 * best["accuracy"], 2),
        "points behind": round(-100 * against["mean"], 2) + 0.0,
        "folds behind": f"{against['folds_behind']} of {against['folds']}",
        "hyperparameters": parameters(best["params"]),
    }


def draw_families(metrics: Mapping[str, Any]) -> tuple[str, str, Axes, pd.DataFrame]:
    """Return title, caption, picture and numbers of the families' best, fold by fold."""
    import pandas as pd

    from moodcore import plots

    found = [one for one in metrics["search"]["families"] if one["best"] is not None]
    folds = {one["noun"]: one["best"]["fold_accuracies"] for one in found}
    rows = [
        {"family": noun, "mean %": round(100 * sum(values) / len(values), 2)}
        | {f"fold {number} %": round(100 * v, 2) for number, v in enumerate(values, start=1)}
        for noun, values in folds.items()
    ]
    caption = (
        f"The best candidate of each family on the same folds. {_first(found)} Where grey lines, "
        "a fold each, run alike, the folds agree."
    )
    title = "Validation accuracy of the best of each family"
    return title, caption, plots.fold_accuracies(folds), pd.DataFrame(rows)


def _first(found: list[Any]) -> str:
    if len(found) == 1:
        return f"Only the {found[0]['noun']} could be trained."
    best, second = found[0], found[1]
    against = second["against_best"]
    return (
        f"The {best['noun']}, {percent(best['best']['accuracy'])}, is before the {second['noun']} "
        f"in {against['folds_behind']} of {against['folds']} folds."
    )
