"""What must hold for every table, tried on tables that hypothesis thinks up."""

from itertools import combinations
from math import factorial

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.metrics import log_loss

from moodcore import GBT, load

# No deadline: a slow machine is no failure.
TRIALS = settings(max_examples=25, deadline=None)


@st.composite
def tables(draw):
    """Rows with missing values, ties and infinities, and two to four classes."""
    n_rows, n_features = draw(st.integers(10, 80)), draw(st.integers(1, 11))
    rng = np.random.default_rng(draw(st.integers(0, 9999)))
    X = np.round(rng.normal(size=(n_rows, n_features)), draw(st.integers(0, 3)))
    X[rng.random(X.shape) < draw(st.sampled_from([0, 0.2]))] = np.nan
    X[rng.random(X.shape) < draw(st.sampled_from([0, 0.02]))] = np.inf
    y = rng.integers(0, draw(st.integers(2, 4)), n_rows) + (np.nan_to_num(X[:, 0]) > 0)
    return X, y


plain = st.builds(
    GBT,
    st.integers(1, 6),
    learning_rate=st.sampled_from([0.1, 1.0]),
    max_leaves=st.sampled_from([2, 8, 31, None]),
    min_child_samples=st.sampled_from([0, 1, 3]),
    reg_lambda=st.sampled_from([0.0, 1.0]),
    reg_alpha=st.sampled_from([0.0, 0.5]),
    grow_policy=st.sampled_from(["lossguide", "depthwise"]),
    multi_strategy=st.sampled_from(["one_output_per_tree", "multi_output_tree"]),
    max_bin=st.sampled_from([3, 16, 255]),
    random_state=st.integers(0, 99),
)
sampled = st.builds(
    lambda model, params: clone(model).set_params(**params),
    plain,
    st.sampled_from(
        [
            {"subsample": 0.6},
            {"colsample_bytree": 0.5, "colsample_bylevel": 0.7, "colsample_bynode": 0.7},
            {"boosting": "goss"},
            {"boosting": {"kind": "dart", "drop_rate": 0.5, "skip_drop": 0.0}},
            {"boosting": "extra_trees"},
        ]
    ),
)
models = st.one_of(plain, sampled)


def bits(model, X):
    return model.decision_function(X).tobytes()


@TRIALS
@given(tables(), models)
def test_probabilities_are_probabilities(table, model):
    X, y = table
    probabilities = model.fit(X, y).predict_proba(X)
    assert np.isfinite(probabilities).all()
    assert (probabilities >= 0).all()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-12)
    assert (model.classes_[probabilities.argmax(axis=1)] == model.predict(X)).all()


@TRIALS
@given(tables(), models)
def test_threads_and_instruction_sets_change_no_bit(table, model):
    X, y = table
    found = set()
    with pytest.MonkeyPatch.context() as patch:
        for isa in ("portable", None):
            if isa:
                patch.setenv("MOODCORE_ISA", isa)
            else:
                patch.delenv("MOODCORE_ISA")
            for n_jobs in (1, 2):
                found.add(bits(model.set_params(n_jobs=n_jobs).fit(X, y), X))
    assert len(found) == 1


@pytest.mark.parametrize("n_classes", [2, 5])
def test_threads_change_no_bit_of_a_table_that_they_share(n_classes):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(70_000, 9))
    y = (X[:, 0] * n_classes + rng.normal(size=len(X))).astype(int) % n_classes
    one, two = (GBT(3, n_jobs=jobs, random_state=0).fit(X, y) for jobs in (1, 2))
    assert bits(one, X) == bits(two, X)


