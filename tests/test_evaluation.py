"""Metrics against scikit-learn and against figures worked out by hand."""

import numpy as np
import pytest
from sklearn import metrics

from moodcore import LinearSVM
from moodcore.files import write_bytes
from moodcore.metrics import baselines, evaluate, evaluate_model


@pytest.fixture
def predictions():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 4, 500)
    proba = rng.dirichlet(np.ones(4), 500)
    proba[np.arange(500), y] += 0.5
    return y, proba / proba.sum(axis=1, keepdims=True)


def test_agrees_with_scikit_learn(predictions):
    y, proba = predictions
    predicted = proba.argmax(axis=1)
    found = evaluate(y, proba)
    assert found.accuracy == pytest.approx(metrics.accuracy_score(y, predicted))
    assert found.balanced_accuracy == pytest.approx(metrics.balanced_accuracy_score(y, predicted))
    assert found.log_loss == pytest.approx(metrics.log_loss(y, proba))
    assert found.macro_f1 == pytest.approx(metrics.f1_score(y, predicted, average="macro"))
    assert found.confusion == metrics.confusion_matrix(y, predicted).tolist()
    assert sum(metrics.support for metrics in found.classes) == found.n_rows == 500


def test_brier_by_hand():
    assert evaluate([0, 1], [[1.0, 0.0], [0.5, 0.5]]).brier == pytest.approx((0 + 0.5) / 2)


def test_balanced_accuracy_ignores_the_mix():
    found = evaluate([0] * 90 + [1] * 10, [[1.0, 0.0]] * 100)
    assert found.accuracy == pytest.approx(0.9)
    assert found.balanced_accuracy == pytest.approx(0.5)


def test_single_precision_probabilities_raise_no_warning(predictions):
    y, proba = predictions
    assert evaluate(y, proba.astype(np.float32)).n_rows == 500


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([0, 1], [[1.0, 0.0]]), r"got \(2,\) and \(1, 2\)"),
        (([], np.empty((0, 2))), "no rows"),
        (([0, 7], [[1.0, 0.0], [1.0, 0.0]]), r"label 7 is not one of \[0, 1\]"),
    ],
)
def test_wrong_input_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        evaluate(*arguments)


def test_classes_must_fit_the_columns():
    with pytest.raises(ValueError, match="3 labels for 2 columns"):
        evaluate([0], [[1.0, 0.0]], classes=[0, 1, 2])
    with pytest.raises(ValueError, match="1 names for 2 classes"):
        evaluate([0], [[1.0, 0.0]], class_names=["sad"])


def test_baselines_learn_from_the_rows_they_are_given():
    rng = np.random.default_rng(1)
    y = np.repeat([0, 1], [300, 100])
    X = rng.normal(size=(400, 2)) + 1.5 * y[:, None]
    balanced = np.r_[0:100, 300:400]
    natural = baselines(X, y, X, y)
    even = baselines(X, y, X, y, rows=balanced)
    assert natural["majority class"].accuracy == even["majority class"].accuracy == 0.75
    recall = [found["logistic regression"].classes[1].recall for found in (natural, even)]
    assert recall[1] > recall[0]


def test_failed_write_leaves_the_old_file(tmp_path):
    target = tmp_path / "file"
    write_bytes(target, b"old")
    with pytest.raises(TypeError):
        write_bytes(target, "not bytes")
    assert target.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_without_probabilities_the_labels_are_judged(predictions):
    y, _ = predictions
    X = np.random.default_rng(1).normal(size=(500, 3)) + y[:, None]
    model = LinearSVM().fit(X, y)
    found = evaluate_model(model, X, y, class_names=list("abcd"))
    assert found.accuracy == pytest.approx(model.score(X, y))
    assert (found.log_loss, found.brier) == (None, None)
    assert found.classes[0].name == "a" and sum(map(sum, found.confusion)) == 500
    with pytest.raises(ValueError, match="label 9 is not one of"):
        evaluate_model(model, X, np.full(500, 9))
    with pytest.raises(ValueError, match="3 names for 4 classes"):
        evaluate_model(model, X, y, class_names=list("abc"))
