"""Songs made by a program, near to the real table in every published figure.

They replace the table where it cannot be had. They are not measurements, and nothing learned from
them is knowledge about music; what a model trained on them does on real songs is measured in
`moodcore.songs.calibration`.

A song is drawn in four steps, each class from a random stream of its own:

1. ten normal scores with the correlations of its class;
2. from each, the score among all songs, by the quantiles of the class (a Gaussian copula for each
   class);
3. a choice: the song is kept with a probability that depends on how well the columns separate its
   class from the others. A copula draws songs that are typical of another class in every column;
   in the table there are few of them;
4. the values, by the quantile function of each column among all songs.

Step 4 gives each column its published distribution. The numbers are in
`moodcore.songs.calibration`.
"""

from __future__ import annotations

from functools import cache
from numbers import Integral
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator
from scipy.special import expit, ndtri

from moodcore.songs.calibration import (
    CLASS_SCORES,
    CORRELATIONS,
    DRAWN,
    LEVELS,
    NO_BEAT,
    QUANTILES,
    SHARES,
    SHARPNESS,
    THINNING,
)
from moodcore.songs.schema import (
    CLASS_COUNTS,
    DURATION,
    FEATURES,
    LABEL,
    LABEL_NAMES,
    N_SONGS,
    SELECTED_FEATURES,
)

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.float64]

# The ends of a column are this many standard deviations out, where the table's size puts them.
_END = 4.5
# Songs that are proposed at a time: few first, since a short table should be quick. The sizes are
# the same for tables of any length, because the random numbers are drawn for one after the other.
_FIRST_PROPOSALS, _MOST_PROPOSALS = 256, 32_768


class ClassModel(NamedTuple):
    """The Gaussian copula of one class.

    Attributes
    ----------
    correlate : ndarray of shape (n_drawn, n_drawn)
        Cholesky factor of the correlations.
    whiten, whiten_selected : ndarray
        Inverse factors, for all columns and for `SELECTED_FEATURES`.
    knots : ndarray of shape (n_knots,)
        Normal scores within the class.
    scores : ndarray of shape (n_drawn, n_knots)
        Scores among all songs at the knots.
    slopes : ndarray of shape (n_drawn, n_knots - 1)
        Logarithm of the slope of `knots` over `scores`, between the knots.
    """

    correlate: Array
    whiten: Array
    whiten_selected: Array
    knots: Array
    scores: Array
    slopes: Array