@TRIALS
@given(tables(), plain, st.integers(0, 9))
def test_a_row_twice_is_a_row_of_weight_two(table, model, row):
    X, y = table
    weight = np.where(np.arange(len(X)) == row, 2.0, 1.0)
    weighted = bits(clone(model).fit(X, y, sample_weight=weight), X)
    assert weighted == bits(model.fit(np.vstack([X, X[row]]), np.append(y, y[row])), X)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_rows_repeated_in_a_large_table_are_rows_of_whole_weights(n_classes):
    # From 8,192 rows on, sums are kept in narrow cells.
    rng = np.random.default_rng(0)
    X = np.where(rng.random((4000, 4)) < 0.1, np.nan, rng.normal(size=(4000, 4)))
    y = rng.integers(0, n_classes - 1, len(X)) + (np.nan_to_num(X[:, 0]) > 0)
    weight = rng.integers(1, 5, len(X))
    model = GBT(10, min_child_samples=50, random_state=0)
    weighted = bits(clone(model).fit(X, y, sample_weight=weight), X)
    assert weighted == bits(model.fit(X.repeat(weight, axis=0), y.repeat(weight)), X)


@TRIALS
@given(tables(), plain)
def test_the_order_of_rows_changes_no_bit(table, model):
    X, y = table
    order = np.random.default_rng(0).permutation(len(y))
    assert bits(clone(model).fit(X, y), X) == bits(model.fit(X[order], y[order]), X)


@TRIALS
@given(st.integers(0, 9999), plain)
def test_the_order_of_columns_does_not_matter(seed, model):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(60, 5))
    y = (X[:, 0] + X[:, 1] * X[:, 2] > 0).astype(int) + (X[:, 3] > 1)
    # Weights that no two groups of rows have in common, and leaves that stay finite: of equal
    # gains the first column's would be taken.
    model.set_params(reg_lambda=1.0)
    weight = rng.gamma(3.0, size=60)
    turned = clone(model).fit(X[:, ::-1], y, weight).decision_function(X[:, ::-1])
    np.testing.assert_allclose(model.fit(X, y, weight).decision_function(X), turned, atol=1e-9)


@TRIALS
@given(tables(), plain)
def test_training_loss_never_rises(table, model):
    X, y = table
    model.set_params(n_estimators=8, learning_rate=0.1).fit(X, y)
    losses = [log_loss(y, p, labels=model.classes_) for p in model.staged_predict_proba(X)]
    assert (np.diff(losses) <= 1e-6).all()


STRATEGIES = st.sampled_from(["one_output_per_tree", "multi_output_tree"])


@TRIALS
@given(st.integers(0, 9999), st.sampled_from([-1, 1]), st.integers(2, 3), STRATEGIES)
def test_monotone_means_monotone(seed, sign, n_classes, strategy):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(150, 3))
    y = rng.integers(0, n_classes, 150)
    signs = {0: [sign, 0, 0]} if n_classes == 2 else {1: [sign, 0, -1], 2: [-sign, 1, 0]}
    model = GBT(
        8,
        monotone_constraints=signs[0] if n_classes == 2 else signs,
        min_child_samples=3,
        multi_strategy=strategy,
    ).fit(X, y)
    for output, constraints in signs.items():
        for feature, rising in enumerate(constraints):
            grid = np.tile(rng.normal(size=(1, 3)), (50, 1))
            grid[:, feature] = np.linspace(-3, 3, 50)
            margins = model.decision_function(grid).reshape(50, -1)[:, output]
            assert (np.diff(margins) * rising >= 0).all()


@TRIALS
@given(st.integers(0, 9999), st.sampled_from([-1, 1]))
def test_vector_leaves_of_one_output_are_scalar_leaves(seed, sign):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(150, 3))
    y = rng.integers(0, 2, 150)
    model = GBT(8, monotone_constraints=[sign, 0, -sign], min_child_samples=3, random_state=0)
    margins = model.fit(X, y).decision_function(X)
    model.set_params(multi_strategy="multi_output_tree")
    np.testing.assert_array_equal(model.fit(X, y).decision_function(X), margins)


