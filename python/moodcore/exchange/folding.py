"""Scaling taken into the thresholds of trees, for formats that hold trees alone.

A scaler is a function of one column that never falls, also in floating point, where every
operation rounds monotonically. So a row passes a test on the scaled value exactly when the value
itself is at most the largest number that does.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moodcore.exchange.computation import (
    Computation,
    Encode,
    MissingValue,
    Scale,
    Select,
    Standardize,
    Step,
)
from moodcore.exchange.forest import Forest

_SIGN = np.int64(-(2**63))


def folded_forest(computation: Computation) -> Forest:
    """Give trees that ask for the columns as they come in.

    Raises
    ------
    ValueError
        When a column is turned round, or a value stands for a missing one.
    """
    forest = computation.classifier
    assert isinstance(forest, Forest)
    places = np.arange(len(computation.columns))
    scalings: list[tuple[Step, NDArray[Any]]] = []
    for step in computation.steps:
        if isinstance(step, Select):
            chosen = np.array(step.places)
            places = places[chosen]
            scalings = [(before, own[chosen]) for before, own in scalings]
        elif isinstance(step, Encode):
            raise ValueError(
                "this format cannot hold replaced missing values and encoded categories; export "
                "ONNX, C or Rust instead"
            )
        elif isinstance(step, MissingValue):
            # The reader of the other program has a parameter for it.
            continue
        else:
            scalings.append((step, np.arange(len(places))))
    if not scalings and len(places) == len(computation.columns):
        return forest
    trees = []
    for tree in forest.trees:
        asked = np.maximum(tree.feature, 0)
        threshold = tree.threshold
        if scalings:
            plain = ~tree.is_leaf
            plain[list(tree.categories)] = False
            threshold = tree.threshold.copy()
            scale = _scaling(scalings, asked[plain])
            threshold[plain] = largest_at_most(scale, threshold[plain])
        feature = np.where(tree.is_leaf, -1, places[asked])
        trees.append(replace(tree, feature=feature, threshold=threshold))
    return replace(forest, trees=trees, n_features=len(computation.columns))


def _scaling(
    scalings: Sequence[tuple[Step, NDArray[Any]]], columns: NDArray[Any]
) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    """Give the function that scales a value of each of the columns."""

    def scale(values: NDArray[np.float64]) -> NDArray[np.float64]:
        for step, own in scalings:
            at = own[columns]
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
    """Give the largest number whose function is at most a limit, number by number.

    Parameters
    ----------
    function : callable
        Never falls; takes and gives as many numbers as there are limits.
    limits : ndarray of float64

    Returns
    -------
    ndarray of float64
        Minus infinity where even its function is above the limit.

    Examples
    --------
    >>> float(largest_at_most(lambda x: x * 2 + 1, np.array([5.0]))[0])
    2.0
    """
    low = np.full(limits.shape, _ordered(np.float64(-np.inf)))
    high = np.full(limits.shape, _ordered(np.float64(np.inf)))
    with np.errstate(over="ignore", invalid="ignore"):
        # Halving the range of 64-bit patterns, which are in the order of their numbers.
        for _ in range(64):
            middle = (low | high) - ((low ^ high) >> 1)
            passes = function(_number(middle)) <= limits
            low = np.where(passes, middle, low)
            high = np.where(passes, high, middle - 1)
            high = np.maximum(high, low)
    return _number(low)


def _ordered(value: Any) -> Any:
    """Give a whole number that sorts as the number does."""
    bits = np.asarray(value, dtype=np.float64).view(np.int64)
    return np.where(bits < 0, _SIGN - bits, bits)


def _number(ordered: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.where(ordered < 0, _SIGN - ordered, ordered).view(np.float64)
