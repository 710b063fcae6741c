"""Training rows of boosting that are read from files batch by batch.

The label and weight columns are read first, then the features twice: once to collect the categories
and the sample of rows from which cut points are learned, and once to bin all rows. The binned rows
take one byte per cell, plus the class and the weight of each row.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from moodcore import _core
from moodcore.errors import TableError
from moodcore.estimators.batches import Batch, BatchSource, batch_source
from moodcore.estimators.evaluation import EvaluationSet
from moodcore.estimators.gbt.labels import Labels
from moodcore.estimators.gbt.options import categorical_mask, check_missing, validation_share
from moodcore.estimators.gbt.rows import BoostingRows, code_rows, sampled
from moodcore.estimators.rows import hold_out
from moodcore.estimators.table_columns import Categories
from moodcore.estimators.table_schema import TableSchema
from moodcore.estimators.tables import RawTable, read_table

if TYPE_CHECKING:
    from moodcore.estimators.gbt.estimator import GBT

_SECONDS_BETWEEN_LINES = 1.0


@dataclass(frozen=True)
class BinnedRows:
    """Rows that were read and binned; all weights are above zero.

    Attributes
    ----------
    bins : GbtBinnedRows
    y : ndarray of uint32, shape (n_rows,)
        Indices into ``classes_``.
    weight : ndarray of float64 or None
    sample : BoostingRows or None
        The rows from which the number of rounds is searched; None for evaluation rows.
    held_out : BinnedRows or None
        Rows that are held out for evaluation.
    margin : ndarray of float64 or None
        Base margins, which only partitions of Dask collections have.
    """

    bins: _core.GbtBinnedRows
    y: NDArray[np.uint32]
    weight: NDArray[np.float64] | None
    n_rows: int
    sample: BoostingRows | None = None
    held_out: BinnedRows | None = None
    # Of shape (n_rows, n_outputs).
    margin: NDArray[np.float64] | None = None

    def arrays(
        self,
    ) -> tuple[Any, NDArray[np.uint32], NDArray[np.float64] | None, NDArray[np.float64] | None]:
        """Return the four arguments of the core."""
        return self.bins, self.y, self.weight, self.margin


def training_bins(
    model: GBT, data: Any, y: Any, weight: Any, *, start: GBT | None, holds_out: bool
) -> BinnedRows:
    """Read and bin the training rows; without ``start``, set the model's columns and classes."""
    reading = _Reading(model, batch_source(data), "the training data", y, weight)
    labels = reading.labels()
    codes, weights, rows = reading.coded(labels, learns=start is None)
    held = np.empty(0, dtype=np.intp)
    kept = np.arange(len(rows))
    if holds_out:
        share = validation_share(model.validation_fraction)
        kept, held = hold_out(codes, share, model.seed_ % 2**32)
    features = _Features(reading, rows, weights, kept)
    if start is None:
        reading.learn_schema(features)
        table, repeated, counts = features.sample_for_bins()
        bins = _core.GbtBinnedRows.learn(
            table, repeated, counts, len(kept), max_bin=model.max_bin, threads=reading.threads
        )
    else:
        features.read_sample()
        bins = _core.GbtBinnedRows.of_model(start.core_model_, len(kept))
    held_bins = bins.like(len(held))
    reading.bin(rows, kept if len(held) else None, bins, held_bins)
    part = _part(weights, held)
    held_out = BinnedRows(held_bins, codes[held], part, len(held)) if len(held) else None
    sample = features.search_sample(codes)
    if len(held):
        codes, weights = codes[kept], _part(weights, kept)
    return BinnedRows(bins, codes, weights, len(rows), sample, held_out)


def evaluation_bins(model: GBT, passed: EvaluationSet, rows: BinnedRows) -> BinnedRows:
    """Read the rows of an evaluation set, and bin them like the training rows."""
    source, what = batch_source(passed.X), f"evaluation set {passed.name!r}"
    reading = _Reading(model, source, what, passed.y, passed.sample_weight)
    labels = reading.labels()
    codes, weights, kept = reading.coded(labels, learns=False, weighted_classes=False)
    bins = rows.bins.like(len(kept))
    reading.bin(kept, None, bins, None)
    return BinnedRows(bins, codes, weights, len(kept))


