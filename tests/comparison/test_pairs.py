"""Verdicts of the pairwise tests."""

import numpy as np
import pytest

from moodcore.comparison.pairs import compare_pairs
from moodcore.runs.statistics import corrected_t_test, holm, mcnemar_test

CORRECT = {"a": np.arange(300) < 270, "b": np.arange(300) < 240, "c": np.arange(300) < 150}


def test_verdicts_follow_the_adjusted_tests():
    rng = np.random.default_rng(0)
    noise = rng.normal(size=10) * 0.01
    accuracies = {
        "a": 0.9 + noise,
        "b": 0.8 + noise + rng.normal(size=10) * 0.001,
        "c": 0.79 - noise,
    }
    table = compare_pairs(["a", "b", "c"], accuracies, CORRECT, 0.25)
    assert table["verdict"].tolist() == ["better", "better", "test only"]
    for row in table.to_dict("records"):
        first, second = row["first"], row["second"]
        t_test = corrected_t_test(accuracies[first], accuracies[second], 0.25)
        assert (row["t"], row["p_value"]) == (t_test.statistic, t_test.p_value)
        assert row["difference_high"] == t_test.difference.high
        assert row["test_p_value"] == mcnemar_test(CORRECT[first], CORRECT[second]).p_value
    np.testing.assert_array_equal(table["p_holm"], holm(table["p_value"]))
    np.testing.assert_array_equal(table["test_p_holm"], holm(table["test_p_value"]))
    assert compare_pairs(["a"], accuracies, CORRECT, 0.25).empty


@pytest.mark.parametrize(("scores", "verdict"), [(2, "not enough folds"), (5, "better")])
def test_fewer_than_five_scores_give_no_verdict(scores, verdict):
    """Equal differences on two folds gave an infinite t statistic and p = 0."""
    accuracies = {"a": np.full(scores, 0.9), "b": np.full(scores, 0.5)}
    same = {"a": CORRECT["a"], "b": CORRECT["a"]}
    row = compare_pairs(["a", "b"], accuracies, same, 0.25, step=0.01).iloc[0]
    assert row["verdict"] == verdict
    assert row["difference"] == pytest.approx(0.4)
    columns = ["difference_low", "difference_high", "t", "p_value", "p_holm"]
    assert row[columns].isna().all() == (scores < 5)
    assert not np.isinf(row["t"])
    assert row["p_value"] != 0


def test_the_test_rows_are_tested_with_any_number_of_folds():
    accuracies = {"a": np.array([0.9, 0.9]), "b": np.array([0.8, 0.7])}
    row = compare_pairs(["a", "b"], accuracies, CORRECT, 1.0).iloc[0]
    assert row["verdict"] == "test only"
    assert row["test_p_holm"] < 0.001
