"""A comparison in plain sentences."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np

from moodcore.comparison.entrants import MAJORITY
from moodcore.comparison.records import records

if TYPE_CHECKING:
    import pandas as pd

    from moodcore.comparison.result import Comparison

# Doubling the rows must bring more accuracy than this to be worth a sentence.
_GAIN = 0.003
# What the report points out: shares.
_CALIBRATED = 0.05
_IMBALANCE = 1.5
_NEARLY_ALL = 0.999


def sentences(comparison: Comparison) -> list[str]:
    """Return who is best, how sure that is, and what else is worth knowing."""
    found = _outcome(comparison)
    # Who can be told from whom follows the winner.
    return [*found[:1], *pair_sentences(comparison), *found[1:]]


def summary_sentences(comparison: Comparison) -> list[str]:
    """Return the outcome with no more of the pairs than those of the winner."""
    found = _outcome(comparison)
    return [*found[:1], *pair_sentences(comparison)[:1], *found[1:]]


def _outcome(comparison: Comparison) -> list[str]:
    usable = _usable(comparison)
    if not len(usable):
        return ["No model could be trained; the reasons are listed with the failures."]
    found = [_leader(comparison, usable), _combination(comparison, usable)]
    found += [_probabilities(usable), _curve(comparison, usable)]
    found += [_dispute(comparison), _failed(comparison)]
    return [one for one in found if one]


def p_in_words(p_value: float) -> str:
    """Return a p-value as a reader expects it.

    Examples
    --------
    >>> p_in_words(0.00212), p_in_words(0.0000021), p_in_words(0.43)
    ('p = 0.002', 'p < 0.001', 'p = 0.43')
    """
    if p_value < 0.001:
        return "p < 0.001"
    return f"p = {p_value:.3f}" if p_value < 0.095 else f"p = {p_value:.2f}"


def _usable(comparison: Comparison) -> pd.DataFrame:
    summary = comparison.summary
    return summary[summary["accuracy"].notna()]


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _listed(words: Sequence[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _leader(comparison: Comparison, usable: pd.DataFrame) -> str:
    best = records(usable)[0]
    plan = comparison.contest.plan
    test = comparison.test.set_index("model").loc[best["model"], "accuracy"]
    folds = f"{plan.folds} folds" + (f", {plan.repeats} times" if plan.repeats > 1 else "")
    return (
        f"{_capital(best['model'])} is the most accurate: {_percent(best['accuracy'])} of the rows "
        f"of the folds right ({folds}; 95 % confidence interval "
        f"{100 * best['accuracy_low']:.1f} to {_percent(best['accuracy_high'])}), and "
        f"{_percent(test)} of {len(comparison.contest.test):,} test rows."
    )


def pair_sentences(comparison: Comparison) -> list[str]:
    """Say of each model and baseline which of those behind it are told apart from it.

    Baselines are compared with the models, not with each other; the majority class has a sentence
    of its own.
    """
    usable = _usable(comparison)
    kinds = dict(zip(usable["model"], usable["kind"], strict=True))
    others = comparison.pairs[comparison.pairs["second"] != MAJORITY]
    found = []
    for name in usable["model"]:
        mine = others[others["first"] == name]
        if kinds[name] == "baseline":
            mine = mine[mine["second"].map(kinds) != "baseline"]
        better = records(mine[mine["verdict"] == "better"])
        level = records(mine[mine["verdict"] != "better"])
        parts = [f"is better than {_with_p(better)}"] if better else []
        if level:
            parts.append(f"cannot be told apart from {_with_p(level)}")
        if parts:
            found.append(f"{_capital(name)} {', and '.join(parts)}.")
    found.append(_test_only(records(others[others["verdict"] == "test only"])))
    found.append(_majority(comparison, usable))
    return [one for one in found if one]


def _with_p(rows: list[dict[str, Any]]) -> str:
    """List names, each with its corrected p-value; those with the same share it."""
    groups = [
        (p_value, [row["second"] for row in group])
        for p_value, group in groupby(rows, key=lambda row: p_in_words(row["p_holm"]))
    ]
    return _listed([f"{_listed(names)} ({p_value})" for p_value, names in groups])


def _majority(comparison: Comparison, usable: pd.DataFrame) -> str:
    share = usable.loc[usable["model"] == MAJORITY, "accuracy"]
    if not len(share):
        return ""
    pairs = comparison.pairs
    ahead = pairs[(pairs["second"] == MAJORITY) & (pairs["verdict"] == "better")]
    others = [name for name in usable["model"] if name != MAJORITY]
    behind = [name for name in others if name not in set(ahead["first"])]
    always = f"Always saying the most frequent class gets {_percent(float(share.iloc[0]))}"
    if not behind:
        return f"{always}; all others are better than that."
    return f"{always}; {_listed(behind)} cannot be said to be better than that."


def _test_only(rows: list[dict[str, Any]]) -> str:
    """Say which models McNemar's test tells apart though the folds do not."""
    if not rows:
        return ""
    beaten: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        names = [row["first"], row["second"]]
        if row["only_second_right"] > row["only_first_right"]:
            names.reverse()
        one = {"second": names[1], "p_holm": row["test_p_holm"]}
        beaten.setdefault(names[0], []).append(one)
    told = "; ".join(f"{name} over {_with_p(others)}" for name, others in beaten.items())
    return (
        "McNemar's test of the fitted models on the test rows tells apart what the folds, which "
        f"judge training too, do not: {told}."
    )