class _Reading:
    """Reader of one table for a model."""

    def __init__(self, model: GBT, source: BatchSource, what: str, y: Any, weight: Any) -> None:
        self.model, self.source, self._what, self._y, self._weight = model, source, what, y, weight
        for name, value in (("y", y), ("sample_weight", weight)):
            if not (isinstance(value, str) or (name != "y" and value is None)):
                raise TypeError(
                    f"{name} of {what} must be the name of a column, because the table is read "
                    f"from files, got {type(value).__name__}"
                )
        self._others = [name for name in (y, weight) if name is not None]
        source.require(self._others)
        self.n_rows = source.n_rows
        self.threads = model._compute()["threads"]
        names = getattr(model, "feature_names_in_", None)
        self.columns: list[str] = (
            [name for name in source.names if name not in self._others]
            if names is None
            else names.tolist()
        )
        if not self.columns:
            raise TableError(f"{what} must have a column besides y and sample_weight")
        source.require(self.columns)

    def batches(self, columns: Sequence[str], doing: str) -> Iterator[Batch]:
        """Read columns and report the progress."""
        progress = _Progress(self.model, doing, self._what, self.n_rows)
        n_rows = 0
        for batch in self.source.batches(columns):
            n_rows = batch.first + batch.table.num_rows
            yield batch
            progress.rows(n_rows)
        if self.n_rows is None:
            self.n_rows = n_rows
        if n_rows != self.n_rows:
            raise TableError(
                f"{self._what}: {n_rows} rows were read where there had been {self.n_rows}: files "
                "must not change, and a callable must return the same rows each time"
            )
        if n_rows == 0:
            raise TableError(f"{self._what}: there are no rows")

    def labels(self) -> Labels:
        """Read the label and weight columns."""
        return Labels.read(self.batches(self._others, "labels"), self._y, self._weight)

    def coded(
        self, labels: Labels, *, learns: bool, weighted_classes: bool = True
    ) -> tuple[NDArray[np.uint32], NDArray[np.float64] | None, NDArray[np.uint32]]:
        """Return class codes, weights and indices of the rows with a weight above zero."""
        return code_rows(
            self.model,
            labels.values,
            labels.codes,
            labels.weight,
            learns=learns,
            what=f"y of {self._what}",
            weighted_classes=weighted_classes,
        )

    def learn_schema(self, features: _Features) -> None:
        """Read the features for the first time, and set the table schema of the model."""
        features.read_sample()
        self.model.table_schema_ = features.schema()

    def raw(self, batch: Batch) -> RawTable:
        """Return the features of a batch as columns."""
        try:
            return read_table(batch.table)
        except (TypeError, ValueError) as error:
            raise type(error)(f"{batch.where}: {error}") from error

    def bin(
        self,
        rows: NDArray[np.uint32],
        kept: NDArray[np.intp] | None,
        bins: _core.GbtBinnedRows,
        held: _core.GbtBinnedRows | None,
    ) -> None:
        """Read the features, and bin the rows."""
        schema, compute = self.model.table_schema_, self.model._compute()
        is_kept = None
        if kept is not None:
            is_kept = np.zeros(len(rows), dtype=bool)
            is_kept[kept] = True
        for batch in self.batches(self.columns, "bins"):
            raw = self.raw(batch)
            try:
                table: Any = schema.table(raw)
            except (TypeError, ValueError) as error:
                raise type(error)(f"{batch.where}: {error}") from error
            inside = _inside(rows, batch)
            at = rows[inside] - batch.first
            whole = len(at) == batch.table.num_rows
            if is_kept is None:
                bins.append(table if whole else _take(table, at), **compute)
                continue
            mask = is_kept[inside]
            bins.append(_take(table, at[mask]), **compute)
            assert held is not None
            held.append(_take(table, at[~mask]), **compute)


