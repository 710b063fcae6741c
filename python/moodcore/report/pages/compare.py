"""The page of `moodcore compare`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from moodcore.report.blocks import (
    confusion,
    data_section,
    features_block,
    hyperparameters,
    slugs,
)
from moodcore.report.gain import is_around_defaults
from moodcore.report.page import Block, Figure, Folded, Section, Table, Text
from moodcore.report.run import METRICS, RunFiles
from moodcore.report.text import capital, listed, p_value, parameters, percent, pick

if TYPE_CHECKING:
    import pandas as pd

_MAJORITY = "majority class"
_LABELS = {"model": "model"} | METRICS | {"accuracy": "accuracy %"}
_PAIRS = {
    "first": "first",
    "second": "second",
    "difference": "points",
    "difference_low": "from, points",
    "difference_high": "to, points",
    "p_value": "p",
    "p_holm": "p (Holm)",
    "only_first_right": "only first right",
    "only_second_right": "only second right",
    "test_p_value": "McNemar p",
    "test_p_holm": "McNemar p (Holm)",
    "verdict": "verdict",
}
_DIFFERENCES = ("first", "second", "difference", "p_holm", "verdict")
_RECALLS = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5)
# Classes with a precision-recall figure, disputed rows and their columns in a table.
_CURVES, _DISPUTED, _DISPUTED_COLUMNS = 6, 12, 8
# A bin with fewer test rows is not drawn.
_BIN_ROWS = 10


def sections(run: RunFiles) -> list[Section]:
    """Return the sections of the page."""
    metrics = run.metrics
    features = metrics["settings"].get("features") or "published"
    preprocessing: list[Block] = []
    if metrics["data"]["preset"] == "songs":
        names = features if isinstance(features, str) else ", ".join(features)
        preprocessing = [
            f"Features: {names}. Min-max scaling to [0, 1], then standardization to mean 0 and "
            "standard deviation 1."
        ]
    elif isinstance(features, list):
        preprocessing = [features_block(features)]
    return [
        _models(run),
        _pairs(run),
        _learning(run),
        _calibration(run),
        _classes(run),
        _disagreements(run),
        _searches(run),
        data_section(metrics, *preprocessing),
    ]


def _models(run: RunFiles) -> Section:
    metrics, noun = run.metrics, run.data["noun"]
    settings, summary = metrics["settings"], run.table("summary")
    repeats = "" if settings["repeats"] == 1 else f", repeated {settings['repeats']} times"
    combined = ""
    if len(metrics["members"]) > 1 and settings["combine"] != "none":
        how = {"vote": "averages the", "stack": "fits a logistic regression to the"}
        combined = (
            f" The combination {how[settings['combine']]} probabilities of "
            f"{listed(metrics['members'])}."
        )
    text = (
        f"All models are trained and scored on the same folds: {settings['folds']}-fold stratified "
        f"cross-validation{repeats}, {metrics['train_rows']:,} {noun}. Then they are refitted on "
        f"all of these and tested once on {metrics['test_rows']:,} held-out {noun}."
        f"{'' if settings.get('tune') else hyperparameters(metrics)}"
    )
    note = (
        "Macro F1: mean F1 over the classes. Log loss, Brier score: lower is better. Calibration "
        "error: mean difference between confidence and accuracy over fifteen bins of equal width. "
        "ROC AUC: mean of one class against the rest. A dash means that a model does not provide "
        f"the metric: LinearSVM predicts no probabilities.{combined}"
    )
    times = summary.merge(run.table("times"), on="model")
    means = pick(summary, _LABELS)
    means["training, s"] = times["fit_seconds"].round(3)
    means[f"{noun}/s"] = times["rows_per_second"].round(-2)
    means["file, kB"] = (times["model_bytes"] / 1000).round(1)
    tests = pick(run.table("test"), _LABELS)
    intervals = Table(_intervals(summary), "95 % confidence intervals (Nadeau and Bengio, 2003).")
    return Section(
        "models",
        "Models",
        [
            text,
            _scores(run, "accuracy"),
            Table(means, "Means over the folds; times for one thread."),
            Table(tests, f"Metrics on the {metrics['test_rows']:,} test {noun}."),
            Text(note),
            Folded("Confidence intervals of all metrics", [intervals]),
        ],
    )


def _intervals(summary: pd.DataFrame) -> pd.DataFrame:
    import pandas as pd

    found: dict[str, Any] = {"model": summary["model"]}
    for name, label in METRICS.items():
        low, high = summary[f"{name}_low"], summary[f"{name}_high"]
        texts = low.map("{:.4f}".format) + " to " + high.map("{:.4f}".format)
        found[label] = texts.where(summary[name].notna(), None)
    return pd.DataFrame(found)


def _scores(run: RunFiles, metric: str) -> Figure | None:
    from moodcore import plots

    summary, settings = run.table("summary"), run.metrics["settings"]
    table = summary[summary[metric].notna()]
    if metric != "accuracy":
        table = table.sort_values(metric, kind="stable")
    # The majority class lies far off; with it, the other models would be squeezed together.
    drawn = table[table["model"] != _MAJORITY] if len(table) > 1 else table
    if not len(drawn):
        return None
    caption = f"Mean over {settings['folds'] * settings['repeats']} folds. "
    if metric == "accuracy":
        caption += (
            "Overlapping intervals do not mean that models are equal: scores on the same folds are "
            "correlated; see the pairwise tests."
        )
        chance = table.loc[table["model"] == _MAJORITY, "accuracy"]
        if len(chance) and len(table) > 1:
            caption += f" Not drawn: majority class, {percent(float(chance.iloc[0]))}."
    else:
        best = drawn.iloc[0]
        caption += f"In nats; lower is better. Lowest: {best['model']}, {best[metric]:.3f}."
    drawing = plots.score_intervals(drawn, metric)
    ends = {f"{metric}_low": "from", f"{metric}_high": "to"}
    frame = pick(table, {"model": "model", metric: METRICS[metric]} | ends)
    return Figure(metric, capital(METRICS[metric]), caption, drawing, frame)


def _pairs(run: RunFiles) -> Section:
    from moodcore import plots

    pairs = run.table("pairs")
    drawn = pairs[(pairs["first"] != _MAJORITY) & (pairs["second"] != _MAJORITY)]
    if not len(drawn):
        return Section("pairs", "Pairwise tests", [])
    real = int((drawn["verdict"] == "better").sum())
    figure = Figure(
        "differences",
        "Differences in accuracy",
        "Accuracy of the row minus accuracy of the column, in points. Colored: significant "
        f"differences, {real} of {len(drawn)} (5 % level, Holm-adjusted over all pairs).",
        plots.difference_matrix(drawn),
        pick(drawn, {name: _PAIRS[name] for name in _DIFFERENCES}),
    )
    only_test = listed(
        f"{row['first']} and {row['second']} ({p_value(row['test_p_holm'])})"
        for row in pairs[pairs["verdict"] == "test only"].to_dict("records")
    )
    note = (
        "Over the folds: corrected resampled t-test (Nadeau and Bengio, 2003), which accounts for "
        "overlapping training sets. On the test rows: McNemar's exact test of the fitted models. "
        "p-values are Holm-adjusted over all pairs."
    )
    return Section(
        "pairs",
        "Pairwise tests",
        [
            figure,
            f"Significant by McNemar's test only: {only_test}." if only_test else None,
            Text(note),
            Folded("Both tests of all pairs", [Table(pick(pairs, _PAIRS), "All pairs.")]),
        ],
    )


def _learning(run: RunFiles) -> Section:
    from moodcore import plots

    curves = run.table("learning_curves")
    curves = curves.dropna() if len(curves) else curves
    if curves.empty:
        return Section("learning", "Learning curves", [])
    frame = curves.pivot_table(index="model", columns="rows", values="accuracy", sort=False)
    frame = frame.round(4).reset_index()
    frame.columns = [n if n == "model" else f"{n:,} {run.data['noun']}" for n in frame.columns]
    folds = min(3, run.metrics["settings"]["folds"])
    figure = Figure(
        "learning_curves",
        "Accuracy by number of training rows",
        f"Mean and range over the same {folds} folds. A curve that still rises at its end suggests "
        f"that more {run.data['noun']} may help.",
        plots.learning_curves(curves[curves["model"] != _MAJORITY]),
        frame,
    )
    return Section("learning", "Learning curves", [figure])


def _calibration(run: RunFiles) -> Section:
    from moodcore import plots

    table, metrics = run.table("calibration"), run.metrics
    if table.empty:
        return Section("probabilities", "Probabilities", [])
    figure = None
    drawn = table[(table["model"] != _MAJORITY) & (table["rows"] >= _BIN_ROWS)]
    if len(drawn):
        edges = zip(table["from"], table["to"], strict=True)
        frame = table.assign(bin=[f"{low:.2f} to {high:.2f}" for low, high in edges])
        figure = Figure(
            "calibration",
            "Calibration",
            f"Test {run.data['noun']} in fifteen bins of the probability of the predicted class. "
            "Below the diagonal a model is overconfident, above it underconfident. Bins with fewer "
            f"than {_BIN_ROWS} {run.data['noun']} are not drawn.",
            plots.calibration_curves(drawn),
            frame[["model", "bin", "rows", "confidence", "accuracy"]].round(4),
        )
    text = "Models were trained on the natural class frequencies."
    if metrics["balanced"]:
        text = (
            "Models were trained on balanced classes, so their probabilities assume equal class "
            "frequencies and look worse on the natural frequencies of the test."
        )
    losses = _scores(run, "log_loss")
    return Section("probabilities", "Probabilities", [text, figure, losses])


# Classes and rows.


def _best_models(metrics: Mapping[str, Any]) -> list[str]:
    """Return the models and their combination, the best first."""
    return [
        row["model"]
        for row in metrics["summary"]
        if row["accuracy"] is not None and row["kind"] != "baseline"
    ]


def _classes(run: RunFiles) -> Section:
    import pandas as pd

    metrics, noun = run.metrics, run.data["noun"]
    classes = [str(name) for name in metrics["classes"]]
    models = [name for name in _best_models(metrics) if name in metrics["confusion"]]
    matrices = [
        confusion(slug, name, metrics["confusion"][name], classes, noun)
        for slug, name in zip(slugs("confusion", models), models, strict=True)
    ]
    blocks: list[Block] = [*matrices[:1]]
    if matrices[1:]:
        blocks.append(Folded("Confusions of the other models", matrices[1:]))
    curves = run.table("precision_recall")
    if len(curves):
        curves = curves[curves["model"] != _MAJORITY]
        precisions = curves.groupby(["class", "model"], sort=False)["average_precision"].first()
        table = precisions.unstack("model").reindex(classes).round(4)
        hardest = table.max(axis=1).sort_values(kind="stable").index[:_CURVES].tolist()
        figures = {
            name: _precision_recall(curves[curves["class"] == name], slug, name, noun)
            for slug, name in zip(slugs("precision", classes), classes, strict=True)
            if name in hardest
        }
        label = "Precision-recall curves"
        if len(classes) > _CURVES:
            label += f" of the {_CURVES} classes with the lowest average precision"
        table = table.reset_index(names="class")
        assert isinstance(table, pd.DataFrame)
        blocks += [
            Table(table, "Average precision (area under the precision-recall curve) per class."),
            Folded(label, [figures[name] for name in classes if name in figures]),
        ]
    return Section("classes", "Classes", blocks)


def _precision_recall(curves: pd.DataFrame, slug: str, name: str, noun: str) -> Figure:
    import pandas as pd

    from moodcore import plots

    best = curves.nlargest(1, "average_precision").iloc[0]
    rows = []
    for model, part in curves.groupby("model", sort=False):
        row = {"model": model, "average precision": round(part["average_precision"].iloc[0], 4)}
        for recall in _RECALLS:
            reached = part.loc[part["recall"] >= recall - 1e-9, "precision"]
            row[f"at recall {recall:.1f}"] = round(float(reached.max()), 4)
        rows.append(row)
    return Figure(
        slug,
        f"Precision and recall of {name}",
        f"Precision: share of the {noun} predicted as {name} that are. Recall: share of all {name} "
        f"{noun} that are found. Highest average precision: {best['model']}, "
        f"{best['average_precision']:.3f}.",
        plots.precision_recall_curves(curves, name),
        pd.DataFrame(rows),
    )


def _disagreements(run: RunFiles) -> Section:
    import pandas as pd

    from moodcore import plots

    metrics, noun = run.metrics, run.data["noun"]
    agreement = pd.DataFrame(metrics["agreement"])
    names = [name for name in metrics["agreement"] if name != _MAJORITY]
    figure = None
    if len(names) > 1:
        agreement = agreement.loc[names, names]
        figure = Figure(
            "agreement",
            "Agreement",
            f"Share of test {noun} with the same prediction. Models of equal accuracy that rarely "
            "agree gain most from being combined.",
            plots.agreement_matrix(agreement),
            agreement.round(4).reset_index(names="model"),
        )
    share = metrics["disputed"] / metrics["test_rows"]
    text = f"The models disagree on {metrics['disputed']:,} of {metrics['test_rows']:,} test {noun}"
    table = run.table("disagreements", [row["model"] for row in metrics["summary"]])
    if table.empty or not metrics["disputed"]:
        return Section("disagreements", "Disagreements", [figure, f"{text}."])
    caption = "The first rows of disagreements.csv; those with most different predictions first."
    rows = Table(_disputed(metrics, table), caption)
    return Section("disagreements", "Disagreements", [figure, f"{text} ({percent(share)}).", rows])


def _disputed(metrics: Mapping[str, Any], table: pd.DataFrame) -> pd.DataFrame:
    models = [name for name in _best_models(metrics) if name in table]
    said = {row["model"] for row in metrics["summary"]}
    values = [
        name
        for name in table.columns[list(table.columns).index("answers") + 1 :]
        if name not in said and not name.endswith("(probability)")
    ]
    head = [name for name in ("uri", "id", "row") if name in table][:1]
    found = table[[*head, "class", *models, *values[:_DISPUTED_COLUMNS]]].head(_DISPUTED)
    # Row numbers are names.
    return found.round(3).assign(**{name: found[name].astype(str) for name in head})


def _searches(run: RunFiles) -> Section:
    chosen, settings = run.table("chosen"), run.metrics["settings"]
    if chosen.empty:
        return Section("searches", "Searches", [])
    text = (
        f"Nested cross-validation: every training searches at most {settings['trials']} candidates "
        f"in {settings['inner_folds']} folds of its own rows, by accuracy. The comparison is "
        "between models with their search, and no row scores a model that it helped to select."
    )
    blocks: list[Block] = [text]
    if is_around_defaults(run.metrics):
        blocks[0] = text + (
            " The default model is a candidate, and is kept unless another is clearly better, as "
            "in moodcore tune."
        )
        kept = (chosen["chosen"] == "{}").groupby(chosen["model"], sort=False)
        counts = kept.agg(["size", "sum"]).reset_index()
        counts.columns = ["model", "trainings", "defaults kept"]
        blocks.append(Table(counts, "Number of trainings in which the default model was kept."))
    shown = [parameters(json.loads(params)) or "defaults" for params in chosen["chosen"]]
    table = Table(chosen.assign(chosen=shown), "Hyperparameters chosen per training.")
    return Section("searches", "Searches", [*blocks, Folded("Chosen hyperparameters", [table])])
