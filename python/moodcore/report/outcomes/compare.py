"""The outcome of `moodcore compare`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import groupby
from typing import TYPE_CHECKING, Any

from moodcore.report.page import Headline
from moodcore.report.run import METRICS, target_of
from moodcore.report.text import (
    capital,
    counted,
    listed,
    p_value,
    percent,
    proportion_interval,
    signed,
)

if TYPE_CHECKING:
    import pandas as pd

_MAJORITY = "majority class"
_WORSE = "other models significantly worse"
# A title names this many models at most.
_NAMED = 3
# A learning curve still rises if doubling the rows brings more accuracy than this.
_GAIN = 0.003


def headline(metrics: Mapping[str, Any]) -> Headline:
    """Return the outcome of a comparison."""
    rows = [row for row in metrics["summary"] if row["accuracy"] is not None]
    if not rows:
        title = sentence = "No model could be trained"
        return Headline(title, [f"{sentence}. {_failures(metrics)}"], checks=metrics["checks"])
    best, pairs = rows[0], _pairs_of(metrics, rows[0]["model"])
    better = [pair for pair in pairs if pair["verdict"] == "better"]
    accuracy = {row["model"]: row["accuracy"] for row in metrics["test"]}[best["model"]]
    interval = f"{100 * best['accuracy_low']:.1f} to {100 * best['accuracy_high']:.1f}"
    noun, n_test = metrics["data"]["noun"], metrics["test_rows"]
    settings = metrics["settings"]
    folds = f"{settings['folds']} folds"
    if settings["repeats"] > 1:
        folds += f", {settings['repeats']} repeats"
    sentences = [
        f"{capital(best['model'])} has the highest cross-validation accuracy: "
        f"{percent(best['accuracy'])} ({folds}), 95 % CI {interval}. Test accuracy "
        f"{percent(accuracy)} ({n_test:,} held-out {noun}), 95 % CI "
        f"{proportion_interval(accuracy, n_test)}.",
        _significance(pairs),
        _combination(metrics, rows),
        _probabilities(rows),
        _more_rows(metrics, rows),
        _failures(metrics),
    ]
    return Headline(
        title=_title(metrics, best["model"], pairs),
        sentences=list(filter(None, sentences)),
        highlights=[
            (percent(best["accuracy"]), f"cross-validation accuracy of {best['model']}"),
            (interval, "95 % confidence interval"),
            (percent(accuracy), f"test accuracy ({n_test:,} {noun})"),
            *([(f"{len(better)} of {len(pairs)}", _WORSE)] if _are_tested(pairs) else []),
        ],
        checks=metrics["checks"],
        table=_terminal_table(metrics),
    )


def _title(metrics: Mapping[str, Any], best: str, pairs: list[dict[str, Any]]) -> str:
    level = [_other(pair, best) for pair in _level(pairs)]
    head = f"{capital(best)} predicts {target_of(metrics)} most accurately"
    if not level:
        return f"{head} of {len(metrics['summary'])} models"
    names = listed(level) if len(level) <= _NAMED else f"{len(level)} other models"
    return f"{head}, not significantly better than {names}"


def _pairs_of(metrics: Mapping[str, Any], model: str) -> list[dict[str, Any]]:
    return [pair for pair in metrics["pairs"] if model in (pair["first"], pair["second"])]


def _other(pair: Mapping[str, Any], model: str) -> str:
    return str(pair["second"] if pair["first"] == model else pair["first"])


def _are_tested(pairs: list[dict[str, Any]]) -> bool:
    """Whether there were enough folds for a test; with fewer, there are no p-values."""
    return any(pair["p_holm"] is not None for pair in pairs)


def _level(pairs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the tested pairs without a difference; the majority class has a check of its own."""
    return [
        pair
        for pair in pairs
        if pair["verdict"] != "better"
        and pair["p_holm"] is not None
        and _MAJORITY not in (pair["first"], pair["second"])
    ]