def synthesize(
    n_songs: int = N_SONGS,
    random_state: int | np.random.RandomState | np.random.Generator | None = None,
) -> tuple[pd.DataFrame, pd.Series[int]]:
    """Generate synthetic songs that resemble the public table.

    With the same seed, a longer table has the songs of a shorter one, in another order.

    Parameters
    ----------
    n_songs : int, default=277938
        Number of songs, at least 1.
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
    counts = class_counts(int(n_songs))
    order, *streams = map(np.random.default_rng, _seed(random_state).spawn(1 + len(counts)))
    scores = np.hstack(
        [
            _draw_class(label, int(count), stream)
            for label, (count, stream) in enumerate(zip(counts, streams, strict=True))
        ]
    )
    rows = order.permutation(scores.shape[1])
    y = np.repeat(np.arange(len(counts)), counts)[rows]
    scores = scores[:, rows]
    columns = {name: _values(name, scores[at]) for at, name in enumerate(DRAWN)}
    silent = scores[DRAWN.index("tempo")] < ndtri(NO_BEAT)
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


@cache
def class_models() -> tuple[ClassModel, ...]:
    """Return the copula of each class, in the order of the labels."""
    inner = ndtri(np.array(LEVELS))
    knots = np.array([-_END, *inner, _END])
    selected = _selected()
    models = []
    for name in LABEL_NAMES:
        correlation = np.eye(len(DRAWN))
        correlation[np.tril_indices(len(DRAWN), -1)] = CORRELATIONS[name]
        correlation = np.tril(correlation) + np.tril(correlation, -1).T
        scores = np.array(CLASS_SCORES[name])
        # Straight lines beyond the first and the last quantile.
        first = (scores[:, 1] - scores[:, 0]) / (inner[1] - inner[0]) * (inner[0] + _END)
        last = (scores[:, -1] - scores[:, -2]) / (inner[-1] - inner[-2]) * (_END - inner[-1])
        scores = np.column_stack([scores[:, 0] - first, scores, scores[:, -1] + last])
        models.append(
            ClassModel(
                _factor(correlation),
                _inverse(_factor(correlation)),
                _inverse(_factor(correlation[np.ix_(selected, selected)])),
                knots,
                scores,
                np.log(np.diff(knots) / np.diff(scores, axis=1)),
            )
        )
    return tuple(models)


def _selected() -> list[int]:
    return [DRAWN.index(name) for name in SELECTED_FEATURES]


def _factor(correlation: Array) -> Array:
    # Rounded, so that the last bit of a library of linear algebra does not show.
    return np.round(np.linalg.cholesky(correlation), 9)


def _inverse(factor: Array) -> Array:
    return np.round(np.linalg.inv(factor), 9)


def _draw_class(label: int, count: int, stream: np.random.Generator) -> Array:
    """Draw the first songs of a class; returns their scores, shape (n_drawn, count)."""
    parts: list[Array] = []
    size, kept = _FIRST_PROPOSALS, 0
    while kept < count:
        scores = _propose(class_models()[label], stream.standard_normal((len(DRAWN), size)))
        parts.append(scores[:, stream.random(size) < _acceptance(label, scores)])
        kept += parts[-1].shape[1]
        size = min(2 * size, _MOST_PROPOSALS)
    return np.hstack(parts)[:, :count] if parts else np.empty((len(DRAWN), 0))


def _propose(model: ClassModel, noise: Array) -> Array:
    """Turn independent normal numbers into scores among all songs."""
    within = np.clip(_multiply(model.correlate, noise), -_END, _END)
    return np.array(
        [
            PchipInterpolator(model.knots, scores)(column)
            for scores, column in zip(model.scores, within, strict=True)
        ]
    )


def _acceptance(label: int, scores: Array) -> Array:
    """Return the probability with which each proposed song is kept, shape (n_songs,)."""
    by_all, by_selected = [], []
    for share, model in zip(SHARES, class_models(), strict=True):
        within, slopes = np.empty_like(scores), np.empty_like(scores)
        for at, column in enumerate(scores):
            knots = model.scores[at]
            within[at] = np.interp(column, knots, model.knots)
            slopes[at] = np.interp(column, (knots[1:] + knots[:-1]) / 2, model.slopes[at])
        selected = _selected()
        by_all.append(np.log(share) + _log_density(model.whiten, within, slopes))
        by_selected.append(
            np.log(share) + _log_density(model.whiten_selected, within[selected], slopes[selected])
        )
    clear = expit(SHARPNESS * _log_odds(label, by_all))
    return clear * np.exp(-THINNING * expit(_log_odds(label, by_selected)))


def _log_density(whiten: Array, within: Array, slopes: Array) -> Array:
    """Return the logarithm of the density of a copula, up to a constant."""
    independent = _multiply(whiten, within)
    return np.log(np.diag(whiten)).sum() + (slopes - independent * independent / 2).sum(axis=0)


def _log_odds(label: int, logs: list[Array]) -> Array:
    """Return by how much the class is likelier than the likeliest other one."""
    others = [log for code, log in enumerate(logs) if code != label]
    return logs[label] - np.max(others, axis=0)


def _multiply(lower: Array, columns: Array) -> Array:
    """Multiply by a lower triangular matrix, in an order that no library chooses."""
    result = np.empty_like(columns)
    for at, row in enumerate(lower):
        result[at] = row[0] * columns[0]
        for column in range(1, at + 1):
            result[at] += row[column] * columns[column]
    return result


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