def _combination(comparison: Comparison, usable: pd.DataFrame) -> str:
    combined = usable[usable["kind"] == "combination"]
    single = usable[usable["kind"] == "model"]
    if not len(combined) or not len(single):
        return ""
    one, best = combined.iloc[0], single.iloc[0]
    members = _listed([member.name for member in comparison.contest.members])
    points = 100 * (one["accuracy"] - best["accuracy"])
    names = {one["model"], best["model"]}
    row = next(r for r in records(comparison.pairs) if {r["first"], r["second"]} == names)
    sure = "a real difference" if row["verdict"] == "better" else "which may be chance"
    return (
        f"The {one['model']} combines {members}: {points:+.2f} points of accuracy against "
        f"{best['model']}, the best single model, {sure} ({p_in_words(row['p_holm'])})."
    )


def _probabilities(usable: pd.DataFrame) -> str:
    judged = records(usable[usable["log_loss"].notna() & (usable["kind"] != "baseline")])
    if not judged:
        return ""
    sharpest = min(judged, key=lambda row: row["log_loss"])
    calibrated = min(judged, key=lambda row: row["calibration_error"])
    also = "" if calibrated is sharpest else f"those of {calibrated['model']} "
    return (
        f"Of the models' probabilities those of {sharpest['model']} have the lowest log loss "
        f"({sharpest['log_loss']:.3f}), and {also}the smallest calibration error "
        f"({100 * calibrated['calibration_error']:.1f} points)."
    )


def _curve(comparison: Comparison, usable: pd.DataFrame) -> str:
    """Say what more rows would bring to the best model, from the last stretch of its curve."""
    models = usable[usable["kind"] == "model"]
    curves = comparison.learning_curves
    if not len(models) or not len(curves):
        return ""
    name = str(models.iloc[0]["model"])
    mine = curves[curves["model"] == name].dropna()
    if len(mine) < 2:
        return ""
    before, last = records(mine)[-2:]
    doublings = np.log2(last["rows"] / before["rows"])
    gain = float((last["accuracy"] - before["accuracy"]) / doublings)
    if gain > _GAIN:
        return (
            f"{_capital(name)} still learns from more rows: the last doubling brought about "
            f"{100 * gain:.1f} points, up to {last['rows']:,.0f} rows."
        )
    return (
        f"{_capital(name)} has nearly learned what there is: at {last['rows']:,.0f} rows a "
        f"doubling brings about {100 * gain:.1f} points."
    )


def _dispute(comparison: Comparison) -> str:
    disputed = comparison.disputed
    names = [one.name for one in comparison.entrants if one.kind == "model"]
    if len(names) < 2:
        return ""
    return (
        f"On {int(disputed.sum()):,} of {len(disputed):,} test rows ({_percent(disputed.mean())}) "
        f"the models {_listed(names)} do not all say the same."
    )


