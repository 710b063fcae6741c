"""The trees of the core beside those of the brute-force grower."""

import importlib.util
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moodcore import GBT

_spec = importlib.util.spec_from_file_location(
    "gbt_reference", Path(__file__).with_name("reference.py")
)
reference = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(reference)
Options = reference.Options

# No deadline: a slow machine is no failure.
TRIALS = settings(max_examples=40, deadline=None)


def table(seed, n_rows=200, n_features=4, n_classes=3, missing=0.0):
    """Rows of few distinct values with a class that depends on them."""
    rng = np.random.default_rng(seed)
    X = np.round(rng.normal(size=(n_rows, n_features)) * 8) / 8
    signal = np.sin(2 * X[:, 0]) + X[:, 1] * X[:, 2] + 0.5 * X[:, -1]
    noisy = signal + rng.normal(size=n_rows) * 0.5
    y = np.searchsorted(np.quantile(noisy, np.arange(1, n_classes) / n_classes), noisy)
    X[rng.random(X.shape) < missing] = np.nan
    return X, y


def trees_of(model):
    """The core's trees as lists of dicts."""
    a = model.core_model_.arrays()
    trees = []
    for first, end in zip(a["tree_offsets"][:-1], a["tree_offsets"][1:], strict=True):
        nodes = []
        for at in range(first, end):
            feature = int(a["feature"][at])
            node = {"feature": feature, "gain": a["gain"][at], "weight": a["weight"][at]}
            node |= {"left": int(a["left"][at]), "right": int(a["right"][at])}
            node["missing_left"] = bool(a["missing_left"][at])
            width = len(a["value"]) // len(a["feature"])
            node["value"] = a["value"][at * width : (at + 1) * width]
            if feature >= 0:
                start, stop = a["bin_offsets"][feature : feature + 2]
                values = a["bin_values"][start:stop]
                if a["categorical"][feature]:
                    words = a["sets"].reshape(-1, 4)[a["category_set"][at]]
                    bins = [b for b in range(len(values)) if int(words[b // 64]) >> b % 64 & 1]
                    node["threshold"] = frozenset(int(values[b]) for b in bins)
                else:
                    node["threshold"] = np.append(values, np.inf)[a["bin"][at]]
            nodes.append(node)
        trees.append(nodes)
    return trees


def fit(X, y, rounds, options, weight=None):
    """The core's model with the reference's options."""
    params = {
        k: v
        for k, v in vars(options).items()
        if k not in ("monotone", "interaction", "categorical")
    }
    if options.monotone:
        signs = dict(options.monotone)
        params["monotone_constraints"] = signs[0] if y.max() == 1 else signs
    if options.interaction:
        params["interaction_constraints"] = options.interaction
    params["categorical_features"] = options.categorical or None
    model = GBT(rounds, **params, random_state=0)
    return model.fit(X, y) if weight is None else model.fit(X, y, sample_weight=weight)


def assert_same_trees(X, y, rounds, options, weight=None):
    """Same splits, gains and values."""
    model = fit(X, y, rounds, options, weight)
    expected, margins = reference.boost(X, y, rounds, options, weight)
    ours = trees_of(model)
    assert len(ours) == len(expected)
    for got, want in zip(ours, expected, strict=True):
        assert len(got) == len(want)
        for a, b in zip(got, want, strict=True):
            assert a["gain"] == pytest.approx(b.gain, rel=2e-4, abs=2e-6)
            assert a["feature"] == b.feature
            np.testing.assert_allclose(a["value"], b.value, rtol=2e-4, atol=1e-6)
            if b.feature >= 0:
                assert (a["left"], a["right"]) == (b.left, b.right)
                if isinstance(b.threshold, frozenset):
                    # Categories without rows in the node are on the side of the rest.
                    seen = set(X[b.rows, b.feature][~np.isnan(X[b.rows, b.feature])].astype(int))
                    assert a["threshold"] & seen == b.threshold & seen
                else:
                    assert a["threshold"] == b.threshold
                assert a["missing_left"] == b.missing_left
    decision = model.decision_function(X).reshape(len(y), -1)
    np.testing.assert_allclose(decision, margins, rtol=1e-4, atol=1e-5)


def category_table(seed, n_rows=400, n_classes=3, missing=0.0):
    """Rows with a feature of twelve categories, one of three, and a number."""
    rng = np.random.default_rng(seed)
    shares = rng.dirichlet(np.full(12, 1.5))
    X = np.c_[
        rng.choice(12, n_rows, p=shares), rng.integers(0, 3, n_rows), rng.integers(0, 20, n_rows)
    ].astype(float)
    effects = rng.normal(size=12)
    noisy = effects[X[:, 0].astype(int)] + (X[:, 1] == 1) + X[:, 2] / 20 + rng.normal(size=n_rows)
    y = np.searchsorted(np.quantile(noisy, np.arange(1, n_classes) / n_classes), noisy)
    X[rng.random(X.shape) < missing] = np.nan
    return X, y


CATEGORY_CASES = {
    "defaults": {},
    "groups of 20 rows": {"min_data_per_group": 20.0},
    "no regularization": {
        "min_data_per_group": 0.0, "cat_l2": 0.0, "cat_smooth": 1.0, "max_cat_to_onehot": 1
    },
    "few categories on a side": {"max_cat_threshold": 2, "min_data_per_group": 5.0},
    "one against the others": {"max_cat_to_onehot": 12},
    "rare categories": {"cat_smooth": 25.0, "min_data_per_group": 10.0},
    "smooth paths": {"path_smooth": 20.0, "min_data_per_group": 20.0},
    "vector leaves": {"multi_strategy": "multi_output_tree", "min_data_per_group": 20.0},
}  # fmt: skip


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("missing", [0.0, 0.2])
@pytest.mark.parametrize("name", CATEGORY_CASES)
def test_splits_of_categories_are_those_of_brute_force(name, missing, n_classes):
    X, y = category_table(4, n_classes=n_classes, missing=missing)
    weight = np.random.default_rng(5).uniform(0.5, 1.5, len(y))
    options = Options(categorical=[0, 1], min_child_samples=8, max_leaves=8, **CATEGORY_CASES[name])
    assert_same_trees(X, y, 2, options, weight)


CASES = {
    "plain": Options(),
    "small leaves": Options(min_child_samples=1, max_leaves=12),
    "no limit on leaves": Options(max_leaves=None, max_depth=4),
    "level by level": Options(grow_policy="depthwise", max_leaves=7, min_child_samples=5),
    "L1": Options(reg_alpha=1.5, min_child_samples=5),
    "L2": Options(reg_lambda=10.0, min_child_samples=5),
    "no L2": Options(reg_lambda=0.0),
    "gamma": Options(gamma=3.0, min_child_samples=5),
    "heavy leaves": Options(min_child_weight=8.0, min_child_samples=1),
    "small steps": Options(max_delta_step=1.5, min_child_samples=5),
    "groups": Options(interaction=[[0, 1], [1, 2]], min_child_samples=5),
    "vector leaves": Options(multi_strategy="multi_output_tree", min_child_samples=5),
}


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("missing", [0.0, 0.2])
@pytest.mark.parametrize("name", CASES)
def test_trees_are_those_of_brute_force(name, missing, n_classes):
    X, y = table(3, n_classes=n_classes, missing=missing)
    assert_same_trees(X, y, 2, CASES[name])


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("strategy", ["one_output_per_tree", "multi_output_tree"])
@pytest.mark.parametrize("others", [{}, {"path_smooth": 10.0}, {"max_delta_step": 1.5}], ids=str)
def test_monotone_trees_are_those_of_brute_force(n_classes, strategy, others):
    X, y = table(5, n_classes=n_classes)
    signs = {0: [1, -1, 0, 0]} if n_classes == 2 else {0: [1, 0, 0, -1], 2: [0, -1, 1, 0]}
    options = Options(monotone=signs, min_child_samples=5, multi_strategy=strategy, **others)
    assert_same_trees(X, y, 2, options)


@pytest.mark.parametrize("kind", ["whole", "real"])
def test_weighted_trees_are_those_of_brute_force(kind):
    X, y = table(7)
    rng = np.random.default_rng(1)
    weight = rng.integers(1, 6, len(y)).astype(float)
    if kind == "real":
        weight = rng.gamma(2.0, size=len(y))
    assert_same_trees(X, y, 2, Options(min_child_samples=8), weight)


@TRIALS
@given(
    st.integers(0, 10_000),
    st.integers(2, 4),
    st.sampled_from([0.0, 0.1, 0.5]),
    st.sampled_from(sorted(CASES)),
)
def test_any_table_gives_the_trees_of_brute_force(seed, n_classes, missing, name):
    X, y = table(seed, n_rows=120, n_classes=n_classes, missing=missing)
    # With weights of one the first round has a gradient per class: different splits often gain
    # exactly the same, and which of them wins is a matter of the last bit.
    weight = np.random.default_rng(seed).uniform(0.5, 1.5, len(y))
    assert_same_trees(X, y, 1, replace(CASES[name], max_leaves=6), weight)


def test_the_comparison_can_fail():
    X, y = table(3)
    with pytest.raises(AssertionError):
        model = fit(X, y, 1, Options())
        trees, _ = reference.boost(X, y, 1, Options(reg_lambda=1.1))
        got = [node["gain"] for node in trees_of(model)[0]]
        np.testing.assert_allclose(got, [node.gain for node in trees[0]], rtol=2e-4)
