"""The page of `moodcore features`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from moodcore.report.blocks import correlation, data_section, hyperparameters
from moodcore.report.outcomes.features import ALL, Study
from moodcore.report.page import Figure, Section, Table
from moodcore.report.run import RunFiles
from moodcore.report.text import capital, listed, model_name, pick

if TYPE_CHECKING:
    import pandas as pd

_PERMUTATION = "permutation"
# A heatmap shows this many features at most.
_MEASURED = 30
_MEASURES = {
    "gain": "gain, %",
    "shap": "|SHAP|, log-odds",
    "mutual_information": "mutual information, nats",
    "label_correlation": "correlation with class",
}
_CHOICE = {"choice": "choice", "model": "model", "n_features": "features"}
_CURVE = _CHOICE | {"accuracy": "accuracy %", "accuracy_std": "± folds %"}
_COST = _CHOICE | {
    "cost": "points lost",
    "cost_low": "from, points",
    "cost_high": "to, points",
    "beyond_spread": "significant",
}
_IMPORTANCE = {"feature": "feature", "measure": "measure", "mean": "mean", "std": "± folds"}
_IMPORTANCE |= {"low": "from", "high": "to"}


def sections(run: RunFiles) -> list[Section]:
    """Return the sections of the page."""
    study = Study(run.metrics)
    test = None if run.metrics.get("test") else "No rows are held out for a test."
    data = data_section(run.metrics, test)
    if study.full.empty:
        return [data]
    return [_elimination(study), _worth(study), data]


def _elimination(study: Study) -> Section:
    settings = study.metrics["settings"]
    names = listed(model_name(name) for name in study.models)
    text = (
        f"{capital(names)}, trained with every choice of features on the same {settings['folds']} "
        "folds. The correlation filter drops one of two features whose correlation exceeds its "
        "threshold. Recursive elimination drops the feature with the smallest gain in the trees, "
        "retrains, and repeats. Both use the training rows of each fold only."
        f"{hyperparameters(study.metrics)}"
    )
    caption = "Mean accuracy on the validation rows; number of features: mean over the folds."
    table = Table(_accuracies(study), caption)
    return Section("elimination", "Cost of leaving out features", [text, *_choices(study), table])


def _choices(study: Study) -> list[Figure]:
    from moodcore import plots

    titles = {name: model_name(name) for name in study.models}
    shown = _compared(study)
    stars = "".join(f"; star: the set “{name}”" for name in study.named)
    return [
        Figure(
            "elimination_curves",
            "Accuracy by number of features",
            "Solid: recursive elimination, with one standard deviation over the folds; dashed: "
            f"correlation filter with falling threshold{stars}. For the same number of features, "
            "the higher point is the better selection.",
            plots.elimination_curves(study.choices, titles=titles),
            pick(_titled(study.choices), _CURVE),
        ),
        Figure(
            "elimination_costs",
            "Cost of each selection",
            "Loss of accuracy compared with all features, in points, with the 95 % interval of "
            "Nadeau and Bengio (2003). Intervals that include zero are not significant. In "
            "parentheses: number of features.",
            plots.elimination_costs(shown, titles=titles),
            pick(_titled(shown), _COST),
        ),
    ]


def _titled(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(model=rows["model"].map(model_name))


def _compared(study: Study) -> pd.DataFrame:
    """Return the choices that drop something.

    Elimination goes only as far as the others, or to the recommended number of features.
    """
    rows = study.choices[study.choices["model"].isin(study.models)]
    others = rows[rows["kind"].isin(["named", "filter"]) & (rows["n_features"] < study.n_features)]
    least = others["n_features"].min() if len(others) else 0
    if recommended := study.metrics["recommended"]:
        least = min(least, len(recommended["features"]))
    eliminated = rows[(rows["kind"] == "elimination") & (rows["n_features"] >= least)]
    found = rows[rows.index.isin([*others.index, *eliminated.index])]
    return found if len(found) else rows


def _accuracies(study: Study) -> pd.DataFrame:
    table = study.choices.assign(model=study.choices["model"].map(model_name))
    table["accuracy"] = (100 * table["accuracy"]).round(2)
    sizes = table.drop_duplicates("choice")["n_features"].round(1).tolist()
    wide = table.pivot(index="choice", columns="model", values="accuracy")
    wide = wide.loc[list(dict.fromkeys(table["choice"])), list(dict.fromkeys(table["model"]))]
    wide.columns = [f"{name} %" for name in wide.columns]
    wide.insert(0, "features", sizes)
    return wide.reset_index()


def _worth(study: Study) -> Section:
    import pandas as pd

    text = (
        "Correlation is a property of two features. Importance also depends on the model and on "
        "the other features: shuffling a feature costs little where another carries the same "
        "information."
    )
    matrix = pd.DataFrame(study.metrics["correlation"], dtype=float)
    caption = "Each feature, its strongest correlation, and whether the selections keep it."
    return Section(
        "features",
        "Feature importance",
        [
            text,
            _measures(study),
            Table(_feature_table(study), caption),
            correlation(matrix, "in the training rows, mean over the folds"),
        ],
    )


def _measures(study: Study) -> Figure:
    import pandas as pd

    from moodcore import plots

    table = study.features.set_index("feature")
    columns = {label: table[name] for name, label in _MEASURES.items()}
    columns["gain, %"] = 100 * columns["gain, %"]
    for name in study.models:
        columns[f"shuffled, {model_name(name)}, points"] = 100 * table[f"{_PERMUTATION}_{name}"]
    values = pd.DataFrame(columns).head(_MEASURED)
    formats = dict.fromkeys(values.columns, ".3f")
    formats |= {name: ".1f" for name in values.columns if name.endswith(("%", "points"))}
    marked, asterisk = [], ""
    for choice in list(study.named)[:1]:
        marked = table.index[table[f"kept_{choice}"] == 0].tolist()
        asterisk = f"An asterisk marks features that “{choice}” leaves out. "
    shown = "The features, those that elimination keeps longest first"
    if study.n_features > _MEASURED:
        shown = f"The {_MEASURED} features that elimination keeps longest"
    return Figure(
        "feature_measures",
        "Importance of each feature",
        f"{shown}. {asterisk}Means over the folds: gain and Shapley values in the trees, mutual "
        "information and correlation with the class, and the accuracy lost when the feature is "
        "shuffled. Colors compare within a column.",
        plots.feature_measures(values, formats=formats, marked=marked),
        _importance_table(study),
    )


def _importance_table(study: Study) -> pd.DataFrame:
    import pandas as pd

    table = pd.DataFrame(study.metrics["importances"]).dropna(subset="mean")
    shuffled = table["measure"] + ", " + table["model"].map(model_name)
    table["measure"] = table["measure"].where(table["model"] == "", shuffled)
    return pick(table, _IMPORTANCE)


def _feature_table(study: Study) -> pd.DataFrame:
    import pandas as pd

    rows = study.features
    table = pd.DataFrame(
        {
            "feature": rows["feature"],
            "kind": rows["kind"],
            "correlated with": [partner or None for partner in rows["partner"]],
            "correlation": rows["partner_correlation"].round(2),
            "rank in elimination": rows["elimination_rank"].round(1),
        }
    )
    choices = study.choices.drop_duplicates("choice")
    for name, kind in zip(choices["choice"], choices["kind"], strict=True):
        if name == ALL or kind == "elimination":
            continue
        shares = rows[f"kept_{name}"].to_numpy()
        table[name] = np.select([shares == 1, shares == 0], ["keeps", "drops"], "in some folds")
    return table
