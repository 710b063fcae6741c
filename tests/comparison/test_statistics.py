"""Tests and intervals: against published numbers, other libraries, and by simulation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn.datasets import make_moons
from sklearn.model_selection import RepeatedStratifiedKFold, cross_val_score
from sklearn.svm import SVC

from moodcore.runs.statistics import (
    corrected_t_test,
    holm,
    mcnemar_test,
    resampled_interval,
)


def test_the_published_example_of_scikit_learn():
    """Its example of comparing models by Nadeau and Bengio's test prints 0.750 and 0.227."""
    X, y = make_moons(noise=0.352, random_state=1, n_samples=100)
    cut = RepeatedStratifiedKFold(n_splits=10, n_repeats=10, random_state=0)
    rbf, linear = (
        cross_val_score(SVC(kernel=kernel), X, y, cv=cut, scoring="roc_auc")
        for kernel in ("rbf", "linear")
    )
    found = corrected_t_test(rbf, linear, 10 / 90)
    assert round(found.statistic, 3) == 0.750
    assert round(found.p_value / 2, 3) == 0.227
    assert found.degrees == 99


def test_a_test_worked_by_hand():
    """Differences 2, 4, 1, 3 hundredths: mean 2.5, variance 5/3, factor 1/4 + 1/3."""
    found = corrected_t_test([0.80, 0.84, 0.82, 0.86], [0.78, 0.80, 0.81, 0.83], 1 / 3)
    assert found.statistic == pytest.approx(2.5 / np.sqrt((1 / 4 + 1 / 3) * 5 / 3))
    assert found.difference.mean == pytest.approx(0.025)
    # Student's quantile of 3 degrees of freedom, from a printed table: 3.182.
    half = 3.182 * np.sqrt((1 / 4 + 1 / 3) * 5 / 3) / 100
    assert found.difference.high - found.difference.mean == pytest.approx(half, rel=1e-3)


def test_without_overlap_it_is_the_ordinary_t_test():
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(2, 12))
    found = corrected_t_test(first, second, 1e-12)
    ordinary = stats.ttest_rel(first, second)
    assert found.statistic == pytest.approx(ordinary.statistic)
    assert found.p_value == pytest.approx(ordinary.pvalue)
    interval = ordinary.confidence_interval()
    assert (found.difference.low, found.difference.high) == pytest.approx(tuple(interval))


@given(st.lists(st.floats(0, 1), min_size=2, max_size=20), st.floats(0.01, 1))
def test_a_difference_turned_round_is_the_same_test(scores, ratio):
    other = scores[::-1]
    there, back = (corrected_t_test(*pair, ratio) for pair in ((scores, other), (other, scores)))
    assert there.p_value == back.p_value
    assert there.statistic == -back.statistic
    assert 0 <= there.p_value <= 1
    assert there.difference.low <= there.difference.mean <= there.difference.high


def test_equal_differences_are_certain():
    assert corrected_t_test([0.5, 0.6], [0.5, 0.6], 0.25).p_value == 1
    result = corrected_t_test([0.5, 0.6], [0.4, 0.5], 0.25)
    assert result.statistic == np.inf
    assert result.p_value == 0


def test_equal_differences_are_known_to_one_row():
    """As if one of five folds of ten rows had one row more: variance 0.1**2 / 5."""
    first = np.array([0.5, 0.6, 0.7, 0.4, 0.5])
    result = corrected_t_test(first, first - 0.1, 0.25, step=0.1)
    assert result.statistic == pytest.approx(0.1 / np.sqrt((1 / 5 + 1 / 4) * 0.1**2 / 5))
    assert 0.02 < result.p_value < 0.05
    assert result.difference.low < 0.1 < result.difference.high
    # One row more in one fold has that variance, so nothing else changes.
    other = first - [0.1, 0.1, 0.1, 0.1, 0.0]
    with_step, without = (corrected_t_test(first, other, 0.25, step=step) for step in (0.1, 0.0))
    assert with_step.p_value == pytest.approx(without.p_value)


def cross_validated(rng, *, rows=100, folds=10):
    """Accuracies over folds of two learners that are equally good: each looks at its own column.

    A column is normal around plus or minus one half, and the threshold is midway between the means
    of the training rows.
    """
    y = np.arange(rows) % 2
    X = rng.normal(size=(rows, 2)) + (y[:, None] - 0.5)
    order = rng.permutation(rows)
    accuracies = np.empty((folds, 2))
    for number, judged in enumerate(np.array_split(order, folds)):
        train = np.setdiff1d(order, judged)
        threshold = (X[train][y[train] == 0].mean(0) + X[train][y[train] == 1].mean(0)) / 2
        accuracies[number] = ((X[judged] > threshold) == (y[judged] == 1)[:, None]).mean(0)
    return accuracies.T


