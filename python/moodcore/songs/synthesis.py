"""Songs made by a program, near to the real table in every published figure.

They stand in for the table where it cannot be had. They are not measurements, and nothing learned
from them is knowledge about music.

The songs of a class come in styles. A song is drawn in four steps, each row by itself:

1. its class, in exactly the proportions of the table, and within the class its style;
2. latent scores, normal around the means of the style, independent within it; loudness and
   acousticness then follow energy;
3. each score's quantile among all songs, by the distribution function of the mixture of styles,
   which is known in closed form, so that a row does not depend on how many others are drawn;
4. the feature, by the quantile function of its column (a Gaussian mixture copula; Tewari,
   Giering and Raghunathan 2011).

Step 4 gives each column its published distribution, whatever the styles are; the styles give
correlations and overlap. The numbers are in `moodcore.songs.calibration`.
"""

from __future__ import annotations

from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator
from scipy.special import ndtr, ndtri

from moodcore.songs.calibration import (
    DRAWN,
    FOLLOWS,
    NO_BEAT,
    QUANTILES,
    SPREAD,
    STYLES,
)
from moodcore.songs.schema import CLASS_COUNTS, DURATION, FEATURES, LABEL, N_SONGS

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.float64]

# The ends of a column stand this many standard deviations out, where the table's size puts them.
_END = 4.5


def synthesize(
    n_songs: int = N_SONGS,
    random_state: int | np.random.RandomState | np.random.Generator | None = None,
) -> tuple[pd.DataFrame, pd.Series[int]]:
    """Make songs that resemble the real table.

    Parameters
    ----------
    n_songs : int, default=277938
        How many, at least 1.
    random_state : int, RandomState, Generator or None, default=None
        Seed; None makes other songs each time.

    Returns
    -------
    X : DataFrame of float64, shape (n_songs, 11)
        Duration and the ten features, in the units and with the decimals of the table;
        ``X.attrs["synthetic"]`` is true.
    y : Series of int64, shape (n_songs,)
        Label codes, named "labels", in the proportions of the table.

    Raises
    ------
    ValueError
        If `n_songs` is less than 1, or the seed negative.
    TypeError
        If either is of another type.

    Examples
    --------
    >>> X, y = synthesize(2000, random_state=0)
    >>> y.value_counts().sort_index().tolist()
    [590, 766, 339, 305]
    >>> bool((X["spec_rate"] == X["speechiness"] / X["duration (ms)"]).all())
    True
    """
    import pandas as pd

    if isinstance(n_songs, bool) or not isinstance(n_songs, Integral):
        raise TypeError(f"n_songs must be an integer, got {n_songs!r}")
    if n_songs < 1:
        raise ValueError(f"n_songs must be at least 1, got {n_songs}")
    # Separate streams: the noise of row i is the same whatever the number of rows.
    order, style, noise = map(np.random.default_rng, _seed(random_state).spawn(3))
    y = order.permutation(np.repeat(np.arange(len(CLASS_COUNTS)), class_counts(int(n_songs))))
    scores = _scores(_styles(y, style.random(len(y))), noise)
    columns = {name: _values(name, scores[:, at]) for at, name in enumerate(DRAWN)}
    silent = scores[:, DRAWN.index("tempo")] < ndtri(NO_BEAT)
    for name in ("danceability", "speechiness", "valence", "tempo"):
        columns[name][silent] = 0.0
    columns["spec_rate"] = columns["speechiness"] / columns[DURATION]
    X = pd.DataFrame({name: columns[name] for name in (DURATION, *FEATURES)})
    X.attrs["synthetic"] = True
    return X, pd.Series(y, name=LABEL, dtype=np.int64)


def class_counts(n_songs: int) -> NDArray[np.int64]:
    """Divide songs among the classes as the table does, by the largest remainder.

    Parameters
    ----------
    n_songs : int
        How many.

    Returns
    -------
    ndarray of int64, shape (n_classes,)

    Examples
    --------
    >>> class_counts(10).tolist()
    [3, 4, 2, 1]
    """
    counts, remainders = np.divmod(np.array(CLASS_COUNTS) * n_songs, N_SONGS)
    left = n_songs - counts.sum()
    counts[np.argsort(-remainders, kind="stable")[:left]] += 1
    return counts


def _seed(random_state: Any) -> np.random.SeedSequence:
    if isinstance(random_state, np.random.RandomState):
        return np.random.SeedSequence(int(random_state.randint(2**31 - 1)))
    if isinstance(random_state, np.random.Generator):
        return np.random.SeedSequence(int(random_state.integers(2**63 - 1)))
    if random_state is None:
        return np.random.SeedSequence()
    if isinstance(random_state, bool) or not isinstance(random_state, Integral):
        raise TypeError(
            "random_state must be an integer, a RandomState, a Generator or None, "
            f"got {random_state!r}"
        )
    if random_state < 0:
        raise ValueError(f"random_state must be at least 0, got {random_state}")
    return np.random.SeedSequence(int(random_state))


def _styles(y: NDArray[np.int64], uniform: Array) -> NDArray[np.intp]:
    """Choose a style of each song's class; returns positions in STYLES."""
    # Styles in the order of their class: those before a class fill [0, class) of this scale.
    ends = np.cumsum([style.share for style in STYLES])
    return np.searchsorted(ends[:-1], y + uniform, side="right")


def _scores(styles: NDArray[np.intp], noise: np.random.Generator) -> Array:
    """Draw each song's normal scores among all songs, shape (n_songs, n_drawn)."""
    means = np.array([style.means for style in STYLES])
    spread = np.array(SPREAD)
    latent = means[styles] + spread * noise.standard_normal((len(styles), len(DRAWN)))
    deviation = spread.copy()
    for name, (leader, slope) in FOLLOWS.items():
        at, lead = DRAWN.index(name), DRAWN.index(leader)
        latent[:, at] += slope * latent[:, lead]
        means[:, at] += slope * means[:, lead]
        deviation[at] = np.hypot(spread[at], slope * spread[lead])
    weights = [style.share * CLASS_COUNTS[style.label] / N_SONGS for style in STYLES]
    for at in range(len(DRAWN)):
        quantile = np.zeros(len(latent))
        for weight, mean in zip(weights, means[:, at], strict=True):
            quantile += weight * ndtr((latent[:, at] - mean) / deviation[at])
        latent[:, at] = ndtri(quantile)
    return latent


def _values(name: str, scores: Array) -> Array:
    """Turn normal scores into values of a column, with the decimals of the table."""
    known = QUANTILES[name]
    at = np.clip(ndtri(np.array(list(known))), -_END, _END)
    # Monotone between the known quantiles, without overshoot (Fritsch and Carlson 1980).
    values = PchipInterpolator(at, list(known.values()))(np.clip(scores, at[0], at[-1]))
    if name == DURATION:
        return np.rint(values)
    if name in ("loudness", "tempo"):
        return np.round(values, 3)
    return _three_digits(values)


def _three_digits(values: Array) -> Array:
    """Round shares to three significant digits and at most six decimals."""
    decimals = 6 - np.searchsorted([0.001, 0.01, 0.1], values, side="right")
    scale = np.power(10.0, decimals)
    return np.rint(values * scale) / scale
