"""Parameters of boosting that are resolved on this side of the seam, and wrong ones of all."""

import itertools

import numpy as np
import pandas as pd
import pytest

from moodcore import GBT


def quick(**params):
    return GBT(30, **{"random_state": 0} | params)


def bits(model, X):
    return model.decision_function(X).tobytes()


def slopes(model, X, feature):
    """Changes of the margins as a feature rises, the others being what they are."""
    grid = np.linspace(-3, 3, 50)
    rows = np.repeat(X[:40], len(grid), axis=0)
    rows[:, feature] = np.tile(grid, 40)
    margins = model.decision_function(rows)
    return np.diff(margins.reshape(40, len(grid), -1), axis=1)


def test_monotone_for_two_classes(two):
    X, y = two
    frame = pd.DataFrame(X, columns=list("abcde"))
    up = quick(monotone_constraints=[0, 0, 1, -1, 0]).fit(X, y)
    assert slopes(up, X, 2).min() >= 0 >= slopes(up, X, 3).max()
    assert slopes(quick().fit(X, y), X, 2).min() < 0
    for same in ({2: 1, 3: -1}, np.array([0.0, 0, 1, -1, 0])):
        assert bits(quick(monotone_constraints=same).fit(X, y), X) == bits(up, X)
    named = quick(monotone_constraints={"c": 1, "d": -1}).fit(frame, y)
    assert bits(named, frame) == bits(up, X)
    free = quick(monotone_constraints=[0] * 5).fit(X, y)
    assert bits(free, X) == bits(quick().fit(X, y), X)


def test_monotone_by_class(gaps):
    X, y = gaps
    names = np.array(["red", "green", "blue"])[y]
    model = quick(monotone_constraints={"blue": [0, 0, 1, 0, 0], "red": {2: -1}}).fit(X, names)
    changes = slopes(model, X, 2)
    assert changes[..., 0].min() >= 0 >= changes[..., 2].max()
    assert changes[..., 1].min() < 0 < changes[..., 1].max()


def paths(nodes, node=0, above=()):
    """Yield the features on the way to each leaf of a tree."""
    row = nodes.loc[node]
    if row.Feature == "Leaf":
        yield set(above)
        return
    for child in (row.Yes, row.No):
        yield from paths(nodes, int(child.split("-")[1]), (*above, row.Feature))


@pytest.mark.parametrize(("name", "size"), [("pairwise", 2), ("no_interactions", 1)])
def test_named_interactions(gaps, name, size):
    X, y = gaps
    model = quick(interaction_constraints=name).fit(X, y)
    table = model.trees_to_dataframe()
    sizes = {
        len(features)
        for _, nodes in table.groupby("Tree")
        for features in paths(nodes.set_index("Node"))
    }
    assert max(sizes) == size
    groups = [set(pair) for pair in itertools.combinations(range(5), size)]
    assert bits(quick(interaction_constraints=groups).fit(X, y), X) == bits(model, X)
    assert bits(quick().fit(X, y), X) != bits(model, X)
    with pytest.raises(TypeError, match="'pairwise', 'no_interactions' or None, got 'pairs'"):
        quick(interaction_constraints="pairs").fit(X, y)


def test_interactions(gaps):
    X, y = gaps
    model = quick(interaction_constraints=[[0, 1], [2, 3, 4]]).fit(X, y)
    nodes = model.trees_to_dataframe()
    parents = {
        node[child]: node["ID"] for node in nodes.to_dict("records") for child in ("Yes", "No")
    }
    feature = nodes.set_index("ID")["Feature"]
    for name in nodes["ID"]:
        met = set()
        while name in parents:
            name = parents[name]
            met.add(feature[name])
        assert met <= {"f0", "f1"} or met <= {"f2", "f3", "f4"}
    frame = pd.DataFrame(X, columns=list("abcde"))
    named = quick(interaction_constraints=[("a", "b"), ("e", "c", 3)]).fit(frame, y)
    assert bits(named, frame) == bits(model, X)


