"""Blocks that pages of several kinds of run share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from moodcore.report.gain import is_around_defaults
from moodcore.report.page import Block, Figure, Folded, Section, Table
from moodcore.report.text import DASH, listed, percent, signed
from moodcore.runs.families import FAMILIES

if TYPE_CHECKING:
    import pandas as pd

# A sentence lists this many classes; more are a table.
_LISTED_CLASSES = 8
# A list of feature names longer than this is folded.
_LISTED_FEATURES = 20
# The cells of a larger confusion matrix cannot be read.
_MATRIX_CLASSES = 12
_CONFUSIONS, _TABLE_ROWS = 15, 100
# Features in a correlation heatmap.
_CORRELATED = 14


def data_section(metrics: Mapping[str, Any], *more: Block) -> Section:
    """Return the section about the data: size, classes, notes, columns; then further blocks."""
    import pandas as pd

    data = metrics["data"]
    counts, noun = data["counts"], data["noun"]
    size = f"Source: {data['source']}. {data['rows']:,} {noun}"
    if data.get("test_rows"):
        how = "stratified by class" if data.get("stratified", True) else "drawn by row number"
        size += (
            f": {data['train_rows']:,} for training, {data['test_rows']:,} held out for the final "
            f"test ({how})"
        )
    blocks: list[Block] = [f"{size}."]
    if len(counts) <= _LISTED_CLASSES:
        sizes = [f"{name} ({count:,})" for name, count in counts.items()]
        blocks.append(f"Classes: {listed(sizes)}.")
    else:
        frame = pd.DataFrame({"class": list(counts), noun: list(counts.values())})
        caption = f"Number of {noun} per class."
        blocks.append(Folded(f"The {len(counts)} classes", [Table(frame, caption)]))
    blocks.append(f"{balance_sentence(metrics)} All preprocessing is fitted on training rows only.")
    blocks += [f"Note: {note}" for note in data["notes"]]
    if data.get("columns"):
        frame = column_table(data["columns"])
        blocks.append(Folded("Column statistics", [Table(frame, f"All {noun}, before scaling.")]))
    return Section("data", "Data", [*blocks, *more])


def balance_sentence(metrics: Mapping[str, Any]) -> str:
    """Return how classes are balanced."""
    if metrics["balanced"]:
        return (
            "Training rows are downsampled at random to equal class sizes; validation and test "
            "rows keep the natural class frequencies."
        )
    return "Classes keep their natural frequencies."


def hyperparameters(metrics: Mapping[str, Any]) -> str:
    """Return a sentence about the hyperparameters of the families; empty if there are none.

    Examples
    --------
    >>> hyperparameters({"settings": {"models": ["gbt"], "base": "defaults"}})
    ' Models of moodcore have the default hyperparameters of their classes.'
    """
    settings = metrics["settings"]
    if "base" not in settings or not set(settings["models"]) & set(FAMILIES):
        return ""
    those = "default hyperparameters of their classes"
    if not is_around_defaults(metrics):
        those = "hyperparameters of the song experiment"
    epochs = settings.get("epochs")
    most = "" if epochs is None else f", with at most {epochs:,} epochs or boosting rounds"
    return f" Models of moodcore have the {those}{most}."


def column_table(columns: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """Return one row per column, its statistics as text with five significant digits."""
    import pandas as pd

    rows = [
        {"column": name}
        | {
            key.replace("_", " "): f"{v:.5g}" if isinstance(v, float) else v
            for key, v in row.items()
        }
        for name, row in columns.items()
    ]
    return pd.DataFrame(rows)


def features_block(features: Sequence[str]) -> Block:
    """Return the list of features, folded where it is long."""
    text = f"{', '.join(features)}."
    if len(features) > _LISTED_FEATURES:
        return Folded(f"The {len(features)} features", [text])
    return f"Features: {text}"


def slugs(prefix: str, names: Sequence[object]) -> list[str]:
    """Return a different id per name: letters, digits and `-`.

    Examples
    --------
    >>> slugs("precision", ["Soft vote", "soft-vote", "<é>"])
    ['precision-soft-vote', 'precision-soft-vote-2', 'precision-3']
    """
    found: list[str] = []
    for number, name in enumerate(names, start=1):
        text = "".join(c if c.isascii() and c.isalnum() else "-" for c in str(name).lower())
        slug = "-".join([prefix, *filter(None, text.split("-"))])
        found.append(f"{slug}-{number}" if slug in [*found, prefix] else slug)
    return found


def confusion(
    name: str, model: str, matrix: ArrayLike, classes: Sequence[str], noun: str
) -> Figure:
    """Return a confusion matrix; of more than 12 classes, the most frequent confusions."""
    import pandas as pd

    from moodcore import plots

    counts = np.asarray(matrix)
    errors = counts - np.diag(np.diag(counts))
    caption = f"Test {noun} by true and predicted class. {_largest_error(counts, errors, classes)}"
    if len(classes) <= _MATRIX_CLASSES:
        frame = pd.DataFrame(counts, columns=[f"predicted {label}" for label in classes])
        frame.insert(0, "true class", list(classes))
        drawing = plots.confusion_matrix(counts, classes)
        return Figure(name, f"Confusion matrix of {model}", caption, drawing, frame)
    true, predicted = np.unravel_index(np.argsort(-errors, axis=None, kind="stable"), errors.shape)
    rows = [
        (classes[i], classes[j], int(errors[i, j]), round(100 * errors[i, j] / counts[i].sum(), 1))
        for i, j in zip(true[:_TABLE_ROWS], predicted[:_TABLE_ROWS], strict=True)
        if errors[i, j]
    ]
    columns = ["true class", "predicted class", noun, "% of the true class"]
    frame = pd.DataFrame(rows or [(DASH, DASH, 0, 0.0)], columns=columns)
    drawing = plots.top_confusions(counts, classes, max_pairs=_CONFUSIONS)
    return Figure(name, f"Most frequent confusions of {model}", caption, drawing, frame)


def _largest_error(counts: Any, errors: Any, classes: Sequence[str]) -> str:
    if not errors.any():
        return "There are no errors."
    i, j = np.unravel_index(errors.argmax(), errors.shape)
    return (
        f"Most frequent error: {classes[i]} predicted as {classes[j]} "
        f"({errors[i, j]:,}, {percent(errors[i, j] / counts[i].sum())} of {classes[i]})."
    )


def correlation(
    matrix: pd.DataFrame, where: str, marked: Sequence[str] = (), marks: str = ""
) -> Figure | None:
    """Return a correlation heatmap, or None for fewer than two numeric features."""
    from moodcore import plots

    if len(matrix) < 2:
        return None
    values = matrix.to_numpy(dtype=float).copy()
    np.fill_diagonal(values, 0.0)
    i, j = np.unravel_index(np.nanargmax(np.abs(values)), values.shape)
    names = matrix.columns.tolist()
    shown = "" if len(names) <= _CORRELATED else f"The {_CORRELATED} most correlated features. "
    caption = (
        f"Pearson correlation {where}. {shown}Strongest: {names[i]} with {names[j]}, "
        f"{signed(values[i, j])}.{f' * {marks}.' if {*marked} & {*names} else ''}"
    )
    drawing = plots.correlation_heatmap(matrix, marked=marked, max_features=_CORRELATED)
    frame = matrix.round(3).reset_index(names="feature")
    return Figure("correlation", "Correlation of the numeric features", caption, drawing, frame)
