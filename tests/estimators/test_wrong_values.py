"""The messages of every parameter of the four estimators for values of wrong type or range."""

import inspect
import re

import numpy as np
import pytest

from moodcore import GBT, MLP, SVM, LinearSVM

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
ESTIMATORS = {"GBT": GBT, "MLP": MLP, "SVM": SVM, "LinearSVM": LinearSVM}
# Of a fit that ends soon.
QUICK = {"GBT": {"n_estimators": 2}, "MLP": {"epochs": 1, "hidden_sizes": (2,)}}
NAN, INF = float("nan"), float("inf")
VALUES = (None, "x", -1, 0, NAN, INF, 1.5, [], True)
ACCEPTED = "accepted"


def of(*values):
    """Return values as a key: by their representation, since True equals 1 and no NaN itself."""
    return tuple(map(repr, values))


def ints(least, *, optional=False):
    """An int of at least a number, or None."""
    kind = "an int or None" if optional else "an int"
    return {
        of(*(None,) * optional): ACCEPTED,
        of("x", NAN, INF, 1.5, [], True, *(None,) * (not optional)): f"must be {kind}, got",
        of(-1, 0): f"must be at least {least}, got",
    }


def floats(allowed, out_of_range):
    """A finite float of a range."""
    return {
        of(None, "x", [], True): "must be a float, got",
        of(NAN, INF): "must be finite, got",
        of(*out_of_range): f"must be {allowed}, got",
    }


def one_of(*choices):
    """A choice of texts; others may have been added."""
    return {of(*VALUES): "must be one of " + ".*".join(map(repr, choices)) + ".*, got"}


def bools(accepted=True):
    return {
        of(True): ACCEPTED if accepted else "must be False",
        of(None, "x", -1, 0, NAN, INF, 1.5, []): "must be a bool, got",
    }


