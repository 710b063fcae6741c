"""Checks of the results of a search: overfitting, leaks, imbalance, failures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from moodcore.runs.candidate import CandidateResult
from moodcore.runs.space import Space
from moodcore.tuning.plan import SearchSpace

# A check warns above these: shares of rows, except the ratio of class sizes.
WIDE_SPREAD = 0.02
LARGE_GAP = 0.05
IMBALANCE = 1.5
TELLTALE = 0.9
# Failures that are listed with their reason.
_LISTED = 5


def checks(
    best: CandidateResult,
    results: Sequence[CandidateResult],
    space: SearchSpace,
    counts: Mapping[str, int],
    single_features: Mapping[str, float],
    *,
    noun: str,
    balanced: bool,
) -> list[dict[str, Any]]:
    """Return the checks, `{"name", "ok", "text"}` each."""
    return [
        _edge(best, results, space),
        _spread(best),
        _gap(best, balanced),
        _imbalance(counts, noun, balanced),
        _telltale(single_features),
        _diverged(results),
        _failed(results),
    ]


def _check(name: str, ok: bool, text: str) -> dict[str, Any]:
    return {"name": name, "ok": ok, "text": text}


def _edge(
    best: CandidateResult, results: Sequence[CandidateResult], space: SearchSpace
) -> dict[str, Any]:
    tops = {best.model: best}
    for candidate in sorted(results, key=lambda candidate: candidate.rank):
        if candidate.state == "complete":
            tops.setdefault(candidate.model, candidate)
    found = {model: _on_edge(top, space.spaces[model]) for model, top in tops.items()}
    listed = [
        ", ".join(places) + (f" ({model})" if space.joint else "")
        for model, places in found.items()
        if places
    ]
    text = (
        f"Best values at the edge of the searched range: {'; '.join(listed)}. Values beyond the "
        "edge may be better."
        if listed
        else "No best value is at the edge of the searched range."
    )
    return _check("Edge of the ranges", not listed, text)


def _on_edge(best: CandidateResult, space: Space) -> list[str]:
    """Return the hyperparameters whose best value is the first or last that could be tried."""
    on_edge = []
    for name, values in space.choices.items():
        numbers = [v for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
        if name not in best.params:
            continue
        if len(numbers) == len(values) > 1 and best.params[name] in (min(values), max(values)):
            on_edge.append(f"{name} = {best.params[name]}")
    for name, limits in space.ranges.items():
        if name not in best.params:
            continue
        # A draw hardly ever hits the limit itself.
        low, high = float(limits["low"]), float(limits["high"])
        position = (best.params[name] - low) / (high - low) if high > low else 0.5
        if limits.get("log"):
            position = np.log(best.params[name] / low) / np.log(high / low) if high > low else 0.5
        if not 0.05 < position < 0.95:
            on_edge.append(f"{name} = {best.params[name]:.4g}")
    return on_edge


def _spread(best: CandidateResult) -> dict[str, Any]:
    spread = max(best.fold_accuracies) - min(best.fold_accuracies)
    ok = spread <= WIDE_SPREAD
    text = f"The accuracies of the best candidate's folds span {100 * spread:.2f} points"
    advice = "" if ok else "; smaller differences between candidates may be chance"
    return _check("Spread of the folds", ok, f"{text}{advice}.")


def _gap(best: CandidateResult, balanced: bool) -> dict[str, Any]:
    # Training rows have the class frequencies that the model was trained on.
    gap = best.train_accuracy - (best.balanced_accuracy if balanced else best.accuracy)
    ok = gap <= LARGE_GAP
    what = "balanced accuracy" if balanced else "accuracy"
    words = "no sign of overfitting" if ok else "a sign of overfitting"
    return _check(
        "Training against validation",
        ok,
        f"Best candidate, training minus validation {what}: {100 * gap:+z.2f} points; {words}.",
    )


def _imbalance(counts: Mapping[str, int], noun: str, balanced: bool) -> dict[str, Any]:
    largest, smallest = max(counts, key=lambda n: counts[n]), min(counts, key=lambda n: counts[n])
    ratio = counts[largest] / counts[smallest]
    ok = ratio <= IMBALANCE
    text = f"{largest} has {ratio:.1f} times as many {noun} as {smallest}"
    if not ok:
        text += "; use balanced accuracy to compare models"
    sampling = " Training rows were balanced." if balanced else ""
    return _check("Class imbalance", ok, f"{text}.{sampling}")


def _telltale(single: Mapping[str, float]) -> dict[str, Any]:
    name = max(single, key=lambda feature: single[feature])
    ok = single[name] < TELLTALE
    words = (
        "no feature alone reveals the label"
        if ok
        else "it may have been computed from the label, which would be a leak"
    )
    return _check(
        "Single features",
        ok,
        f"The strongest single feature, {name}, reaches {100 * single[name]:.1f} % balanced "
        f"accuracy: {words}.",
    )


def _diverged(results: Sequence[CandidateResult]) -> dict[str, Any]:
    numbers = [str(candidate.number) for candidate in results if candidate.diverged_folds]
    text = (
        f"The loss of these candidates became infinite in a fold: {', '.join(numbers)}. Their "
        "accuracy is that of the last finite weights; try lower learning rates."
        if numbers
        else "No candidate diverged."
    )
    return _check("Divergence", not numbers, text)


def _failed(results: Sequence[CandidateResult]) -> dict[str, Any]:
    failures = [
        f"{candidate.number} ({candidate.reason})"
        for candidate in results
        if candidate.state == "failed"
    ]
    more = f"; and {len(failures) - _LISTED} more, in trials.csv" if len(failures) > _LISTED else ""
    text = (
        f"Candidates that could not be trained: {'; '.join(failures[:_LISTED])}{more}. The best "
        "was selected among the others."
        if failures
        else "All candidates could be trained."
    )
    return _check("Failed candidates", not failures, text)
