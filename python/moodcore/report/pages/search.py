"""The section about a search on the page of `moodcore tune`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from moodcore.report.gain import gain_sentence, is_around_defaults
from moodcore.report.page import Block, Figure, Section, Table, Text
from moodcore.report.pages.differences import differences_figure, given
from moodcore.report.run import RunFiles, is_joint
from moodcore.report.text import counted, model_name, parameters, percent, pick
from moodcore.runs.families import Family, family

if TYPE_CHECKING:
    import pandas as pd

# Rows of the table behind a curve.
TABLE_POINTS = 12


def family_of(metrics: Mapping[str, Any]) -> Family:
    """Return the family of the best model, or that of the optimizers."""
    return family(metrics["model"].get("family", metrics["settings"]["model"]))


def search_section(run: RunFiles) -> Section:
    """Return the section: all candidates, and how their hyperparameters matter."""
    if is_around_defaults(run.metrics):
        return _around_defaults(run)
    metrics, kind = run.metrics, family_of(run.metrics)
    trials, curves = run.table("trials"), run.table("curves")
    ranked = _ranked(trials)
    shown = _with_defaults(trials, kind, metrics)
    blocks: list[Block] = [_search_text(metrics, kind)]
    if is_joint(metrics):
        blocks += [Text("Best candidate per model", "heading"), *_families(metrics)]
        blocks += [Text("All candidates", "heading"), _candidate_table(metrics, ranked, kind)]
        title = f"Candidates of {model_name(metrics['model']['family'])}"
        blocks += [Text(title, "heading"), _overview(metrics, shown, kind)]
    else:
        blocks += [_overview(metrics, shown, kind), _candidate_table(metrics, ranked, kind)]
    return Section("search", "Search", [*blocks, *_curves(shown, curves, metrics, kind)])


def _ranked(trials: pd.DataFrame) -> pd.DataFrame:
    """Return the candidates, the best first."""
    order = ["score", "n_weights", "number"]
    return trials.sort_values(order, ascending=[False, True, True], ignore_index=True)


def _curves(
    shown: pd.DataFrame, curves: pd.DataFrame, metrics: Mapping[str, Any], kind: Family
) -> list[Block]:
    if kind.length is None:
        return []
    return [
        _rate_effect(shown, curves, metrics, kind),
        _effect(shown, curves, kind.layout[0], kind.unit),
        _losses(metrics, shown, curves, kind),
    ]


def _around_defaults(run: RunFiles) -> Section:
    """Return the section of a search around the defaults of the models."""
    metrics, kind = run.metrics, family_of(run.metrics)
    trials = run.table("trials")
    ranked = _ranked(trials)
    blocks: list[Block] = [_search_text(metrics, kind), gain_sentence(metrics) or None]
    if is_joint(metrics):
        blocks += [Text("Best candidate per model", "heading"), *_families(metrics)]
        blocks.append(Text("All candidates", "heading"))
    blocks += [differences_figure(metrics, ranked), _candidate_table(metrics, ranked, kind)]
    varied = [name for name in metrics["search"]["varied"] if name in trials]
    own = trials[trials[varied].notna().any(axis=1)] if varied else trials[:0]
    if kind.rate in own and own[kind.rate].notna().all() and own[kind.rate].nunique() > 1:
        # Grids of learning rates have a figure.
        blocks.append(_overview(metrics, _with_defaults(own, kind, metrics), kind))
    return Section("search", "Search", blocks)


def _search_text(metrics: Mapping[str, Any], kind: Family) -> str:
    search, settings = metrics["search"], metrics["settings"]
    length = ""
    drawn = "stratified " if metrics["data"].get("stratified", True) else ""
    if kind.length is not None and not is_around_defaults(metrics):
        most = "" if kind.optimizers else "at most "
        length = f", {most}{settings['epochs']} {kind.unit}s"
    parts = [
        f"{counted(search['candidates'], 'candidate')}, {settings['folds']}-fold {drawn}"
        f"cross-validation{length}; sampler {settings['sampler']}, pruner {settings['pruner']} "
        f"({search['pruned']:,} pruned, {search['failed']:,} failed)."
    ]
    if search["candidates"] < search["planned"]:
        parts.append(
            f"The time limit ended the search before all {search['planned']:,} were tried."
        )
    metric = search["metric"].replace("_", " ")
    if is_around_defaults(metrics):
        parts.append(_around_defaults_text(metrics, metric))
        return " ".join(parts)
    parts.append(
        f"The candidate with the best mean validation {metric} wins; ties go to the smaller model."
    )
    if kind.importance:
        parts.append("Early stopping uses a part of each fold's training rows.")
    return " ".join(parts)


def _around_defaults_text(metrics: Mapping[str, Any], metric: str) -> str:
    parts = [
        "The first candidate of each model has its defaults; the others differ from these in the "
        "hyperparameters that are listed. Candidates are compared by mean validation "
        f"{metric}, and the default model is kept unless another is clearly better."
    ]
    if metrics["search"]["metric"] not in ("log_loss", "roc_auc"):
        parts.append("Candidates within one standard error of the best are compared by log loss.")
    if any(found["model"] == "gbt" for found in metrics["search"]["families"]):
        parts.append(
            "For trees with n_estimators, the number of rounds up to it with the lowest mean "
            "validation log loss was chosen."
        )
    return " ".join(parts)


def _with_defaults(trials: pd.DataFrame, kind: Family, metrics: Mapping[str, Any]) -> pd.DataFrame:
    """Return the candidates of the winner's family with every column that figures need."""
    import pandas as pd

    from moodcore.runs.space import encode

    rows = trials[trials["model"] == metrics["model"]["family"]].dropna(axis="columns", how="all")
    needed = (kind.rate, *kind.layout)
    # Integers are read as floats where another family has no such hyperparameter.
    for name in rows.columns.intersection([*needed]):
        if pd.api.types.is_float_dtype(rows[name]) and (rows[name] % 1 == 0).all():
            rows = rows.assign(**{name: rows[name].astype(int)})
    defaults = kind.estimator()().get_params()
    return rows.assign(**{n: encode(n, defaults[n]) for n in needed if n not in rows})


