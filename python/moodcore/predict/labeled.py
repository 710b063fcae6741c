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
from moodcore.predict.inputs import InputFile, find_inputs
from moodcore.predict.model_columns import ModelColumns, is_song_model
from moodcore.predict.readers import RowError, open_input
from moodcore.predict.scorer import Scorer
from moodcore.songs.schema import LABEL
from moodcore.tables.roles import category_text
from moodcore.tables.text_files import MISSING_TEXTS

if TYPE_CHECKING:
    import pandas as pd

_SHOWN = 3


@dataclass(frozen=True)
class FileEvaluation:
    """The test of a model on a file of labeled rows.

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
    """Test a model on files of labeled rows.

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

    given = target or getattr(model, "provenance_", {}).get("target")
    if given is None and not is_song_model(model):
        raise ConfigError("the model does not know its label column; name it with --target COLUMN")
    frames, codes, n_rows = [], [], 0
    for file in find_inputs(os.fspath(path)):
        frame, labels, column = _read(model, file, given or LABEL)
        frames.append(frame.set_axis(frame.index + n_rows))
        codes.append(_label_codes(model, labels, f"{file.name}: column {column!r}"))
        n_rows += len(frame)
    X, y = pd.concat(frames), np.asarray(model.classes_)[np.concatenate(codes)]
    metrics = evaluate_model(model, X, y, class_names=class_names(model))
    noun = "songs" if is_song_model(model) else "rows"
    return FileEvaluation(metrics, column, noun, _notes(model, path, column))


def read_rows(model: Any, path: str | os.PathLike[str]) -> pd.DataFrame:
    """Read the columns that a model needs, as it takes them.

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

    with closing(open_input(file)) as reader:
        columns = ModelColumns.find(model, reader.columns, file.name)
        if target is not None:
            named = {LABEL: columns.names.get(LABEL)} if is_song_model(model) else {}
            target = named.get(target) or target
            if target not in reader.columns:
                raise unknown_name(f"{file.name}: label column", target, reader.columns)
        scorer = Scorer(model, columns, [] if target is None else [target])
        frames: list[pd.DataFrame] = []
        labels: list[Any] = []
        bad: list[str] = []
        n_rows = 0
        for batch in reader.batches(scorer.wanted):
            try:
                rows = batch.rows()
            except RowError as error:
                raise TableError(
                    f"{file.name}: row {n_rows + error.row:,}: {error.reason}"
                ) from error
            frame, _, unusable = scorer.frame(rows)
            bad += [f"{row.summary}, row {n_rows + row.row:,}: {row.value!r}" for row in unusable]
            frames.append(frame)
            n_rows += rows.n_rows
            if target is not None:
                labels += rows.table.column(target).to_pylist()
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
    for label in set(labels):
        is_missing = label is None or (isinstance(label, float) and math.isnan(label))
        text = "" if is_missing else category_text(label).strip()
        if text in MISSING_TEXTS and text not in known:
            row = labels.index(label)
            raise TableError(
                f"{where}: {labels.count(label):,} rows without a label, first row {row:,}"
            )
        code = known.get(text, known.get(text.casefold(), known.get(text.removesuffix(".0"))))
        if code is None:
            near = get_close_matches(text, names, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise TableError(
                f"{where}: {label!r} in row {labels.index(label):,} is not a class of the model "
                f"({', '.join(names)}){hint}"
            )
        codes[label] = code
    return np.array([codes[label] for label in labels], dtype=np.intp)


def _notes(model: Any, path: str | os.PathLike[str], target: str) -> tuple[str, ...]:
    """Return a note if the model was trained on the same table."""
    from moodcore.datasets import load_dataset

    provenance = getattr(model, "provenance_", {})
    sha256, settings = provenance.get("sha256"), provenance.get("settings", {})
    if sha256 is None:
        return ()
    options = {name: settings[name] for name in ("drop", "id") if settings.get(name)}
    try:
        dataset = load_dataset(
            path, None if is_song_model(model) else target, folds=0, on_bad_rows="drop", **options
        )
    except (ValueError, OSError):
        # Not a table to train on, so it was not trained on.
        return ()
    if dataset.fingerprint() != sha256:
        return ()
    return (
        "the model was trained on rows of this table: the result is too good; evaluate it on rows "
        "that it never saw",
    )
