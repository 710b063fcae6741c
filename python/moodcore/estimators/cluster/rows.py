"""Classes, weights, columns and bins, which are learned from all rows before training.

Labels and weights are collected in the client, a few bytes per row, so that everything that depends
on them is computed as for a table in memory: class weights, held-out rows, and sums of weights in
the order of the rows. Features stay on the workers, except for the rows from which cut points are
learned.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moodcore import _core
from moodcore.estimators.cluster.parts import (
    PartColumns,
    PartRows,
    bins_of,
    category_codes,
    columns_of,
    concatenated,
    margin_of,
    table_of,
)
from moodcore.estimators.gbt.estimator import GBT
from moodcore.estimators.gbt.labels import Labels
from moodcore.estimators.gbt.options import categorical_mask, check_missing, validation_share
from moodcore.estimators.gbt.rows import BoostingRows, code_rows, sampled
from moodcore.estimators.gbt.streamed import BinnedRows
from moodcore.estimators.rows import hold_out, readable
from moodcore.estimators.table_columns import Categories
from moodcore.estimators.table_schema import TableSchema
from moodcore.estimators.tables import RawTable

# Calls a function with each part, on the worker that has it; the arguments are one per part, or
# the same for all.
Mapped = Callable[..., list[Any]]

# The maximum number of rows: the core stores row indices in 32 bits.
_MOST_ROWS = 2**32 - 1


@dataclass(frozen=True)
class ClusterRows:
    """The training rows of all parts, without their features.

    Attributes
    ----------
    codes : ndarray of uint32
        Class codes of the rows with a weight above zero, part after part.
    weight : ndarray of float64 or None
    rows : ndarray of int
        Indices of these rows among all rows of the collection.
    ends : ndarray of int
        For each part, the number of rows up to its end.
    training : ndarray of int
        Indices into `codes` of the rows for training; the others are held out.
    has_margins : bool
        Whether the parts have base margins.
    """

    codes: NDArray[np.uint32]
    weight: NDArray[np.float64] | None
    rows: NDArray[np.intp]
    ends: NDArray[np.intp]
    training: NDArray[np.intp]
    has_margins: bool = False

    @property
    def held_out(self) -> NDArray[np.intp]:
        """Indices into `codes` of the held-out rows."""
        is_held = np.ones(len(self.codes), dtype=bool)
        is_held[self.training] = False
        return np.flatnonzero(is_held)

    def of_parts(self, at: NDArray[np.intp]) -> list[NDArray[np.intp]]:
        """Split ascending indices into `codes` by part; return row indices within each part."""
        rows = self.rows[at]
        pieces = np.split(rows, np.searchsorted(rows, self.ends[:-1]))
        starts = np.concatenate([[0], self.ends[:-1]])
        return [piece - start for piece, start in zip(pieces, starts, strict=True)]

    def part_rows(self) -> list[PartRows]:
        """Return the rows with a weight above zero for each part."""
        pieces = self.of_parts(np.arange(len(self.codes)))
        cuts = np.cumsum([len(piece) for piece in pieces])[:-1]
        repetitions = self.repetitions()
        split = [
            [None] * len(pieces) if values is None else np.split(values, cuts)
            for values in (self.weight, repetitions)
        ]
        sizes = np.diff(self.ends, prepend=0)
        return [
            PartRows(None if len(kept) == size else kept, *values)
            for kept, size, *values in zip(pieces, sizes, *split, strict=True)
        ]

    def repetitions(self) -> NDArray[np.uint32] | None:
        """Return how many times each row counts when bins are learned, 0 for held-out rows."""
        if self.weight is None and len(self.training) == len(self.codes):
            return None
        counted = np.zeros(len(self.codes), dtype=np.uint32)
        counted[self.training] = (
            1 if self.weight is None else _core.gbt_repetitions(self.weight[self.training])
        )
        return counted

    def totals(self, n_classes: int) -> dict[str, Any]:
        """Return the totals over all training rows that every worker needs."""
        codes, weight = self.codes[self.training], self.weight
        weight = None if weight is None else weight[self.training]
        # Sums in the order of the rows, as the core adds them.
        by_class = np.bincount(codes, weight, minlength=n_classes)
        total = len(codes) if weight is None else np.add.accumulate(weight)[-1]
        return {
            "n_rows": len(codes),
            "largest_weight": None if weight is None else float(weight.max()),
            "whole_weights": weight is None or bool((weight == np.floor(weight)).all()),
            "weight": float(total),
            "class_weights": by_class.astype(np.float64).tolist(),
        }


def learn_labels(model: GBT, parts: Sequence[Labels], *, learns: bool) -> ClusterRows:
    """Collect the labels and weights of all parts; with ``learns``, set the model's classes."""
    sizes = [part.n_rows for part in parts]
    if not 0 < sum(sizes) <= _MOST_ROWS:
        raise ValueError(f"X must have from 1 to {_MOST_ROWS} rows, got {sum(sizes)}")
    values = np.unique(np.concatenate([part.values for part in parts if part.n_rows]))
    codes = np.concatenate(
        [np.searchsorted(values, part.values)[part.codes] for part in parts if part.n_rows]
    ).astype(np.uint32)
    weights = [part.weight for part in parts if part.weight is not None]
    weight = np.concatenate(weights) if weights else None
    codes, weight, rows = code_rows(model, values, codes, weight, learns=learns)
    return ClusterRows(codes, weight, rows.astype(np.intp), np.cumsum(sizes), np.arange(len(codes)))


