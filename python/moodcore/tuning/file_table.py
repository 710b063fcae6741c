"""A table in files that `moodcore tune` reads in batches: its rows by part, and a sample of them.

Which part a row belongs to depends on its number and the seed alone: the test part, the same rows
as in `moodcore train`, and the folds of the others. A sample of up to 262,144 rows is in memory:
learning curves, early stopping, and the descriptions in the report use it. Candidates are trained
on and scored with all rows of a fold.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from moodcore import _core
from moodcore.errors import ConfigError
from moodcore.estimators.batches import BatchSource
from moodcore.runs.folds import Split
from moodcore.runs.seeds import Stream, derive
from moodcore.tables.dataset import Dataset
from moodcore.tuning.settings import TuneSettings
from moodcore.tuning.train_files import HeldOut, checked_target, feature_columns, part_of

if TYPE_CHECKING:
    import pyarrow as pa

#: Parts of a fold.
TRAINING, VALIDATION = "training", "validation"


@dataclass(frozen=True)
class FoldRows:
    """Chooses the rows of one part of a fold.

    Attributes
    ----------
    seed : int
        Seed of the run.
    n_folds, fold : int
        Number of folds, and the index of this one.
    part : {"training", "validation"}
    """

    seed: int
    n_folds: int
    fold: int
    part: str

    def __call__(self, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which of the rows are chosen."""
        chosen = HeldOut(derive(self.seed, Stream.REFIT), is_held_out=False)(rows)
        is_valid = part_of(rows, derive(self.seed, Stream.FOLDS), self.n_folds) == self.fold
        return chosen & (is_valid if self.part == VALIDATION else ~is_valid)


@dataclass(frozen=True)
class FileTable:
    """A table in Parquet files.

    Attributes
    ----------
    data : str
        File, folder or pattern.
    target : str
        Column of the labels.
    features : list of str
    seed, n_folds : int
    sample : Table
        The sampled rows with the columns above.
    rows : ndarray of int
        Their indices in the table.
    counts : ndarray of int, shape (2, n_classes)
        Number of training and of test rows of each class.
    """

    data: str
    target: str
    features: list[str]
    seed: int
    n_folds: int
    sample: pa.Table
    rows: NDArray[np.int64]
    counts: NDArray[np.int64]

    @classmethod
    def read(cls, settings: TuneSettings) -> tuple[FileTable, NDArray[Any]]:
        """Read the labels and the sample; return the table and its classes, ascending.

        Raises
        ------
        ConfigError
            For settings that need the whole table in memory, or if a part has too few rows.
        """
        import pyarrow as pa

        target = checked_target(settings)
        if settings.test is not None:
            raise ConfigError(
                "test must be None for a search on a table that is read in batches, got "
                f"{settings.test!r}; a fifth of the rows is held out, drawn by row number"
            )
        source = BatchSource(settings.data)
        source.require([target])
        features = feature_columns(settings, source.names, [target])
        n_rows = source.n_rows
        assert n_rows is not None and settings.data is not None
        sampled = _core.gbt_sampled_rows(n_rows)
        rows = np.arange(n_rows) if sampled is None else sampled.astype(np.int64)
        is_test = HeldOut(derive(settings.seed, Stream.REFIT))
        pieces, totals = [], dict[Any, NDArray[np.int64]]()
        for batch in source.batches([*features, target]):
            start, stop = np.searchsorted(rows, [batch.first, batch.first + batch.table.num_rows])
            pieces.append(batch.table.take(pa.array(rows[start:stop] - batch.first)))
            numbers = np.arange(batch.first, batch.first + batch.table.num_rows)
            labels, codes = np.unique(
                batch.table.column(target).drop_null().to_numpy(zero_copy_only=False),
                return_inverse=True,
            )
            if len(codes) < len(numbers):
                raise ConfigError(
                    f"{batch.where}: the label column {target!r} must not have missing values"
                )
            held = is_test(numbers).astype(np.intp)
            counted = np.zeros((2, len(labels)), dtype=np.int64)
            np.add.at(counted, (held, codes), 1)
            for label, count in zip(labels.tolist(), counted.T, strict=True):
                totals[label] = totals.get(label, np.zeros(2, dtype=np.int64)) + count
        sample = pa.Table.from_batches(pieces).unify_dictionaries().combine_chunks()
        classes = sorted(totals)
        table = cls(
            settings.data,
            target,
            features,
            settings.seed,
            settings.folds,
            sample,
            rows,
            np.stack([totals[label] for label in classes], axis=1),
        )
        table.check(classes)
        return table, np.array(classes)

    def check(self, classes: list[Any]) -> None:
        """Raise a `ConfigError` if a class is missing in a part of the sample."""
        for fold in range(self.n_folds):
            for part in (TRAINING, VALIDATION):
                labels = set(self.sampled(fold, part)[1].tolist())
                missing = [label for label in classes if label not in labels]
                if missing:
                    raise ConfigError(
                        f"{self.data}: class {missing[0]!r} must have {part} rows of every fold in "
                        f"the sample of {len(self.rows):,} rows, got none in fold {fold + 1}; use "
                        "fewer folds, or join the class with others"
                    )

    def source(self, chosen: Any) -> BatchSource:
        """Return the chosen rows, which are read in batches."""
        return BatchSource(self.data, [*self.features, self.target], chosen=chosen)

    def sampled(self, fold: int, part: str) -> tuple[pa.Table, NDArray[Any]]:
        """Return features and labels of the sampled rows in a part of a fold."""
        import pyarrow as pa

        chosen = FoldRows(self.seed, self.n_folds, fold, part)(self.rows)
        return self._columns(self.sample.filter(pa.array(chosen)))

    def test_sample(self) -> tuple[pa.Table, NDArray[Any], NDArray[np.int64]]:
        """Return features, labels and indices of the sampled test rows."""
        import pyarrow as pa

        is_test = HeldOut(derive(self.seed, Stream.REFIT))(self.rows)
        return *self._columns(self.sample.filter(pa.array(is_test))), self.rows[is_test]

    def _columns(self, table: pa.Table) -> tuple[pa.Table, NDArray[Any]]:
        labels = table.column(self.target).to_numpy()
        return table.select(self.features), labels


