"""A comparison in a table and a few plain sentences, for a terminal and for the top of a page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moodcore.report.cells import DASH, percent
from moodcore.report.page import SYNTHETIC

# A heading of more names is a list.
_NAMED = 3


def summary(metrics: Mapping[str, Any]) -> str:
    """Return the outcome as text.

    Parameters
    ----------
    metrics : mapping
        The content of a comparison's `metrics.json`.
    """
    notice = [SYNTHETIC] if metrics["data"]["synthetic"] else []
    words = [*metrics["outcome"][:1], *metrics["pairs_in_words"], *metrics["outcome"][2:]]
    return "\n".join([*notice, *_lines(metrics), *words])


def _lines(metrics: Mapping[str, Any]) -> list[str]:
    """Return one line a model: accuracy with its interval, and what its probabilities are worth."""
    rows = metrics["summary"]
    wide = max(len(row["model"]) for row in rows)
    head = f"{'':<{wide}}  accuracy  95 % interval   macro F1  log loss  Brier  calib.  ROC AUC"
    return [head, *(f"{row['model']:<{wide}}  {_cells(row)}" for row in rows)]


def _cells(row: Mapping[str, Any]) -> str:
    interval = DASH
    if row["accuracy"] is not None:
        interval = f"{100 * row['accuracy_low']:.1f} to {100 * row['accuracy_high']:.1f}"
    accuracy = DASH if row["accuracy"] is None else percent(row["accuracy"])
    numbers = (
        ("macro_f1", 8),
        ("log_loss", 8),
        ("brier", 5),
        ("calibration_error", 6),
        ("roc_auc", 7),
    )
    rest = "  ".join(
        f"{DASH if row[name] is None else format(row[name], '.3f'):>{width}}"
        for name, width in numbers
    )
    return f"{accuracy:>8}  {interval:<13}  {rest}"


def title(metrics: Mapping[str, Any]) -> str:
    """Return the heading of the page: who leads, and who cannot be told apart from the leader."""
    best = metrics["summary"][0]["model"]
    name = f"{best[:1].upper()}{best[1:]}"
    mine = [pair for pair in metrics["pairs"] if pair["first"] == best]
    level = [pair["second"] for pair in mine if pair["verdict"] != "better"]
    if not level:
        return f"{name} is the most accurate of {len(metrics['summary'])}"
    if len(level) > _NAMED:
        return f"{name} comes first; {len(level)} others cannot be told apart from it"
    listed = " and ".join([", ".join(level[:-1]), level[-1]] if len(level) > 1 else level)
    return f"{name} comes first; {listed} cannot be told apart from it"


def highlights(metrics: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the numbers beside the summary: value and label."""
    best = metrics["summary"][0]
    mine = [pair for pair in metrics["pairs"] if pair["first"] == best["model"]]
    told = sum(pair["verdict"] == "better" for pair in mine)
    tests = {row["model"]: row["accuracy"] for row in metrics["test"]}
    reach = f"{100 * best['accuracy_low']:.1f} to {percent(best['accuracy_high'])}"
    return [
        (percent(best["accuracy"]), f"accuracy of the {best['model']} over the folds"),
        (reach, "95 % confidence interval"),
        (percent(tests[best["model"]]), f"of {metrics['test_rows']:,} test songs"),
        (f"{told} of {len(mine)}", "others that it is better than, beyond chance"),
    ]