def hold_rows_out(model: GBT, rows: ClusterRows) -> ClusterRows:
    """Hold out the same rows as a fit in memory."""
    share = validation_share(model.validation_fraction)
    kept, _ = hold_out(rows.codes, share, model.seed_ % 2**32)
    return replace(rows, training=kept)


def learn_columns(model: GBT, rows: ClusterRows, mapped: Mapped) -> list[Any]:
    """Set the table schema of the model; return the counts of categories for the bins."""
    names = _names(model)
    listed = None if names is None else list(names)
    mask = categorical_mask(model.categorical_features, listed, model.n_features_in_)
    missing = check_missing(model.missing)
    part_rows = rows.part_rows()
    described = mapped(columns_of, part_rows, names=names, mask=mask, missing=missing)
    present: list[PartColumns] = [batch for part in described for batch in part]
    kinds = _common_kinds(model, present)
    if mask is None:
        mask = np.array([kind == "category" for kind in kinds])
    values: dict[int, list[Any]] = {
        at: list(dict.fromkeys(v for part in present for v in part.values.get(at, [])))
        for at in np.flatnonzero(mask).tolist()
    }
    columns = [
        Categories(np.empty(0, np.intp), values.get(at, [])) if kind == "category" else np.empty(0)
        for at, kind in enumerate(kinds)
    ]
    raw = RawTable(names, None, columns)
    for at in range(len(columns)):
        if kinds[at] == "category" and not mask[at]:
            # Text in a column that is not categorical: raise the error of a table in memory.
            table = RawTable(None if names is None else (names[at],), None, [columns[at]])
            TableSchema((False,), (None,), missing, table.names).table(table)
    schema = TableSchema.learn(raw, mask, missing)
    sums = {
        at: _summed([(part.values[at], part.weights[at]) for part in present if at in part.values])
        for at in values
    }
    for at, known in enumerate(schema.categories):
        many = known is not None and len(known) > model.max_bin
        if many and rows.weight is not None:
            # Sums of real weights depend on the order in which they are added.
            codes = mapped(category_codes, part_rows, names=names, at=at, known=values[at])
            row_codes = np.concatenate(codes)
            total = np.bincount(
                row_codes[row_codes >= 0], rows.weight[row_codes >= 0], minlength=len(values[at])
            )
            sums[at] = dict(zip(values[at], total.tolist(), strict=True))
    known_sums = {
        at: [sums[at].get(value, 0.0) for value in known]
        for at, known in enumerate(schema.categories)
        if known is not None
    }
    model.table_schema_ = schema.keep_counted(known_sums, model.max_bin)
    counts = {
        at: _summed([(part.values[at], part.counts[at]) for part in present if at in part.values])
        for at in values
    }
    return [
        _bin_counts(counts[at], model.table_schema_.categories[at]) if mask[at] else None
        for at in range(len(columns))
    ]


def _names(model: GBT) -> tuple[Any, ...] | None:
    names = getattr(model, "feature_names_in_", None)
    return None if names is None else tuple(names.tolist())


def _common_kinds(model: GBT, parts: Sequence[PartColumns]) -> list[str]:
    """Return the kind of each column; a ValueError if partitions disagree."""
    common = []
    for at, kinds in enumerate(zip(*(part.kinds for part in parts), strict=True)):
        different = set(kinds) & {"number", "category"}
        if len(different) > 1:
            name = at if (names := _names(model)) is None else names[at]
            numbers, categories = (parts[kinds.index(kind)] for kind in ("number", "category"))
            raise ValueError(
                f"column {name!r} must hold numbers or categories in all partitions, got numbers "
                f"in {numbers.where} and categories in {categories.where}; convert it to one type"
            )
        if not different:
            different = {"category" if "categories missing" in kinds else "number"}
        common.append(different.pop())
    return common


