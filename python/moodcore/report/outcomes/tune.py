"""The outcome of `moodcore tune`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moodcore.report.gain import gain_sentence, is_around_defaults
from moodcore.report.page import Headline
from moodcore.report.run import is_joint, target_of
from moodcore.report.text import (
    compared,
    counted,
    listed,
    model_name,
    parameters,
    percent,
    proportion_interval,
)

# The accuracy of a published experiment with seven features, balanced classes and a 16-16 network
# on the song table whose classes have the sizes below.
_PUBLISHED_ACCURACY = 0.839
_PUBLISHED_COUNTS = [42_386, 47_065, 82_058, 106_429]
_BASELINE = "logistic regression"


def headline(metrics: Mapping[str, Any]) -> Headline:
    """Return the outcome of a run."""
    if metrics["study"] == "optimizers":
        return _optimizer_headline(metrics)
    test, search, noun = metrics["test"], metrics["search"], metrics["data"]["noun"]
    plain, best, checks = metrics["baselines"][_BASELINE], search["best"], metrics["checks"]
    name, accuracy = model_name(metrics["model"]["family"]), test["accuracy"]
    interval = proportion_interval(accuracy, test["n_rows"])
    params = best["params"] | best.get("chosen", {})
    chosen = f" with {parameters(params)}" if params else ""
    selected = "Best of"
    if is_around_defaults(metrics):
        selected = "Selected from"
        chosen = chosen or " with its defaults"
    if search["candidates"] < search["planned"]:
        chosen += f" (of {search['planned']:,} planned; the time limit ended the search)"
    metric = search["metric"]
    if metric != "accuracy":
        chosen += f", selected by {metric.replace('_', ' ')} ({abs(best['score']):.4f})"
    return Headline(
        title=f"{name} predicts {target_of(metrics)} with {percent(accuracy)} test accuracy",
        sentences=[
            f"Test accuracy {percent(accuracy)} ({test['n_rows']:,} held-out {noun}), 95 % CI "
            f"{interval}; {compared(100 * (accuracy - plain['accuracy']), _BASELINE)} "
            f"({percent(plain['accuracy'])}).",
            f"Balanced accuracy {percent(test['balanced_accuracy'])}, macro F1 "
            f"{test['macro_f1']:.3f} ({_BASELINE}: {percent(plain['balanced_accuracy'])}, "
            f"{plain['macro_f1']:.3f}).",
            f"{selected} {counted(search['candidates'], 'candidate')}: {name}{chosen}. Mean "
            f"validation accuracy {percent(best['accuracy'])} (standard deviation "
            f"{100 * best['accuracy_std']:.1f} points over {len(best['fold_accuracies'])} folds).",
            gain_sentence(metrics),
            _refit(metrics),
            _other_families(metrics),
            _published(metrics),
        ],
        highlights=[
            (percent(accuracy), f"test accuracy, 95 % CI {interval}"),
            (percent(test["balanced_accuracy"]), "balanced test accuracy (mean recall)"),
            (percent(plain["accuracy"]), f"test accuracy of {_BASELINE}"),
            (f"{sum(check['ok'] for check in checks)} of {len(checks)}", "checks passed"),
        ],
        checks=checks,
    )


def _optimizer_headline(metrics: Mapping[str, Any]) -> Headline:
    runs = metrics["optimizers"]
    # A loss that became infinite or NaN is None here.
    converged = [run for run in runs if run["loss"] is not None]
    best = min(converged, key=lambda run: run["loss"], default=None)
    shown = {
        run["name"]: "diverged" if run["loss"] is None else f"{run['loss']:.4f}" for run in runs
    }
    losses = listed(f"{name} {loss}" for name, loss in shown.items())
    return Headline(
        f"Optimizers: {best['name']} reaches the lowest training loss"
        if best
        else "Optimizers: every training run diverged",
        [f"Training loss after the same number of epochs: {losses}."],
        [(loss, f"final loss, {name}") for name, loss in shown.items()],
    )


def _refit(metrics: Mapping[str, Any]) -> str:
    refit = metrics["model"].get("refit")
    if not refit:
        return ""
    noun = metrics["data"]["noun"]
    return f"The saved model was trained on all {refit['rows']:,} {noun} after the test."


def _other_families(metrics: Mapping[str, Any]) -> str:
    if not is_joint(metrics):
        return ""
    parts = []
    for row in metrics["search"]["families"]:
        name, best, against = model_name(row["model"]), row["best"], row["against_best"]
        if row["model"] == metrics["model"]["family"]:
            continue
        if best is None:
            parts.append(f"no {name} candidate finished ({row['candidates']} tried)")
            continue
        # Within two standard deviations of its own, a difference may be chance.
        unsure = abs(against["mean"]) <= 2 * against["std"]
        points = 100 * (metrics["search"]["best"]["accuracy"] - best["accuracy"])
        parts.append(
            f"{name} {percent(best['accuracy'])} ({abs(points):.1f} points "
            f"{'lower' if points >= 0 else 'higher'}; worse in "
            f"{against['folds_behind']} of {against['folds']} folds"
            f"{', not a clear difference' if unsure else ''})"
        )
    return f"Best of the other models: {'; '.join(parts)}."


def _published(metrics: Mapping[str, Any]) -> str:
    """Name the published result where the data are the songs of that experiment."""
    data = metrics["data"]
    is_same = sorted(data["counts"].values()) == _PUBLISHED_COUNTS and not data["synthetic"]
    if not is_same or metrics["settings"].get("features") not in (None, "published"):
        return ""
    return (
        f"A published experiment on these songs and features reports "
        f"{percent(_PUBLISHED_ACCURACY)} on a test with balanced classes."
    )