@dataclass
class _Categories:
    """The categories of a column, in the order of their first occurrence."""

    is_text: bool
    places: dict[Any, int] = field(default_factory=dict)
    # The sum of the weights of all rows of each category.
    weights: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    # How many times each category counts when bins are learned.
    counts: NDArray[np.uint64] = field(default_factory=lambda: np.zeros(0, np.uint64))

    def add(
        self,
        column: Categories,
        rows: NDArray[np.intp],
        weight: NDArray[np.float64] | None,
        repetitions: NDArray[np.uint32],
    ) -> None:
        """Add rows, each counted as many times as its entry in ``repetitions``."""
        places = self.places
        numbers = [places.setdefault(value, len(places)) for value in column.values]
        codes = np.array([*numbers, -1], dtype=np.intp)[column.codes[rows]]
        present = codes >= 0
        codes = codes[present]
        more = len(places) - len(self.weights)
        # The old sums come first, so that weights are added in the order of all rows.
        old = np.concatenate([self.weights, np.zeros(more)])
        ones = np.ones(len(codes)) if weight is None else weight[present]
        numbered = np.concatenate([np.arange(len(places)), codes])
        self.weights = np.bincount(numbered, np.concatenate([old, ones])).astype(np.float64)
        added = np.bincount(codes, repetitions[present], minlength=len(places))
        counts = np.concatenate([self.counts, np.zeros(more, np.uint64)])
        self.counts = counts + added.astype(np.uint64)


class _Features:
    """The sample and the categories that are learned from the features of the training rows."""

    def __init__(
        self,
        reading: _Reading,
        rows: NDArray[np.uint32],
        weight: NDArray[np.float64] | None,
        kept: NDArray[np.intp],
    ) -> None:
        self._reading, self._rows, self._weight, self._kept = reading, rows, weight, kept
        # The samples for the cut points and for the search, as indices into `rows`.
        self._for_bins = sampled(kept)
        whole = len(kept) == len(rows)
        self._for_search = self._for_bins if whole else sampled(np.arange(len(rows)))
        self._wanted = np.union1d(self._for_bins, self._for_search)
        self._pieces: list[Any] = []
        self._categories: dict[int, _Categories] = {}
        self._mask: NDArray[np.bool_] | None = None
        self._raw: RawTable | None = None
        kept_weight = _part(weight, kept)
        # How many times each row counts when bins are learned; held-out rows count zero times.
        self._repetitions = np.zeros(len(rows), dtype=np.uint32)
        self._repetitions[kept] = 1 if kept_weight is None else _core.gbt_repetitions(kept_weight)

    def read_sample(self) -> None:
        """Read all rows, keep those of the samples, and count categories."""
        import pyarrow as pa

        reading, wanted = self._reading, self._rows[self._wanted]
        learns = not hasattr(reading.model, "table_schema_")
        for batch in reading.batches(reading.columns, "cut points"):
            taken = wanted[_inside(wanted, batch)] - batch.first
            if len(taken):
                self._pieces.append(batch.table.take(pa.array(taken)))
            if learns:
                self._count(batch)
        table = pa.Table.from_batches(self._pieces).unify_dictionaries().combine_chunks()
        self._pieces = []
        self._raw = read_table(table, estimator=reading.model, reset=learns)

    def _count(self, batch: Batch) -> None:
        raw = self._reading.raw(batch)
        if self._mask is None:
            self._mask = self._learn_mask(raw)
        inside = _inside(self._rows, batch)
        rows = self._rows[inside].astype(np.intp) - batch.first
        weight = None if self._weight is None else self._weight[inside]
        for at, column in enumerate(raw.columns):
            is_text = isinstance(column, Categories)
            if not self._mask[at]:
                if is_text:
                    self._refuse_text(column, at, batch)
                continue
            categories = (
                column
                if isinstance(column, Categories)
                else _as_categories(self._without_missing(column))
            )
            counted = self._categories.setdefault(at, _Categories(is_text))
            counted.add(categories, rows, weight, self._repetitions[inside])

    def _refuse_text(self, column: Any, at: int, batch: Batch) -> None:
        """Raise the error of a column of text that is not categorical."""
        names = (self._reading.columns[at],)
        try:
            TableSchema((False,), (None,), np.nan, names).table(RawTable(names, None, [column]))
        except (TypeError, ValueError) as error:
            raise type(error)(f"{batch.where}: {error}") from error

    def _learn_mask(self, raw: RawTable) -> NDArray[np.bool_]:
        model, names = self._reading.model, self._reading.columns
        mask = categorical_mask(model.categorical_features, names, len(names))
        if mask is not None:
            return mask
        return np.array([isinstance(column, Categories) for column in raw.columns])

    def _without_missing(self, column: NDArray[Any]) -> NDArray[np.float64]:
        missing = check_missing(self._reading.model.missing)
        rule = TableSchema((False,), (None,), missing)
        # Zeros of both signs are one category.
        return np.asarray(rule.without_missing(column), dtype=np.float64) + 0.0

    def schema(self) -> TableSchema:
        """Return what is known of the columns, from all rows."""
        model, raw = self._reading.model, self._raw
        assert raw is not None and self._mask is not None
        columns = [
            Categories(np.empty(0, np.intp), list(self._categories[at].places))
            if at in self._categories and self._categories[at].is_text
            else column[:0]
            for at, column in enumerate(map(_as_numbers, raw.as_columns()))
        ]
        schema = TableSchema.learn(
            RawTable(raw.names, None, columns), self._mask, check_missing(model.missing)
        )
        counts = {
            at: [
                self._categories[at].weights[self._categories[at].places[value]] for value in known
            ]
            for at, known in enumerate(schema.categories)
            if known is not None
        }
        return schema.keep_counted(counts, model.max_bin)

    def sample_for_bins(self) -> tuple[Any, NDArray[np.uint32] | None, list[Any]]:
        """Return the sample for the cut points, its repetitions, and the category counts."""
        schema = self._reading.model.table_schema_
        at = np.searchsorted(self._wanted, self._for_bins)
        assert self._raw is not None
        table = _take(schema.table(self._raw), at)
        repeated = None if self._weight is None else self._repetitions[self._for_bins]
        return table, repeated, [self._counts(at, schema) for at in range(len(schema.categorical))]

    def _counts(self, at: int, schema: TableSchema) -> Any:
        if not schema.categorical[at]:
            return None
        counted = self._categories[at]
        known = schema.categories[at]
        if known is None:
            values = np.array(list(counted.places), dtype=np.float64)
            order = np.argsort(values, kind="stable")
            values, counts = values[order], counted.counts[order]
        else:
            values = np.arange(len(known), dtype=np.float64)
            counts = counted.counts[[counted.places[value] for value in known]]
        return np.ascontiguousarray(values[counts > 0]), np.ascontiguousarray(counts[counts > 0])

    def search_sample(self, codes: NDArray[np.uint32]) -> BoostingRows:
        """Return the rows on which the number of rounds is searched."""
        at = np.searchsorted(self._wanted, self._for_search)
        assert self._raw is not None
        table = _take(self._reading.model.table_schema_.table(self._raw), at)
        rows = self._for_search
        return BoostingRows(table, codes[rows], _part(self._weight, rows), None)


