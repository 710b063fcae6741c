"""Checks of a comparison: failures, leaks, calibration, and whether the test confirms the folds."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from moodcore.comparison.models import MAJORITY
from moodcore.comparison.pairs import BETTER, TEST_ONLY, TOO_FEW
from moodcore.comparison.results import Results

# Shares of rows, except the ratio of class sizes.
_CALIBRATED = 0.05
_IMBALANCE = 1.5
_NEARLY_ALL = 0.999
_LISTED = 5


def checks(results: Results, counts: Mapping[str, int], noun: str) -> list[dict[str, Any]]:
    """Return the checks, `{"name", "ok", "text"}` each; at least one model must be usable.

    `counts` are the rows of each class, by name, and `noun` is what rows are called.
    """
    usable = results.summary[results.summary["accuracy"].notna()]
    summary: Any = usable.to_dict("records")
    return [
        _failures(results),
        _warnings(results),
        _imbalance(counts, noun),
        *_majority(results),
        _leak(summary[0]),
        _calibration(summary),
        _test_and_folds(results, summary),
        *_time_limit(results),
    ]


def _check(name: str, problem: str, otherwise: str) -> dict[str, Any]:
    return {"name": name, "ok": not problem, "text": problem or otherwise}


def _counted(trainings: int) -> str:
    return f"{trainings} training{'s' * (trainings != 1)}"


def _failures(results: Results) -> dict[str, Any]:
    problems = []
    for name, rows in results.failures.groupby("model", sort=False):
        effect = "not compared" if name in results.unusable else "incomplete learning curve"
        first = rows.iloc[0]
        problems.append(
            f"{name}: {_counted(len(rows))} failed ({effect}); {first['where']}: {first['why']}"
        )
    return _check("Failed trainings", ". ".join(problems), "No training failed.")


def _warnings(results: Results) -> dict[str, Any]:
    table = results.warnings
    texts = [
        f"{row['model']} ({_counted(row['trainings'])}): {row['warning']}"
        for row in table.head(_LISTED).to_dict("records")
    ]
    if len(table) > _LISTED:
        texts.append(f"and {len(table) - _LISTED} more")
    return _check("Warnings", "; ".join(texts), "No training gave a warning.")


def _imbalance(counts: Mapping[str, int], noun: str) -> dict[str, Any]:
    largest, smallest = max(counts, key=lambda n: counts[n]), min(counts, key=lambda n: counts[n])
    ratio = counts[largest] / counts[smallest]
    text = f"{largest} has {ratio:.1f} times as many {noun} as {smallest}"
    problem = f"{text}; compare macro F1 with accuracy." if ratio > _IMBALANCE else ""
    return _check("Class imbalance", problem, f"{text}.")


def _majority(results: Results) -> list[dict[str, Any]]:
    """Compare with always predicting the most frequent class, if that is among the models."""
    behind: list[str] = []
    untested: list[str] = []
    for row in results.pairs.to_dict("records"):
        if MAJORITY not in (row["first"], row["second"]):
            continue
        ahead = row["first"] if row["second"] == MAJORITY else ""
        correct_more_often = row["only_first_right"] > row["only_second_right"]
        if ahead and (
            row["verdict"] == BETTER or (row["verdict"] == TEST_ONLY and correct_more_often)
        ):
            continue
        (untested if row["verdict"] == TOO_FEW else behind).append(ahead or row["second"])
    if MAJORITY not in results.names.values():
        return []
    problem = f"Not significantly better than the majority class: {', '.join(behind)}."
    text = "All models are significantly better than the majority class."
    if untested:
        text = f"Not enough folds to compare with the majority class: {', '.join(untested)}."
    return [_check("Majority class", problem if behind else "", text)]


def _leak(best: Mapping[str, Any]) -> dict[str, Any]:
    auc = best["roc_auc"]
    problem = (
        f"{best['model']} ranks nearly all rows correctly (ROC AUC {auc:.4f}): a column may have "
        "been computed from the label, which would be a leak."
    )
    leaked = not math.isnan(auc) and auc > _NEARLY_ALL
    return _check("Leak", problem if leaked else "", "No sign of a leak from the label.")


def _calibration(summary: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    off = [
        f"{row['model']} ({100 * row['calibration_error']:.1f} points)"
        for row in summary
        if row["kind"] != "baseline" and row["calibration_error"] > _CALIBRATED
    ]
    limit = f"{100 * _CALIBRATED:.0f} points"
    return _check(
        "Calibration",
        f"The calibration error is above {limit}: {', '.join(off)}." if off else "",
        f"The calibration error of all models is at most {limit}.",
    )


def _test_and_folds(results: Results, summary: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Compare test with cross-validation accuracy, with the standard error of a proportion."""
    test = results.test.set_index("model")["accuracy"]
    rows = len(results.task.y_test)
    off = []
    for row in summary:
        accuracy = float(test[row["model"]])
        error = math.sqrt(accuracy * (1 - accuracy) / rows)
        margin = 3 * error + row["accuracy_high"] - row["accuracy"]
        if abs(accuracy - row["accuracy"]) > margin:
            shares = f"{100 * accuracy:.1f} % and {100 * row['accuracy']:.1f} %"
            off.append(f"{row['model']} ({shares})")
    return _check(
        "Test and folds",
        f"Test and cross-validation accuracy differ: {', '.join(off)}." if off else "",
        "Test and cross-validation accuracy agree within their errors.",
    )


def _time_limit(results: Results) -> list[dict[str, Any]]:
    """Return what a time limit left out; nothing where the run is complete."""
    if len(results.trained) == results.planned:
        return []
    settings = results.task.settings
    points = results.learning_curves["rows"].nunique()
    return [
        _check(
            "Time limit",
            f"{len(results.trained)} of {results.planned} trainings were done: "
            f"{len(results.folds)} of {settings.folds * settings.repeats} folds, "
            f"{points} of {len(results.task.curve_sizes)} points of the learning curves.",
            "",
        )
    ]
