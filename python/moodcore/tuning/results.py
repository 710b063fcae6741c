"""The candidates' results as tables, and what stands out in them, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from moodcore.tuning.candidate import CandidateResult
from moodcore.tuning.families import CURVES
from moodcore.tuning.space import Space, encode

if TYPE_CHECKING:
    import pandas as pd

# Above these the report speaks up: shares of rows, except the ratio of class sizes.
WIDE_SPREAD = 0.02
LARGE_GAP = 0.05
IMBALANCE = 1.5
TELLTALE = 0.9


def trials_table(results: Sequence[CandidateResult], space: Space) -> pd.DataFrame:
    """Return one row per candidate: hyperparameters, then results.

    Columns `number`, one per hyperparameter of the grid (those with one value too), `state`,
    `accuracy`, `accuracy_std`, `balanced_accuracy`, `train_accuracy`, `valid_loss`,
    `n_weights`, `diverged_folds`, and `accuracy_fold_1` and so on.
    """
    import pandas as pd

    n_folds = max((len(one.fold_accuracies) for one in results), default=0)
    rows = []
    for one in results:
        fixed = {name: encode(name, value) for name, value in space.fixed.items()}
        row = {"number": one.number} | one.params | fixed
        for name in ("state", "accuracy", "accuracy_std", "balanced_accuracy"):
            row[name] = getattr(one, name)
        for name in ("train_accuracy", "valid_loss", "n_weights", "diverged_folds"):
            row[name] = getattr(one, name)
        for fold in range(n_folds):
            accuracies = one.fold_accuracies
            row[f"accuracy_fold_{fold + 1}"] = accuracies[fold] if accuracies else np.nan
        rows.append(row)
    return pd.DataFrame(rows)


def curves_table(results: Sequence[CandidateResult]) -> pd.DataFrame:
    """Return one row per candidate and epoch, epochs from 1."""
    import pandas as pd

    parts = []
    for one in results:
        length = min(len(one.curves[name]) for name in CURVES)
        part = {"number": np.full(length, one.number), "epoch": np.arange(1, length + 1)}
        parts.append(pd.DataFrame(part | {name: one.curves[name][:length] for name in CURVES}))
    return pd.concat(parts, ignore_index=True)


def checks(
    best: CandidateResult,
    results: Sequence[CandidateResult],
    space: Space,
    counts: Mapping[str, int],
    single_features: Mapping[str, float],
) -> list[dict[str, Any]]:
    """Return what a careful reader would look for: `{"name", "ok", "text"}` each.

    Parameters
    ----------
    best : CandidateResult
        The winner.
    results : sequence of CandidateResult
        All of them.
    space : Space
        The hyperparameters.
    counts : mapping of str to int
        Songs per class, before balancing.
    single_features : mapping of str to float
        Balanced accuracy that each feature reaches alone.
    """
    return [
        _edge(best, space),
        _spread(best),
        _gap(best),
        _imbalance(counts),
        _telltale(single_features),
        _diverged(results),
    ]


def _check(name: str, ok: bool, text: str) -> dict[str, Any]:
    return {"name": name, "ok": ok, "text": text}


def _edge(best: CandidateResult, space: Space) -> dict[str, Any]:
    on_edge = []
    for name, values in space.choices.items():
        numbers = [v for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
        if len(numbers) == len(values) > 1 and best.params[name] in (min(values), max(values)):
            on_edge.append(f"{name} = {best.params[name]}")
    for name, limits in space.ranges.items():
        # A draw hardly ever hits the limit itself.
        low, high = float(limits["low"]), float(limits["high"])
        position = (best.params[name] - low) / (high - low) if high > low else 0.5
        if limits.get("log"):
            position = np.log(best.params[name] / low) / np.log(high / low) if high > low else 0.5
        if not 0.05 < position < 0.95:
            on_edge.append(f"{name} = {best.params[name]:.4g}")
    text = (
        f"The best value lies on the edge of its range: {', '.join(on_edge)}. Values beyond "
        "it were not tried and may be better."
        if on_edge
        else "No best value lies on the edge of its range."
    )
    return _check("Edge of the ranges", not on_edge, text)


def _spread(best: CandidateResult) -> dict[str, Any]:
    spread = max(best.fold_accuracies) - min(best.fold_accuracies)
    ok = spread <= WIDE_SPREAD
    words = "close together" if ok else "far apart; differences between candidates mean less"
    return _check(
        "Spread of the folds",
        ok,
        f"The winner's folds lie {100 * spread:.2f} points apart in accuracy: {words}.",
    )


def _gap(best: CandidateResult) -> dict[str, Any]:
    gap = best.train_accuracy - best.balanced_accuracy
    ok = gap <= LARGE_GAP
    words = "no sign of overfitting" if ok else "it learned its training rows by heart"
    return _check(
        "Training against validation",
        ok,
        f"On balanced classes the winner is {100 * gap:+.2f} points better on its training "
        f"rows than on the validation rows: {words}.",
    )


def _imbalance(counts: Mapping[str, int]) -> dict[str, Any]:
    largest, smallest = max(counts, key=lambda n: counts[n]), min(counts, key=lambda n: counts[n])
    ratio = counts[largest] / counts[smallest]
    ok = ratio <= IMBALANCE
    text = f"{largest} has {ratio:.1f} times as many songs as {smallest}"
    more = "" if ok else "; look at balanced accuracy beside accuracy"
    return _check("Class imbalance", ok, f"{text}{more}. Training rows were balanced.")


def _telltale(single: Mapping[str, float]) -> dict[str, Any]:
    name = max(single, key=lambda feature: single[feature])
    ok = single[name] < TELLTALE
    words = (
        "no feature gives the label away"
        if ok
        else "it may have been made from the label, which would be a leak"
    )
    return _check(
        "A feature that tells all",
        ok,
        f"The strongest feature alone, {name}, reaches {100 * single[name]:.1f} % balanced "
        f"accuracy: {words}.",
    )


def _diverged(results: Sequence[CandidateResult]) -> dict[str, Any]:
    numbers = [str(one.number) for one in results if one.diverged_folds]
    text = (
        f"The loss of these candidates became infinite in some fold: {', '.join(numbers)}. "
        "Their accuracy is that of the last finite weights; try lower learning rates."
        if numbers
        else "No candidate diverged."
    )
    return _check("Divergence", not numbers, text)