class _Progress:
    """Printed lines and callbacks that report how many rows were read."""

    def __init__(self, model: GBT, doing: str, what: str, n_rows: int | None) -> None:
        self._verbose = bool(model.verbose)
        self._listeners = [
            callback.on_reading
            for callback in model.callbacks or ()
            if hasattr(callback, "on_reading")
        ]
        self._doing, self._what, self._n_rows = doing, what, n_rows
        self._printed = time.monotonic()

    def rows(self, n_rows: int) -> None:
        """Report how many rows have been read."""
        record = {"reading": self._doing, "rows": n_rows, "n_rows": self._n_rows}
        for listener in self._listeners:
            listener(record)
        now = time.monotonic()
        if self._verbose and (
            n_rows == self._n_rows or now - self._printed > _SECONDS_BETWEEN_LINES
        ):
            self._printed = now
            of = "" if self._n_rows is None else f" of {self._n_rows:,}"
            print(f"{self._what}: {self._doing}: {n_rows:,}{of} rows", flush=True)


def _as_categories(column: NDArray[np.float64]) -> Categories:
    values, codes = np.unique(column, return_inverse=True)
    is_nan = np.isnan(values)
    return Categories(np.where(is_nan[codes], -1, codes), values[~is_nan].tolist())


def _as_numbers(column: Any) -> Any:
    return column.codes if isinstance(column, Categories) else column


def _part(values: Any, at: NDArray[Any]) -> Any:
    return None if values is None else values[at]


def _take(table: Any, at: NDArray[Any]) -> Any:
    if isinstance(table, list):
        return [np.ascontiguousarray(column[at]) for column in table]
    return np.ascontiguousarray(table[at])


def _inside(rows: NDArray[Any], batch: Batch) -> slice:
    """Return the slice of ascending row indices that lie in a batch."""
    last = batch.first + batch.table.num_rows
    first, after = np.searchsorted(rows, [batch.first, last])
    return slice(int(first), int(after))
