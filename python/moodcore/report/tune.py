"""The page of `moodcore tune`: a search, or a comparison of optimizers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from moodcore.report.blocks import confusion, correlation, data_section, features_block
from moodcore.report.page import Block, Figure, Heading, Headline, Note, Section, Table
from moodcore.report.run import RunFiles, data_of, is_balanced, target_of
from moodcore.report.text import (
    capital,
    compared,
    counted,
    listed,
    model_name,
    parameters,
    percent,
    proportion_interval,
    shorten,
)
from moodcore.runs.families import Family, family

if TYPE_CHECKING:
    import pandas as pd

# The accuracy of a published experiment with seven features, balanced classes and a 16-16 network
# on the song table whose classes have the sizes below.
_PUBLISHED_ACCURACY = 0.839
_PUBLISHED_COUNTS = [42_386, 47_065, 82_058, 106_429]
# Rows of the table behind a curve.
_TABLE_POINTS = 12
_BASELINE = "logistic regression"


# The headline.


def headline(metrics: Mapping[str, Any]) -> Headline:
    """Return the outcome of a run."""
    if metrics["study"] == "optimizers":
        return _optimizer_headline(metrics)
    test, search, noun = metrics["test"], metrics["search"], data_of(metrics)["noun"]
    name, accuracy = model_name(metrics["model"]["family"]), test["accuracy"]
    interval = proportion_interval(accuracy, test["n_rows"])
    baseline = metrics["baselines"][_BASELINE]
    points = 100 * (accuracy - baseline["accuracy"])
    checks = metrics["checks"]
    passed = sum(check["ok"] for check in checks)
    best = search["best"]
    early = ""
    if search["candidates"] < search["planned"]:
        early = f" (of {search['planned']:,} planned; the time limit ended the search)"
    chosen = f" with {parameters(best['params'])}" if best["params"] else ""
    metric, by = search.get("metric", "accuracy"), ""
    if metric != "accuracy":
        by = f", selected by {metric.replace('_', ' ')} ({abs(best['score']):.4f})"
    sentences = [
        f"Test accuracy {percent(accuracy)} ({test['n_rows']:,} held-out {noun}), 95 % CI "
        f"{interval}; {compared(points, _BASELINE)} ({percent(baseline['accuracy'])}).",
        f"Balanced accuracy {percent(test['balanced_accuracy'])}, macro F1 "
        f"{test['macro_f1']:.3f} ({_BASELINE}: {percent(baseline['balanced_accuracy'])}, "
        f"{baseline['macro_f1']:.3f}).",
        f"Best of {counted(search['candidates'], 'candidate')}{early}: {name}{chosen}{by}. Mean "
        f"validation accuracy {percent(best['accuracy'])} (standard deviation "
        f"{100 * best['accuracy_std']:.1f} points over {len(best['fold_accuracies'])} folds).",
        _other_families(metrics),
        _published(metrics),
    ]
    return Headline(
        title=f"{capital(shorten(target_of(metrics)))}: {name} with {percent(accuracy)} test "
        "accuracy",
        sentences=list(filter(None, sentences)),
        highlights=[
            (percent(accuracy), f"test accuracy, 95 % CI {interval}"),
            (percent(test["balanced_accuracy"]), "balanced test accuracy (mean recall)"),
            (percent(baseline["accuracy"]), f"test accuracy of {_BASELINE}"),
            (f"{passed} of {len(checks)}", "checks passed"),
        ],
        checks=checks,
    )


def _optimizer_headline(metrics: Mapping[str, Any]) -> Headline:
    runs = metrics["optimizers"]
    best = min(runs, key=lambda run: run["loss"])
    losses = listed(f"{run['name']} {run['loss']:.4f}" for run in runs)
    return Headline(
        title=f"Optimizers: {best['name']} reaches the lowest training loss",
        sentences=[f"Training loss after the same number of epochs: {losses}."],
        highlights=[(f"{run['loss']:.4f}", f"final loss, {run['name']}") for run in runs],
        checks=metrics.get("checks", []),
    )


def _other_families(metrics: Mapping[str, Any]) -> str:
    if not _is_joint(metrics):
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
            f"{name} {percent(best['accuracy'])} ({points:.1f} points lower; worse in "
            f"{against['folds_behind']} of {against['folds']} folds"
            f"{', not a clear difference' if unsure else ''})"
        )
    return f"Best of the other models: {'; '.join(parts)}."


def _published(metrics: Mapping[str, Any]) -> str:
    """Name the published result where the data are the songs of that experiment."""
    data = data_of(metrics)
    is_same = sorted(data["counts"].values()) == _PUBLISHED_COUNTS and not data["synthetic"]
    if not is_same or metrics["settings"].get("features") != "published":
        return ""
    return (
        f"A published experiment on these songs and features reports "
        f"{percent(_PUBLISHED_ACCURACY)} on a test with balanced classes."
    )


def _is_joint(metrics: Mapping[str, Any]) -> bool:
    """Whether the search had more than one family of models."""
    return "search" in metrics and len(metrics["search"]["families"]) > 1


# The page.


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

    preprocessing, noun = metrics["preprocessing"], data_of(metrics)["noun"]
    before, after = preprocessing["counts_before"], preprocessing["counts_after"]
    frame = pd.DataFrame({"class": list(before), "training part": list(before.values())})
    ratio = max(before.values()) / max(min(before.values()), 1)
    caption = (
        f"Training part. The largest class has {ratio:.1f} times as many {noun} as the smallest"
    )
    if is_balanced(metrics):
        frame["after balancing"] = list(after.values())
        caption += f"; after balancing, every class has {min(after.values()):,}"
    drawing = plots.class_counts(
        before, after if is_balanced(metrics) else None, x=f"number of {noun}"
    )
    return Figure("class_counts", f"{capital(noun)} per class", f"{caption}.", drawing, frame)


def _preprocessing(metrics: Mapping[str, Any]) -> Section:
    import pandas as pd

    found = metrics["preprocessing"]
    scaling = "min-max scaling to [0, 1], then standardization to mean 0 and standard deviation 1"
    text = f"Numbers: {scaling}."
    if data_of(metrics)["preset"] != "songs":
        text = (
            "GBT takes the columns as they are: missing values and categories need no preparation. "
            "For all other models, missing numbers are replaced by the median, with an indicator "
            f'column; then {scaling}. Categories are one-hot encoded, with an "other" level.'
        )
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

    noun, test, model = data_of(metrics)["noun"], metrics["test"], metrics["model"]
    name, kind = model_name(model["family"]), _family(metrics)
    names = [row["name"] for row in test["classes"]]
    varied = metrics["search"]["varied"]
    rows = [(key, value, key in varied) for key, value in model["parameters"].items()]
    columns = ["hyperparameter", "value", "chosen by the search"]
    hyperparameters = pd.DataFrame(
        [(key, "yes" if value is True else value, chosen) for key, value, chosen in rows],
        columns=columns,
    ).astype({"value": object})
    classes = pd.DataFrame(
        [
            (
                row["name"],
                round(100 * row["precision"], 2),
                round(100 * row["recall"], 2),
                round(row["f1"], 4),
                row["support"],
            )
            for row in test["classes"]
        ],
        columns=["class", "precision %", "recall %", "F1", f"test {noun}"],
    )
    probabilities = ""
    if test["log_loss"] is None:
        probabilities = f" {name} predicts no probabilities, so both are missing."
    elif is_balanced(metrics):
        probabilities = (
            " Models were trained on balanced classes, so their probabilities assume equal class "
            "frequencies."
        )
    return Section(
        "model",
        "Model",
        [
            f"{name}, refitted on the whole training part; {model['n_weights']:,} {kind.learned} "
            "in the search.",
            Table(_tests(metrics, name), f"Metrics on the held-out {noun}."),
            Note(
                "Balanced accuracy is the mean recall over the classes. Log loss and Brier score "
                f"measure the probabilities; lower is better.{probabilities}"
            ),
            confusion("confusion_matrix", name, test["confusion"], names, noun),
            Table(classes, "Metrics per class."),
            Table(hyperparameters, "Hyperparameters; all others have their defaults."),
        ],
    )


def _tests(metrics: Mapping[str, Any], name: str) -> pd.DataFrame:
    import pandas as pd

    rows = [
        {
            "model": key,
            "accuracy %": round(100 * test["accuracy"], 2),
            "95 % CI": proportion_interval(test["accuracy"], test["n_rows"]),
            "balanced accuracy %": round(100 * test["balanced_accuracy"], 2),
            "macro F1": round(test["macro_f1"], 4),
            "log loss": _rounded(test["log_loss"]),
            "Brier score": _rounded(test["brier"]),
        }
        for key, test in ({name: metrics["test"]} | metrics["baselines"]).items()
    ]
    return pd.DataFrame(rows)


def _rounded(value: float | None) -> float:
    return math.nan if value is None else round(value, 4)


# The search.


def _search(run: RunFiles) -> Section:
    metrics, kind = run.metrics, _family(run.metrics)
    trials, curves = _trials(run, kind)
    ranked = trials.sort_values(
        ["accuracy", "n_weights", "number"], ascending=[False, True, True], ignore_index=True
    )
    shown = _with_defaults(trials, kind, metrics)
    blocks: list[Block] = [_search_text(metrics, kind)]
    if _is_joint(metrics):
        blocks += [Heading("Best candidate per model"), *_families(metrics)]
        blocks.append(Heading(f"Candidates of {model_name(metrics['model']['family'])}"))
    blocks.append(_overview(metrics, shown, kind))
    blocks.append(_candidate_table(metrics, ranked, kind))
    if kind.length is not None:
        blocks += [_effect(shown, curves, name, kind.unit) for name in (kind.rate, kind.layout[0])]
        blocks.append(_losses(metrics, shown, curves, kind))
    return Section("search", "Search", blocks)


def _trials(run: RunFiles, kind: Family) -> tuple[pd.DataFrame, pd.DataFrame]:
    return run.table("trials", dtype={"hidden_sizes": str}), run.table("curves")


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
        f"The candidate with the best mean validation {search.get('metric', 'accuracy')} wins; "
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
    table = pd.DataFrame([_family_row(row) for row in found])
    folds = {
        model_name(row["model"]): row["best"]["fold_accuracies"] for row in found if row["best"]
    }
    frame = pd.DataFrame(
        [
            {"model": name, "mean %": round(100 * float(np.mean(values)), 2)}
            | {f"fold {n} %": round(100 * v, 2) for n, v in enumerate(values, start=1)}
            for name, values in folds.items()
        ]
    )
    caption = (
        "One dot per fold, one bar per mean. A gray line joins the results of one fold: parallel "
        "lines mean that the folds agree on the order."
    )
    title = "Validation accuracy of the best candidate per model"
    return [
        Figure("families", title, caption, plots.fold_accuracies(folds), frame),
        Table(table, "Best candidate per model."),
        Note(
            "Candidates were selected on these folds, which favors models with more candidates; "
            "moodcore compare --tune measures them with nested cross-validation."
        ),
    ]


def _family_row(row: Mapping[str, Any]) -> dict[str, Any]:
    best, against = row["best"], row["against_best"]
    found: dict[str, Any] = {"model": model_name(row["model"]), "candidates": row["candidates"]}
    if best is None:
        nothing = dict.fromkeys(("accuracy %", "points lower"), math.nan)
        return found | nothing | {"folds lower": None, "hyperparameters": None}
    return found | {
        "accuracy %": round(100 * best["accuracy"], 2),
        "points lower": round(-100 * against["mean"], 2) + 0.0,
        "folds lower": f"{against['folds_behind']} of {against['folds']}",
        "hyperparameters": parameters(best["params"]),
    }


def _overview(metrics: Mapping[str, Any], shown: pd.DataFrame, kind: Family) -> Figure:
    from moodcore import plots

    best = metrics["search"]["best"]
    others = int((shown["accuracy"] >= best["accuracy"] - best["accuracy_std"]).sum()) - 1
    caption = (
        f"Mean over the folds, in percent. Best: number {best['number']}, "
        f"{percent(best['accuracy'])}; {counted(others, 'other candidate')} within one standard "
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
    is_joint = _is_joint(metrics)
    families = {row["model"]: row for row in metrics["search"]["families"]}
    table = ranked[["number"]].copy()
    if is_joint:
        rows = ranked.to_dict("records")
        table["model"] = ranked["model"].map(model_name)
        table["hyperparameters"] = [
            parameters({n: row[n] for n in families[row["model"]]["varied"] if row[n] == row[n]})
            for row in rows
        ]
    else:
        (only,) = families.values()
        varied = [name for name in only["varied"] if name in ranked]
        table[varied] = ranked[varied]
    if (ranked["state"] != "complete").any():
        table["state"] = ranked["state"]
    for name, label in (
        ("accuracy", "accuracy %"),
        ("accuracy_std", "± folds"),
        ("balanced_accuracy", "balanced %"),
        ("train_accuracy", "training %"),
    ):
        table[label] = (100 * ranked[name]).round(2)
    if not is_joint:
        # Losses and sizes of different models cannot be compared.
        table["validation loss"] = ranked["valid_loss"].round(4)
        table[kind.learned] = ranked["n_weights"]
    if ranked["diverged_folds"].any():
        table["diverged folds"] = ranked["diverged_folds"]
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
    if is_balanced(metrics):
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
    frame = pd.DataFrame(
        {
            "feature": ranked,
            "share of gain": [round(gain[name], 4) for name in ranked],
            "correlation filter": ["drops" if n in filtered else "keeps" for n in ranked],
        }
    )
    caption = "Share of each feature in the total gain of all splits"
    caption += "; hatched: a correlation filter would drop it." if filtered else "."
    drawing = plots.feature_importance(gain, kind="share", dropped=filtered)
    figure = Figure("importance", "Feature importance in the trees", caption, drawing, frame)
    return Section("features", "Features", [text, figure])