def _families(metrics: Mapping[str, Any]) -> list[Block]:
    import pandas as pd

    from moodcore import plots

    found = metrics["search"]["families"]
    table = pd.DataFrame([_family_row(metrics, row) for row in found])
    folds = {
        model_name(row["model"]): row["best"]["fold_accuracies"] for row in found if row["best"]
    }
    frame = pd.DataFrame(folds).T
    frame.columns = [f"fold {number} %" for number in range(1, frame.shape[1] + 1)]
    frame.insert(0, "mean %", frame.mean(axis=1))
    caption = (
        "One dot per fold, one bar per mean. A gray line joins the results of one fold: parallel "
        "lines mean that the folds agree on the order."
    )
    return [
        Figure(
            "families",
            "Validation accuracy of the best candidate per model",
            caption,
            plots.fold_accuracies(folds),
            (100 * frame).round(2).reset_index(names="model"),
        ),
        Table(table, "Best candidate per model."),
        Text(
            "Candidates were selected on these folds, which favors models with more candidates; "
            "moodcore compare --tune measures them with nested cross-validation."
        ),
    ]


def _family_row(metrics: Mapping[str, Any], row: Mapping[str, Any]) -> dict[str, Any]:
    best, against = row["best"], row["against_best"]
    points = 100 * metrics["search"]["best"]["accuracy"]
    return {
        "model": model_name(row["model"]),
        "candidates": row["candidates"],
        "accuracy %": round(100 * best["accuracy"], 2) if best else math.nan,
        "points lower": round(points - 100 * best["accuracy"], 2) + 0.0 if best else math.nan,
        "folds lower": f"{against['folds_behind']} of {against['folds']}" if best else None,
        "hyperparameters": (best and parameters(best["params"]))
        or ("defaults" if best and is_around_defaults(metrics) else None),
    }


def _overview(metrics: Mapping[str, Any], shown: pd.DataFrame, kind: Family) -> Figure:
    from moodcore import plots

    best = metrics["search"]["best"]
    others = int((shown["accuracy"] >= best["accuracy"] - best["accuracy_std"]).sum()) - 1
    caption = (
        f"Mean over the folds, in percent. Best: number {best['number']}, "
        f"{percent(best['accuracy'])}; {others or 'no'} other candidates within one standard "
        f"deviation over the folds ({100 * best['accuracy_std']:.2f} points)."
    )
    return Figure(
        "grid_overview",
        "Validation accuracy of the candidates",
        caption,
        plots.grid_overview(shown, kind.layout, across=kind.rate),
        shown[[*kind.layout, kind.rate, "accuracy"]],
    )


