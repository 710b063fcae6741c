"""The pictures of a study, each with the numbers behind it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from moodcore.features.choices import ALL
from moodcore.features.run import PUBLISHED
from moodcore.report.features import tables
from moodcore.report.pictures import Picture, picture

if TYPE_CHECKING:
    import pandas as pd

    from moodcore.report.features.build import StudyData

#: Title, caption, axes, and the numbers behind.
Drawn = tuple[str, str, Any, "pd.DataFrame"]


def draw_pictures(study: StudyData) -> dict[str, Picture]:
    """Draw every picture, by name; none where no model could be trained."""
    if not study.models:
        return {}
    makers: dict[str, Callable[[StudyData], Drawn]] = {
        "elimination_curves": _curves,
        "elimination_costs": _costs,
        "feature_measures": _measures,
        "correlation": _correlation,
    }
    return {name: picture(name, *maker(study)) for name, maker in makers.items()}


def _curves(study: StudyData) -> Drawn:
    from moodcore import plots

    caption = (
        "Each model on the same folds. Solid: recursive elimination by the gain of the trees, with "
        "a standard deviation over the folds to either side; dashed: what the correlation filter "
        "leaves as its threshold falls; star: the seven features of the published experiment. "
        "The higher of two marks above the same number of features chose better."
    )
    drawn = plots.elimination_curves(study.choices, titles=study.titles)
    return "Accuracy by the number of features kept", caption, drawn, tables.curves(study)


def _costs(study: StudyData) -> Drawn:
    from moodcore import plots

    shown = _compared(study)
    caption = (
        "Points of accuracy lost against all features, fold by fold, with the 95 % interval of "
        "Nadeau and Bengio (2003). An interval that reaches zero is a difference that other folds "
        "could have turned round. In brackets the number of features."
    )
    drawn = plots.elimination_costs(shown, titles=study.titles)
    return "What each choice costs", caption, drawn, tables.costs(study, shown)


def _compared(study: StudyData) -> pd.DataFrame:
    """Return the choices that drop something, elimination only as far as the others go."""
    rows = study.choices[study.choices["model"].isin(study.models)]
    full = rows.loc[rows["choice"] == ALL, "n_features"].max()
    others = rows[rows["kind"].isin(["named", "filter"]) & (rows["n_features"] < full)]
    least = others["n_features"].min() if len(others) else 0
    eliminated = rows[(rows["kind"] == "elimination") & (rows["n_features"] >= least)]
    found = rows[rows.index.isin([*others.index, *eliminated.index])]
    return found if len(found) else rows


def _measures(study: StudyData) -> Drawn:
    from moodcore import plots

    values = tables.measures(study)
    formats = dict.fromkeys(values.columns, ".3f")
    formats |= {name: ".1f" for name in values.columns if name.endswith(("%", "points"))}
    dropped = [name for name in values.index if study.kept(PUBLISHED, str(name)) == 0]
    caption = (
        "Means over the folds, the features that elimination keeps longest on top; those that the "
        "published experiment leaves out have an asterisk. Gain and Shapley values of the trees, "
        "mutual information and correlation with the class, and the accuracy that shuffling the "
        "feature costs each model on songs it has not seen. Colours compare within a column."
    )
    drawn = plots.feature_measures(values, formats=formats, marked=dropped)
    return "Every measure of every feature", caption, drawn, tables.importances(study)


def _correlation(study: StudyData) -> Drawn:
    import pandas as pd

    from moodcore import plots

    matrix = pd.DataFrame(study.metrics["correlation"])
    table = matrix.round(2).reset_index(names="feature")
    strongest = study.features.sort_values("partner_correlation", key=abs).iloc[-1]
    caption = (
        f"The strongest: {strongest['feature']} with {strongest['partner']}, "
        f"{strongest['partner_correlation']:.2f}. A filter looks at these numbers alone."
    ).replace(" -", " \N{MINUS SIGN}")
    drawn = plots.correlation_heatmap(matrix)
    return "Correlation of the features", caption, drawn, table
