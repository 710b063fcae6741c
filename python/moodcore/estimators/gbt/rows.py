"""Training and evaluation rows of boosting in the form that the core takes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import KFold, StratifiedKFold

from moodcore import _core
from moodcore.estimators.base import class_factors
from moodcore.estimators.rows import hold_out, readable
from moodcore.estimators.table_schema import Table, row_count, take_rows

if TYPE_CHECKING:
    from moodcore.estimators.gbt.estimator import GBT

# Squares of sums of gradients must not overflow.
_LARGEST_TOTAL = 1e100


@dataclass(frozen=True)
class BoostingRows:
    """A table, class codes, weights and base margins; all weights are above zero."""

    table: Table
    # Positions in ``classes_``.
    y: NDArray[np.uint32]
    weight: NDArray[np.float64] | None
    # Of shape (n_rows, n_outputs).
    margin: NDArray[np.float64] | None

    @classmethod
    def of(
        cls,
        table: Table,
        codes: NDArray[Any],
        weight: NDArray[np.float64] | None,
        margin: NDArray[np.float64] | None,
    ) -> Self:
        """Convert to the types of the core, and leave out rows with zero weight."""
        y = readable(codes, np.uint32)
        if weight is not None:
            weight = readable(weight, np.float64)
            check_total(weight)
        rows = cls(table, y, weight, margin)
        if weight is None or (weight > 0).all():
            return rows
        return rows.part(np.flatnonzero(weight > 0))

    @property
    def n_rows(self) -> int:
        """The number of rows."""
        return len(self.y)

    @property
    def sample(self) -> Self:
        """The rows from which cut points are learned."""
        sampled = _core.gbt_sampled_rows(self.n_rows)
        return self if sampled is None else self.part(sampled)

    def arrays(
        self,
    ) -> tuple[Table, NDArray[np.uint32], NDArray[np.float64] | None, NDArray[np.float64] | None]:
        """Return the four arguments of the core."""
        return self.table, self.y, self.weight, self.margin

    def part(self, at: NDArray[Any]) -> Self:
        """Return some of the rows."""
        weight = None if self.weight is None else self.weight[at]
        margin = None if self.margin is None else self.margin[at]
        return type(self)(take_rows(self.table, at), self.y[at], weight, margin)

    def split(self, fraction: float, seed: int) -> tuple[Self, Self]:
        """Hold out a fraction of the rows (see `hold_out`)."""
        kept, held = hold_out(self.y, fraction, seed)
        return self.part(kept), self.part(held)

    def folds(self, n_folds: int, seed: int) -> list[tuple[Self, Self]]:
        """Hold out each of several folds in turn, stratified if the classes have enough rows."""
        counts = np.bincount(self.y)
        fits = counts[counts > 0].min() >= n_folds
        folds = (StratifiedKFold if fits else KFold)(n_folds, shuffle=True, random_state=seed)
        return [(self.part(kept), self.part(held)) for kept, held in folds.split(self.y, self.y)]


def check_total(weight: NDArray[np.float64]) -> None:
    """Raise a ValueError if row weights sum to too much."""
    with np.errstate(over="ignore"):
        total = weight.sum()
    if total > _LARGEST_TOTAL:
        raise ValueError(
            "row weights (sample_weight times class_weight) must sum to at most 1e100, "
            f"got {total:.3g}; scale them"
        )


def code_rows(
    model: "GBT",
    values: NDArray[Any],
    codes: NDArray[np.uint32],
    weight: NDArray[np.float64] | None,
    *,
    learns: bool,
    what: str = "y",
    weighted_classes: bool = True,
) -> tuple[NDArray[np.uint32], NDArray[np.float64] | None, NDArray[np.uint32]]:
    """Return class codes, weights and indices of the rows with a weight above zero.

    ``codes`` are the positions of the rows' labels in ``values``, the distinct ones. With
    ``learns``, they become the classes of the model.
    """
    rows = np.arange(len(codes), dtype=np.uint32)
    if weight is not None and not (weight > 0).all():
        rows = rows[weight > 0]
        if not len(rows):
            raise ValueError("sample_weight must be above zero in at least one row, got none")
        codes, weight = codes[rows], weight[rows]
    present = np.unique(codes)
    places = np.zeros(len(values), dtype=np.uint32)
    if learns:
        places[present] = model._learn_classes(values[present], len(codes))
    else:
        places[present] = model._known_codes(values[present], what)
    codes = places[codes]
    if weighted_classes:
        weight = class_weighted(model, codes, weight)
    if weight is not None:
        check_total(weight)
        if not (weight > 0).all():
            kept = weight > 0
            rows, codes, weight = rows[kept], codes[kept], weight[kept]
    return codes, weight, rows


def sampled(rows: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return those of the rows from which cut points are learned."""
    sample = _core.gbt_sampled_rows(len(rows))
    return rows if sample is None else rows[sample]


def class_weighted(
    model: "GBT", codes: NDArray[Any], weight: NDArray[np.float64] | None
) -> NDArray[np.float64] | None:
    """Multiply row weights by those of the classes, of which ``codes`` are the positions."""
    if model.class_weight is None:
        return weight
    present = np.unique(codes)
    factors = np.ones(len(model.classes_))
    if isinstance(model.class_weight, Mapping):
        named = model.classes_[present]
        factors[present] = class_factors(model.class_weight, named, named, None)
    else:
        factors[present] = class_factors(model.class_weight, present, codes, weight)
    return factors[codes] if weight is None else weight * factors[codes]


def read_margin(margin: Any, n_rows: int, n_outputs: int) -> NDArray[np.float64] | None:
    """Check base margins, of shape (n_rows,) or (n_rows, n_outputs).

    Raises
    ------
    ValueError
        If the shape is another, or a value is not finite.
    """
    if margin is None:
        return None
    array = readable(margin, np.float64)
    if array.ndim == 1 and n_outputs == 1:
        array = array[:, np.newaxis]
    if array.shape != (n_rows, n_outputs):
        raise ValueError(
            f"base_margin must be of shape {(n_rows, n_outputs)}, got {np.shape(margin)}"
        )
    if not np.isfinite(array).all():
        raise ValueError("base_margin must be finite")
    return array


def drop_weightless(
    table: Table,
    labels: NDArray[Any],
    weight: NDArray[np.float64] | None,
    margin: Any,
) -> tuple[Table, NDArray[Any], NDArray[np.float64] | None, Any]:
    """Leave out rows with zero weight; a ValueError if no row is left."""
    if weight is None:
        return table, labels, weight, margin
    kept = weight > 0
    if not kept.any():
        raise ValueError("sample_weight must be above zero in at least one row, got none")
    if kept.all():
        return table, labels, weight, margin
    at = np.flatnonzero(kept)
    if margin is not None and len(margin) == row_count(table):
        margin = np.asarray(margin)[at]
    return take_rows(table, at), labels[at], weight[at], margin
