"""Conversion of thresholds, so that trees give the same results without scaling or in float32.

Our trees send a value left if it is at most a number of double precision. XGBoost rounds values
to single precision and sends them left if they are below a number of single precision.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from moodcore.exchange.forest import Forest
from moodcore.exchange.steps import (
    Computation,
    Encode,
    MissingValue,
    Scale,
    Select,
    Standardize,
    Step,
)

Dtype = Literal["float64", "float32"]
_SIGN = np.int64(-(2**63))


def below_of(threshold: ArrayLike, *, dtype: Dtype = "float32") -> NDArray[np.float32]:
    """Return the number t for which ``float32(x) < t`` is equivalent to ``x <= threshold``.

    Many numbers of double precision round to the same one of single precision, on either side of
    the threshold, and t has to send all of them to one side. For x of single precision (``dtype``)
    the result is exact. For x of double precision it is exact for all but those that round to the
    same number as the threshold; among these it is exact for the one of the fewest decimals, as in
    a table of measurements with up to six digits.
    """
    wanted = np.asarray(threshold, dtype=np.float64)
    with np.errstate(over="ignore"):
        single = wanted.astype(np.float32)
        above = np.nextafter(single, np.float32(np.inf))
    meant = single.astype(np.float64)
    if dtype == "float64":
        # NumPy writes the fewest digits that restore the number.
        meant = np.array([float(str(value)) for value in single.ravel()]).reshape(single.shape)
    return np.where(meant <= wanted, above, single).astype(np.float32)


def check_single_precision(forest: Forest, names: Sequence[str]) -> None:
    """Refuse trees whose splits rows of double precision lose when they are rounded to single.

    A split is safe if no two numbers on its two sides round to the same one, or if the column has
    values that single precision tells apart: of up to six digits, or whole numbers below 2**24;
    `below_of` then separates them. Elsewhere the share of rows that a split can lose is about the
    distance of neighboring numbers of single precision, divided by that of neighboring thresholds.

    Raises
    ------
    ValueError
        If the splits of a column can lose more than one in a thousand of its rows.
    """
    splits = [(tree.feature[tree.is_numeric_split], tree.threshold[tree.is_numeric_split])
              for tree in forest.trees]  # fmt: skip
    features = np.concatenate([np.empty(0, np.int64), *(feature for feature, _ in splits)])
    thresholds = np.concatenate([np.empty(0), *(threshold for _, threshold in splits)])
    for column in np.unique(features).tolist():
        used = np.unique(thresholds[features == column])
        used = used[np.abs(used) <= np.finfo(np.float32).max]
        cuts = np.unique(np.append(used, forest.cuts.get(column, [])))
        unsafe = ~_is_safe(used)
        gaps = np.diff(cuts, prepend=-np.inf, append=np.inf)
        at = np.searchsorted(cuts, used)
        gap = np.minimum(gaps[at], gaps[at + 1])
        distance = np.spacing(np.abs(used).astype(np.float32)).astype(np.float64)
        lost = np.minimum(distance / gap, 1) * unsafe
        if lost.sum() > _MOST_LOST * len(used):
            worst = int(lost.argmax())
            raise ValueError(
                f"column {names[column]!r}: XGBoost rounds values to single precision, in which "
                f"numbers near {used[worst]:.8g} are {distance[worst]:.3g} apart, while thresholds "
                f"of the model are {gap[worst]:.3g} apart. Subtract a constant from the column "
                "before training, such as its mean; or pass dtype='float32' if rows come in single "
                "precision. ONNX, C and Rust files compare in double precision"
            )


# The largest share of a column's rows that its splits may lose.
_MOST_LOST = 1e-3


def _is_safe(threshold: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which thresholds single precision separates as double does."""
    single = threshold.astype(np.float32)
    with np.errstate(over="ignore"):
        is_boundary = np.nextafter(threshold, np.inf).astype(np.float32) != single
    is_whole = (threshold * 2 % 1 == 0) & (np.abs(threshold) < 2**24)
    # Half-way between two values of six digits.
    short = np.array([float(f"{value:.7g}") for value in threshold])
    is_short = np.abs(short - threshold) <= 4 * np.spacing(np.abs(threshold))
    return is_boundary | is_whole | is_short


