"""A run in a few plain sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moodcore.report.cells import parameters, percent
from moodcore.report.page import SYNTHETIC
from moodcore.report.tune.families import several
from moodcore.runs.families import family

# What others reached with seven features, balanced classes and a 16-16 network; see the
# song table's published analyses.
PUBLISHED_ACCURACY = 0.839


def summary(metrics: Mapping[str, Any]) -> str:
    """Return the outcome in a few lines.

    Parameters
    ----------
    metrics : mapping
        The content of a run's `metrics.json`.
    """
    return "\n".join(sentences(metrics))


def sentences(metrics: Mapping[str, Any]) -> list[str]:
    """Return the outcome as sentences; the first says so if the songs are synthetic."""
    return ([SYNTHETIC] if metrics["data"]["synthetic"] else []) + outcome(metrics)


def title(metrics: Mapping[str, Any]) -> str:
    """Return the heading of the page."""
    if metrics["study"] == "optimizers":
        return "Three optimizers on one network"
    if several(metrics):
        return "Which emotion is in a song? The search among all families of models"
    noun = family(metrics["model"]["family"]).noun
    article = "an" if noun[0] in "aeiou" else "a"
    return f"Which emotion is in a song? The search for {article} {noun}"


def highlights(metrics: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the numbers that the summary begins with, each with what it is."""
    if metrics["study"] == "optimizers":
        return [(f"{one['loss']:.4f}", f"training loss at the end, {one['name']}")
                for one in metrics["optimizers"]]  # fmt: skip
    test, logistic = metrics["test"], metrics["baselines"]["logistic regression"]
    fine = sum(check["ok"] for check in metrics["checks"])
    return [
        (percent(test["accuracy"]), f"of {test['n_rows']:,} unseen songs in the right class"),
        (percent(test["balanced_accuracy"]), "the same, were all classes equally frequent"),
        (percent(logistic["accuracy"]), "by logistic regression, on the same songs"),
        (f"{fine} of {len(metrics['checks'])}", "checks without a remark"),
    ]


def outcome(metrics: Mapping[str, Any], *, families: bool = True) -> list[str]:
    """Return the outcome as sentences, whatever the songs are.

    Parameters
    ----------
    metrics : mapping
        The content of a run's `metrics.json`.
    families : bool, default=True
        Whether to say of each family how its best stands to the best of all.
    """
    if metrics["study"] == "optimizers":
        return _optimizer_sentences(metrics)
    test, best, search = metrics["test"], metrics["search"]["best"], metrics["search"]
    noun = family(metrics["model"]["family"]).noun
    found = [_tested(noun, test, metrics["baselines"]["logistic regression"])]
    found.append(
        f"Of {search['candidates']} candidates {_of_families(search)}{_ended_early(search)}the "
        f"{noun} {_chosen(best)}was best: {percent(best['accuracy'])} of the validation songs "
        f"right (standard deviation over the folds {100 * best['accuracy_std']:.2f} points)."
    )
    if families:
        found += family_sentences(metrics)
    if metrics["settings"].get("features") in (None, "published"):
        found.append(
            f"A published experiment with these seven features reports "
            f"{percent(PUBLISHED_ACCURACY)} on a test of balanced classes."
        )
    concerns = [check["name"] for check in metrics["checks"] if not check["ok"]]
    if concerns:
        found.append(f"Worth a look before relying on it: {', '.join(concerns).lower()}.")
    return found


def _tested(noun: str, test: Mapping[str, Any], plain: Mapping[str, Any]) -> str:
    """Say how the refitted winner does on the test, beside logistic regression."""
    points = 100 * (test["accuracy"] - plain["accuracy"])
    beside = f"{abs(points):.1f} points {'more' if points > 0 else 'fewer'} than"
    if abs(points) < 0.05:
        beside = "as many as"
    return (
        f"The {noun} puts {percent(test['accuracy'])} of {test['n_rows']:,} songs that it never "
        f"saw into their class, {beside} logistic regression. With all classes equally frequent "
        f"it would be {percent(test['balanced_accuracy'])}, against "
        f"{percent(plain['balanced_accuracy'])}."
    )


def _of_families(search: Mapping[str, Any]) -> str:
    count = len(search["families"])
    return f"of {count} families " if count > 1 else ""


def _ended_early(search: Mapping[str, Any]) -> str:
    if search["candidates"] == search["planned"]:
        return ""
    return f"(of {search['planned']} planned; the time was over before the others were tried) "


def _chosen(best: Mapping[str, Any]) -> str:
    params = parameters(best["params"])
    return f"with {params} " if params else ""


def family_sentences(metrics: Mapping[str, Any]) -> list[str]:
    """Return how the best candidate of each family stands to the best of all.

    Empty where the search had one family only, or there was none.
    """
    if not several(metrics):
        return []
    families = metrics["search"]["families"]
    found = []
    for one in families:
        if one["model"] == metrics["model"]["family"]:
            continue
        if one["best"] is None:
            tried = f"{one['candidates']} tried" if one["candidates"] else "none was tried"
            found.append(f"No {one['noun']} could be trained to its end ({tried}).")
            continue
        found.append(
            f"The best {one['noun']} {_chosen(one['best'])}reaches "
            f"{percent(one['best']['accuracy'])}, {_behind(one['against_best'])}."
        )
    return [
        *found,
        "Candidates were chosen on the folds that they are compared on here, which flatters the "
        "family with more of them; moodcore compare --tune gives each fold a search of its own.",
    ]


def _behind(against: Mapping[str, Any]) -> str:
    """Say how far a candidate is behind the best, and whether folds agree on it."""
    points = -100 * against["mean"]
    behind, folds = against["folds_behind"], against["folds"]
    if points == 0:
        return "as the best of all"
    where = f"behind it in {behind} of {folds} folds"
    # A difference within two deviations of its own between folds may be chance.
    unsure = abs(against["mean"]) <= 2 * against["std"]
    words = ": too little to tell them apart" if unsure else ""
    return f"{points:.2f} points behind the best of all, {where}{words}"


def importance_sentence(metrics: Mapping[str, Any]) -> str:
    """Return what the trees make of the features that the correlation filter throws away."""
    if "importance" not in metrics:
        return ""
    gain, filtered = metrics["importance"]["gain"], metrics["importance"]["filtered"]
    if not filtered:
        return "The correlation filter would keep every feature."
    ranked = sorted(gain, key=lambda name: -gain[name])
    listed = ", ".join(f"{name} ({percent(gain[name])}, place {ranked.index(name) + 1})"
                       for name in filtered)  # fmt: skip
    total = percent(sum(gain[name] for name in filtered))
    return (
        f"Trained on every feature, the trees draw {total} of their gain from what the "
        f"correlation filter throws away: {listed}. Their most used feature is {ranked[0]}."
    )


def _optimizer_sentences(metrics: Mapping[str, Any]) -> list[str]:
    best = min(metrics["optimizers"], key=lambda one: one["loss"])
    others = [one for one in metrics["optimizers"] if one is not best]
    compared = ", ".join(f"{one['name']} {one['loss']:.4f}" for one in others)
    return [
        f"After the same number of epochs {best['name']} has the lowest training loss, "
        f"{best['loss']:.4f} ({compared})."
    ]
