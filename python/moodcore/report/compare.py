"""The page of `moodcore compare`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import groupby
from typing import TYPE_CHECKING, Any

from moodcore.report.blocks import confusion, data_section, features_block, slugs
from moodcore.report.page import Block, Figure, Folded, Headline, Note, Section, Table
from moodcore.report.run import RunFiles, data_of, is_balanced, target_of
from moodcore.report.text import (
    capital,
    counted,
    listed,
    p_value,
    percent,
    proportion_interval,
    shorten,
    signed,
)

if TYPE_CHECKING:
    import pandas as pd

_MAJORITY = "majority class"
_METRICS = {
    "accuracy": "accuracy",
    "macro_f1": "macro F1",
    "log_loss": "log loss",
    "brier": "Brier score",
    "calibration_error": "calibration error",
    "roc_auc": "ROC AUC",
}
# A title names this many models at most.
_NAMED = 3
# A learning curve still rises if doubling the rows brings more accuracy than this.
_GAIN = 0.003
_RECALLS = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5)
# Classes with a precision-recall figure, disputed rows and their columns in a table.
_CURVES, _DISPUTED, _DISPUTED_COLUMNS = 6, 12, 8
# A bin with fewer test rows is not drawn.
_BIN_ROWS = 10


# The headline.


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
    noun, n_test = data_of(metrics)["noun"], metrics["test_rows"]
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
            *(
                [(f"{len(better)} of {len(pairs)}", "other models significantly worse")]
                if _are_tested(pairs)
                else []
            ),
        ],
        checks=metrics["checks"],
        table=_terminal_table(metrics),
    )


def _title(metrics: Mapping[str, Any], best: str, pairs: list[dict[str, Any]]) -> str:
    level = [_other(pair, best) for pair in _level(pairs)]
    head = f"{capital(shorten(target_of(metrics)))}: {best} is the most accurate"
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
    scored = [r for r in rows if r["log_loss"] is not None and r["kind"] != "baseline"]
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
    verdict = "More training rows would help" if gain > _GAIN else "More training rows help little"
    return (
        f"{verdict}: up to {last['rows']:,}, doubling them changes the accuracy of {model} by "
        f"{signed(100 * gain, 1)} points."
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

    table = pd.DataFrame(metrics["summary"]).astype(dict.fromkeys(_METRICS, float))
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
    found |= {label: table[name].round(3) for name, label in list(_METRICS.items())[1:]}
    return pd.DataFrame(found)


# The page.


def sections(run: RunFiles) -> list[Section]:
    """Return the sections of the page."""
    metrics = run.metrics
    features = metrics["settings"].get("features") or "published"
    preprocessing: list[Block] = []
    if data_of(metrics)["preset"] == "songs":
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
        how = (
            "averages the" if settings["combine"] == "vote" else "fits a logistic regression to the"
        )
        combined = f" The combination {how} probabilities of {listed(metrics['members'])}."
    text = (
        f"All models are trained and scored on the same folds: {settings['folds']}-fold stratified "
        f"cross-validation{repeats}, {metrics['train_rows']:,} {noun}. Then they are refitted on "
        f"all of these and tested once on {metrics['test_rows']:,} held-out {noun}."
    )
    note = (
        "Macro F1: mean F1 over the classes. Log loss, Brier score: lower is better. Calibration "
        "error: mean difference between confidence and accuracy over fifteen bins of equal width. "
        "ROC AUC: mean of one class against the rest. A dash means that a model does not provide "
        f"the metric: LinearSVM predicts no probabilities.{combined}"
    )
    intervals = Table(_intervals(summary), "95 % confidence intervals (Nadeau and Bengio, 2003).")
    columns = ["model", *_METRICS]
    tests = _shown(run.table("test")[columns])
    return Section(
        "models",
        "Models",
        [
            text,
            _scores(summary, "accuracy", len(metrics["scores"]) // len(summary)),
            Table(_means(run, summary), "Means over the folds; times for one thread."),
            Table(tests, f"Metrics on the {metrics['test_rows']:,} test {noun}."),
            Note(note),
            Folded("Confidence intervals of all metrics", [intervals]),
        ],
    )


def _shown(table: pd.DataFrame) -> pd.DataFrame:
    table = table.assign(accuracy=(100 * table["accuracy"]).round(2)).round(4)
    return table.rename(columns=_METRICS | {"accuracy": "accuracy %"})


def _means(run: RunFiles, summary: pd.DataFrame) -> pd.DataFrame:
    table = summary.merge(run.table("times"), on="model")
    return _shown(table[["model", *_METRICS]]).assign(
        **{
            "training, s": table["fit_seconds"].round(3),
            f"{run.data['noun']}/s": table["rows_per_second"].round(-2),
            "file, kB": (table["model_bytes"] / 1000).round(1),
        }
    )


def _intervals(summary: pd.DataFrame) -> pd.DataFrame:
    import pandas as pd

    found: dict[str, Any] = {"model": summary["model"]}
    for name, label in _METRICS.items():
        low, high = summary[f"{name}_low"], summary[f"{name}_high"]
        texts = low.map("{:.4f}".format) + " to " + high.map("{:.4f}".format)
        found[label] = texts.where(summary[name].notna(), None)
    return pd.DataFrame(found)


def _scores(summary: pd.DataFrame, metric: str, n_folds: int) -> Figure | None:
    from moodcore import plots

    table = summary[summary[metric].notna()]
    if metric != "accuracy":
        table = table.sort_values(metric, kind="stable")
    # The majority class lies far off; with it, the other models would be squeezed together.
    drawn = table[table["model"] != _MAJORITY] if len(table) > 1 else table
    if not len(drawn):
        return None
    best = f"{drawn.iloc[0]['model']}, {drawn.iloc[0][metric]:.3f}"
    caption = f"Negative log-likelihood in nats, mean over {n_folds} folds; lowest: {best}."
    if metric == "accuracy":
        caption = (
            f"Mean over {n_folds} folds. Overlapping intervals do not mean that models are equal: "
            "scores on the same folds are correlated; see the pairwise tests."
        )
        chance = table.loc[table["model"] == _MAJORITY, "accuracy"]
        if len(chance) and len(table) > 1:
            caption += f" Not drawn: majority class, {percent(float(chance.iloc[0]))}."
    drawing = plots.score_intervals(drawn, metric)
    frame = table[["model", metric, f"{metric}_low", f"{metric}_high"]].round(4)
    return Figure(metric, capital(_METRICS[metric]), caption, drawing, frame)


def _pairs(run: RunFiles) -> Section:
    from moodcore import plots

    pairs = run.table("pairs")
    drawn = pairs[(pairs["first"] != _MAJORITY) & (pairs["second"] != _MAJORITY)]
    if not len(drawn):
        return Section("pairs", "Pairwise tests", [])
    real = int((drawn["verdict"] == "better").sum())
    frame = drawn[["first", "second", "difference", "p_holm", "verdict"]].round(4)
    frame = frame.assign(difference=(100 * drawn["difference"]).round(2))
    figure = Figure(
        "differences",
        "Differences in accuracy",
        "Accuracy of the row minus accuracy of the column, in points. Colored: the "
        f"{real} of {len(drawn)} significant differences (5 % level, Holm-adjusted for all pairs).",
        plots.difference_matrix(drawn),
        frame.rename(columns={"difference": "points", "p_holm": "p (Holm)"}),
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
            Note(note),
            Folded("All pairs, both tests", [Table(_pair_table(pairs), "Differences in points.")]),
        ],
    )


def _pair_table(pairs: pd.DataFrame) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(
        {
            "pair": pairs["first"] + " \N{EN DASH} " + pairs["second"],
            "difference": (100 * pairs["difference"]).round(2),
            "from": (100 * pairs["difference_low"]).round(2),
            "to": (100 * pairs["difference_high"]).round(2),
            "p": pairs["p_value"].round(4),
            "p (Holm)": pairs["p_holm"].round(4),
            "only first right": pairs["only_first_right"],
            "only second right": pairs["only_second_right"],
            "McNemar p": pairs["test_p_value"].round(4),
            "McNemar p (Holm)": pairs["test_p_holm"].round(4),
            "verdict": pairs["verdict"],
        }
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
        f"Mean and range over the same {folds} folds. A curve that still rises at its end means "
        f"that more {run.data['noun']} would help.",
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
    if is_balanced(metrics):
        text = (
            "Models were trained on balanced classes, so their probabilities assume equal class "
            "frequencies and look worse on the natural frequencies of the test."
        )
    n_folds = metrics["settings"]["folds"] * metrics["settings"]["repeats"]
    losses = _scores(run.table("summary"), "log_loss", n_folds)
    return Section("probabilities", "Probabilities", [text, figure, losses])


# Classes and rows.


def _shown_models(metrics: Mapping[str, Any]) -> list[str]:
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
    models = [name for name in _shown_models(metrics) if name in metrics["confusion"]]
    matrices = [
        confusion(slug, name, metrics["confusion"][name], classes, noun)
        for slug, name in zip(slugs("confusion", models), models, strict=True)
    ]
    blocks: list[Block] = [*matrices[:1]]
    if matrices[1:]:
        blocks.append(Folded("Confusions of the other models", matrices[1:]))
    curves = run.table("precision_recall")
    if len(curves):
        curves = curves[curves["model"] != _MAJORITY].assign(**{"class": curves["class"].map(str)})
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
    table = run.table("disagreements")
    if table.empty or not metrics["disputed"]:
        return Section("disagreements", "Disagreements", [figure, f"{text}."])
    caption = "The first rows of disagreements.csv; those with most different predictions first."
    rows = Table(_disputed(metrics, table), caption)
    return Section("disagreements", "Disagreements", [figure, f"{text} ({percent(share)}).", rows])


def _disputed(metrics: Mapping[str, Any], table: pd.DataFrame) -> pd.DataFrame:
    models = [name for name in _shown_models(metrics) if name in table]
    said = {row["model"] for row in metrics["summary"]}
    values = [
        name
        for name in table.columns[list(table.columns).index("answers") + 1 :]
        if name not in said and not name.endswith("(probability)")
    ]
    head = [name for name in ("uri", "id", "row") if name in table][:1]
    found = table[[*head, "class", *models, *values[:_DISPUTED_COLUMNS]]]
    return found.head(_DISPUTED).round(3)


def _searches(run: RunFiles) -> Section:
    chosen, settings = run.table("chosen"), run.metrics["settings"]
    if chosen.empty:
        return Section("searches", "Searches", [])
    text = (
        f"Nested cross-validation: every training searches at most {settings['trials']} candidates "
        f"in {settings['inner_folds']} folds of its own rows, by accuracy. The comparison is "
        "between models with their search, and no row scores a model that it helped to select."
    )
    table = Table(chosen, "Hyperparameters chosen per training.")
    return Section("searches", "Searches", [text, Folded("Chosen hyperparameters", [table])])