def _significance(pairs: list[dict[str, Any]]) -> str:
    def with_p(rows: list[dict[str, Any]], p: str = "p_holm") -> str:
        groups = groupby(rows, key=lambda row: p_value(row[p]))
        return listed(f"{listed(row['second'] for row in group)} ({p})" for p, group in groups)

    if pairs and not _are_tested(pairs):
        text = "A t-test over the folds needs at least five scores per model."
        differ = [pair for pair in pairs if pair["verdict"] == "test only"]
        if differ:
            names = with_p(differ, "test_p_holm")
            text += f" McNemar's test of the test predictions finds differences from {names}."
        return text
    better, level = [pair for pair in pairs if pair["verdict"] == "better"], _level(pairs)
    parts = [f"significantly better than {with_p(better)}"] if better else []
    parts += [f"not significantly better than {with_p(level)}"] if level else []
    if not parts:
        return ""
    return f"It is {', and '.join(parts)}; corrected resampled t-test, Holm-adjusted p-values."


def _combination(metrics: Mapping[str, Any], rows: list[dict[str, Any]]) -> str:
    kinds: dict[str, dict[str, Any]] = {}
    for row in rows:
        kinds.setdefault(row["kind"], row)
    if not {"combination", "model"} <= set(kinds):
        return ""
    name, single = kinds["combination"]["model"], kinds["model"]["model"]
    pair = next(p for p in _pairs_of(metrics, name) if single in (p["first"], p["second"]))
    points = 100 * (kinds["combination"]["accuracy"] - kinds["model"]["accuracy"])
    sure = "not tested"
    if pair["p_holm"] is not None:
        sure = "significant" if pair["verdict"] == "better" else "not significant"
        sure += f", {p_value(pair['p_holm'])}"
    return (
        f"The {name} of {listed(metrics['members'])}: {signed(points)} points compared with "
        f"{single}, the best single model ({sure})."
    )


def _probabilities(rows: list[dict[str, Any]]) -> str:
    # The majority class is well calibrated, and says nothing.
    scored = [r for r in rows if r["log_loss"] is not None and r["model"] != _MAJORITY]
    if not scored:
        return ""
    sharpest = min(scored, key=lambda row: row["log_loss"])
    calibrated = min(scored, key=lambda row: row["calibration_error"])
    return (
        f"Lowest log loss: {sharpest['model']} ({sharpest['log_loss']:.3f}); smallest calibration "
        f"error: {calibrated['model']} ({100 * calibrated['calibration_error']:.1f} points)."
    )


def _more_rows(metrics: Mapping[str, Any], rows: list[dict[str, Any]]) -> str:
    """Return what more training rows would bring, from the end of the best model's curve."""
    model = next((row["model"] for row in rows if row["kind"] == "model"), None)
    curve = [
        row
        for row in metrics["learning_curves"]
        if row["model"] == model and row["accuracy"] is not None
    ]
    if len(curve) < 2:
        return ""
    before, last = curve[-2:]
    gain = (last["accuracy"] - before["accuracy"]) / math.log2(last["rows"] / before["rows"])
    verdict = "; more rows may help" if gain > _GAIN else ""
    return (
        f"Learning curve of {model}: the last doubling of the training rows, up to "
        f"{last['rows']:,}, changed the accuracy by {signed(100 * gain, 1)} points{verdict}."
    )


def _failures(metrics: Mapping[str, Any]) -> str:
    found: dict[str, list[dict[str, Any]]] = {}
    for row in metrics["failures"]:
        found.setdefault(row["model"], []).append(row)
    parts = [
        f"{counted(len(rows), 'training run')} of {model} failed ({rows[0]['where']}: "
        f"{rows[0]['why']})"
        for model, rows in found.items()
    ]
    return f"{'; '.join(parts)}." if parts else ""


def _terminal_table(metrics: Mapping[str, Any]) -> pd.DataFrame:
    import pandas as pd

    table = pd.DataFrame(metrics["summary"]).astype(dict.fromkeys(METRICS, float))
    low, high = (
        100 * table["accuracy_low"].astype(float),
        100 * table["accuracy_high"].astype(float),
    )
    interval = low.map("{:.1f}".format) + " to " + high.map("{:.1f}".format)
    found = {
        "model": table["model"],
        "accuracy %": (100 * table["accuracy"]).round(1),
        "95 % CI": interval.where(table["accuracy"].notna(), None),
    }
    found |= {label: table[name].round(3) for name, label in list(METRICS.items())[1:]}
    return pd.DataFrame(found)
