"""Statistics of cross-validation: intervals, tests of two models, correction for many tests.

Folds share most of their training rows, so their scores are not independent, and an ordinary
t-test over folds finds differences where there are none. Nadeau and Bengio (2003, section 5)
enlarge the variance of the mean by the ratio of test to training rows:

    var(mean) = (1 / J + n_test / n_train) * s^2

with J scores, s^2 their sample variance; the mean over its root has about Student's t
distribution with J - 1 degrees of freedom.

Sources: C. Nadeau and Y. Bengio, "Inference for the Generalization Error", Machine Learning 52
(2003); Q. McNemar, Psychometrika 12 (1947); S. Holm, Scandinavian Journal of Statistics 6 (1979);
T. G. Dietterich, "Approximate Statistical Tests for Comparing Supervised Classification Learning
Algorithms", Neural Computation 10 (1998), for what each test measures.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class Interval:
    """A mean and the confidence interval around it."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class TTest:
    """The outcome of a corrected resampled t-test.

    Attributes
    ----------
    difference : Interval
        Mean difference and its confidence interval.
    statistic : float
        The t statistic; infinite where all differences are the same and not zero, and `step` is 0.
    degrees : int
        Degrees of freedom.
    p_value : float
        Two-sided, in [0, 1].
    """

    difference: Interval
    statistic: float
    degrees: int
    p_value: float


@dataclass(frozen=True)
class McNemar:
    """The outcome of McNemar's test.

    Attributes
    ----------
    only_first, only_second : int
        Rows that one predicted correctly and the other did not.
    p_value : float
        Two-sided and exact (binomial), in [0, 1].
    """

    only_first: int
    only_second: int
    p_value: float


def resampled_interval(
    scores: ArrayLike, test_train_ratio: float, *, confidence: float = 0.95
) -> Interval:
    """Return the mean of scores over folds, with an interval that accounts for their overlap.

    Parameters
    ----------
    scores : array-like of shape (n_folds,)
        One score per fold, of all repeats; at least two.
    test_train_ratio : float
        Test rows per training row, above 0: 1 / (k - 1) for k folds.
    confidence : float, default=0.95
        Confidence level, in (0, 1).

    Returns
    -------
    Interval

    Raises
    ------
    ValueError
        For fewer than two scores, or a number out of range.

    Examples
    --------
    >>> interval = resampled_interval([0.80, 0.84, 0.82, 0.86], 1 / 3)
    >>> f"{interval.mean:.3f} {interval.low:.3f} {interval.high:.3f}"
    '0.830 0.767 0.893'
    """
    values = _scores(scores, test_train_ratio)
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must be between 0 and 1, got {confidence}")
    from scipy.stats import t

    mean, error = float(values.mean()), _standard_error(values, test_train_ratio)
    half = float(t.ppf((1 + confidence) / 2, len(values) - 1)) * error
    return Interval(mean, mean - half, mean + half)


def corrected_t_test(
    first: ArrayLike,
    second: ArrayLike,
    test_train_ratio: float,
    *,
    confidence: float = 0.95,
    step: float = 0.0,
) -> TTest:
    """Test whether two classifiers score differently over the same folds.

    Parameters
    ----------
    first, second : array-like of shape (n_folds,)
        Scores of the two on the same folds in the same order, at least two.
    test_train_ratio : float
        Test rows per training row, above 0.
    confidence : float, default=0.95
        Confidence level of the interval of the difference, in (0, 1).
    step : float, default=0.0
        Smallest difference that two scores can have, such as one row of a fold. Equal differences
        are then known to this step only: the variance is at least that of one step in one fold.

    Returns
    -------
    TTest
        With the difference first minus second.

    Raises
    ------
    ValueError
        As :func:`resampled_interval`, or if the two have different numbers of scores.

    Examples
    --------
    >>> test = corrected_t_test([0.80, 0.84, 0.82, 0.86], [0.78, 0.80, 0.81, 0.83], 1 / 3)
    >>> f"t = {test.statistic:.3f}, p = {test.p_value:.3f}"
    't = 2.535, p = 0.085'
    """
    scores = _scores(first, test_train_ratio), _scores(second, test_train_ratio)
    if scores[0].shape != scores[1].shape:
        raise ValueError(
            f"both must have one score per fold, got {len(scores[0])} and {len(scores[1])} scores"
        )
    from scipy.stats import t

    differences = scores[0] - scores[1]
    mean, degrees = float(differences.mean()), len(differences) - 1
    error = _standard_error(differences, test_train_ratio, step)
    # Without a step, equal differences have no error but that of their subtraction.
    if error <= 1e-12 * max(1.0, abs(mean)):
        statistic = 0.0 if abs(mean) <= 1e-12 else math.copysign(math.inf, mean)
    else:
        statistic = mean / error
    half = float(t.ppf((1 + confidence) / 2, degrees)) * error
    p_value = float(2 * t.sf(abs(statistic), degrees))
    return TTest(Interval(mean, mean - half, mean + half), statistic, degrees, p_value)


