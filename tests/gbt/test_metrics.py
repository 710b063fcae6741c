"""Metrics of evaluation sets: scikit-learn's functions and scorers, and what is no metric."""

from functools import partial

import numpy as np
import pytest
from sklearn import metrics

from moodcore import GBT

RNG = np.random.default_rng(0)
X = RNG.normal(size=(400, 4))
TWO = np.where(X[:, 0] + RNG.normal(size=400) > 0, "yes", "no")
THREE = np.digitize(X[:, 0] + 0.5 * RNG.normal(size=400), [-0.5, 0.5])
WEIGHT = RNG.uniform(0.5, 2.0, size=400)


def evaluated(metric, y, weight=None):
    """Train a model that evaluates one metric on its training rows."""
    model = GBT(8, eval_metric=metric, early_stopping_rounds=8, random_state=0)
    return model.fit(X, y, eval_set=(X, y), sample_weight_eval_set=weight)


def yes(model):
    return model[:8].predict_proba(X)[:, 1]


CASES = {
    # Metric, its name, its value from the model of the last round, whether it is maximized.
    "accuracy_score": (
        metrics.accuracy_score,
        lambda model, **kw: metrics.accuracy_score(TWO, model[:8].predict(X), **kw),
        True,
    ),
    "log_loss": (
        metrics.log_loss,
        lambda model, **kw: metrics.log_loss(TWO, yes(model), **kw),
        False,
    ),
    "roc_auc_score": (
        metrics.roc_auc_score,
        lambda model, **kw: metrics.roc_auc_score(TWO, yes(model), **kw),
        True,
    ),
    "zero_one_loss": (
        metrics.zero_one_loss,
        lambda model, **kw: metrics.zero_one_loss(TWO, model[:8].predict(X), **kw),
        False,
    ),
    "cohen_kappa_score": (
        metrics.cohen_kappa_score,
        lambda model, **kw: metrics.cohen_kappa_score(TWO, model[:8].predict(X), **kw),
        True,
    ),
    "fbeta_score": (
        partial(metrics.fbeta_score, beta=2, pos_label="yes"),
        lambda model, **kw: metrics.fbeta_score(
            TWO, model[:8].predict(X), beta=2, pos_label="yes", **kw
        ),
        True,
    ),
    "neg_log_loss": (
        metrics.get_scorer("neg_log_loss"),
        lambda model, **kw: -metrics.log_loss(TWO, yes(model), **kw),
        True,
    ),
    "balanced_accuracy": (
        metrics.get_scorer("balanced_accuracy"),
        lambda model, **kw: metrics.balanced_accuracy_score(TWO, model[:8].predict(X), **kw),
        True,
    ),
}


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", CASES)
def test_scikit_learn_metrics_have_their_value_and_direction(name, weighted):
    metric, value, maximized = CASES[name]
    weight = {"sample_weight": WEIGHT} if weighted else {}
    model = evaluated(metric, TWO, WEIGHT if weighted else None)
    curve = model.evals_result_["validation_0"][name]
    assert curve[-1] == pytest.approx(value(model, **weight), abs=1e-6)
    best = max if maximized else min
    assert model.best_score_ == best(curve)


def test_scikit_learn_metrics_of_three_classes():
    model = evaluated([metrics.log_loss, partial(metrics.f1_score, average="macro")], THREE)
    curves = model.evals_result_["validation_0"]
    predicted = model[:8].predict(X)
    assert curves["f1_score"][-1] == pytest.approx(
        metrics.f1_score(THREE, predicted, average="macro")
    )
    assert curves["log_loss"][-1] == pytest.approx(
        metrics.log_loss(THREE, model[:8].predict_proba(X)), abs=1e-6
    )
    assert model.best_score_ == max(curves["f1_score"])


@pytest.mark.parametrize(
    ("value", "got"),
    [
        (("loss", 0.5, False), "tuple; return the value alone"),
        ("0.5", "str"),
        (None, "NoneType"),
        (np.ones(2), "ndarray"),
        (True, "bool"),
    ],
)
def test_a_metric_that_returns_no_number_is_named(value, got):
    def my_metric(y, probabilities):
        return value

    with pytest.raises(TypeError, match=f"eval_metric 'my_metric' must return a float, got {got}"):
        evaluated(my_metric, TWO)


def test_metrics_may_return_any_kind_of_number():
    for value in (1, np.float32(0.5), np.array(0.25), np.int8(3)):

        def metric(y, probabilities, value=value):
            return value

        assert evaluated(metric, TWO).best_score_ == float(value)
