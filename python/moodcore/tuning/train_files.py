"""Training of boosted trees on files that are larger than memory, for `train` and `tune`.

A folder of Parquet files, or a pattern such as ``songs/*.parquet``, is always read in batches, a
single Parquet file if its columns would take more than a quarter of the machine's memory. A sample
of the rows (the setting ``rows``) is read into memory, and so are all rows for other models.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from moodcore.errors import ConfigError
from moodcore.estimators.batches import BatchSource
from moodcore.metrics import Evaluation, evaluate
from moodcore.runs.seeds import Stream, derive
from moodcore.tables.dataset import known_names
from moodcore.tables.files import PARQUET_ENDINGS
from moodcore.tables.parquet_files import is_read_in_batches
from moodcore.tuning.settings import TuneSettings

if TYPE_CHECKING:
    import pyarrow as pa

    from moodcore import GBT

# One row in five is held out.
_HELD_OUT: Final = 5
_SECONDS: Final = 1.0
# Settings that need the whole table.
_WHOLE_TABLE: Final = {"duplicates": "keep", "on_bad_rows": "strict"}


@dataclass(frozen=True)
class FileOptions:
    """How a model is trained on files.

    Attributes
    ----------
    weight : str or None
        Column of the row weights.
    validation : str or None
        Parquet file, folder or pattern of the evaluation set, which early stopping uses.
    checkpoint : path or None
        File of a `Checkpoint`, which is written every ten rounds.
    scheduler : str or None
        Address of a Dask scheduler whose workers train the model.
    """

    weight: str | None = None
    validation: str | None = None
    checkpoint: Path | None = None
    scheduler: str | None = None

    def are_used(self, settings: TuneSettings) -> bool:
        """Return whether boosted trees are trained on files.

        Raises
        ------
        ConfigError
            For options that need files where the table is read into memory.
        """
        data = settings.data
        in_files = is_read_in_batches(data) or (self.scheduler is not None and _is_parquet(data))
        if settings.model == "gbt" and settings.rows is None and in_files:
            return True
        named = {name: value for name, value in vars(self).items() if value is not None}
        if named:
            name, value = next(iter(named.items()))
            name = "engine" if name == "scheduler" else name
            value = "dask" if name == "engine" else value
            raise ConfigError(
                f"{name} {str(value)!r} needs a table that is read in batches: model must be "
                "'gbt', rows None, and data a folder of Parquet files, a pattern, or a Parquet "
                "file that takes more than a quarter of the memory (with engine dask, any); got "
                f"model {settings.model!r}, rows {settings.rows!r} and data {data!r}"
            )
        return False


def _is_parquet(data: str | None) -> bool:
    return data is not None and data.lower().endswith(PARQUET_ENDINGS)


def train_on_files(
    settings: TuneSettings,
    arguments: Mapping[str, Any],
    options: FileOptions,
    on_progress: Callable[[str], object],
) -> tuple[GBT, Evaluation, dict[str, Any]]:
    """Train `GBT` on files, and test it on rows that it has not seen.

    Parameters
    ----------
    settings : TuneSettings
        ``data`` is a folder or file; ``test`` another one, or None for a fifth of the rows, which
        is drawn by row number.
    arguments : mapping
        Parameters of the model.
    options : FileOptions
        On a cluster, the workers read the files, and the model is the same.
    on_progress : callable
        Takes a line about once per second.

    Returns
    -------
    model : GBT
    test : Evaluation
    data : dict
        The description of the data for the file of the model.

    Raises
    ------
    ConfigError
        For other models, and for settings that need the whole table in memory.
    """
    from moodcore import Checkpoint

    target = checked_target(settings)
    source = BatchSource(settings.data)
    others = [name for name in (target, options.weight) if name is not None]
    source.require(others)
    columns = [*feature_columns(settings, source.names, others), *others]
    seed = derive(settings.seed, Stream.REFIT)
    if settings.test is None:
        learned = BatchSource(settings.data, columns, chosen=HeldOut(seed, is_held_out=False))
        held = BatchSource(settings.data, columns, chosen=HeldOut(seed))
    else:
        learned, held = BatchSource(settings.data, columns), BatchSource(settings.test, columns)
    fit: dict[str, Any] = {}
    if options.validation is not None:
        validation = BatchSource(options.validation, columns)
        fit = {"eval_set": {"validation": (validation, target)}}
        if options.weight is not None:
            fit["sample_weight_eval_set"] = {"validation": options.weight}
    callbacks: list[Any] = [_Lines(on_progress)]
    if options.checkpoint is not None:
        callbacks.append(Checkpoint(options.checkpoint))
    chosen = {"categorical_features": "from_dtype", "random_state": seed, **arguments}
    model = fit_on_files(
        chosen | {"callbacks": callbacks},
        (learned, target, options.weight),
        options.scheduler,
        **fit,
    )
    model.callbacks = None
    test = evaluate_on_files(model, held, target)
    described = {
        "source": str(settings.data),
        "synthetic": False,
        "preset": None,
        "target": target,
        "sha256": None,
    }
    return model, test, described


def fit_on_files(
    parameters: Mapping[str, Any],
    rows: tuple[BatchSource, str, str | None],
    scheduler: str | None,
    **fit: Any,
) -> GBT:
    """Train `GBT` in this process, or with a scheduler on its workers; the model is the same."""
    from moodcore import GBT

    if scheduler is None:
        return GBT(**parameters).fit(*rows, **fit)
    from moodcore import dask
    from moodcore.runs.executors.dask import check_scheduler, connected

    check_scheduler(scheduler)
    with connected(scheduler) as client:
        return dask.GBT(**parameters).fit(*rows, client=client, **fit).to_local()


def part_of(rows: NDArray[np.int64], seed: int, n_parts: int) -> NDArray[np.uint64]:
    """Return the part, from 0, of each row: SplitMix64 of the row number and the seed."""
    word = rows.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(seed % 2**64)
    word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray((word ^ (word >> np.uint64(31))) % np.uint64(n_parts))


@dataclass(frozen=True)
class HeldOut:
    """Chooses the rows of a table that are held out, or the others.

    Which rows depends on their numbers and the seed, not on the batches in which they are read.
    """

    seed: int
    is_held_out: bool = True

    def __call__(self, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which of the rows are chosen."""
        return (part_of(rows, self.seed, _HELD_OUT) == 0) == self.is_held_out