WRONG = [
    ({"n_estimators": 0}, "n_estimators must be at least 1, got 0"),
    ({"n_estimators": 2.5}, "n_estimators must be an int, got 2.5"),
    ({"learning_rate": 0}, "learning_rate must be finite and above 0, got 0"),
    ({"learning_rate": np.inf}, "learning_rate must be finite, got inf"),
    ({"max_leaves": 1}, "max_leaves must be at least 2, got 1"),
    ({"max_depth": 0}, "max_depth must be at least 1, got 0"),
    (
        {"grow_policy": "widthwise"},
        "grow_policy must be one of 'lossguide', 'depthwise', got 'widthwise'",
    ),
    ({"subsample": 1.5}, r"subsample must be in \(0, 1\], got 1.5"),
    ({"max_bin": 256}, "max_bin must be from 2 to 255, got 256"),
    ({"reg_lambda": -1}, "reg_lambda must be finite and at least 0, got -1"),
    (
        {"boosting": "bart"},
        "'goss', 'extra_trees', got 'bart'; did you mean 'dart'",
    ),
    ({"boosting": {"kind": "dart", "rate": 1}}, "boosting has no key 'rate'; known are 'kind'"),
    ({"boosting": {"kind": "goss", "top_rate": 2}}, r"top_rate must be in \(0, 1\), got 2"),
    ({"early_stopping_rounds": 0}, "early_stopping_rounds must be at least 1, got 0"),
    ({"validation_fraction": 1.0}, "validation_fraction must be above 0 and below 1, got 1.0"),
    ({"missing": None}, "missing must be a float or a str, got None"),
    ({"objective": "binary"}, "objective must be None or a callable, got 'binary'"),
    ({"eval_metric": "rmse"}, "eval_metric must be one of 'logloss', .* got 'rmse'"),
    (
        {"eval_metric": [3]},
        "eval_metric must be a str, a callable or a list of these, got one",
    ),
    ({"eval_metric": ["auc", "auc"]}, "metrics of different names, got .'auc', 'auc'."),
    ({"callbacks": [3]}, "callbacks must be a list of callables"),
    ({"base_score": 1.0}, "base_score must be above 0 and below 1, got 1.0"),
    ({"base_score": [0.5, 0.5]}, "base_score must be the probability of the second class"),
    ({"n_jobs": 0}, "n_jobs"),
    ({"categorical_features": "all"}, "categorical_features must be 'from_dtype', None"),
    ({"categorical_features": ["a"]}, "names 'a', but the training data had no names"),
    ({"categorical_features": [5]}, "categorical_features must hold feature numbers 0 to 4, got 5"),
    ({"categorical_features": [True]}, "an entry for each of 5 features, got 1"),
    ({"categorical_features": [1.5]}, "must hold names or numbers of features, got 1.5"),
    ({"monotone_constraints": [1]}, "a sign for each of 5 features, got 1"),
    ({"monotone_constraints": [2, 0, 0, 0, 0]}, "monotone_constraints must be -1, 0 or 1, got 2"),
    ({"monotone_constraints": {7: 1}}, "monotone_constraints must hold feature numbers 0 to 4"),
    (
        {"monotone_constraints": {0: 1}, "categorical_features": [0]},
        "monotone_constraints must be 0 for categorical features, got 1 for feature 0",
    ),
    ({"interaction_constraints": [0, 1]}, "interaction_constraints must be a list of lists"),
    ({"interaction_constraints": [[0, -1]]}, "feature numbers 0 to 4, got -1"),
]


@pytest.mark.parametrize(("params", "says"), WRONG)
def test_wrong_parameters_say_what_is_allowed(params, says, two):
    with pytest.raises((ValueError, TypeError), match=says):
        GBT(**{"n_estimators": 2} | params).fit(*two)


def test_wrong_parameters_for_three_classes(gaps):
    for constraints in ([0, 0, 1, 0, 0], {9: [0, 0, 1, 0, 0]}):
        with pytest.raises(ValueError, match=r"a dict from some of the classes \[0, 1, 2\]"):
            quick(monotone_constraints=constraints).fit(*gaps)
    with pytest.raises(ValueError, match=r"base_score must be a probability a class, got 0.5"):
        quick(base_score=0.5).fit(*gaps)


def test_wrong_evaluation_sets_and_margins(gaps):
    X, y = gaps
    names = y.astype(str)
    for labels in (["a", "0", "0"], [0, 1, 2]):
        with pytest.raises(ValueError, match=r"y of evaluation set 'test' must hold only classes"):
            quick().fit(X, names, eval_set={"test": (X[:3], labels)})
    for other, says in (
        ([X], "eval_set must contain tuples .X, y., got ndarray for 'validation_0'"),
        ([(X, y, y)], "eval_set must contain tuples .X, y., got tuple"),
    ):
        with pytest.raises(TypeError, match=says):
            quick().fit(X, y, eval_set=other)
    pair = [(X, y), (X, y)]
    with pytest.raises(
        ValueError, match="eval_names must be a different name for each of 2 evaluation sets"
    ):
        quick().fit(X, y, eval_set=pair, eval_names=["one"])
    with pytest.raises(ValueError, match="sample_weight_eval_set must have an entry for each of 2"):
        quick().fit(X, y, eval_set=pair, sample_weight_eval_set=[None])
    with pytest.raises(ValueError, match=r"metric auc needs rows of every class, got none of .2."):
        quick(eval_metric="auc").fit(X, y, eval_set=(X[y < 2], y[y < 2]))
    for margin in (np.zeros(900), np.zeros((3, 900))):
        with pytest.raises(ValueError, match=r"base_margin must be of shape \(900, 3\)"):
            quick().fit(X, y, base_margin=margin)
    with pytest.raises(ValueError, match="base_margin must be finite"):
        quick().fit(X, y, base_margin=np.full((900, 3), np.nan))