def _failed(comparison: Comparison) -> str:
    failures = comparison.failures
    if not len(failures):
        return ""
    parts = []
    for name, mine in failures.groupby("model", sort=False):
        first = mine.iloc[0]
        left_out = name in comparison.unusable
        result = "so it is not compared" if left_out else "so its curve is not whole"
        parts.append(
            f"{len(mine)} trainings of {name} failed, {result} ({first['where']}: {first['why']})"
        )
    return f"{_capital('; '.join(parts))}."


def _capital(name: str) -> str:
    return name[:1].upper() + name[1:]


def checks(comparison: Comparison) -> list[dict[str, Any]]:
    """Return what a careful reader would look for: `{"name", "ok", "text"}` each."""
    usable = _usable(comparison)
    found = [_failure_check(comparison), _warning_check(comparison), _mix(comparison)]
    if len(usable):
        found += [_chance(usable), _trusted(usable), _same_on_test(comparison, usable)]
    return found


def _check(name: str, ok: bool, text: str) -> dict[str, Any]:
    return {"name": name, "ok": bool(ok), "text": text}


def _failure_check(comparison: Comparison) -> dict[str, Any]:
    text = _failed(comparison) or "Every training came to its end."
    return _check("Failed trainings", not len(comparison.failures), text)


def _warning_check(comparison: Comparison) -> dict[str, Any]:
    table = comparison.warnings
    if not len(table):
        return _check("Warnings", True, "No training gave a warning.")
    told = "; ".join(
        f"{row['model']}, {row['trainings']} times: {row['warning']}"
        for row in records(table.head(5))
    )
    return _check("Warnings", False, f"Trainings gave warnings. {told}")


def _mix(comparison: Comparison) -> dict[str, Any]:
    counts = np.bincount(comparison.contest.codes, minlength=len(comparison.class_names))
    names = comparison.class_names
    ratio = counts.max() / counts.min()
    text = (
        f"{names[counts.argmax()]} has {ratio:.1f} times as many rows as {names[counts.argmin()]}"
    )
    ok = ratio <= _IMBALANCE
    return _check(
        "Class imbalance", ok, f"{text}." if ok else f"{text}: look at macro F1 beside accuracy."
    )


def _chance(usable: pd.DataFrame) -> dict[str, Any]:
    """Hold the best against a feature that tells all, and against one that tells nothing."""
    best = usable.iloc[0]
    auc = best["roc_auc"]
    if not np.isnan(auc) and auc > _NEARLY_ALL:
        text = (
            f"{_capital(best['model'])} ranks nearly every row right (ROC AUC {auc:.4f}): a column "
            "may have been made from the label, which would be a leak."
        )
        return _check("Too good", False, text)
    return _check("Too good", True, "No model is so good that a leak must be suspected.")


def _trusted(usable: pd.DataFrame) -> dict[str, Any]:
    judged = usable[usable["calibration_error"].notna() & (usable["kind"] != "baseline")]
    off = judged[judged["calibration_error"] > _CALIBRATED]
    if not len(off):
        text = "The models' probabilities may be taken at their word."
        return _check("Calibration", True, text)
    told = _listed(
        [f"{row['model']} ({100 * row['calibration_error']:.1f} points)" for row in records(off)]
    )
    return _check(
        "Calibration",
        False,
        f"Confidence and accuracy are on average more than {100 * _CALIBRATED:.0f} points apart: "
        f"{told}.",
    )


def _same_on_test(comparison: Comparison, usable: pd.DataFrame) -> dict[str, Any]:
    """See whether the test lies where the folds said, with the spread of a share of rows."""
    test = comparison.test.set_index("model")["accuracy"]
    off = []
    for row in records(usable):
        found, rows = float(test[row["model"]]), len(comparison.contest.test)
        margin = 3 * np.sqrt(found * (1 - found) / rows) + (row["accuracy_high"] - row["accuracy"])
        if abs(found - row["accuracy"]) > margin:
            told = f"{_percent(found)} against {_percent(row['accuracy'])}"
            off.append(f"{row['model']} ({told})")
    if off:
        text = f"The test does not confirm the folds: {_listed(off)}."
    else:
        text = "The test rows confirm what the folds say, as far as chance allows."
    return _check("Test against folds", not off, text)
