"""Thresholds rounded so that the same rows pass in another library's precision.

Our trees send a value left when it is at most a number of double precision. XGBoost rounds values
to single precision and sends them left when they are below a number of single precision.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def below_of(threshold: ArrayLike) -> NDArray[np.float32]:
    """Give the number t for which ``x < t`` says the same as ``x <= threshold``.

    For every x of single precision.

    Parameters
    ----------
    threshold : array-like of float64
        Not NaN.

    Returns
    -------
    ndarray of float32
        The least number of single precision above the threshold, or infinity.

    Examples
    --------
    >>> float(below_of(1.0)) > 1.0, float(below_of(0.1)) == float(np.float32(0.1))
    (True, True)
    """
    wanted = np.asarray(threshold, dtype=np.float64)
    with np.errstate(over="ignore"):
        single = wanted.astype(np.float32)
        above = np.nextafter(single, np.float32(np.inf))
    return np.where(single.astype(np.float64) <= wanted, above, single).astype(np.float32)


def at_most_of(below: ArrayLike) -> NDArray[np.float64]:
    """Give the threshold of ``float32(x) < below`` for x of double precision.

    Parameters
    ----------
    below : array-like of float32
        Above minus infinity.

    Returns
    -------
    ndarray of float64
        The largest number of double precision that rounds to a number below: half-way to the
        neighbour, where ties go to the even one (IEEE 754).

    Examples
    --------
    >>> bool(at_most_of(1.0) < 1.0), bool(np.float32(at_most_of(1.0)) < 1)
    (True, True)
    """
    upper = np.asarray(below, dtype=np.float32)
    with np.errstate(over="ignore"):
        lower = np.nextafter(upper, np.float32(-np.inf))
    # Beyond the largest number stands, for rounding, the next power of two.
    top = np.where(np.isinf(upper), 2.0**128, upper.astype(np.float64))
    middle = lower.astype(np.float64) / 2 + top / 2
    is_even = upper.view(np.uint32) % 2 == 0
    return np.where(is_even, np.nextafter(middle, -np.inf), middle)
