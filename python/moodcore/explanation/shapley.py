"""Interventional Shapley values of any function of a row, relative to a background.

The worth of a coalition of features is the mean of the function over the background rows in which
these features have the values of the row (Lundberg and Lee 2017). Up to `EXACT` features all
coalitions are evaluated; beyond, random orders of the features and their reverses are, each of
which adds up to the difference between the row and the background (Castro et al. 2009).
"""

from __future__ import annotations

from collections.abc import Callable
from math import comb

import numpy as np
from numpy.typing import NDArray

#: Features of which all coalitions are evaluated: 2 ** 11.
EXACT = 11
# Rows of a call of the function.
_ROWS = 65_536

Function = Callable[[NDArray[np.float64]], NDArray[np.float64]]


def shapley_values(
    function: Function,
    rows: NDArray[np.float64],
    background: NDArray[np.float64],
    features: NDArray[np.intp],
    *,
    n_samples: int | None = None,
    seed: int | None = None,
) -> NDArray[np.float64]:
    """Return the contribution of each feature to each output, for each row.

    Parameters
    ----------
    function : callable
        Takes rows, returns an array of shape (n_rows, n_outputs).
    rows, background : ndarray of float64, shape (n_rows, n_columns)
        The rows to explain, and those from whose mean contributions are measured.
    features : ndarray of int, shape (n_columns,)
        The feature that each column belongs to, counted from 0; its columns change together.
    n_samples : int or None, default=None
        Coalitions to evaluate per row; None evaluates all of them up to `EXACT` features, and
        2,048 plus two per feature beyond.
    seed : int or None, default=None
        Seed of the orders that are drawn.

    Returns
    -------
    ndarray of float64, shape (n_rows, n_features, n_outputs)

    Examples
    --------
    >>> row, background = np.array([[1.0, 2.0]]), np.zeros((1, 2))
    >>> shapley_values(lambda x: x[:, :1] * x[:, 1:], row, background, np.arange(2))[0, :, 0]
    array([1., 1.])
    """
    n_features = int(features.max()) + 1
    rng = np.random.default_rng(seed)

    def worth(row: NDArray[np.float64], coalitions: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Return the worth of each coalition, a row of truth values by feature."""
        parts = []
        step = max(1, _ROWS // len(background))
        for start in range(0, len(coalitions), step):
            known = coalitions[start : start + step, None, features]
            mixed = np.where(known, row, background)
            margins = function(mixed.reshape(-1, mixed.shape[2]))
            parts.append(margins.reshape(*mixed.shape[:2], -1).mean(axis=1))
        return np.concatenate(parts)

    if n_samples is None and n_features <= EXACT:
        return np.stack([_exact(worth, row, n_features) for row in rows])
    n_orders = max(1, (n_samples or 2048 + 2 * n_features) // (2 * n_features))
    return np.stack([_sampled(worth, row, n_features, n_orders, rng) for row in rows])


Worth = Callable[[NDArray[np.float64], NDArray[np.bool_]], NDArray[np.float64]]


def _exact(worth: Worth, row: NDArray[np.float64], n_features: int) -> NDArray[np.float64]:
    """Evaluate all coalitions (Shapley 1953)."""
    numbers = np.arange(2**n_features)
    coalitions = (numbers[:, None] >> np.arange(n_features)) % 2 == 1
    worths = worth(row, coalitions)
    sizes = coalitions.sum(axis=1)
    weights = np.array([1 / (n_features * comb(n_features - 1, k)) for k in range(n_features)])
    values = []
    for feature in range(n_features):
        without = np.flatnonzero(~coalitions[:, feature])
        gains = worths[without + 2**feature] - worths[without]
        values.append(weights[sizes[without]] @ gains)
    return np.array(values)


def _sampled(
    worth: Worth,
    row: NDArray[np.float64],
    n_features: int,
    n_orders: int,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Estimate from random permutations of the features and their reverses."""
    values: NDArray[np.float64] | None = None
    for _ in range(n_orders):
        drawn = rng.permutation(n_features)
        for order in (drawn, drawn[::-1]):
            place = np.argsort(order)
            gains = np.diff(worth(row, place < np.arange(n_features + 1)[:, None]), axis=0)[place]
            values = gains if values is None else values + gains
    assert values is not None, "there is at least one order"
    return values / (2 * n_orders)