class _Lines:
    """Reports about the progress of training, about one per second."""

    def __init__(self, on_progress: Callable[[str], object]) -> None:
        self._on_progress, self._last = on_progress, time.monotonic()

    def __call__(self, record: Mapping[str, Any]) -> None:
        """Report a round."""
        loss = record["training"]["logloss"]
        self._report(f"round {record['iteration'] + 1}: training log loss {loss:.4f}")

    def on_reading(self, record: Mapping[str, Any]) -> None:
        """Report how many rows were read."""
        of = "" if record["n_rows"] is None else f" of {record['n_rows']:,}"
        self._report(f"{record['reading']}: {record['rows']:,}{of} rows")

    def _report(self, line: str) -> None:
        if time.monotonic() - self._last > _SECONDS:
            self._last = time.monotonic()
            self._on_progress(line)


def checked_target(settings: TuneSettings) -> str:
    """Return the label column, after checking the settings for a table that is read in batches."""
    if settings.target is None:
        raise ConfigError("target must be the name of the label column, got None")
    for name, default in _WHOLE_TABLE.items():
        if getattr(settings, name) != default:
            raise ConfigError(
                f"{name} must be {default!r} for a table that is read in batches, got "
                f"{getattr(settings, name)!r}"
            )
    if settings.balance:
        raise ConfigError(
            "balance must be False for a table that is read in batches, got True; use the "
            "hyperparameter class_weight = 'balanced' (--set in train, --grid in tune)"
        )
    return settings.target


def feature_columns(
    settings: TuneSettings, names: Sequence[str], not_features: Sequence[str]
) -> list[str]:
    """Return the columns to learn from."""
    others = [name for name in names if name not in not_features]
    left_out = known_names([*settings.drop, *filter(None, [settings.id])], others, "drop")
    if settings.features not in (None, "all"):
        assert settings.features is not None
        listed = settings.features
        return known_names([listed] if isinstance(listed, str) else listed, others, "features")
    return [name for name in others if name not in left_out]


def predictions_of(
    model: GBT, source: BatchSource, target: str
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return the class code and the class probabilities of each row of files.

    Raises
    ------
    ConfigError
        As `labeled_batches`.
    """
    codes, probabilities = [], []
    for X, labels in labeled_batches(model, source, target):
        probabilities.append(model.predict_proba(X))
        codes.append(labels)
    return np.concatenate(codes), np.concatenate(probabilities)


def labeled_batches(
    model: GBT, source: BatchSource, target: str
) -> Iterator[tuple[pa.RecordBatch, NDArray[np.intp]]]:
    """Yield the features and the class codes of the rows of files, batch by batch.

    Raises
    ------
    ConfigError
        If there are no rows, or a label is none of the model's classes.
    """
    names = list(model.feature_names_in_)
    n_rows = 0
    for batch in source.batches([*names, target]):
        labels = batch.table.column(target).to_numpy(zero_copy_only=False)
        unknown = ~np.isin(labels, model.classes_)
        if unknown.any():
            raise ConfigError(
                f"{batch.where}: the label {labels[unknown][0]!r} does not occur in the training "
                "rows"
            )
        n_rows += len(labels)
        yield batch.table.select(names), np.searchsorted(model.classes_, labels)
    if not n_rows:
        raise ConfigError("test: there are no rows")


def evaluate_on_files(model: GBT, source: BatchSource, target: str) -> Evaluation:
    """Test a model on the rows of files."""
    codes, probabilities = predictions_of(model, source, target)
    names = [str(label) for label in model.classes_.tolist()]
    return evaluate(codes, probabilities, class_names=names)