def at_most_of(below: ArrayLike) -> NDArray[np.float64]:
    """Return the threshold of ``float32(x) < below`` for x of double precision.

    It is the largest number that rounds to one below: half-way to the neighbor, where ties go to
    the even one (IEEE 754).
    """
    upper = np.asarray(below, dtype=np.float32)
    with np.errstate(over="ignore"):
        lower = np.nextafter(upper, np.float32(-np.inf))
    # For rounding, the next power of two follows the largest number.
    ends = [np.clip(end.astype(np.float64), -(2.0**128), 2.0**128) for end in (lower, upper)]
    middle = ends[0] / 2 + ends[1] / 2
    is_even = upper.view(np.uint32) % 2 == 0
    return np.where(is_even, np.nextafter(middle, -np.inf), middle)


def unscaled_forest(computation: Computation) -> Forest:
    """Return trees that test the columns as they come in, for formats that hold trees alone.

    Scaling a column is a function that never decreases, also in floating point, where every
    operation rounds monotonically. So a row passes a test on the scaled value exactly if the
    value itself is at most the largest number that does.
    """
    forest = computation.classifier
    assert isinstance(forest, Forest)
    places = np.arange(len(computation.columns))
    scalings: list[tuple[Step, NDArray[Any]]] = []
    for step in computation.steps:
        if isinstance(step, Select):
            chosen = np.array(step.places)
            places = places[chosen]
            scalings = [(scaling, columns[chosen]) for scaling, columns in scalings]
        elif isinstance(step, Encode):
            raise ValueError(
                "this format cannot hold replaced missing values and encoded categories; export "
                "ONNX, C or Rust instead"
            )
        elif isinstance(step, Scale | Standardize):
            scalings.append((step, np.arange(len(places))))
        # A `MissingValue` is a parameter of the other program's prediction.
        elif isinstance(step, MissingValue) and scalings:
            raise ValueError(
                f"this format cannot hold missing={step.value:g} of trees behind a scaler; export "
                "ONNX, C or Rust instead"
            )
    trees = []
    for tree in forest.trees:
        feature, threshold = np.maximum(tree.feature, 0), tree.threshold.copy()
        numeric = tree.is_numeric_split
        if scalings:
            scale = _scaling(scalings, feature[numeric])
            threshold[numeric] = largest_at_most(scale, threshold[numeric])
        feature = np.where(tree.is_leaf, -1, places[feature])
        trees.append(replace(tree, feature=feature, threshold=threshold))
    cuts: dict[int, NDArray[np.float64]] = {}
    for column, values in forest.cuts.items():
        scale = _scaling(scalings, np.full(len(values), column))
        place = int(places[column])
        cuts[place] = np.append(cuts.get(place, values[:0]), largest_at_most(scale, values))
    return replace(forest, trees=trees, n_features=len(computation.columns), cuts=cuts)


def _scaling(
    scalings: Sequence[tuple[Step, NDArray[Any]]], columns: NDArray[Any]
) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    """Return the function that scales one value of each of ``columns``."""

    def scale(values: NDArray[np.float64]) -> NDArray[np.float64]:
        for step, places in scalings:
            at = places[columns]
            if isinstance(step, Scale):
                if (step.multiply[at] <= 0).any():
                    raise ValueError("a column is scaled by a factor that is not positive")
                values = values * step.multiply[at] + step.add[at]
                if step.limits is not None:
                    values = np.clip(values, *step.limits)
            elif isinstance(step, Standardize):
                if step.subtract is not None:
                    values = values - step.subtract[at]
                if step.divide is not None:
                    values = values / step.divide[at]
        return values

    return scale


def largest_at_most(
    function: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    limits: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the largest number whose value is at most the limit, for each limit.

    ``function`` never decreases. The result is minus infinity where every value is above.
    """
    low = np.full(limits.shape, _to_ordered(np.float64(-np.inf)))
    high = np.full(limits.shape, _to_ordered(np.float64(np.inf)))
    with np.errstate(over="ignore", invalid="ignore"):
        # Bisection over 64-bit patterns, which have the order of their numbers.
        for _ in range(64):
            middle = (low | high) - ((low ^ high) >> 1)
            passes = function(_from_ordered(middle)) <= limits
            low = np.where(passes, middle, low)
            high = np.maximum(np.where(passes, high, middle - 1), low)
    return _from_ordered(low)


def _to_ordered(value: Any) -> Any:
    """Convert numbers to integers of the same order."""
    bits = np.asarray(value, dtype=np.float64).view(np.int64)
    return np.where(bits < 0, _SIGN - bits, bits)


def _from_ordered(ordered: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.where(ordered < 0, _SIGN - ordered, ordered).view(np.float64)