def mcnemar_test(first_right: ArrayLike, second_right: ArrayLike) -> McNemar:
    """Test whether two fitted models have the same accuracy on the same rows.

    Only rows that exactly one of them predicts correctly count. If both were equally good, it
    would be either with probability one half; the p-value is that of the binomial distribution,
    so it is exact for few such rows too.

    Parameters
    ----------
    first_right, second_right : array-like of bool, shape (n_rows,)
        Whether each row was predicted correctly.

    Returns
    -------
    McNemar

    Raises
    ------
    ValueError
        If the two are of different length, or empty.

    Examples
    --------
    One row for the first, nine for the second: 2 (1 + 10) / 2^10.

    >>> test = mcnemar_test([True] + [False] * 9 + [True] * 5, [False] + [True] * 14)
    >>> test.only_first, test.only_second, test.p_value == 22 / 1024
    (1, 9, True)
    """
    first, second = np.asarray(first_right, dtype=bool), np.asarray(second_right, dtype=bool)
    if first.shape != second.shape or first.ndim != 1 or not len(first):
        raise ValueError(
            f"both must have one value per row, for the same rows, got shapes {first.shape} "
            f"and {second.shape}"
        )
    from scipy.stats import binomtest

    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    discordant = only_first + only_second
    p_value = float(binomtest(only_first, discordant).pvalue) if discordant else 1.0
    return McNemar(only_first, only_second, p_value)


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """Adjust p-values of several tests: the familywise error rate is at most the level.

    The smallest is multiplied by the number of tests, the next by one less, and so on; none may
    become less than a smaller one (Holm 1979).

    Parameters
    ----------
    p_values : array-like of shape (n_tests,)
        In [0, 1]; NaN for tests that could not be made, which do not count.

    Returns
    -------
    ndarray of shape (n_tests,)
        Adjusted p-values in the same order.

    Raises
    ------
    ValueError
        For a value outside [0, 1].

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03, 0.005]).tolist()
    [0.03, 0.06, 0.06, 0.02]
    """
    values = np.asarray(p_values, dtype=np.float64)
    made = np.flatnonzero(~np.isnan(values))
    if ((values[made] < 0) | (values[made] > 1)).any():
        raise ValueError(f"p-values must be in [0, 1], got {values.tolist()}")
    order = made[np.argsort(values[made], kind="stable")]
    factors = np.arange(len(order), 0, -1)
    adjusted = np.full(values.shape, np.nan)
    adjusted[order] = np.minimum(np.maximum.accumulate(values[order] * factors), 1.0)
    return adjusted


def _scores(scores: ArrayLike, test_train_ratio: float) -> NDArray[np.float64]:
    values = np.asarray(scores, dtype=np.float64)
    if values.ndim != 1 or len(values) < 2:
        raise ValueError(f"scores must be of at least two folds, got shape {values.shape}")
    if not (math.isfinite(test_train_ratio) and test_train_ratio > 0):
        raise ValueError(f"test_train_ratio must be above 0, got {test_train_ratio}")
    return values


def _standard_error(
    values: NDArray[np.float64], test_train_ratio: float, step: float = 0.0
) -> float:
    """Return the root of Nadeau and Bengio's variance of the mean (2003, section 5)."""
    variance = max(float(values.var(ddof=1)), step**2 / len(values))
    return math.sqrt((1 / len(values) + test_train_ratio) * variance)
