"""One seed for every random choice, derived so that none depends on the order of work."""

from __future__ import annotations

from enum import IntEnum


class Stream(IntEnum):
    """What a seed is for."""

    SONGS = 0
    SPLIT = 1
    FOLDS = 2
    BALANCE = 3
    SAMPLER = 4
    FIT = 5
    REFIT = 6
    OPTIMIZERS = 7
    CHECKS = 8
    IMPORTANCE = 9
    COMPARISON = 20
    CURVE_ROWS = 21
    FEATURES = 30


def derive(seed: int, stream: Stream, *numbers: int) -> int:
    """Return the seed of one random choice, in [0, 2^32).

    Parameters
    ----------
    seed : int
        The seed of the run.
    stream : Stream
        What it is for.
    *numbers : int
        Which one of its kind, for example candidate and fold.

    Examples
    --------
    >>> derive(0, Stream.FIT, 3, 1) == derive(0, Stream.FIT, 3, 1)
    True
    >>> derive(0, Stream.FIT, 3, 1) == derive(0, Stream.FIT, 1, 3)
    False
    """
    # Here, so that --help does not import it.
    import numpy as np

    sequence = np.random.SeedSequence(seed, spawn_key=(int(stream), *numbers))
    return int(sequence.generate_state(1)[0])
