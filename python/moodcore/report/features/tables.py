"""The tables of a study's page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from moodcore.features.choices import ALL
from moodcore.features.frames import PERMUTATION
from moodcore.features.models import title
from moodcore.features.run import PUBLISHED

if TYPE_CHECKING:
    import pandas as pd

    from moodcore.report.features.build import StudyData


def accuracies(study: StudyData) -> pd.DataFrame:
    """Return one row for each choice, a column for each model: accuracy in per cent."""
    import pandas as pd

    rows = []
    for choice in dict.fromkeys(study.choices["choice"]):
        own = study.choices[study.choices["choice"] == choice]
        row: dict[str, Any] = {"choice": choice}
        row["features"] = round(float(own["n_features"].iloc[0]), 1)
        for name, accuracy in zip(own["model"], own["accuracy"], strict=True):
            row[f"{title(name)} %"] = round(100 * accuracy, 2)
        rows.append(row)
    return pd.DataFrame(rows)


def costs(study: StudyData, shown: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each choice and model: what it costs, in points."""
    import pandas as pd

    return pd.DataFrame(
        {
            "choice": shown["choice"],
            "model": [title(name) for name in shown["model"]],
            "features": shown["n_features"].round(1),
            "points lost": (100 * shown["cost"]).round(2),
            "from": (100 * shown["cost_low"]).round(2),
            "to": (100 * shown["cost_high"]).round(2),
            "beyond the folds": shown["beyond_spread"],
        }
    )


def curves(study: StudyData) -> pd.DataFrame:
    """Return the numbers behind the curves: accuracy and spread in per cent."""
    import pandas as pd

    shown = study.choices
    return pd.DataFrame(
        {
            "choice": shown["choice"],
            "model": [title(name) for name in shown["model"]],
            "features": shown["n_features"].round(1),
            "accuracy %": (100 * shown["accuracy"]).round(2),
            "± folds": (100 * shown["accuracy_std"]).round(2),
        }
    )


def measures(study: StudyData) -> pd.DataFrame:
    """Return one row for each feature, those that stay longest first, a column for each measure."""
    ordered = study.features.sort_values("elimination_rank", kind="stable").set_index("feature")
    shown = {
        "gain, %": 100 * ordered["gain"],
        "|SHAP|, log-odds": ordered["shap"],
        "mutual information, nats": ordered["mutual_information"],
        "correlation with class": ordered["label_correlation"],
    }
    for name in study.models:
        shown[f"shuffled, {title(name)}, points"] = 100 * ordered[f"{PERMUTATION}_{name}"]
    import pandas as pd

    return pd.DataFrame(shown)


def importances(study: StudyData) -> pd.DataFrame:
    """Return the numbers behind the measures, each with its spread over the folds."""
    import pandas as pd

    found = study.importances[study.importances["mean"].notna()]
    labels = [
        f"{PERMUTATION}, {title(model)}" if model else str(measure)
        for measure, model in zip(found["measure"], found["model"], strict=True)
    ]
    return pd.DataFrame(
        {
            "feature": found["feature"],
            "measure": labels,
            "mean": found["mean"].round(4),
            "± folds": found["std"].round(4),
            "from": found["low"].round(4),
            "to": found["high"].round(4),
        }
    )


def columns(study: StudyData) -> pd.DataFrame:
    """Return one row for each feature: its strongest partner, and who keeps it."""
    import pandas as pd

    ordered = study.features.sort_values("elimination_rank", kind="stable")
    table = pd.DataFrame(
        {
            "feature": ordered["feature"],
            "goes with": [one or None for one in ordered["partner"]],
            "correlation": ordered["partner_correlation"].round(2),
            "place in elimination": ordered["elimination_rank"].round(1),
        }
    )
    choices = study.choices.drop_duplicates("choice")
    for name, kind in zip(choices["choice"], choices["kind"], strict=True):
        if name == ALL or kind == "elimination":
            continue
        shares = ordered[f"kept_{name}"].to_numpy()
        label = "published" if name == PUBLISHED else name
        table[label] = np.select([shares == 1, shares == 0], ["keeps", "drops"], "in part")
    return table
