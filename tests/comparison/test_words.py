"""Tables in words: better, cannot be told apart, and what the test rows alone say."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from moodcore.comparison.pairs import compare_pairs
from moodcore.comparison.words import checks, pair_sentences, summary_sentences
from moodcore.runs.statistics import corrected_t_test, holm, mcnemar_test

KINDS = {"GBT": "model", "MLP": "model", "SVM": "model", "logistic regression": "baseline"}


def told(pairs, kinds=KINDS):
    """What is said of pairs: (first, second, p over the folds, p of the test, rows each alone)."""
    rows = [
        {
            "first": first,
            "second": second,
            "p_holm": p_holm,
            "test_p_holm": test_p,
            "only_first_right": right[0],
            "only_second_right": right[1],
            "verdict": "better"
            if p_holm < 0.05
            else "test only"
            if test_p < 0.05
            else "no difference",
        }
        for first, second, p_holm, test_p, right in pairs
    ]
    summary = pd.DataFrame({"model": list(kinds), "kind": list(kinds.values()), "accuracy": 0.5})
    return pair_sentences(SimpleNamespace(summary=summary, pairs=pd.DataFrame(rows)))


def test_better_and_not_told_apart():
    few = {name: KINDS[name] for name in ("GBT", "MLP", "SVM")}
    said = told(
        [
            ("GBT", "MLP", 0.002, 0.001, (9, 1)),
            ("GBT", "SVM", 0.0001, 0.001, (9, 1)),
            ("MLP", "SVM", 0.6, 0.8, (5, 4)),
        ],
        few,
    )
    assert said == [
        "GBT is better than MLP (p = 0.002) and SVM (p < 0.001).",
        "MLP cannot be told apart from SVM (p = 0.60).",
    ]


def test_those_with_the_same_p_share_it():
    said = told(
        [
            ("GBT", "MLP", 1.0, 1.0, (1, 1)),
            ("GBT", "SVM", 1.0, 1.0, (1, 1)),
            ("GBT", "logistic regression", 0.03, 1.0, (1, 1)),
        ]
    )
    assert said[0] == (
        "GBT is better than logistic regression (p = 0.030), and cannot be told apart from MLP and "
        "SVM (p = 1.00)."
    )


def test_the_test_rows_alone_have_a_sentence_of_their_own():
    said = told([("GBT", "MLP", 0.3, 0.004, (5, 30)), ("GBT", "SVM", 0.001, 0.001, (30, 5))])
    assert said[-1].endswith("MLP over GBT (p = 0.004).")
    assert "McNemar" in said[-1]
    assert not any("McNemar" in one for one in told([("GBT", "SVM", 0.001, 0.001, (30, 5))]))


def test_those_whom_one_model_beats_on_the_test_rows_alone_stand_together():
    pairs = [
        ("GBT", "MLP", 0.3, 0.004, (30, 5)),
        ("GBT", "SVM", 0.3, 0.004, (30, 5)),
        ("MLP", "SVM", 0.3, 0.0001, (30, 5)),
    ]
    said = told(pairs, dict.fromkeys(("GBT", "MLP", "SVM"), "model"))
    assert said[-1].endswith("GBT over MLP and SVM (p = 0.004); MLP over SVM (p < 0.001).")


def test_baselines_are_not_compared_with_each_other():
    kinds = {"logistic regression": "baseline", "nearest neighbours": "baseline", "MLP": "model"}
    pairs = [
        ("logistic regression", "nearest neighbours", 0.001, 0.001, (9, 1)),
        ("logistic regression", "MLP", 0.4, 0.4, (2, 1)),
    ]
    assert told(pairs, kinds) == ["Logistic regression cannot be told apart from MLP (p = 0.40)."]


@pytest.mark.parametrize(
    ("p_holm", "says"), [(0.001, "all others are better"), (0.7, "GBT cannot be")]
)
def test_the_majority_class_has_a_sentence(p_holm, says):
    kinds = {"GBT": "model", "majority class": "baseline"}
    (said,) = told([("GBT", "majority class", p_holm, 1.0, (1, 1))], kinds)
    assert said.startswith("Always saying the most frequent class gets 50.0 %")
    assert says in said


def test_verdicts_follow_the_corrected_tests():
    rng = np.random.default_rng(0)
    noise = rng.normal(size=10) * 0.01
    accuracies = {
        "a": 0.9 + noise,
        "b": 0.8 + noise + rng.normal(size=10) * 0.001,
        "c": 0.79 - noise,
    }
    right = {"a": np.arange(300) < 270, "b": np.arange(300) < 240, "c": np.arange(300) < 150}
    found = compare_pairs(["a", "b", "c"], accuracies, right, 0.25)
    assert found["verdict"].tolist() == ["better", "better", "test only"]
    for row in found.to_dict("records"):
        first, second = row["first"], row["second"]
        t_test = corrected_t_test(accuracies[first], accuracies[second], 0.25)
        assert (row["t"], row["p_value"]) == (t_test.statistic, t_test.p_value)
        assert row["difference_high"] == t_test.difference.high
        assert row["test_p_value"] == mcnemar_test(right[first], right[second]).p_value
    np.testing.assert_array_equal(found["p_holm"], holm(found["p_value"]))
    np.testing.assert_array_equal(found["test_p_holm"], holm(found["test_p_value"]))
    assert compare_pairs(["a"], accuracies, right, 0.25).empty


def test_the_summary_says_who_leads_and_what_else_is_worth_knowing(small):
    said = summary_sentences(small)
    leader = small.summary.iloc[0]["model"]
    assert said[0].startswith(f"{leader[:1].upper()}{leader[1:]} is the most accurate: ")
    assert "(3 folds, 2 times; 95 % confidence interval" in said[0]
    assert said[0].endswith("of 48 test rows.")
    for part in (
        "combines MLP, SVM and GBT",
        "lowest log loss",
        "doubling",
        "do not all say the same",
    ):
        assert sum(part in sentence for sentence in said) == 1, part
    assert len(small.sentences()) > len(said)


def test_checks_are_made(small):
    found = {one["name"]: one for one in checks(small)}
    assert set(found) == {
        "Failed trainings",
        "Warnings",
        "Class imbalance",
        "Too good",
        "Calibration",
        "Test against folds",
    }
    assert found["Failed trainings"]["ok"]
    assert found["Class imbalance"]["ok"]
    assert found["Too good"]["ok"]


def test_a_leak_an_imbalance_and_false_confidence_are_pointed_out():
    from sklearn.tree import DecisionTreeClassifier

    from moodcore.comparison import compare

    y = np.repeat(["few", "many"], [40, 160])
    X = pd.DataFrame({"leak": (y == "few") * 1.0, "noise": np.random.default_rng(0).random(200)})
    quick = {"folds": 2, "repeats": 1, "curve_sizes": 0, "random_state": 0}
    leaking = compare(X, y, models=["gbt"], **quick)
    found = {one["name"]: one for one in checks(leaking)}
    assert not found["Too good"]["ok"]
    assert "may have been made from the label" in found["Too good"]["text"]
    assert not found["Class imbalance"]["ok"]
    assert "many has 4.0 times as many rows as few" in found["Class imbalance"]["text"]
    # A whole tree is sure of everything, and here wrong about much.
    trees = {"tree": DecisionTreeClassifier()}
    sure = compare(X[["noise"]], y, models=trees, baselines=False, **quick)
    found = {one["name"]: one for one in checks(sure)}
    assert not found["Calibration"]["ok"]
    assert "tree (" in found["Calibration"]["text"]
