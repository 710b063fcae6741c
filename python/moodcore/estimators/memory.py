"""Checks of the available memory."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

# Measured: weights, velocities, gradients and copies; the rows come in addition.
_BYTES_PER_WEIGHT = 40
# The core refuses larger networks.
_MOST_WEIGHTS = 2**28


def check_network_memory(n_features: int, hidden_sizes: Sequence[int], n_classes: int) -> None:
    """Raise a `MemoryError` unless a network of that shape can be trained in memory."""
    n_weights = sum(a * b for a, b in pairwise([n_features, *hidden_sizes, n_classes]))
    if n_weights <= _MOST_WEIGHTS:
        widths = ", ".join(map(str, hidden_sizes))
        check_memory(
            _BYTES_PER_WEIGHT * n_weights, f"training a network of hidden_sizes ({widths})"
        )


def check_memory(n_bytes: int, what: str) -> None:
    """Raise an error that can be caught; out of memory, the core would end the process.

    Parameters
    ----------
    n_bytes : int
        The memory needed at once.
    what : str
        The subject of the message.

    Raises
    ------
    MemoryError
        If this process cannot allocate it.

    Examples
    --------
    >>> check_memory(2**62, "training")
    Traceback (most recent call last):
        ...
    MemoryError: training needs about 4294967296.0 GiB at once, more than there is
    """
    try:
        # Reserved and freed: no page is touched.
        np.empty(n_bytes, dtype=np.uint8)
    except MemoryError:
        raise MemoryError(
            f"{what} needs about {n_bytes / 2**30:.1f} GiB at once, more than there is"
        ) from None
