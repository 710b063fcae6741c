"""The outcome of `moodcore features`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from moodcore.report.page import Headline
from moodcore.report.run import target_of
from moodcore.report.text import (
    counted,
    listed,
    model_name,
    percent,
    proportion_interval,
)

if TYPE_CHECKING:
    import pandas as pd

ALL = "all"
# Standard deviation of the accuracy over the folds, in shares, above which a check warns.
_WIDE = 0.02
# A sentence names this many features at most.
_NAMED = 12


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
        return self.choices[(self.choices["choice"] == ALL) & self.choices["accuracy"].notna()]

    @property
    def models(self) -> list[str]:
        """Names of the models that could be trained on all features."""
        return self.full["model"].tolist()

    @property
    def n_features(self) -> int:
        """Number of all features."""
        return len(self.features)

    @property
    def named(self) -> dict[str, int]:
        """Size of each named set of features."""
        rows = self.choices[self.choices["kind"] == "named"].drop_duplicates("choice")
        return {str(n): int(k) for n, k in zip(rows["choice"], rows["n_features"], strict=True)}


def headline(metrics: Mapping[str, Any]) -> Headline:
    """Return the outcome of a study."""
    study = Study(metrics)
    best = metrics["recommended"]
    if best is None:
        sentences = ["No model could be trained on all features.", *_failures(study)]
        return Headline("No model could be trained", sentences, (), _checks(study))
    name, n_features = model_name(best["model"]), study.n_features
    kept, target = len(best["features"]), target_of(metrics)
    title = f"Predicting {target} with {name} needs {kept} of {n_features} features"
    rows = study.choices[study.choices["model"] == best["model"]]
    accuracy = rows.set_index("choice")["accuracy"]
    highlights = [(percent(best["accuracy"]), f"{name} with all {n_features} features")]
    for choice, size in study.named.items():
        labels = {
            choice: f"{name} with the {size} features “{choice}”",
            f"eliminated to {size}": f"{name} with {size} selected by elimination",
        }
        # Where the time limit ended the run, there may be neither.
        highlights += [
            (percent(accuracy[n]), label) for n, label in labels.items() if n in accuracy
        ]
    label = f"features are enough for {name}, selected by elimination"
    highlights = [*highlights[:3], (f"{kept} of {n_features}", label)]
    return Headline(title, _sentences(study, best), highlights, _checks(study))


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
    return [*found, *_filter(study), *_failures(study)]


def _recommendation(study: Study, best: Mapping[str, Any]) -> str:
    name, n_features, kept = model_name(best["model"]), study.n_features, best["features"]
    if len(kept) < n_features:
        names = f" ({listed(kept)})" if len(kept) <= _NAMED else ""
        return (
            f"{len(kept)} of {n_features} features are enough for {name}{names}: with these, "
            f"selected by recursive elimination, it reaches {percent(best['accuracy_kept'])}; with "
            f"all features, {percent(best['accuracy'])}."
        )
    keep, largest = f"Keep all {n_features} features", best["largest_size"]
    if largest is None:
        return f"{keep}: no elimination was measured with {name}."
    rows = study.choices[study.choices["model"] == best["model"]].set_index("choice")
    left_out = "the least used"
    if largest < n_features - 1:
        left_out = f"{n_features - largest}, the fewest that were measured,"
    points = 100 * rows["cost"][f"eliminated to {largest}"]
    return f"{keep}: leaving out {left_out} costs {name} {points:z.1f} points of accuracy."


def _test(study: Study, name: str) -> str:
    test = study.metrics.get("test")
    if not test:
        return ""
    noun, interval = (
        study.metrics["data"]["noun"],
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
        if name != ALL and study.features[f"kept_{name}"].between(0, 1, inclusive="neither").any()
    )
    return [
        check("Failed training runs", " ".join(_failures(study)), "All training runs finished."),
        check(
            "Variation between folds",
            f"Standard deviation of the accuracy in points: {deviations}. Costs are uncertain; use "
            f"more {study.metrics['data']['noun']}."
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
