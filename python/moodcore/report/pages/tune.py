"""The page of `moodcore tune`: a search, or a comparison of optimizers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from moodcore.report.blocks import confusion, correlation, data_section, features_block
from moodcore.report.page import Block, Figure, Section, Table, Text
from moodcore.report.run import RunFiles, is_joint
from moodcore.report.text import (
    capital,
    counted,
    listed,
    model_name,
    parameters,
    percent,
    pick,
    proportion_interval,
)
from moodcore.runs.families import Family, family

if TYPE_CHECKING:
    import pandas as pd

_TESTS = {
    "model": "model",
    "accuracy": "accuracy %",
    "interval": "95 % CI",
    "balanced_accuracy": "balanced accuracy %",
    "macro_f1": "macro F1",
    "log_loss": "log loss",
    "brier": "Brier score",
}
_CLASSES = {"name": "class", "precision": "precision %", "recall": "recall %", "f1": "F1"}
# Rows of the table behind a curve.
_TABLE_POINTS = 12


def sections(run: RunFiles) -> list[Section]:
    """Return the sections of the page."""
    metrics = run.metrics
    found = [_model(metrics), _search(run)] if "search" in metrics else []
    found += [_importance(metrics), _optimizers(run)]
    return [*found, data_section(metrics, _class_counts(metrics)), _preprocessing(metrics)]


def _family(metrics: Mapping[str, Any]) -> Family:
    """Return the family of the best model, or that of the optimizers."""
    return family(metrics["model"].get("family", metrics["settings"]["model"]))


def _class_counts(metrics: Mapping[str, Any]) -> Figure:
    import pandas as pd

    from moodcore import plots

    preprocessing, noun = metrics["preprocessing"], metrics["data"]["noun"]
    before, after = preprocessing["counts_before"], preprocessing["counts_after"]
    frame = pd.DataFrame({"class": list(before), "training part": list(before.values())})
    ratio = max(before.values()) / max(min(before.values()), 1)
    caption = (
        f"Training part. The largest class has {ratio:.1f} times as many {noun} as the smallest"
    )
    if metrics["balanced"]:
        frame["after balancing"] = list(after.values())
        caption += f"; after balancing, every class has {min(after.values()):,}"
    drawing = plots.class_counts(
        before, after if metrics["balanced"] else None, x=f"number of {noun}"
    )
    return Figure("class_counts", f"{capital(noun)} per class", f"{caption}.", drawing, frame)


def _preprocessing(metrics: Mapping[str, Any]) -> Section:
    import pandas as pd

    found = metrics["preprocessing"]
    scaling = "min-max scaling to [0, 1], then standardization to mean 0 and standard deviation 1"
    text = f"Numbers: {scaling}."
    if metrics["data"]["preset"] != "songs":
        native = "GBT takes missing values and categories as they are."
        numeric = (
            "Missing numbers are replaced by the median, with an indicator column; then "
            f'{scaling}. Categories are one-hot encoded, with an "other" level.'
        )
        is_native = metrics["model"].get("family") == "gbt"
        text = f"{native} For all other models: {numeric}"
        if not is_joint(metrics):
            text = native if is_native else numeric
    dropped = None
    if found["dropped"]:
        rows = [
            {"reason": f"correlated with {row.get('partner')}"} | row for row in found["dropped"]
        ]
        frame = pd.DataFrame(rows).reindex(columns=["column", "reason", "correlation"])
        dropped = Table(frame.round(2).dropna(axis="columns", how="all"), "Columns not used.")
    matrix = pd.DataFrame(found["correlation"]).T
    names = [row["column"] for row in found["dropped"]]
    figure = correlation(matrix, "in the training part", names, "not used")
    blocks: list[Block] = [text, features_block(found["features"]), dropped, figure]
    return Section("preprocessing", "Preprocessing", blocks)


def _model(metrics: Mapping[str, Any]) -> Section:
    import pandas as pd

    noun, test, model = metrics["data"]["noun"], metrics["test"], metrics["model"]
    name, varied = model_name(model["family"]), metrics["search"]["varied"]
    probabilities = ""
    if test["log_loss"] is None:
        probabilities = f" {name} predicts no probabilities, so both are missing."
    elif metrics["balanced"]:
        probabilities = (
            " Models were trained on balanced classes, so their probabilities assume equal class "
            "frequencies."
        )
    tests = pd.DataFrame([{"model": key} | row for key, row in _tests(metrics, name).items()])
    classes = pd.DataFrame(test["classes"])
    hyperparameters = pd.DataFrame({"hyperparameter": list(model["parameters"])})
    hyperparameters["value"] = [str(value) for value in model["parameters"].values()]
    hyperparameters["chosen by the search"] = hyperparameters["hyperparameter"].isin(varied)
    return Section(
        "model",
        "Model",
        [
            f"{name}, refitted on the whole training part; {model['n_weights']:,} "
            f"{_family(metrics).learned} in the search.",
            Table(pick(tests, _TESTS), f"Metrics on the held-out {noun}."),
            Text(
                "Balanced accuracy is the mean recall over the classes. Log loss and Brier score "
                f"measure the probabilities; lower is better.{probabilities}"
            ),
            confusion("confusion_matrix", name, test["confusion"], classes["name"].tolist(), noun),
            Table(pick(classes, _CLASSES | {"support": f"test {noun}"}), "Metrics per class."),
            Table(hyperparameters, "Hyperparameters; all others have their defaults."),
        ],
    )


def _tests(metrics: Mapping[str, Any], name: str) -> dict[str, dict[str, Any]]:
    tests = {name: metrics["test"]} | metrics["baselines"]
    missing = {"log_loss": math.nan, "brier": math.nan}
    return {
        key: missing
        | {n: value for n, value in test.items() if value is not None}
        | {"interval": proportion_interval(test["accuracy"], test["n_rows"])}
        for key, test in tests.items()
    }


# The search.


def _search(run: RunFiles) -> Section:
    metrics, kind = run.metrics, _family(run.metrics)
    trials, curves = run.table("trials"), run.table("curves")
    ranked = trials.sort_values(
        ["score", "n_weights", "number"], ascending=[False, True, True], ignore_index=True
    )
    shown = _with_defaults(trials, kind, metrics)
    blocks: list[Block] = [_search_text(metrics, kind)]
    if is_joint(metrics):
        blocks += [Text("Best candidate per model", "heading"), *_families(metrics)]
        blocks += [Text("All candidates", "heading"), _candidate_table(metrics, ranked, kind)]
        title = f"Candidates of {model_name(metrics['model']['family'])}"
        blocks += [Text(title, "heading"), _overview(metrics, shown, kind)]
    else:
        blocks += [_overview(metrics, shown, kind), _candidate_table(metrics, ranked, kind)]
    if kind.length is not None:
        blocks += [_effect(shown, curves, name, kind.unit) for name in (kind.rate, kind.layout[0])]
        blocks.append(_losses(metrics, shown, curves, kind))
    return Section("search", "Search", blocks)


def _search_text(metrics: Mapping[str, Any], kind: Family) -> str:
    search, settings = metrics["search"], metrics["settings"]
    length = ""
    if kind.length is not None:
        most = "" if kind.optimizers else "at most "
        length = f", {most}{settings['epochs']} {kind.unit}s"
    parts = [
        f"{counted(search['candidates'], 'candidate')}, {settings['folds']}-fold stratified "
        f"cross-validation{length}; sampler {settings['sampler']}, pruner {settings['pruner']} "
        f"({search['pruned']:,} pruned, {search['failed']:,} failed)."
    ]
    if search["candidates"] < search["planned"]:
        parts.append(
            f"The time limit ended the search before all {search['planned']:,} were tried."
        )
    parts.append(
        f"The candidate with the best mean validation {search['metric'].replace('_', ' ')} wins; "
        "ties go to the smaller model."
    )
    if kind.importance:
        parts.append("Early stopping uses a part of each fold's training rows.")
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
        "hyperparameters": (best and parameters(best["params"])) or None,
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
    import pandas as pd

    joint, metric = is_joint(metrics), metrics["search"]["metric"]
    families = {row["model"]: row for row in metrics["search"]["families"]}
    table = ranked[["number"]].copy()
    if joint:
        rows = ranked.to_dict("records")
        table["model"] = ranked["model"].map(model_name)
        table["hyperparameters"] = [
            parameters({n: row[n] for n in families[row["model"]]["varied"] if pd.notna(row[n])})
            or None
            for row in rows
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
    if (ranked["state"] != "complete").any():
        labels["state"] = "state"
    table = table.join(pick(ranked, labels))
    loss = "" if kind.length else " The loss is the hinge loss of the decision values."
    return Table(table, f"Candidates, best first: means and standard deviations over folds.{loss}")


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
    rows = np.unique(np.geomspace(1, len(frame), _TABLE_POINTS).round().astype(int)) - 1
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


# Optimizers and importances.


def _optimizers(run: RunFiles) -> Section:
    from moodcore import plots

    metrics = run.metrics
    if "optimizers" not in metrics:
        return Section("optimizers", "Optimizers", [])
    runs = run.table("optimizers")
    epochs = {n: v.tolist() for n, v in zip(runs["optimizer"], runs["epoch_loss"], strict=True)}
    updates = dict(zip(runs["optimizer"], runs["update_loss"], strict=True))
    final = {name: losses[-1] for name, losses in epochs.items()}
    best = min(final, key=final.__getitem__)
    counts = ", ".join(f"{name} {len(losses):,}" for name, losses in updates.items())
    text = "The same network, trained from the same initial weights with "
    text += f"{listed(run['name'] for run in metrics['optimizers'])}."
    return Section(
        "optimizers",
        "Optimizers",
        [
            text,
            Figure(
                "optimizers_per_epoch",
                "Training loss per epoch",
                f"After the same number of epochs, {best} has the lowest loss, {final[best]:.4f}.",
                plots.loss_per_epoch(epochs),
                _sampled(epochs, "epoch"),
            ),
            Figure(
                "optimizers_per_update",
                "Training loss per weight update",
                "The same training runs by number of weight updates: gradient descent makes one "
                f"per epoch, the others one per minibatch ({counts}).",
                plots.loss_per_update(updates),
                _sampled(updates, "update"),
            ),
        ],
    )


def _sampled(losses: Mapping[str, Any], unit: str) -> pd.DataFrame:
    import pandas as pd

    longest = max(map(len, losses.values()))
    points = np.unique(np.geomspace(1, longest, _TABLE_POINTS).round().astype(int))
    columns = {
        name: [round(float(values[p - 1]), 4) if p <= len(values) else None for p in points]
        for name, values in losses.items()
    }
    return pd.DataFrame({unit: points} | columns)


def _importance(metrics: Mapping[str, Any]) -> Section:
    import pandas as pd

    from moodcore import plots

    if "importance" not in metrics:
        return Section("features", "Features", [])
    gain, filtered = metrics["importance"]["gain"], metrics["importance"]["filtered"]
    ranked = sorted(gain, key=lambda name: -gain[name])
    text = f"GBT trained on every feature uses {ranked[0]} most ({percent(gain[ranked[0]])})."
    if filtered:
        share = percent(sum(gain[name] for name in filtered))
        text += f" Features that a correlation filter would drop have {share} of the total gain"
        places = [f"{n} {percent(gain[n])}, rank {ranked.index(n) + 1}" for n in filtered]
        text += f": {'; '.join(places)}." if len(filtered) <= 5 else "."
    frame = pd.DataFrame({"feature": ranked, "share of gain": [gain[name] for name in ranked]})
    frame["correlation filter"] = np.where(frame["feature"].isin(filtered), "drops", "keeps")
    caption = "Share of each feature in the total gain of all splits"
    caption += "; hatched: a correlation filter would drop it." if filtered else "."
    drawing = plots.feature_importance(gain, kind="share", dropped=filtered)
    figure = Figure(
        "importance", "Feature importance in the trees", caption, drawing, frame.round(4)
    )
    return Section("features", "Features", [text, figure])