@pytest.mark.parametrize("folds", [5, 10])
def test_false_alarms_are_not_above_the_level(folds):
    """Two equally good learners, cross-validated 600 times."""
    rng = np.random.default_rng(0)
    times, level = 600, 0.05
    pairs = [cross_validated(rng, folds=folds) for _ in range(times)]
    ratio, step = 1 / (folds - 1), folds / 100
    alarms = np.mean([corrected_t_test(*p, ratio, step=step).p_value < level for p in pairs])
    naive = np.mean([stats.ttest_rel(*pair).pvalue < level for pair in pairs])
    assert alarms <= level + 2 * np.sqrt(level * (1 - level) / times)
    assert alarms < naive


def test_intervals_of_overlapping_scores_hold_the_truth_as_often_as_they_say():
    """Scores with the correlation that Nadeau and Bengio assume: n_test / (n_test + n_train)."""
    rng = np.random.default_rng(1)
    times, folds, share = 2000, 10, 0.2
    shared = np.sqrt(share) * rng.normal(size=(times, 1))
    scores = shared + np.sqrt(1 - share) * rng.normal(size=(times, folds))
    found = [resampled_interval(row, share / (1 - share)) for row in scores]
    held = np.mean([interval.low < 0 < interval.high for interval in found])
    assert abs(held - 0.95) < 4 * np.sqrt(0.95 * 0.05 / times)


@pytest.mark.parametrize(
    ("only_first", "only_second", "p_value"),
    # Twice the tail of a fair coin, by hand: 2 (1 + 6) / 2^6, 2 (1 + 10) / 2^10, all outcomes.
    [(1, 5, 14 / 64), (9, 1, 22 / 1024), (4, 4, 1.0), (0, 0, 1.0), (0, 8, 2 / 256)],
)
def test_mcnemar_by_hand(only_first, only_second, p_value):
    first = [True] * only_first + [False] * only_second + [True, False, False]
    second = [False] * only_first + [True] * only_second + [True, False, False]
    found = mcnemar_test(first, second)
    assert (found.only_first, found.only_second) == (only_first, only_second)
    assert found.p_value == pytest.approx(p_value)


def test_mcnemar_of_many_rows_is_near_chi_square():
    first, second = [True] * 125 + [False] * 100, [False] * 125 + [True] * 100
    with_continuity = (abs(125 - 100) - 1) ** 2 / 225
    expected = stats.chi2.sf(with_continuity, 1)
    assert mcnemar_test(first, second).p_value == pytest.approx(expected, rel=0.01)


def test_holm_on_a_worked_example():
    # Sorted 0.005, 0.01, 0.03, 0.04 times 4, 3, 2, 1, and never falling.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, np.nan, 0.7]) == pytest.approx([1.0, np.nan, 1.0], nan_ok=True)
    assert holm([]).size == 0


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_holm_keeps_the_order_and_lies_between_the_raw_and_bonferroni(p_values):
    raw, adjusted = np.array(p_values), holm(p_values)
    assert (adjusted >= raw).all()
    assert (adjusted <= np.minimum(raw * len(raw), 1) + 1e-15).all()
    order = np.argsort(raw, kind="stable")
    assert (np.diff(adjusted[order]) >= 0).all()


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: resampled_interval([0.5], 0.25), "at least two folds, got shape"),
        (lambda: resampled_interval([0.5, 0.6], 0.0), "above 0, got 0.0"),
        (lambda: resampled_interval([0.5, 0.6], 0.2, confidence=1.0), "between 0 and 1, got 1.0"),
        (lambda: corrected_t_test([0.5, 0.6], [0.5, 0.6, 0.7], 0.2), "got 2 and 3 scores"),
        (lambda: mcnemar_test([True], [True, False]), r"got shapes \(1,\) and \(2,\)"),
        (lambda: holm([0.5, 1.5]), r"must be in \[0, 1\]"),
    ],
)
def test_wrong_input_says_what_is_allowed(call, says):
    with pytest.raises(ValueError, match=says):
        call()
