"""The six metrics, against plain formulas and scikit-learn."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import log_loss, roc_auc_score

from moodcore.comparison.output import BINS, METRICS, Output, scores, vote


def said(rows=200, classes=3, seed=0):
    """Truth, and probabilities that lean towards it."""
    rng = np.random.default_rng(seed)
    codes = np.arange(rows) % classes
    raw = rng.exponential(size=(rows, classes)) + 0.6 * np.eye(classes)[codes]
    probabilities = raw / raw.sum(axis=1, keepdims=True)
    return codes, Output(probabilities.argmax(axis=1), probabilities)


def ece_by_a_loop(codes, probabilities):
    total = 0.0
    for number in range(BINS):
        rows = [
            row
            for row, one in enumerate(probabilities)
            if number / BINS < max(one) <= (number + 1) / BINS
        ]
        if rows:
            sure = sum(max(probabilities[row]) for row in rows) / len(rows)
            right = sum(int(np.argmax(probabilities[row]) == codes[row]) for row in rows)
            total += len(rows) / len(codes) * abs(sure - right / len(rows))
    return total


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_scores_are_those_of_plain_formulas(classes):
    codes, output = said(classes=classes)
    found, proba = scores(codes, output, classes), output.probabilities
    one_hot = np.eye(classes)[codes]
    assert found["accuracy"] == pytest.approx((proba.argmax(1) == codes).mean())
    assert found["log_loss"] == pytest.approx(log_loss(codes, proba))
    assert found["brier"] == pytest.approx(((proba - one_hot) ** 2).sum(1).mean())
    assert found["calibration_error"] == pytest.approx(ece_by_a_loop(codes, proba))
    expected = (
        roc_auc_score(codes, proba[:, 1])
        if classes == 2
        else roc_auc_score(codes, proba, multi_class="ovr")
    )
    assert found["roc_auc"] == pytest.approx(expected)
    f1 = [
        2
        * ((output.labels == c) & (codes == c)).sum()
        / ((output.labels == c).sum() + (codes == c).sum())
        for c in range(classes)
    ]
    assert found["macro_f1"] == pytest.approx(np.mean(f1))


def test_calibration_error_of_a_worked_example():
    """Ten rows of confidence 0.8 of which six are right; ten of 0.6, all right."""
    probabilities = np.array([[0.8, 0.2]] * 10 + [[0.6, 0.4]] * 10)
    codes = np.array([0] * 6 + [1] * 4 + [0] * 10)
    found = scores(codes, Output(np.zeros(20, int), probabilities), 2)
    assert found["calibration_error"] == pytest.approx((0.2 + 0.4) / 2)


def test_perfectly_calibrated_rows_have_no_error():
    probabilities = np.array([[0.75, 0.25]] * 400)
    codes = np.array(([0] * 3 + [1]) * 100)
    found = scores(codes, Output(np.zeros(400, int), probabilities), 2)
    assert found["calibration_error"] == pytest.approx(0)


def test_decisions_rank_but_are_no_probabilities():
    codes, output = said()
    decisions = np.log(output.probabilities) * 7 - 3
    found = scores(codes, Output(output.labels, None, decisions), 3)
    assert np.isnan([found[name] for name in ("log_loss", "brier", "calibration_error")]).all()
    # A ranking is the same after any rising function.
    assert found["roc_auc"] == pytest.approx(
        roc_auc_score(np.eye(3)[codes], np.log(output.probabilities), average="macro")
    )
    assert np.isnan(scores(codes, Output(output.labels), 3)["roc_auc"])


def test_a_failed_training_has_no_scores():
    found = scores(np.array([0, 1]), Output(np.empty(0, int), failure="ValueError: no"), 2)
    assert set(found) == set(METRICS)
    assert np.isnan(list(found.values())).all()


@given(st.integers(2, 5), st.integers(0, 100))
def test_scores_lie_in_their_ranges(classes, seed):
    codes, output = said(rows=4 * classes, classes=classes, seed=seed)
    for name, value in scores(codes, output, classes).items():
        low, high = METRICS[name]
        assert low <= value <= high


def test_outputs_survive_their_file():
    _, output = said()
    one = Output(
        output.labels,
        output.probabilities,
        fit_seconds=1.5,
        predict_seconds=0.25,
        chosen={"C": 3.0},
        notes=("a warning",),
        model=b"\x00\x01",
    )
    again = Output.from_bytes(one.to_bytes())
    np.testing.assert_array_equal(again.labels, one.labels)
    np.testing.assert_array_equal(again.probabilities, one.probabilities)
    assert again.decisions is None
    assert (again.chosen, again.notes, again.model) == (one.chosen, one.notes, one.model)
    assert (again.fit_seconds, again.predict_seconds) == (1.5, 0.25)
    for damaged in (b"", b"PK", one.to_bytes()[:-40], one.to_bytes()[40:]):
        with pytest.raises(ValueError, match="not the output of a model"):
            Output.from_bytes(damaged)


def test_a_vote_without_a_member_says_why():
    codes, output = said()
    failed = Output(np.empty(0, int), failure="MemoryError: too large")
    assert vote([output, failed]).failure == "a member failed: MemoryError: too large"
    assert scores(codes, vote([output, output]), 3) == scores(codes, output, 3)
