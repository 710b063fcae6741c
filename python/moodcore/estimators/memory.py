"""Check of the available memory."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

# Weights, the optimizer's means, gradients and copies; the rows come in addition. Measured with two
# threads: 50 for SGD and 70 for Adam, rounded up for the gradients of more threads.
_BYTES_PER_WEIGHT = 80
# The core refuses larger networks.
_MOST_WEIGHTS = 2**28


def check_network_memory(sizes: Sequence[int], n_networks: int) -> None:
    """Raise a `MemoryError`, which can be caught, where the core would end the process.

    Parameters
    ----------
    sizes : sequence of int
        Number of features, neurons of each hidden layer, number of classes.
    n_networks : int
        Number of networks of these sizes.

    Examples
    --------
    >>> check_network_memory((12, 16, 16, 4), 2)
    """
    n_weights = n_networks * sum(a * b for a, b in pairwise(sizes))
    n_bytes = _BYTES_PER_WEIGHT * n_weights
    try:
        # Reserved and freed: no page is touched.
        np.empty(n_bytes if n_weights <= _MOST_WEIGHTS else 0, dtype=np.uint8)
    except MemoryError:
        widths = ", ".join(map(str, sizes[1:-1]))
        networks = "a network" if n_networks == 1 else f"{n_networks} networks"
        raise MemoryError(
            f"training {networks} of hidden_sizes ({widths}) needs about {n_bytes / 2**30:.1f} GiB "
            "at once, more than there is"
        ) from None
