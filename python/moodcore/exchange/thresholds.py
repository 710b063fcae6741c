"""Thresholds of trees, moved so that the same rows pass without scaling or in single precision.

Our trees send a value left if it is at most a number of double precision. XGBoost rounds values
to single precision and sends them left if they are below a number of single precision.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from moodcore.exchange.computation import Computation, Encode, Scale, Select, Standardize, Step
from moodcore.exchange.forest import Forest

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
        # A `MissingValue` is a parameter of the other program's prediction.
        elif isinstance(step, Scale | Standardize):
            scalings.append((step, np.arange(len(places))))
    trees = []
    for tree in forest.trees:
        feature, threshold = np.maximum(tree.feature, 0), tree.threshold.copy()
        numeric = tree.is_numeric_split
        if scalings:
            scale = _scaling(scalings, feature[numeric])
            threshold[numeric] = largest_at_most(scale, threshold[numeric])
        feature = np.where(tree.is_leaf, -1, places[feature])
        trees.append(replace(tree, feature=feature, threshold=threshold))
    return replace(forest, trees=trees, n_features=len(computation.columns))


def _scaling(
    scalings: Sequence[tuple[Step, NDArray[Any]]], columns: NDArray[Any]
) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    """Return the function that scales one value of each of ``columns``."""

    def scale(values: NDArray[np.float64]) -> NDArray[np.float64]:
        for step, places in scalings:
            at = places[columns]
            if isinstance(step, Scale):
                if (step.multiply[at] <= 0).any():
                    raise ValueError("a column is scaled by a number that is not above zero")
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
