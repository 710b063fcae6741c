"""Training of boosted trees on files that are larger than memory, for `moodcore train`.

A folder of Parquet files, or a pattern such as ``songs/*.parquet``, is always read in batches, a
single Parquet file if its columns would take more than a quarter of the machine's memory.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from moodcore.errors import ConfigError
from moodcore.estimators.batches import Batch, BatchSource
from moodcore.metrics import Evaluation, evaluate
from moodcore.runs.seeds import Stream, derive
from moodcore.tables.dataset import known_names
from moodcore.tables.files import PARQUET_ENDINGS
from moodcore.tuning.settings import TuneSettings

if TYPE_CHECKING:
    from moodcore import GBT

#: Share of the memory from which on the columns of a Parquet file are read in batches.
MEMORY_SHARE: Final = 0.25
# One row in five is held out.
_HELD_OUT: Final = 5
_SECONDS: Final = 1.0
# Settings that need the whole table.
_WHOLE_TABLE: Final = {"rows": None, "duplicates": "keep", "on_bad_rows": "strict"}


def is_read_in_batches(data: str | None) -> bool:
    """Return whether a table is read in batches.

    Those are folders, patterns, and Parquet files that are too large to load.
    """
    if data is None:
        return False
    path = Path(data)
    if path.is_dir() or ("*" in data and not path.exists()):
        return True
    if not (path.is_file() and path.name.lower().endswith(PARQUET_ENDINGS)):
        return False
    return _column_bytes(path) > MEMORY_SHARE * _memory()


def train_on_files(
    settings: TuneSettings, arguments: Mapping[str, Any], on_progress: Callable[[str], object]
) -> tuple[GBT, Evaluation, dict[str, Any]]:
    """Train `GBT` on files, and test it on rows that it has not seen.

    Parameters
    ----------
    settings : TuneSettings
        ``data`` is a folder or file; ``test`` another one, or None for a fifth of the rows, which
        is drawn by row number.
    arguments : mapping
        Parameters of the model.
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
    from moodcore import GBT

    target = _checked_target(settings)
    source = BatchSource(settings.data)
    source.require([target])
    columns = [*_features(settings, source.names, target), target]
    seed = derive(settings.seed, Stream.REFIT)
    if settings.test is None:
        learned: BatchSource = _Part(settings.data, columns, held_out=False, seed=seed)
        held: BatchSource = _Part(settings.data, columns, held_out=True, seed=seed)
    else:
        learned, held = BatchSource(settings.data, columns), BatchSource(settings.test, columns)
    options = {"categorical_features": "from_dtype", "random_state": seed, **arguments}
    model = GBT(**options, callbacks=[_Lines(on_progress)])
    model.fit(learned, target)
    model.callbacks = None
    test = _test(model, held, target)
    described = {
        "source": str(settings.data),
        "synthetic": False,
        "preset": None,
        "target": target,
        "sha256": None,
    }
    return model, test, described


class _Part(BatchSource):
    """The rows of a table that are held out, or the others.

    Which rows depends on their numbers and the seed, not on the batches in which they are read.
    """

    def __init__(self, data: Any, columns: Sequence[str], *, held_out: bool, seed: int) -> None:
        super().__init__(data, columns)
        self._held_out, self._seed = held_out, seed

    @property
    def n_rows(self) -> None:
        """None: rows are counted when they are read."""
        return

    def batches(self, columns: Sequence[str]) -> Iterator[Batch]:
        """Read the part, batch by batch."""
        import pyarrow as pa

        first = 0
        for batch in super().batches(columns):
            numbers = np.arange(batch.first, batch.first + batch.table.num_rows)
            mask = _is_held_out(numbers, self._seed) == self._held_out
            table = batch.table.filter(pa.array(mask))
            if table.num_rows:
                yield Batch(table, batch.where, first)
            first += table.num_rows


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


def _checked_target(settings: TuneSettings) -> str:
    if settings.model != "gbt":
        raise ConfigError(
            f"model must be 'gbt' for a table that is read in batches, got {settings.model!r}; "
            "other models need it in memory"
        )
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
            "balance must be False for a table that is read in batches, got True; use "
            "--set class_weight=balanced"
        )
    return settings.target


def _features(settings: TuneSettings, names: Sequence[str], target: str) -> list[str]:
    others = [name for name in names if name != target]
    left_out = known_names([*settings.drop, *filter(None, [settings.id])], others, "drop")
    if settings.features not in (None, "all"):
        assert settings.features is not None
        listed = settings.features
        return known_names([listed] if isinstance(listed, str) else listed, others, "features")
    return [name for name in others if name not in left_out]


def _test(model: GBT, source: BatchSource, target: str) -> Evaluation:
    names = list(model.feature_names_in_)
    labels, probabilities = [], []
    for batch in source.batches([*names, target]):
        probabilities.append(model.predict_proba(batch.table.select(names)))
        labels.append(batch.table.column(target).to_numpy(zero_copy_only=False))
    if not labels:
        raise ConfigError("test: there are no rows")
    return evaluate(
        np.concatenate(labels),
        np.concatenate(probabilities),
        classes=model.classes_,
        class_names=[str(label) for label in model.classes_.tolist()],
    )


def _is_held_out(rows: NDArray[np.int64], seed: int) -> NDArray[np.bool_]:
    """Return whether rows are held out: by the SplitMix64 of the row number and the seed."""
    word = rows.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(seed % 2**64)
    word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray((word ^ (word >> np.uint64(31))) % np.uint64(_HELD_OUT) == 0)


def _column_bytes(path: Path) -> int:
    import pyarrow.parquet as pq

    try:
        metadata = pq.read_metadata(path)
    except (OSError, ValueError):
        # The reader of whole files has the better message.
        return 0
    groups = range(metadata.num_row_groups)
    return sum(metadata.row_group(group).total_byte_size for group in groups)


def _memory() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        # Not known on this system: 8 GiB.
        return 2**33
