"""Whole tables for a saved model: to evaluate it, and to explain it."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from moodcore.errors import ConfigError, TableError, unknown_name
from moodcore.metrics import Evaluation, class_names, evaluate_model
from moodcore.predict.batches import RowError
from moodcore.predict.inputs import InputFile, find_inputs
from moodcore.predict.model_columns import ModelColumns, is_song_model
from moodcore.predict.readers import open_input
from moodcore.predict.run import row_error
from moodcore.predict.scorer import Scorer
from moodcore.songs.schema import LABEL
from moodcore.tables.roles import category_text
from moodcore.tables.text_files import MISSING_TEXTS

if TYPE_CHECKING:
    import pandas as pd

_SHOWN = 3


@dataclass(frozen=True)
class FileEvaluation:
    """Metrics of a model on files of labeled rows.

    Attributes
    ----------
    metrics : Evaluation
        What was measured.
    target : str
        The column of the labels.
    noun : str
        What the rows are, in the plural.
    notes : tuple of str
        What qualifies the result.
    """

    metrics: Evaluation
    target: str
    noun: str
    notes: tuple[str, ...] = ()


def evaluate_file(
    model: Any, path: str | os.PathLike[str], target: str | None = None
) -> FileEvaluation:
    """Evaluate a model on files of labeled rows.

    Parameters
    ----------
    model : classifier or pipeline
        Fitted on named columns.
    path : path
        Files, as for `moodcore.predict.score`.
    target : str or None, default=None
        The column of the labels; None means that of the training data.

    Raises
    ------
    TableError
        When columns are missing, hold unusable values, or a label is unknown to the model.
    OSError
        When a file cannot be read.
    """
    import pandas as pd

    is_songs = is_song_model(model)
    named = target or getattr(model, "provenance_", {}).get("target") or (LABEL if is_songs else "")
    if not named:
        raise ConfigError("the model does not know its label column; name it with --target COLUMN")
    frames, codes, column = [], [], named
    for file in find_inputs(os.fspath(path)):
        frame, labels, column = _read(model, file, named)
        frames.append(frame)
        codes.append(_label_codes(model, labels, f"{file.name}: column {column!r}"))
    X, y = pd.concat(frames, ignore_index=True), model.classes_[np.concatenate(codes)]
    metrics = evaluate_model(model, X, y, class_names=class_names(model))
    notes = _notes(model, path, None if is_songs else column)
    return FileEvaluation(metrics, column, "songs" if is_songs else "rows", notes)


def read_rows(model: Any, path: str | os.PathLike[str]) -> pd.DataFrame:
    """Read the columns that a model needs from a file.

    Parameters
    ----------
    model : classifier or pipeline
        Fitted on named columns.
    path : path
        Files, as for `moodcore.predict.score`.

    Raises
    ------
    TableError
        When columns are missing or hold unusable values.
    OSError
        When a file cannot be read.
    """
    import pandas as pd

    frames = [_read(model, file, None)[0] for file in find_inputs(os.fspath(path))]
    return pd.concat(frames, ignore_index=True)


def _read(model: Any, file: InputFile, target: str | None) -> tuple[pd.DataFrame, list[Any], str]:
    """Return what the model needs of a file, the labels, and the name of their column."""
    import pandas as pd

    frames: list[pd.DataFrame] = []
    labels: list[Any] = []
    bad: list[str] = []
    n_rows = 0
    with closing(open_input(file)) as reader:
        columns = ModelColumns.find(model, reader.columns, file.name)
        # Song models know the usual names of the label column.
        target = target and columns.names.get(target, target)
        if target and target not in reader.columns:
            raise unknown_name(f"{file.name}: label column", target, reader.columns)
        scorer = Scorer(model, columns, [target] if target else [])
        for batch in reader.batches(scorer.wanted):
            try:
                rows = batch.parse()
            except RowError as error:
                raise row_error(file, n_rows, error) from error
            values, _, unusable = columns.read(rows)
            frames.append(scorer.frame(values))
            labels += rows.table.column(target).to_pylist() if target else []
            bad += [f"{r.summary}, row {n_rows + r.row}: {r.value!r}" for r in unusable]
            n_rows += rows.n_rows
    if bad:
        shown = "\n  ".join(bad[:_SHOWN])
        raise TableError(
            f"{file.name}: {len(bad):,} of {n_rows:,} rows cannot be used (counted from 0 without "
            f"the header); first:\n  {shown}"
        )
    if not n_rows:
        raise TableError(f"{file.name}: there are no rows")
    return pd.concat(frames, ignore_index=True), labels, target or ""


def _label_codes(model: Any, labels: Sequence[Any], where: str) -> NDArray[np.intp]:
    """Return the position of each label among the classes of the model."""
    names = class_names(model)
    known = {category_text(label): at for at, label in enumerate(model.classes_.tolist())}
    if is_song_model(model):
        known |= {name.casefold(): at for at, name in enumerate(names)}
    codes = {}
    for label in dict.fromkeys(labels):
        is_missing = label is None or (isinstance(label, float) and math.isnan(label))
        text = "" if is_missing else category_text(label).strip()
        code = known.get(text, known.get(text.casefold(), known.get(text.removesuffix(".0"))))
        if code is None and text in MISSING_TEXTS:
            row = labels.index(label)
            raise TableError(
                f"{where}: {labels.count(label):,} rows have no label, first row {row}"
            )
        if code is None:
            near = get_close_matches(text, names, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise TableError(
                f"{where}: {label!r} in row {labels.index(label)} is not a class of the model "
                f"({', '.join(names)}){hint}"
            )
        codes[label] = code
    return np.array([codes[label] for label in labels], dtype=np.intp)


def _notes(model: Any, path: str | os.PathLike[str], target: str | None) -> tuple[str, ...]:
    """Return a note if the model was trained on rows of the same table."""
    from moodcore.datasets import load_dataset

    provenance = getattr(model, "provenance_", {})
    settings = provenance.get("settings", {})
    options = {name: settings[name] for name in ("drop", "id") if settings.get(name)}
    if "sha256" not in provenance:
        return ()
    try:
        dataset = load_dataset(path, target, folds=0, on_bad_rows="drop", **options)
    except (ValueError, OSError):
        # Not a table to train on, so it was not trained on.
        return ()
    if dataset.fingerprint() != provenance["sha256"]:
        return ()
    return (
        "the model was trained on rows of this table, so the result is too good; evaluate it on "
        "rows that it never saw",
    )
