"""The page of `moodcore features`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from moodcore.report.blocks import correlation, data_section
from moodcore.report.page import Figure, Headline, Section, Table
from moodcore.report.run import RunFiles, data_of, target_of
from moodcore.report.text import (
    capital,
    counted,
    listed,
    model_name,
    percent,
    proportion_interval,
    shorten,
)

if TYPE_CHECKING:
    import pandas as pd

_ALL, _PERMUTATION = "all", "permutation"
# Standard deviation of the accuracy over the folds, in shares, above which a check warns.
_WIDE = 0.02
# A sentence names this many features at most, a heatmap shows this many.
_NAMED, _MEASURED = 12, 30
_MEASURES = {
    "gain": "gain, %",
    "shap": "|SHAP|, log-odds",
    "mutual_information": "mutual information, nats",
    "label_correlation": "correlation with class",
}


@dataclass(frozen=True)
class Study:
    """The tables of a study, as `metrics.json` has them."""

    metrics: Mapping[str, Any]

    def _table(self, name: str) -> pd.DataFrame:
        import pandas as pd

        table = pd.DataFrame(self.metrics[name])
        # A column of nothing but null has no numbers to find.
        texts = {"feature", "measure", "model", "choice", "kind", "partner", "features", "failure"}
        numbers = [column for column in table.columns if column not in texts]
        return table.assign(**{c: pd.to_numeric(table[c]) for c in numbers})

    @cached_property
    def features(self) -> pd.DataFrame:
        """One row per feature, those that elimination keeps longest first."""
        return self._table("features").sort_values("elimination_rank", kind="stable")

    @cached_property
    def choices(self) -> pd.DataFrame:
        """One row per choice of features and model."""
        return self._table("choices")

    @cached_property
    def full(self) -> pd.DataFrame:
        """The rows of `choices` with all features, of the models that could be trained."""
        return self.choices[(self.choices["choice"] == _ALL) & self.choices["accuracy"].notna()]

    @property
    def models(self) -> list[str]:
        """Names of the models that could be trained on all features."""
        return self.full["model"].tolist()

    @property
    def n_features(self) -> int:
        """Number of all features."""
        return len(self.features)

    @cached_property
    def recommended(self) -> Mapping[str, Any] | None:
        """The most accurate model and the fewest features that cost it nothing."""
        if "recommended" in self.metrics:
            found: Mapping[str, Any] | None = self.metrics["recommended"]
            return found
        from moodcore.features.recommendation import recommend

        return recommend(self.features, self.choices, self.metrics["settings"]["folds"])

    @property
    def named(self) -> dict[str, int]:
        """Size of each named set of features."""
        rows = self.choices[self.choices["kind"] == "named"].drop_duplicates("choice")
        return {str(n): int(k) for n, k in zip(rows["choice"], rows["n_features"], strict=True)}


def headline(metrics: Mapping[str, Any]) -> Headline:
    """Return the outcome of a study."""
    study = Study(metrics)
    best, title = study.recommended, f"{capital(shorten(target_of(metrics)))}: "
    if best is None:
        title += "no model could be trained"
        sentences = ["No model could be trained on all features.", *_failures(study)]
        return Headline(title, sentences, (), _checks(study))
    name, n_features = model_name(best["model"]), study.n_features
    kept = len(best["features"])
    title += (
        f"{kept} of {n_features} features are enough for {name}"
        if kept < n_features
        else f"keep all {n_features} features"
    )
    rows = study.choices[study.choices["model"] == best["model"]]
    accuracy = rows.set_index("choice")["accuracy"]
    highlights = [(percent(best["accuracy"]), f"{name} with all {n_features} features")]
    for choice, size in study.named.items():
        if choice not in accuracy.index:
            # The time limit ended the run before.
            continue
        label = f"{name} with the {size} features “{choice}”"
        highlights.append((percent(accuracy[choice]), label))
        if f"eliminated to {size}" in accuracy.index:
            eliminated = percent(accuracy[f"eliminated to {size}"])
            highlights.append((eliminated, f"{name} with {size} selected by elimination"))
    label = f"features are enough for {name}, selected by elimination"
    highlights.append((f"{len(best['features'])} of {n_features}", label))
    return Headline(title, _sentences(study, best), highlights[:4], _checks(study))


def _sentences(study: Study, best: Mapping[str, Any]) -> list[str]:
    name = model_name(best["model"])
    found = [_recommendation(study, best), _test(study, name)]
    if len(study.models) > 1:
        every = best["sufficient"]["all models"]
        enough = (
            "No smaller number that was measured is enough for every model."
            if every is None
            else f"For every model to keep its accuracy, {every} are needed."
        )
        found.append(f"{name} is the most accurate of {len(study.models)} models. {enough}")
    for choice, size in study.named.items():
        rows = study.choices[study.choices["choice"] == choice]
        found.append(f"The set “{choice}” ({size} features): {_costs(rows)}.")
    return [sentence for sentence in (*found, *_filter(study), *_failures(study)) if sentence]


def _recommendation(study: Study, best: Mapping[str, Any]) -> str:
    name, n_features, kept = model_name(best["model"]), study.n_features, best["features"]
    if len(kept) < n_features:
        names = f" ({listed(kept)})" if len(kept) <= _NAMED else ""
        return (
            f"{len(kept)} of {n_features} features are enough for {name}{names}: with these, "
            f"selected by recursive elimination, it reaches {percent(best['accuracy_kept'])}; with "
            f"all features, {percent(best['accuracy'])}."
        )
    largest = best["largest_size"]
    if largest is None:
        return f"Keep all {n_features} features: no elimination was measured with {name}."
    rows = study.choices[study.choices["model"] == best["model"]].set_index("choice")
    lost = f"costs {name} {100 * rows['cost'][f'eliminated to {largest}']:.1f} points of accuracy"
    if largest == n_features - 1:
        return f"Keep all {n_features} features: leaving out the least used {lost}."
    return (
        f"Keep all {n_features} features: leaving out {n_features - largest}, the fewest that were "
        f"measured, {lost}."
    )


def _test(study: Study, name: str) -> str:
    test = study.metrics.get("test")
    if not test:
        return ""
    noun, interval = (
        data_of(study.metrics)["noun"],
        proportion_interval(test["accuracy"], test["n_rows"]),
    )
    return (
        f"Test accuracy of {name} with the recommended features: {percent(test['accuracy'])} "
        f"({test['n_rows']:,} held-out {noun}), 95 % CI {interval}."
    )


def _filter(study: Study) -> list[str]:
    rows = study.choices[study.choices["kind"] == "filter"]
    harmful = rows[rows["beyond_spread"] & (rows["cost"] > 0)]
    if harmful.empty:
        return ["The correlation filter costs no model significant accuracy."] if len(rows) else []
    threshold = harmful["level"].max()
    first = rows[rows["level"] == threshold]
    return [
        f"The correlation filter costs accuracy from a threshold of {threshold:g} down, where it "
        f"keeps {first['n_features'].iloc[0]:.3g} features: {_costs(first)}."
    ]


def _costs(rows: pd.DataFrame) -> str:
    """Return the significant changes of accuracy, the largest loss first."""
    rows = rows[rows["cost"].notna()].sort_values("cost", ascending=False, kind="stable")
    sure = rows[rows["beyond_spread"]]
    parts = [
        f"{model_name(row['model'])} {'loses' if row['cost'] > 0 else 'gains'} "
        f"{100 * abs(row['cost']):.1f} points"
        for row in sure.to_dict("records")
    ]
    rest = [model_name(name) for name in rows["model"] if name not in set(sure["model"])]
    return ", ".join([*parts, f"no significant change for {listed(rest)}"] if rest else parts)


def _failures(study: Study) -> list[str]:
    failed = [row for row in study.metrics["trainings"] if row["failure"]]
    return [
        f"{counted(len(rows), 'training run')} of {model_name(model)} failed "
        f"({rows[0]['failure']})."
        for model in dict.fromkeys(row["model"] for row in failed)
        if (rows := [row for row in failed if row["model"] == model])
    ]


def _checks(study: Study) -> list[dict[str, Any]]:
    def check(name: str, warning: str, passed: str) -> dict[str, Any]:
        return {"name": name, "ok": not warning, "text": warning or passed}

    wide = study.full[study.full["accuracy_std"] > _WIDE]
    deviations = ", ".join(
        f"{model_name(row['model'])} {100 * row['accuracy_std']:.1f}"
        for row in wide.to_dict("records")
    )
    unstable = ", ".join(
        name
        for name in dict.fromkeys(study.choices["choice"])
        if name != _ALL and study.features[f"kept_{name}"].between(0, 1, inclusive="neither").any()
    )
    return [
        check("Failed training runs", " ".join(_failures(study)), "All training runs finished."),
        check(
            "Variation between folds",
            f"Standard deviation of the accuracy in points: {deviations}. Costs are uncertain; use "
            f"more {data_of(study.metrics)['noun']}."
            if deviations
            else "",
            f"At most {100 * _WIDE:.0f} points of standard deviation for every model.",
        ),
        check(
            "Stability of the selection",
            f"The selected features differ between folds for: {unstable}. The accuracy is that of "
            "the selection method, not of one set of features."
            if unstable
            else "",
            "Filter and elimination select the same features in every fold.",
        ),
    ]


# The page.


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
            _curve_table(study),
        ),
        Figure(
            "elimination_costs",
            "Cost of each selection",
            "Loss of accuracy compared with all features, in points, with the 95 % interval of "
            "Nadeau and Bengio (2003). Intervals that include zero are not significant. In "
            "parentheses: number of features.",
            plots.elimination_costs(shown, titles=titles),
            _cost_table(shown),
        ),
    ]


def _compared(study: Study) -> pd.DataFrame:
    """Return the choices that drop something, elimination only as far as the others go."""
    rows = study.choices[study.choices["model"].isin(study.models)]
    others = rows[rows["kind"].isin(["named", "filter"]) & (rows["n_features"] < study.n_features)]
    least = others["n_features"].min() if len(others) else 0
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


def _curve_table(study: Study) -> pd.DataFrame:
    import pandas as pd

    rows = study.choices
    return pd.DataFrame(
        {
            "choice": rows["choice"],
            "model": rows["model"].map(model_name),
            "features": rows["n_features"].round(1),
            "accuracy %": (100 * rows["accuracy"]).round(2),
            "± folds": (100 * rows["accuracy_std"]).round(2),
        }
    )


def _cost_table(rows: pd.DataFrame) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(
        {
            "choice": rows["choice"],
            "model": rows["model"].map(model_name),
            "features": rows["n_features"].round(1),
            "points lost": (100 * rows["cost"]).round(2),
            "from": (100 * rows["cost_low"]).round(2),
            "to": (100 * rows["cost_high"]).round(2),
            "significant": rows["beyond_spread"],
        }
    )


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

    rows = [row for row in study.metrics["importances"] if row["mean"] is not None]
    return pd.DataFrame(
        {
            "feature": row["feature"],
            "measure": f"{row['measure']}, {model_name(row['model'])}"
            if row["model"]
            else row["measure"],
            "mean": round(row["mean"], 4),
            "± folds": round(row["std"], 4),
            "from": round(row["low"], 4),
            "to": round(row["high"], 4),
        }
        for row in rows
    )


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
        if name == _ALL or kind == "elimination":
            continue
        shares = rows[f"kept_{name}"].to_numpy()
        table[name] = np.select([shares == 1, shares == 0], ["keeps", "drops"], "in some folds")
    return table