POSITIVE, NOT_NEGATIVE = (
    floats("finite and above 0", (-1, 0)),
    floats("finite and at least 0", (-1,)),
)
FRACTION, BELOW_ONE = floats(r"in \(0, 1\]", (-1, 0, 1.5)), floats(r"in \[0, 1\)", (-1, 1.5))
CALLBACKS = {of("x", -1, 0, NAN, INF, 1.5, True): "must be a list of callables or None, got"}
OF_ALL = {
    "class_weight": {
        of("x", -1, 0, NAN, INF, 1.5, [], True): 'must be None, "balanced" or a dict, got'
    },
    "n_jobs": {
        of("x", NAN, INF, 1.5, [], True): "must be an int or None, got",
        of(0): "must be None, a positive number of threads or negative, got",
    },
    "random_state": {
        of("x", -1, NAN, INF, 1.5, []): (
            r"must be an int from 0 to 2\*\*32 - 1, a RandomState or None, got"
        )
    },
    "verbose": {of(None, "x", -1, NAN, INF, 1.5, []): "must be an int of at least 0, got"},
}
RULES = {
    "GBT": OF_ALL
    | {"n_estimators": ints(1), "learning_rate": POSITIVE, "max_leaves": ints(2, optional=True)}
    | {"max_depth": ints(1, optional=True), "grow_policy": one_of("lossguide", "depthwise")}
    | dict.fromkeys(
        ("min_child_samples", "min_child_weight", "reg_alpha", "reg_lambda", "gamma"), NOT_NEGATIVE
    )
    | dict.fromkeys(
        ("max_delta_step", "path_smooth", "cat_smooth", "cat_l2", "min_data_per_group"),
        NOT_NEGATIVE,
    )
    | dict.fromkeys(
        ("subsample", "colsample_bytree", "colsample_bylevel", "colsample_bynode"), FRACTION
    )
    | {
        "max_bin": {
            of(None, "x", NAN, INF, 1.5, [], True): "must be an int, got",
            of(-1, 0): "must be from 2 to 255, got",
        },
        "max_cat_to_onehot": ints(1),
        "max_cat_threshold": ints(1),
        "missing": {of(None, [], True): "must be a float or a str, got"},
        "categorical_features": {
            of("x", -1, 0, NAN, INF, 1.5, True): (
                "must be 'from_dtype', None, or a list of features, got"
            )
        },
        "monotone_constraints": {
            of("x", -1, 0, NAN, INF, 1.5, True): (
                "must be a list of signs, a dict from features to signs, or None, got"
            ),
            of([]): "must have a sign for each of 3 features, got 0",
        },
        "interaction_constraints": {
            of("x", -1, 0, NAN, INF, 1.5, True): (
                "must be a list of lists of features, 'pairwise', 'no_interactions' or None, got"
            )
        },
        "multi_strategy": one_of("one_output_per_tree", "multi_output_tree"),
        "boosting": {
            of(None, -1, 0, NAN, INF, 1.5, [], True): "must be a str or a dict, got",
            of("x"): "must be one of 'gbdt', 'dart', 'goss', 'extra_trees', got",
        },
        "objective": {of("x", -1, 0, NAN, INF, 1.5, [], True): "must be None or a callable, got"},
        "eval_metric": {
            of("x"): "must be one of 'logloss', .*, got",
            of(-1, 0, NAN, INF, 1.5, True): "must be a str, a callable or a list of these, got",
            of([]): "must hold metrics of different names, got",
        },
        "early_stopping_rounds": ints(1, optional=True),
        "validation_fraction": {
            of("x", -1, 0, NAN, INF, 1.5, [], True): "must be above 0 and below 1, got"
        },
        "callbacks": CALLBACKS,
        "base_score": {
            of("x"): "must be a float, a list of floats or None, got",
            of(-1, 0, NAN, INF, 1.5, True): "must be above 0 and below 1, got",
            of([]): "must be the probability of the second class, got",
        },
        "warm_start": bools(),
    },
    "MLP": OF_ALL
    | {
        "hidden_sizes": {
            of(None, "x", NAN, INF, 1.5, True): "must be .*, got",
            of(-1, 0): "must be .*, got",
        },
        "n_networks": ints(1) | {of(-1, 0): "must be from 1 to 1024, got"},
        "activation": one_of("relu", "leaky_relu", "tanh", "selu"),
        "input_scaling": {of(*VALUES[1:]): "must be one of 'robust', 'standard', 'none', got"},
        "optimizer": one_of("sgd", "adam"),
        "learning_rate": POSITIVE,
        "nesterov": bools(accepted=False),
        "epsilon": POSITIVE,
        "batch_size": {
            of(
                None, "x", -1, NAN, INF, 1.5, [], True
            ): "must be an int of at least 1 or 'full', got",
            of(0): 'must be at least 1, or "full", got',
        },
        "epochs": ints(1),
        "init": one_of("he", "lecun", "normal"),
        "init_std": POSITIVE,
        "learning_rate_schedule": {
            of(None, -1, 0, NAN, INF, 1.5, [], True): "must be a str or a dict, got",
            of("x"): "must be one of 'constant', 'step', 'cosine', 'inverse-time', got",
        },
        "early_stopping": {
            of(None, "x", -1, 0, NAN, INF, 1.5, []): 'must be True, False or "auto", got'
        },
        "eval_metric": one_of("logloss", "accuracy"),
        "validation_fraction": floats(r"in \(0, 1\)", (-1, 0, 1.5)),
        "patience": ints(1),
        "n_iter_no_change": ints(1, optional=True),
        "callbacks": CALLBACKS,
        "record": one_of("epoch", "update"),
        "warm_start": bools(),
    }
    | dict.fromkeys(("momentum", "beta2", "dropout", "label_smoothing"), BELOW_ONE)
    | dict.fromkeys(("l1", "l2", "weight_decay", "tol"), NOT_NEGATIVE),
    "SVM": OF_ALL
    | {
        "C": POSITIVE
        | {of(NAN): "must be finite, got", of(INF): "must be finite and above 0, got"},
        "kernel": {
            of(*VALUES): (
                "must be one of 'linear', 'poly', 'rbf', 'sigmoid', 'precomputed' or a callable, "
                "got"
            )
        },
        "degree": {
            of(None, "x", NAN, INF, 1.5, [], True): "must be an int, got",
            of(-1): "must be .*, got",
        },
        "gamma": {
            of(None, "x", -1, NAN, INF, [], True): "must be 'scale', 'auto' or a .*float.*got"
        },
        "coef0": floats("", ()),
        "tol": POSITIVE,
        "cache_size": POSITIVE,
        "decision_function_shape": {of(*VALUES): "must be one of 'ovr', 'ovo', got"},
        "max_iter": {of(None, "x", NAN, INF, 1.5, [], True): "must be an int, got"},
        "probability": bools(),
        "shrinking": bools(),
        "break_ties": bools(),
    },
    "LinearSVM": OF_ALL
    | {
        "C": POSITIVE,
        "loss": one_of("hinge", "squared_hinge"),
        "penalty": one_of("l1", "l2"),
        "dual": {of(None, "x", -1, 0, NAN, INF, 1.5, []): "must be 'auto', True or False, got"},
        "multi_class": one_of("ovr", "crammer_singer"),
        "fit_intercept": bools(),
        "intercept_scaling": POSITIVE,
        "tol": POSITIVE,
        "max_iter": ints(1),
    },
}


def expected(rules, value):
    """Return the pattern of the message for a value; what no rule names is accepted."""
    for values, message in reversed(rules.items()):
        if repr(value) in values:
            return message
    return ACCEPTED


@pytest.mark.parametrize(
    ("kind", "name"), [(kind, name) for kind, rules in RULES.items() for name in rules]
)
def test_wrong_values_are_refused_by_name_and_others_are_accepted(kind, name):
    X, y = np.random.default_rng(0).normal(size=(40, 3)), np.arange(40) % 2
    for value in VALUES:
        model = ESTIMATORS[kind](**QUICK.get(kind, {}) | {name: value})
        message = expected(RULES[kind][name], value)
        if message == ACCEPTED:
            model.fit(X, y)
            continue
        with pytest.raises((ValueError, TypeError)) as caught:
            model.fit(X, y)
        assert re.match(rf"{name}(\[0\])? {message}", str(caught.value)), (value, caught.value)
        assert not vars(model).keys() & {"classes_", "core_model_"}


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_wrong_names_are_refused_and_every_parameter_has_a_rule(kind):
    names = set(inspect.signature(ESTIMATORS[kind]).parameters)
    assert names == set(RULES[kind])
    with pytest.raises(TypeError, match="unexpected keyword argument 'no_such'"):
        ESTIMATORS[kind](no_such=1)
    with pytest.raises(ValueError, match="Invalid parameter 'no_such' for estimator"):
        ESTIMATORS[kind]().set_params(no_such=1)