def _candidate_table(metrics: Mapping[str, Any], ranked: pd.DataFrame, kind: Family) -> Table:
    """Return one row per candidate, the best first, without columns that say nothing."""
    joint, metric = is_joint(metrics), metrics["search"]["metric"]
    families = {row["model"]: row for row in metrics["search"]["families"]}
    around = is_around_defaults(metrics)
    table = ranked[["number"]].copy()
    if joint or around:
        rows: list[Any] = ranked.to_dict("records")
        if joint:
            table["model"] = ranked["model"].map(model_name)
        table["hyperparameters"] = [
            parameters(given(metrics, row)) or ("defaults" if around else None) for row in rows
        ]
    else:
        (only,) = families.values()
        varied = [name for name in only["varied"] if name in ranked]
        table[varied] = ranked[varied]
    labels = {
        "accuracy": "accuracy %",
        "accuracy_std": "± folds %",
        "balanced_accuracy": "balanced %",
        "train_accuracy": "training %",
    }
    if not joint:
        # Losses and sizes of different models cannot be compared.
        labels |= {"valid_loss": "validation loss", "n_weights": kind.learned}
    if metric != "accuracy":
        ranked = ranked.assign(score=ranked["score"].abs())
        labels["score"] = metric.replace("_", " ")
    if ranked["diverged_folds"].any():
        labels["diverged_folds"] = "diverged folds"
    if around:
        if ranked["valid_loss"].equals(ranked["log_loss"]):
            labels.pop("valid_loss", None)
        labels |= {"log_loss": "log loss", "n_steps": "rounds" if joint else f"{kind.unit}s"}
        ranked = ranked.assign(n_steps=ranked["n_steps"].where(ranked["n_steps"] > 0))
        labels = {name: text for name, text in labels.items() if ranked[name].notna().any()}
    if (ranked["state"] != "complete").any():
        labels["state"] = "state"
    table = table.join(pick(ranked, labels))
    loss = "" if kind.length else " The loss is the hinge loss of the decision values."
    return Table(table, f"Candidates, best first: means and standard deviations over folds.{loss}")


def _rate_effect(
    shown: pd.DataFrame, curves: pd.DataFrame, metrics: Mapping[str, Any], kind: Family
) -> Figure:
    """Return the losses of single candidates that differ in the learning rate only, if any.

    A mean over candidates hides how noisy the loss is at a high learning rate.
    """
    best = metrics["search"]["best"]
    row = shown.loc[shown["number"] == best["number"]].iloc[0]
    others = [name for name in best["params"] if name != kind.rate and name in shown]
    same = np.all([shown[name] == row[name] for name in others], axis=0)
    siblings = shown[same] if others else shown
    rates = siblings[kind.rate]
    if rates.nunique() < 2 or rates.duplicated().any():
        return _effect(shown, curves, kind.rate, kind.unit)
    figure = _effect(siblings, curves, kind.rate, kind.unit)
    chosen = parameters({name: row[name] for name in others})
    caption = (
        f"Candidates that differ from the best one in the {kind.rate.replace('_', ' ')} only"
        f"{f' ({chosen})' if chosen else ''}; mean over the folds per {kind.unit}. A loss that "
        "jumps from one value to the next has too high a rate."
    )
    return replace(figure, caption=caption)


def _effect(shown: pd.DataFrame, curves: pd.DataFrame, name: str, unit: str) -> Figure:
    from moodcore import plots

    label = name.replace("_", " ")
    last = curves.groupby("number")["valid_loss"].last()
    means = shown.assign(last=shown["number"].map(last)).groupby(name)["last"].mean()
    means = means[np.isfinite(means)]
    lowest = "No candidate has a finite loss."
    if len(means):
        lowest = f"Lowest at the end of training: {means.idxmin()} ({means.min():.4f})."
    joined = curves.merge(shown[["number", name]], on="number")
    frame = joined.pivot_table(index="epoch", columns=name, values="valid_loss")
    rows = np.unique(np.geomspace(1, len(frame), TABLE_POINTS).round().astype(int)) - 1
    return Figure(
        # Names of files since the first version.
        "learning_rates" if name == "learning_rate" else "shapes",
        f"Validation loss by {label}",
        f"Mean over the candidates with each value, per {unit}; the band is their range. {lowest} "
        "Where bands overlap, other hyperparameters matter more.",
        plots.parameter_effect(shown, curves, name, unit=unit),
        frame.iloc[rows].round(4).reset_index(),
    )


def _losses(
    metrics: Mapping[str, Any], shown: pd.DataFrame, curves: pd.DataFrame, kind: Family
) -> Figure:
    from moodcore import plots

    balanced = ""
    if metrics["balanced"]:
        balanced = "Training rows are balanced and validation rows are not, so a constant gap is "
        balanced += "no overfitting. "
    return Figure(
        "candidates",
        "Learning curves of the candidates",
        f"Training and validation loss, mean over the folds. {balanced}A validation loss that "
        "rises again is overfitting.",
        plots.candidate_losses(shown, curves, kind.layout, unit=kind.unit),
        curves.groupby("number").last().reset_index().round(4),
    )