@TRIALS
@given(st.integers(0, 9999))
def test_no_path_uses_a_forbidden_pair(seed):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(200, 5))
    y = (X[:, 0] * X[:, 1] + X[:, 2] * X[:, 3] * X[:, 4] > 0).astype(int)
    groups = [[0, 2], [1, 2, 3]]
    model = GBT(3, interaction_constraints=groups, min_child_samples=2).fit(X, y)
    allowed = [frozenset(group) for group in [*groups, [4]]]
    frame = model.trees_to_dataframe()
    names = {f"f{at}": at for at in range(5)}
    for _, tree in frame.groupby("Tree"):
        rows = {row.ID: row for row in tree.itertuples()}
        open_nodes = [(tree.ID.iloc[0], frozenset())]
        while open_nodes:
            at, path = open_nodes.pop()
            row = rows[at]
            if row.Feature == "Leaf":
                assert any(path <= group for group in allowed)
            else:
                path |= {names[row.Feature]}
                open_nodes += [(row.Yes, path), (row.No, path)]


@settings(TRIALS, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tables(), models)
def test_a_saved_model_is_the_same_model(tmp_path, table, model):
    X, y = table
    model.fit(X, y).save(tmp_path / "model.safetensors")
    assert bits(load(tmp_path / "model.safetensors"), X) == bits(model, X)


@TRIALS
@given(tables(), models)
def test_stages_end_at_the_prediction(table, model):
    X, y = table
    model.fit(X, y)
    *_, last = model.staged_decision_function(X)
    assert last.tobytes() == bits(model, X)
    *_, classes = model.staged_predict(X)
    assert (classes == model.predict(X)).all()


@TRIALS
@given(tables(), models)
def test_contributions_add_up_to_the_margin(table, model):
    X, y = table
    contributions = model.fit(X, y).predict_contributions(X)
    margins = model.decision_function(X)
    np.testing.assert_allclose(contributions.sum(axis=-1), margins, rtol=1e-9, atol=1e-9)


@TRIALS
@given(tables(), plain)
def test_going_on_is_the_same_as_not_stopping(table, model):
    X, y = table
    through = bits(clone(model).set_params(n_estimators=10).fit(X, y), X)
    model.set_params(n_estimators=5, warm_start=True).fit(X, y)
    assert bits(model.set_params(n_estimators=10).fit(X, y), X) == through


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("missing", [0.0, 0.2])
def test_contributions_are_shapley_values(n_classes, missing):
    """By their definition: all coalitions, the others left to chance as the covers say."""
    rng = np.random.default_rng(2)
    X = rng.normal(size=(150, 4))
    y = np.digitize(X[:, 0] + X[:, 1] * X[:, 2], [0.0, 1.0][: n_classes - 1])
    X[rng.random(X.shape) < missing] = np.nan
    model = GBT(2, max_leaves=9, min_child_samples=3, learning_rate=1.0).fit(X, y)
    arrays = model.core_model_.arrays()
    edges = arrays["bin_offsets"]

    def expected(tree, at, x, known):
        first = arrays["tree_offsets"][tree]
        feature = arrays["feature"][first + at]
        if feature < 0:
            return arrays["value"][first + at]
        children = arrays["left"][first + at], arrays["right"][first + at]
        if feature in known:
            cuts = np.append(arrays["bin_values"][edges[feature] : edges[feature + 1]], np.inf)
            left = x[feature] <= cuts[arrays["bin"][first + at]]
            if np.isnan(x[feature]):
                left = arrays["missing_left"][first + at]
            return expected(tree, children[not left], x, known)
        covers = [arrays["cover"][first + child] for child in children]
        values = [expected(tree, child, x, known) for child in children]
        return np.dot(covers, values) / sum(covers)

    for x in X[:6]:
        phi = model.predict_contributions(x[None])[0].reshape(-1, 5)
        want = np.zeros_like(phi)
        for tree, output in enumerate(arrays["tree_output"]):
            for feature in range(4):
                others = [other for other in range(4) if other != feature]
                for size in range(4):
                    share = factorial(size) * factorial(3 - size) / factorial(4)
                    for known in combinations(others, size):
                        gain = expected(tree, 0, x, {*known, feature})
                        want[output, feature] += share * (gain - expected(tree, 0, x, known))
        np.testing.assert_allclose(phi[:, :4], want[:, :4], atol=1e-9)
