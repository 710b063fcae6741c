"""What the numbers of a study say, in words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from moodcore.features.choices import ALL
from moodcore.features.frames import PERMUTATION
from moodcore.features.models import title

if TYPE_CHECKING:
    import pandas as pd

# More names than this make a list, not a sentence.
_NAMES, _MANY = 5, 12


def advise(
    features: pd.DataFrame,
    importances: pd.DataFrame,
    choices: pd.DataFrame,
    trainings: pd.DataFrame,
) -> tuple[str, ...]:
    """Return the advice, sentence by sentence.

    A cost is sure where its 95 % interval over the folds leaves out zero, and does not count where
    it is below two standard deviations of the accuracies. Between the two, which is wide where
    folds are few, a choice *may* cost something.

    Parameters
    ----------
    features, importances, choices, trainings : DataFrame
        Of a :class:`~moodcore.features.FeatureStudy`.
    """
    failed = _failed(trainings)
    usable = choices[choices["accuracy"].notna()]
    full = usable[usable["choice"] == ALL]
    if full.empty:
        return ("No model could be trained on all features, so nothing can be compared.", *failed)
    usable = _with_spread(usable)
    best = full.iloc[int(full["accuracy"].to_numpy().argmax())]
    model = str(best["model"])
    sentences = [_recommendation(features, usable, model), _best(full, best, len(features))]
    sentences += [_named(usable, name) for name in _names_of(usable, "named")]
    sentences += _filters(usable)
    sentences += _useful(features, importances, usable, model)
    sentences += _elimination(features, usable, model)
    return (*sentences, *failed)


def _failed(trainings: pd.DataFrame) -> list[str]:
    said = []
    for name in dict.fromkeys(trainings["model"]):
        own = trainings[trainings["model"] == name]
        failed = own[own["failure"] != ""]
        if len(failed):
            reason = failed["failure"].iloc[0]
            said.append(
                f"{_title(name)} failed in {len(failed)} of {len(own)} trainings ({reason})."
            )
    return said


def _with_spread(choices: pd.DataFrame) -> pd.DataFrame:
    """Add how far folds lie apart, with all features or the choice: two standard deviations."""
    full = choices[choices["choice"] == ALL].set_index("model")["accuracy_std"]
    # A cost of nothing may come out a rounding error above it.
    either = choices["model"].map(full).astype(float).clip(lower=choices["accuracy_std"])
    return choices.assign(spread=2 * either + 1e-12)


def _does_harm(rows: pd.DataFrame) -> pd.Series[bool]:
    """Whether choices cost something, or may cost more than the folds differ."""
    cost = rows["cost"]
    return (rows["beyond_spread"] & (cost > 0)) | (cost > rows["spread"])


def _best(full: pd.DataFrame, best: pd.Series[Any], n_features: int) -> str:
    reaches = "is the most accurate:" if len(full) > 1 else "reaches"
    return (
        f"With all {n_features} features {title(best['model'])} {reaches} "
        f"{100 * best['accuracy']:.1f} % (standard deviation over the folds "
        f"{100 * best['accuracy_std']:.1f} points)."
    )


def _named(choices: pd.DataFrame, name: str) -> str:
    rows = choices[choices["choice"] == name]
    kept = int(rows["n_features"].iloc[0])
    return f"Keeping only the {kept} features of {name!r} {_costs(rows)}."


def _costs(rows: pd.DataFrame) -> str:
    """Say what a choice costs each model, the largest cost first."""
    ordered = rows.sort_values("cost", ascending=False, kind="stable")
    beyond = ordered["beyond_spread"]
    worse = ordered[beyond & (ordered["cost"] > 0)]
    better = ordered[beyond & (ordered["cost"] < 0)]
    said = []
    if len(worse):
        parts = [f"{title(r['model'])} {_points(r['cost'])}" for _, r in worse.iterrows()]
        said.append(f"costs {_listed(parts)} points of accuracy")
    if len(better):
        parts = [f"{title(r['model'])} {_points(-r['cost'])}" for _, r in better.iterrows()]
        said.append(f"gains {_listed(parts)} points")
    unsure = ordered[~beyond & (ordered["cost"].abs() > ordered["spread"])]
    for way, some in (("cost", unsure[unsure["cost"] > 0]), ("gain", unsure[unsure["cost"] < 0])):
        if len(some):
            parts = [f"{title(r['model'])} {_points(abs(r['cost']))}" for _, r in some.iterrows()]
            said.append(f"may {way} {_listed(parts)} points, if that is no chance")
    rest = ordered[~beyond & ~ordered.index.isin(unsure.index)]
    if len(rest):
        models = _listed([title(name) for name in rest["model"]])
        said.append(f"changes {models} by no more than the folds differ")
    return _listed(said)


def _filters(choices: pd.DataFrame) -> list[str]:
    """Say from which threshold on the filter costs something, and what the lowest does."""
    rows = choices[choices["kind"] == "filter"]
    full = choices.loc[choices["choice"] == ALL, "n_features"].iloc[0]
    rows = rows[rows["n_features"] < full]
    if rows.empty:
        return []
    harmful = rows[rows["beyond_spread"] & (rows["cost"] > 0)]
    if harmful.empty and _does_harm(rows).any():
        return [
            "What the correlation filter drops may cost accuracy, but these folds are too few to "
            "tell it from chance."
        ]
    if harmful.empty:
        return ["What the correlation filter drops costs no model more than the folds differ."]
    threshold = harmful["level"].max()
    first = rows[rows["level"] == threshold]
    kept = first["n_features"].iloc[0]
    return [
        f"The correlation filter does harm from a threshold of {threshold:g} down, where it leaves "
        f"{_count(kept)} features and {_costs(first)}."
    ]


def _useful(
    features: pd.DataFrame, importances: pd.DataFrame, choices: pd.DataFrame, model: str
) -> list[str]:
    """Name the dropped features that the best model misses when they are shuffled."""
    shuffled = importances[
        (importances["measure"] == PERMUTATION) & (importances["model"] == model)
    ].set_index("feature")
    said = []
    for name in _reference_choices(choices):
        dropped = features.loc[features[f"kept_{name}"] < 0.5, "feature"]
        own = shuffled.loc[list(dropped)].sort_values("mean", ascending=False, kind="stable")
        useful, useless = own[own["low"] > 0], own[~(own["low"] > 0)]
        parts = []
        if len(useful):
            shown = useful.head(_NAMES)
            lost = _listed([_points(one) for one in shown["mean"]])
            each = "it" if len(shown) == 1 else "them"
            parts.append(
                f"uses {_listed(list(shown.index))} (shuffling {each} costs {lost} points)"
            )
        if len(useless):
            parts.append(f"may do without {_listed(list(useless.index[:_NAMES]))}")
        if parts:
            said.append(
                f"Of the features that {name!r} leaves out, {title(model)} {_listed(parts)}."
            )
    return said


def _reference_choices(choices: pd.DataFrame) -> list[str]:
    """Return the named sets, and without any the mildest filter that drops something."""
    named = _names_of(choices, "named")
    if named:
        return named
    full = choices.loc[choices["choice"] == ALL, "n_features"].iloc[0]
    rows = choices[(choices["kind"] == "filter") & (choices["n_features"] < full)]
    return list(dict.fromkeys(rows.sort_values("level", ascending=False)["choice"]))[:1]


def _elimination(features: pd.DataFrame, choices: pd.DataFrame, model: str) -> list[str]:
    rows = choices[choices["kind"] == "elimination"]
    if rows.empty:
        return []
    said = [
        sentence
        for name in _names_of(choices, "named")
        if (sentence := _same_number(choices, name, model))
    ]
    if harmless_size(choices[choices["model"] == model]) is None:
        first = rows[rows["level"] == rows["level"].max()]
        last = features.sort_values("elimination_rank")["feature"].iloc[-1]
        said.append(
            f"Elimination by importance does harm from the first feature on: leaving out {last}, "
            f"the least used, {_costs(first)}."
        )
    return said


def _same_number(choices: pd.DataFrame, name: str, model: str) -> str | None:
    """Hold a named set against as many features chosen by importance."""
    own = choices[choices["model"] == model]
    named = own[own["choice"] == name]
    size = named["n_features"].iloc[0]
    eliminated = own[(own["kind"] == "elimination") & (own["n_features"] == size)]
    if eliminated.empty:
        return None
    return (
        f"With {_count(size)} features chosen by importance instead, {title(model)} reaches "
        f"{100 * eliminated['accuracy'].iloc[0]:.1f} %; with those of {name!r}, "
        f"{100 * named['accuracy'].iloc[0]:.1f} %."
    )


def harmless_size(choices: pd.DataFrame) -> float | None:
    """Return the least number of features down to which elimination costs no model anything.

    Parameters
    ----------
    choices : DataFrame
        Of one model or more, with the rows of all features.
    """
    found = None
    rows = _with_spread(choices)
    rows = rows[rows["kind"] == "elimination"]
    for size in sorted(rows["level"].unique(), reverse=True):
        at = rows[rows["level"] == size]
        if _does_harm(at).any():
            break
        found = float(size)
    return found


def _recommendation(features: pd.DataFrame, choices: pd.DataFrame, model: str) -> str:
    """Say what to do, above all with the most accurate model."""
    eliminated = choices[choices["kind"] == "elimination"]
    filtered = choices[(choices["kind"] == "filter") & choices["beyond_spread"]]
    harm = bool((filtered["cost"] > 0).any())
    instead = " Choose features by importance, not by correlation." if harm else ""
    keep = f"Keep all {len(features)} features"
    if eliminated.empty:
        return f"{keep}.{instead}" if harm else "Any of these choices will do."
    size = harmless_size(choices[choices["model"] == model])
    if size is None:
        own = eliminated[eliminated["model"] == model]
        first = own[own["level"] == own["level"].max()]
        costs = "costs" if first["beyond_spread"].any() else "may cost"
        return f"{keep}: leaving out any {costs} {title(model)} accuracy.{instead}"
    stay = features.sort_values("elimination_rank", kind="stable")["feature"][: int(size)]
    names = f" ({_listed(list(stay))})" if size <= _MANY else ""
    best = ", the most accurate" if eliminated["model"].nunique() > 1 else ""
    enough = "is enough" if size == 1 else "are enough"
    return (
        f"For {title(model)}{best}, {_count(size)} of {len(features)} features chosen "
        f"by importance{names} {enough}: leaving out the others costs no more accuracy than the "
        f"folds differ.{_for_every_model(choices, size)}{instead}"
    )


def _for_every_model(choices: pd.DataFrame, size: float) -> str:
    """Say how many features the models other than the most accurate need, if there are others."""
    every = harmless_size(choices)
    if choices.loc[choices["kind"] == "elimination", "model"].nunique() < 2:
        return ""
    if every is None:
        return " Some other models need all of them."
    if every <= size:
        return " The same holds for every other model."
    return f" {_count(every)} are enough for every model."


def _names_of(choices: pd.DataFrame, kind: str) -> list[str]:
    return list(dict.fromkeys(choices.loc[choices["kind"] == kind, "choice"]))


def _points(share: Any) -> str:
    return f"{100 * float(share):.1f}"


def _count(number: float) -> str:
    return f"{number:.0f}" if float(number).is_integer() else f"{number:.1f}"


def _title(name: Any) -> str:
    words = title(str(name))
    return words[0].upper() + words[1:]


def _listed(parts: Iterable[str] | Sequence[str]) -> str:
    """Join parts as a sentence does.

    Examples
    --------
    >>> _listed(["a"]), _listed(["a", "b"]), _listed(["a", "b", "c"])
    ('a', 'a and b', 'a, b and c')
    """
    words = list(parts)
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
