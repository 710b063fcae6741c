"""The page of `moodcore tune`: a search, or a comparison of optimizers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from moodcore.report.blocks import confusion, correlation, data_section, features_block
from moodcore.report.page import Block, Figure, Section, Table, Text
from moodcore.report.pages.predictions import predictions_section
from moodcore.report.pages.search import TABLE_POINTS, family_of, search_section
from moodcore.report.run import RunFiles, is_joint
from moodcore.report.text import (
    capital,
    listed,
    model_name,
    percent,
    pick,
    proportion_interval,
)

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


def sections(run: RunFiles) -> list[Section]:
    """Return the sections of the page."""
    metrics = run.metrics
    found = []
    if "search" in metrics:
        found = [_model(metrics), predictions_section(run), search_section(run)]
    found += [_importance(metrics), _optimizers(run)]
    return [*found, data_section(metrics, _class_counts(metrics)), _preprocessing(metrics)]


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
    shown: Block = "All hyperparameters have their defaults."
    hyperparameters["value"] = [str(value) for value in model["parameters"].values()]
    hyperparameters["chosen by the search"] = hyperparameters["hyperparameter"].isin(varied)
    if len(hyperparameters):
        shown = Table(hyperparameters, "Hyperparameters; all others have their defaults.")
    return Section(
        "model",
        "Model",
        [
            f"{name}, refitted on the whole training part; {model['n_weights']:,} "
            f"{family_of(metrics).learned} in the search.{_refit(metrics)}",
            Table(pick(tests, _TESTS), f"Metrics on the held-out {noun}."),
            Text(
                "Balanced accuracy is the mean recall over the classes. Log loss and Brier score "
                f"measure the probabilities; lower is better.{probabilities}"
            ),
            confusion("confusion_matrix", name, test["confusion"], classes["name"].tolist(), noun),
            Table(pick(classes, _CLASSES | {"support": f"test {noun}"}), "Metrics per class."),
            shown,
        ],
    )


def _refit(metrics: Mapping[str, Any]) -> str:
    """Return a sentence if the saved model is not the one that was tested."""
    refit = metrics["model"].get("refit")
    if not refit:
        return ""
    changed = [
        f"{name} {value}"
        for name, value in refit["parameters"].items()
        if metrics["model"]["parameters"].get(name) != value
    ]
    differing = f", with {listed(changed)} for more rows" if changed else ""
    return (
        f" After the test, the saved model was trained with the same hyperparameters on all "
        f"{refit['rows']:,} {metrics['data']['noun']}{differing}; metrics and predictions are "
        "those of the model of the training part."
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


def _optimizers(run: RunFiles) -> Section:
    from moodcore import plots

    metrics = run.metrics
    if "optimizers" not in metrics:
        return Section("optimizers", "Optimizers", [])
    runs = run.table("optimizers")
    epochs = {n: v.tolist() for n, v in zip(runs["optimizer"], runs["epoch_loss"], strict=True)}
    updates = dict(zip(runs["optimizer"], runs["update_loss"], strict=True))
    final = {name: losses[-1] for name, losses in epochs.items() if math.isfinite(losses[-1])}
    best = min(final, key=final.__getitem__, default=None)
    caption = "Every training run diverged."
    if best is not None:
        caption = f"After the same number of epochs, {best} has the lowest loss, {final[best]:.4f}."
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
                caption,
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
    points = np.unique(np.geomspace(1, longest, TABLE_POINTS).round().astype(int))
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
