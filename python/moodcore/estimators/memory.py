"""Check of the available memory."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

# Weights, the optimizer's means, gradients and copies; the rows come in addition. Measured with two
# threads: 50 for SGD and 70 for Adam, rounded up for the gradients of more threads.
_BYTES_PER_WEIGHT = 80
# The core refuses larger networks.
_MOST_WEIGHTS = 2**28


def check_network_memory(n_features: int, hidden_sizes: Sequence[int], n_classes: int) -> None:
    """Raise a `MemoryError`, which can be caught, where the core would end the process.

    Examples
    --------
    >>> check_network_memory(12, (16, 16), 4)
    """
    n_weights = sum(a * b for a, b in pairwise([n_features, *hidden_sizes, n_classes]))
    n_bytes = _BYTES_PER_WEIGHT * n_weights
    try:
        # Reserved and freed: no page is touched.
        np.empty(n_bytes if n_weights <= _MOST_WEIGHTS else 0, dtype=np.uint8)
    except MemoryError:
        widths = ", ".join(map(str, hidden_sizes))
        raise MemoryError(
            f"training a network of hidden_sizes ({widths}) needs about {n_bytes / 2**30:.1f} GiB "
            "at once, more than there is"
        ) from None
