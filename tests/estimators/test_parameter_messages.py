"""Messages for wrong parameters of all estimators: the parameter, what is allowed, the value."""

import inspect
import re

import numpy as np
import pytest
from sklearn.utils import estimator_html_repr

from moodcore import GBT, MLP, SVM, LinearSVM

ESTIMATORS = (GBT, MLP, SVM, LinearSVM)

# Words of the core's language and its libraries, which users must not see.
FOREIGN = re.compile(
    r"\b(serde|variant|unknown field|missing field|invalid (type|value)|expected|usize|isize|"
    r"[iuf](8|16|32|64)|string|boolean|floating point|null|struct|enum|sequence|map|JSON|repr|"
    r"Option|Vec|at line)\b"
)

MESSAGES = [
    (SVM, {"kernel": "rbg"}, "'precomputed' or a callable, got 'rbg'; did you mean 'rbf'?"),
    (GBT, {"max_leaves": 1.5}, "max_leaves must be an int or None, got 1.5"),
    (GBT, {"max_leaves": -3}, "max_leaves must be at least 2, got -3"),
    (GBT, {"max_leaves": float("nan")}, "max_leaves must be an int or None, got nan"),
    (GBT, {"n_estimators": -1}, "n_estimators must be at least 1, got -1"),
    (GBT, {"n_estimators": 10**30}, "n_estimators must be an int below 2**63, got 1e+30"),
    (GBT, {"max_bin": -1}, "max_bin must be from 2 to 255, got -1"),
    (GBT, {"reg_lambda": float("inf")}, "reg_lambda must be finite, got inf"),
    (GBT, {"reg_lambda": 1j}, "reg_lambda must be a float, got 1j"),
    (GBT, {"reg_lambda": "1"}, "reg_lambda must be a float, got '1'"),
    (GBT, {"grow_policy": None}, "grow_policy must be one of 'lossguide', 'depthwise', got None"),
    (
        GBT,
        {"boosting": {"kind": "dart", "drop": 1}},
        "boosting has no key 'drop'; known are",
    ),
    (
        GBT,
        {"boosting": {"drop_rat": 1}},
        "boosting has no key 'drop_rat'; did you mean 'drop_rate'?",
    ),
    (GBT, {"boosting": {"drop_rate": "a"}}, "boosting.drop_rate must be a float, got 'a'"),
    (GBT, {"eval_metric": 3}, "eval_metric must be a str, a callable or a list of these, got 3"),
    (GBT, {"eval_metric": "log_loss"}, "got 'log_loss'; did you mean 'logloss'?"),
    (GBT, {"missing": None}, "missing must be a float or a str, got None"),
    (GBT, {"callbacks": print}, "callbacks must be a list of callables or None, got <built-in"),
    (GBT, {"n_jobs": 1.5}, "n_jobs must be an int or None, got 1.5"),
    (GBT, {"verbose": "yes"}, "verbose must be an int of at least 0, got 'yes'"),
    (MLP, {"callbacks": print}, "callbacks must be a list of callables or None, got <built-in"),
    (MLP, {"callbacks": [3]}, "callbacks must be a list of callables or None, got [3]"),
    (MLP, {"hidden_sizes": [16, 1.5]}, "hidden_sizes[1] must be an int, got 1.5"),
    (MLP, {"hidden_sizes": "16"}, "hidden_sizes must be a list, got '16'"),
    (MLP, {"nesterov": 1}, "nesterov must be a bool, got 1"),
    (MLP, {"warm_start": 1}, "warm_start must be a bool, got 1"),
    (MLP, {"epochs": -1}, "epochs must be at least 1, got -1"),
    (MLP, {"momentum": 1.0}, "momentum must be in [0, 1), got 1"),
    (MLP, {"batch_size": "fill"}, "batch_size must be an int of at least 1 or 'full', got 'fill'"),
    (MLP, {"learning_rate_schedule": "cosin"}, "got 'cosin'; did you mean 'cosine'?"),
    (SVM, {"C": 0}, "C must be finite and above 0, got 0"),
    (SVM, {"gamma": "scaled"}, "gamma must be 'scale', 'auto' or"),
    (LinearSVM, {"loss": "hing"}, "got 'hing'; did you mean 'hinge'?"),
    (LinearSVM, {"penalty": 2}, "penalty must be one of 'l1', 'l2', got 2"),
]


@pytest.mark.parametrize(
    ("kind", "params", "message"),
    MESSAGES,
    ids=[
        f"{kind.__name__}-{next(iter(params))}-{at}"
        for at, (kind, params, _) in enumerate(MESSAGES)
    ],
)
def test_messages(kind, params, message):
    with pytest.raises((ValueError, TypeError)) as caught:
        kind(**params).check_parameters()
    assert message in str(caught.value)


WRONG = [
    "no such value",
    -1,
    1.5,
    0,
    None,
    True,
    [1],
    {"a": 1},
    (1, 2),
    float("nan"),
    float("-inf"),
    10**30,
    10**400,
    1 + 2j,
    object(),
    print,
    np.array([1.0]),
    np.float32("nan"),
    b"bytes",
]
# What is checked when data are there.
WITH_DATA = {
    "class_weight",
    "random_state",
    "base_score",
    "categorical_features",
    "monotone_constraints",
    "interaction_constraints",
}


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_every_wrong_value_names_the_parameter_and_what_is_allowed(kind):
    refused = set()
    names = set(inspect.signature(kind).parameters) - WITH_DATA
    for name in names:
        for value in WRONG:
            try:
                kind(**{name: value}).check_parameters()
            except (ValueError, TypeError) as error:
                message = str(error)
            else:
                continue
            refused.add(name)
            assert re.match(rf"{name}[\w.\[\]]* (must be|has no key) .*", message), message
            assert not FOREIGN.search(message), message
            assert ", got " in message or "has no key" in message, message
    assert refused == names


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_the_diagram_of_scikit_learn_shows_all_parameters(kind):
    page = estimator_html_repr(kind())
    for name in inspect.signature(kind).parameters:
        assert re.search(rf"\b{name}\b", page), name
