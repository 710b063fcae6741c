"""The section about the predictions for the test rows on the page of `moodcore tune`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from moodcore.comparison.curves import calibration_table
from moodcore.comparison.output import Output
from moodcore.report.page import Block, Figure, Folded, Section, Table, Text
from moodcore.report.run import RunFiles
from moodcore.report.text import model_name, percent

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

# A calibration bin with fewer rows is noise.
_BIN_ROWS = 10
# More classes do not fit into one figure, and more points look the same.
_CLASSES, _POINTS = 7, 200
# Rows of a table behind a curve, and of the table of errors.
_SAMPLED, _ERRORS = 12, 10


def predictions_section(run: RunFiles) -> Section:
    """Return the section; empty for models without probabilities."""
    table, data = run.table("predictions"), run.data
    names = list(data["counts"])
    columns = [f"probability_{name}" for name in names]
    if table.empty or not set(columns) <= set(table.columns):
        return Section("predictions", "Predictions", [])
    probabilities = table[columns].to_numpy(dtype=np.float64)
    codes = _codes(table["class"], names)
    blocks: list[Block] = [
        _calibration(run, codes, probabilities),
        _class_curves(names, codes, probabilities, data["noun"]),
        _thresholds(names, codes, probabilities, data["noun"]),
        _rejection(codes, probabilities, data["noun"]),
        _errors(table, names, codes, probabilities, data["noun"]),
    ]
    return Section("predictions", "Predictions", blocks)


def _codes(labels: Any, names: list[str]) -> NDArray[np.int64]:
    places = {name: place for place, name in enumerate(names)}
    return np.array([places[label] for label in labels], dtype=np.int64)


def _calibration(run: RunFiles, codes: NDArray[np.int64], probabilities: Any) -> Block:
    from moodcore import plots

    name = model_name(run.metrics["model"]["family"])
    output = Output(probabilities.argmax(axis=1), probabilities)
    table = calibration_table({name: output}, codes)
    drawn = table[table["rows"] >= _BIN_ROWS]
    if not len(drawn):
        return None
    edges = zip(table["from"], table["to"], strict=True)
    frame = table.assign(bin=[f"{low:.2f} to {high:.2f}" for low, high in edges])
    gap = float(np.average(table["confidence"] - table["accuracy"], weights=table["rows"]))
    noun = run.data["noun"]
    return Figure(
        "calibration",
        "Calibration",
        f"Test {noun} in fifteen bins of the probability of the predicted class. Mean confidence "
        f"is {abs(100 * gap):.1f} points {'above' if gap > 0 else 'below'} accuracy. Below the "
        f"diagonal the model is overconfident. Bins with fewer than {_BIN_ROWS} {noun} are not "
        "drawn.",
        plots.calibration_curves(drawn),
        frame[["bin", "rows", "confidence", "accuracy"]].round(4),
    )


def _class_curves(
    names: list[str], codes: NDArray[np.int64], probabilities: Any, noun: str
) -> Block:
    import pandas as pd
    from sklearn.metrics import (
        average_precision_score,
        precision_recall_curve,
        roc_auc_score,
        roc_curve,
    )

    from moodcore import plots

    rows: list[tuple[str, int, float, float]] = []
    parts: dict[str, list[pd.DataFrame]] = {}
    for code, name in enumerate(names):
        is_class, scores = codes == code, probabilities[:, code]
        if not 0 < is_class.sum() < len(codes):
            continue
        area, precision = roc_auc_score(is_class, scores), average_precision_score(is_class, scores)
        rows.append((name, int(is_class.sum()), float(area), float(precision)))
        false_rate, recall, _ = roc_curve(is_class, scores)
        precisions, recalls, _ = precision_recall_curve(is_class, scores)
        parts[name] = [
            _points(name, "roc", false_rate, recall, float(area)),
            _points(name, "precision_recall", recalls, precisions, float(precision)),
        ]
    if not rows:
        return None
    columns = ["class", f"test {noun}", "ROC AUC", "average precision"]
    frame = pd.DataFrame(rows, columns=columns)
    hardest = frame.nsmallest(_CLASSES, "average precision")["class"].tolist()
    # The two classes of a binary problem have the same ROC curve: the rarer one is drawn.
    drawn = frame.nsmallest(1, columns[1])["class"].tolist() if len(names) == 2 else hardest
    lowest = frame.nsmallest(1, "average precision").iloc[0]
    shown = (
        f"The {_CLASSES} classes with the lowest average precision. "
        if len(rows) > _CLASSES
        else ""
    )
    return Figure(
        "class_curves",
        "ROC and precision-recall curves",
        f"Each class against the rest. {shown}The gray diagonal is a random order. Lowest average "
        f"precision: {lowest['class']}, {lowest['average precision']:.3f}.",
        plots.class_curves(pd.concat([part for name in drawn for part in parts[name]])),
        frame.round(4),
    )


def _points(name: str, curve: str, x: Any, y: Any, area: float) -> pd.DataFrame:
    import pandas as pd

    kept = np.unique(np.linspace(0, len(x) - 1, _POINTS).round().astype(int))
    return pd.DataFrame({"class": name, "curve": curve, "x": x[kept], "y": y[kept], "area": area})


def _thresholds(names: list[str], codes: NDArray[np.int64], probabilities: Any, noun: str) -> Block:
    """Return precision and recall by threshold, for two classes."""
    import pandas as pd
    from sklearn.metrics import precision_recall_curve

    from moodcore import plots

    if len(names) != 2 or len(np.unique(codes)) != 2:
        return None
    rarer = int(np.bincount(codes, minlength=2).argmin())
    precision, recall, thresholds = precision_recall_curve(codes == rarer, probabilities[:, rarer])
    precision, recall = precision[:-1], recall[:-1]
    total = np.maximum(precision + recall, np.finfo(float).tiny)
    table = pd.DataFrame(
        {
            "threshold": thresholds,
            "precision": precision,
            "recall": recall,
            "f1": 2 * precision * recall / total,
        }
    )
    kept = np.unique(np.linspace(0, len(table) - 1, _POINTS).round().astype(int))
    best = table.nlargest(1, "f1").iloc[0]
    frame = table.iloc[kept[:: max(1, len(kept) // _SAMPLED)]].rename(columns={"f1": "F1"})
    return Figure(
        "thresholds",
        f"Precision and recall of {names[rarer]} by threshold",
        f"A row is predicted as {names[rarer]} if the probability is at least the threshold; the "
        f"vertical line is 0.5. Highest F1 on these test {noun}: {best['f1']:.3f} at "
        f"{best['threshold']:.2f}. Choose a threshold by cross-validation, not on test rows.",
        plots.threshold_curves(table.iloc[kept], names[rarer]),
        frame.round(4),
    )


def _rejection(codes: NDArray[np.int64], probabilities: Any, noun: str) -> Block:
    import pandas as pd

    from moodcore import plots

    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == codes
    order = np.argsort(-confidence, kind="stable")
    count = np.arange(1, len(order) + 1)
    table = pd.DataFrame(
        {
            "confidence": confidence[order],
            "kept": count / len(order),
            "accuracy": np.cumsum(right[order]) / count,
        }
    )
    # The first rows have an accuracy of too few predictions.
    table = table[min(len(table) - 1, 19) :]
    kept = np.unique(np.linspace(0, len(table) - 1, _POINTS).round().astype(int))
    half = table.iloc[int(np.searchsorted(table["kept"], 0.5))]
    return Figure(
        "rejection",
        "Accuracy by lowest confidence kept",
        f"If predictions below a confidence are left to a person. The {percent(half['kept'])} of "
        f"the test {noun} with the highest confidence (at least {half['confidence']:.2f}) have an "
        f"accuracy of {percent(half['accuracy'])}.",
        plots.rejection_curve(table.iloc[kept], noun),
        table.iloc[kept[:: max(1, len(kept) // _SAMPLED)]].round(4),
    )


def _errors(
    table: pd.DataFrame, names: list[str], codes: NDArray[np.int64], probabilities: Any, noun: str
) -> Block:
    predicted = probabilities.argmax(axis=1)
    wrong = np.flatnonzero(predicted != codes)
    if not len(wrong):
        return Text(f"Every test prediction is correct ({len(codes):,} {noun}).")
    confidence = probabilities[wrong, predicted[wrong]]
    rows = wrong[np.argsort(-confidence, kind="stable")[:_ERRORS]]
    head = [name for name in ("uri", "id", "row") if name in table][:1]
    frame = table.iloc[rows][[*head, "class", "predicted"]].reset_index(drop=True)
    frame = frame.astype(dict.fromkeys(head, str))
    frame["probability"] = probabilities[rows, predicted[rows]].round(3)
    frame["probability of the true class"] = probabilities[rows, codes[rows]].round(3)
    caption = (
        f"The test {noun} with the highest confidence among the {len(wrong):,} errors; check their "
        "labels first. All predictions are in predictions.parquet."
    )
    return Folded("Most confident errors", [Table(frame, caption)])
