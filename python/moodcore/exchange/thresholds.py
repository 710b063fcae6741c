"""Thresholds rounded so that the same rows pass in another library's precision.

Our trees send a value left when it is at most a number of double precision. XGBoost rounds values
to single precision and sends them left when they are below a number of single precision.
"""

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Dtype = Literal["float64", "float32"]


def below_of(threshold: ArrayLike, *, dtype: Dtype = "float32") -> NDArray[np.float32]:
    """Give the number t for which ``float32(x) < t`` says the same as ``x <= threshold``.

    There are many numbers of double precision that round to the same of single, on either side of
    the threshold, and t has to send all of them one way.

    Parameters
    ----------
    threshold : array-like of float64
        Not NaN.
    dtype : {"float32", "float64"}, default="float32"
        What x is. For every x of single precision the answer is right. Of double precision it is
        for all but those that round to the same as the threshold; among these it is for the one
        of the fewest decimals, as in a table of measures with up to six digits.

    Returns
    -------
    ndarray of float32

    Examples
    --------
    >>> float(below_of(1.0)) > 1.0, float(below_of(0.1)) == float(np.float32(0.1))
    (True, True)
    >>> float(below_of(0.1, dtype="float64")) > float(np.float32(0.1))
    True
    """
    wanted = np.asarray(threshold, dtype=np.float64)
    with np.errstate(over="ignore"):
        single = wanted.astype(np.float32)
        above = np.nextafter(single, np.float32(np.inf))
    meant = single.astype(np.float64)
    if dtype == "float64":
        # NumPy writes the fewest digits that give the number again.
        meant = np.array([float(str(one)) for one in single.ravel()]).reshape(single.shape)
    return np.where(meant <= wanted, above, single).astype(np.float32)


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