@dataclass(frozen=True)
class FileDataset(Dataset):
    """The sample of a table in files, as a `Dataset`, and the table."""

    files: FileTable | None = None

    @classmethod
    def load(cls, settings: TuneSettings) -> FileDataset:
        """Read labels and sample of the table that the settings name."""
        from moodcore.datasets import load_dataset

        table, classes = FileTable.read(settings)
        sample = load_dataset(
            table.sample.to_pandas(), table.target, features=table.features, folds=0
        )
        if len(sample.class_names) != len(classes):
            raise ConfigError(
                f"{settings.data}: the labels {classes.tolist()} must be distinct as text"
            )
        n_rows = int(table.counts.sum())
        note = (
            f"{n_rows:,} rows are read in batches; learning curves, early stopping and the "
            f"descriptions of columns use a sample of {len(table.rows):,} rows"
        )
        values = vars(sample) | {
            "X": sample.X.set_axis(table.rows, axis=0),
            "source": str(settings.data),
            "notes": (*sample.notes, note),
        }
        return cls(**values, files=table)

    @property
    def table(self) -> FileTable:
        """The table in files."""
        assert self.files is not None
        return self.files

    def fingerprint(self) -> str:
        """Return the SHA-256 of the sample, and of the number of rows of each class."""
        content = f"{super().fingerprint()} {self.table.counts.tolist()}"
        return hashlib.sha256(content.encode()).hexdigest()

    def sample_split(self) -> Split:
        """Return the training and test rows of the sample."""
        is_test = HeldOut(derive(self.table.seed, Stream.REFIT))(self.table.rows)
        return Split(self.X[~is_test], self.y[~is_test], self.X[is_test], self.y[is_test])

    def take(self, rows: NDArray[np.intp], note: str | None = None) -> Dataset:
        """Return some rows of the sample as a plain `Dataset`."""
        values = {name: value for name, value in vars(self).items() if name != "files"}
        return replace(Dataset(**values)).take(rows, note)