def _summed(parts: Sequence[tuple[list[Any], NDArray[Any]]]) -> dict[Any, Any]:
    """Add up the counts of categories."""
    sums: dict[Any, Any] = {}
    for values, counts in parts:
        for value, count in zip(values, counts.tolist(), strict=True):
            sums[value] = sums.get(value, 0) + count
    return sums


def _bin_counts(
    counts: dict[Any, int], known: list[Any] | None
) -> tuple[NDArray[np.float64], NDArray[np.uint64]]:
    """Return the codes of the categories that occur, ascending, and their counts."""
    if known is None:
        codes = np.array(sorted(counts), dtype=np.float64)
        sums = np.array([counts[code] for code in sorted(counts)], dtype=np.uint64)
    else:
        codes = np.arange(len(known), dtype=np.float64)
        sums = np.array([counts[value] for value in known], dtype=np.uint64)
    return np.ascontiguousarray(codes[sums > 0]), np.ascontiguousarray(sums[sums > 0])


@dataclass(frozen=True)
class Sample:
    """The sampled rows for cut points, and those for the search of "auto" values.

    It implements the protocol that `moodcore.estimators.gbt.auto.resolve` takes.
    """

    for_bins: BoostingRows
    repetitions: NDArray[np.uint32] | None
    sample: BoostingRows
    n_rows: int


def take_sample(model: GBT, rows: ClusterRows, mapped: Mapped) -> Sample:
    """Collect the sampled rows in the client."""
    everything = np.arange(len(rows.codes))
    for_bins, for_search = sampled(rows.training), sampled(everything)
    wanted = np.union1d(for_bins, for_search)
    both = _collected(model, rows, wanted, mapped)
    repetitions = rows.repetitions()
    # Only weights make rows count differently: all rows of the sample are trained on.
    counted = None if repetitions is None or rows.weight is None else repetitions[for_bins]
    return Sample(
        both.part(np.searchsorted(wanted, for_bins)),
        counted,
        both.part(np.searchsorted(wanted, for_search)),
        len(rows.codes),
    )


@dataclass(frozen=True)
class BinnedSet:
    """The held-out rows of all parts, binned by the workers: one byte per cell.

    Attributes
    ----------
    bins : ndarray of uint8, shape (n_features, n_rows)
    y : ndarray of uint32
        Class codes.
    weight : ndarray of float64 or None
    margin : ndarray of float64 or None
    """

    bins: NDArray[np.uint8]
    y: NDArray[np.uint32]
    weight: NDArray[np.float64] | None
    margin: NDArray[np.float64] | None

    def rows(self, bins: _core.GbtModel) -> BinnedRows:
        """Return the rows in the form of the core; ``bins`` is the model with their bins."""
        binned = _core.GbtBinnedRows.of_model(bins, len(self.y))
        binned.append_bins(readable(self.bins))
        weight, margin = (
            None if values is None else readable(values) for values in (self.weight, self.margin)
        )
        return BinnedRows(binned, readable(self.y), weight, len(self.y), margin=margin)


def held_out_rows(model: GBT, rows: ClusterRows, mapped: Mapped, bins: _core.GbtModel) -> BinnedSet:
    """Collect the bins of the held-out rows in the client, which sends them to the first worker."""
    at = rows.held_out
    parts = mapped(
        bins_of, rows.of_parts(at), names=_names(model), schema=model.table_schema_, bins=bins
    )
    weight = None if rows.weight is None else rows.weight[at]
    margin = _margins(model, rows, at, mapped)
    return BinnedSet(np.concatenate(parts, axis=1), rows.codes[at], weight, margin)


def _collected(model: GBT, rows: ClusterRows, at: NDArray[np.intp], mapped: Mapped) -> BoostingRows:
    tables = mapped(table_of, rows.of_parts(at), names=_names(model), schema=model.table_schema_)
    weight = None if rows.weight is None else rows.weight[at]
    margin = _margins(model, rows, at, mapped)
    return BoostingRows(concatenated(tables), rows.codes[at], weight, margin)


def _margins(
    model: GBT, rows: ClusterRows, at: NDArray[np.intp], mapped: Mapped
) -> NDArray[np.float64] | None:
    if not rows.has_margins:
        return None
    kept = [part.kept for part in rows.part_rows()]
    margins = mapped(margin_of, rows.of_parts(at), kept, n_outputs=model._n_outputs)
    return np.concatenate(margins)
