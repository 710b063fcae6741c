"""The candidates' results: as tables, and the best of each family beside the best of all."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from moodcore.runs.candidate import CandidateResult
from moodcore.runs.families import family
from moodcore.runs.fits import CURVES
from moodcore.runs.space import encode
from moodcore.tuning.plan import SearchSpace

if TYPE_CHECKING:
    import pandas as pd

_MEASURED = (
    "state",
    "score",
    "accuracy",
    "accuracy_std",
    "balanced_accuracy",
    "train_accuracy",
    "valid_loss",
    "n_weights",
    "diverged_folds",
    "reason",
)
# What is measured in addition around the defaults, where models choose their own length.
_MEASURED_AROUND_DEFAULTS = ("log_loss", "n_steps")


def trials_table(
    results: Sequence[CandidateResult], space: SearchSpace, *, around_defaults: bool = False
) -> pd.DataFrame:
    """Return one row per candidate: hyperparameters, then results.

    Columns `number`, `model` (the family), one per hyperparameter of the grids (those with one
    value too; empty where a family does not have it), `state`, `accuracy`, `accuracy_std`,
    `balanced_accuracy`, `train_accuracy`, `valid_loss`, `n_weights`, `diverged_folds`, `reason`
    (why it failed or what went wrong; empty if nothing did), and `accuracy_fold_1` and so on.
    Around the defaults, also `log_loss`, `n_steps` (mean number of epochs or rounds) and
    `score_fold_1` and so on; a hyperparameter is empty where a candidate has the default.
    """
    import pandas as pd

    n_folds = max((len(candidate.fold_accuracies) for candidate in results), default=0)
    names = list(space.names)
    names += [name for alone in space.spaces.values() for name in alone.fixed if name not in names]
    rows = []
    for candidate in results:
        fixed = space.spaces[candidate.model].fixed
        params = candidate.params | {name: encode(name, value) for name, value in fixed.items()}
        row = {"number": candidate.number, "model": candidate.model} | {
            name: params.get(name) for name in names
        }
        measured = (*_MEASURED, *(_MEASURED_AROUND_DEFAULTS if around_defaults else ()))
        row |= {name: getattr(candidate, name) for name in measured}
        for fold in range(n_folds):
            accuracies = candidate.fold_accuracies
            row[f"accuracy_fold_{fold + 1}"] = accuracies[fold] if accuracies else np.nan
            if around_defaults:
                scores = candidate.fold_scores
                row[f"score_fold_{fold + 1}"] = scores[fold] if scores else np.nan
        rows.append(row)
    table = pd.DataFrame(rows)
    for name in names:
        # Whole numbers stay whole beside families that do not have them.
        whole = all(
            isinstance(row[name], int | None) and not isinstance(row[name], bool) for row in rows
        )
        if whole and table[name].hasnans:
            table[name] = table[name].astype("Int64")
    return table


def curves_table(results: Sequence[CandidateResult]) -> pd.DataFrame:
    """Return one row per candidate and epoch, epochs from 1."""
    import pandas as pd

    parts = []
    for candidate in results:
        length = min(len(candidate.curves[name]) for name in CURVES)
        part = {"number": np.full(length, candidate.number), "epoch": np.arange(1, length + 1)}
        parts.append(
            pd.DataFrame(part | {name: candidate.curves[name][:length] for name in CURVES})
        )
    return pd.concat(parts, ignore_index=True)


def describe_search(
    space: SearchSpace,
    best: CandidateResult,
    results: Sequence[CandidateResult],
    *,
    planned: int,
    metric: str,
    gain: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the outcome of a search, the families from the best to the worst.

    Returns
    -------
    dict
        `metric`, `planned`, `varied`, `best`, the counts of `_counts`, and `families`: for each its
        name `model`, `noun`, the counts, `varied`, `fixed`, `best` (None if no candidate is
        complete) and `against_best`: how its best candidate stands to the best of all. With
        `gain`, the comparison with the default model (see `Choice.describe`).
    """
    families = [_describe_family(name, space, best, results) for name in space.spaces]
    by_rank = sorted(families, key=lambda row: -row["best"]["score"] if row["best"] else math.inf)
    return {
        "metric": metric,
        "planned": planned,
        **_counts(results),
        "varied": list(space.names),
        "best": _without_curves(best),
        "families": by_rank,
        **({} if gain is None else {"gain": dict(gain)}),
    }


def _counts(results: Sequence[CandidateResult]) -> dict[str, int]:
    states = [candidate.state for candidate in results]
    return {"candidates": len(results)} | {
        state: states.count(state) for state in ("complete", "pruned", "failed")
    }


def _without_curves(candidate: CandidateResult) -> dict[str, Any]:
    return {name: value for name, value in candidate.to_dict().items() if name != "curves"}


def _describe_family(
    model: str, space: SearchSpace, best: CandidateResult, results: Sequence[CandidateResult]
) -> dict[str, Any]:
    candidates = [candidate for candidate in results if candidate.model == model]
    top = min(candidates, key=lambda candidate: candidate.rank, default=None)
    complete = top is not None and top.state == "complete"
    return {
        "model": model,
        "noun": family(model).noun,
        **_counts(candidates),
        "varied": list(space.spaces[model].names),
        "fixed": {name: encode(name, v) for name, v in space.spaces[model].fixed.items()},
        "best": _without_curves(top) if top and complete else None,
        "against_best": _difference(top, best) if top and complete else None,
    }


def _difference(candidate: CandidateResult, best: CandidateResult) -> dict[str, Any]:
    """Return by how much a candidate's score differs from the best, fold by fold."""
    differences = np.subtract(candidate.fold_scores, best.fold_scores)
    return {
        "mean": float(differences.mean()),
        "std": float(differences.std(ddof=1)),
        "folds_behind": int((differences < 0).sum()),
        "folds": len(differences),
    }


def describe(result: CandidateResult, *, around_defaults: bool = False) -> str:
    """Return a candidate and its result in one line."""
    params = " ".join(f"{name}={value}" for name, value in result.params.items())
    if around_defaults and not params:
        params = "defaults"
    reached = f"accuracy {result.accuracy:.4f}"
    if abs(result.score) != result.accuracy:
        reached = f"score {result.score:.4f}, {reached}"
    state = result.state + (f" ({result.reason})" if result.reason else "")
    return f"{result.model} {params}: {reached if result.state == 'complete' else state}"
