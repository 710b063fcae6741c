"""Contributions: held against Shapley's formula, and adding up to the margin."""

import json
from itertools import combinations
from math import comb

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from moodcore import GBT, MLP, SVM, LinearSVM, explain, songs, tables

FAMILIES = {
    "mlp": MLP((6,), epochs=20, learning_rate=0.05, random_state=0),
    "gbt": GBT(8, random_state=0),
    "svm": SVM(random_state=0),
    "svm_ovo": SVM(decision_function_shape="ovo"),
    "linear": LinearSVM(random_state=0),
}


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(240, 4)), columns=list("abcd"))
    y = (X["a"] * X["b"] > 0).astype(int) + (X["c"] > 0.7)
    return X, np.array(["low", "mid", "top"])[y]


def margin_of(model, X):
    if isinstance(model, MLP):
        scores = model.predict_log_proba(X)
        return scores[:, 1] - scores[:, 0] if scores.shape[1] == 2 else scores
    return model.decision_function(X)


def shapley(margin, row, background):
    """The formula of Shapley (1953): features outside a coalition are those of the background."""
    n = len(row)

    def worth(coalition):
        mixed = background.copy()
        mixed[:, coalition] = row[list(coalition)]
        return margin(mixed).mean(axis=0)

    found = []
    for feature in range(n):
        others = [at for at in range(n) if at != feature]
        total = 0.0
        for size in range(n):
            weight = 1 / (n * comb(n - 1, size))
            for coalition in combinations(others, size):
                total = total + weight * (worth((*coalition, feature)) - worth(coalition))
        found.append(total)
    return np.array(found)


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("two", [False, True])
def test_contributions_add_up_to_the_margin(name, two, table):
    X, y = table
    y = np.where(y == "low", "low", "not low") if two else y
    model = FAMILIES[name].fit(X, y)
    found = model.explain(X.head(7))
    added = found.base + found.values.sum(axis=1)
    np.testing.assert_allclose(added, found.margins, rtol=0, atol=1e-9)
    if not name.startswith("mlp"):
        margins = margin_of(model, X.head(7)).reshape(7, -1)
        assert np.array_equal(found.margins, margins)
    assert found.predicted == tuple(model.predict(X.head(7)))
    assert len(found.outputs) == found.values.shape[2]
    assert found.data.equals(X.head(7))


@pytest.mark.parametrize("name", ["mlp", "svm", "linear"])
def test_contributions_are_shapley_values(name, table):
    X, y = table
    model, plain = FAMILIES[name].fit(X.to_numpy(), y), X.to_numpy()
    background = plain[100:130]
    found = explain(model, plain[:3], background=background)
    if name == "mlp":
        # Log probabilities differ from scores by the same for each class: contrasts agree.
        contrast = found.values[:, :, 1:] - found.values[:, :, :1]
        for at in range(3):
            scores = shapley(model.predict_log_proba, plain[at], background)
            np.testing.assert_allclose(contrast[at], scores[:, 1:] - scores[:, :1], atol=1e-5)
        return
    for at in range(3):
        expected = shapley(lambda rows: margin_of(model, rows), plain[at], background)
        np.testing.assert_allclose(found.values[at], expected, atol=1e-6)


def test_many_features_are_sampled_and_still_add_up():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 14))
    model = MLP((4,), epochs=5, random_state=0).fit(X, X[:, 0] > 0)
    state = np.random.get_state()[1].tolist()
    found, again = (model.explain(X[:2], n_samples=300) for _ in range(2))
    assert found.values.tobytes() == again.values.tobytes()
    assert np.random.get_state()[1].tolist() == state
    assert "sampled" in found.method
    np.testing.assert_allclose(found.base + found.values.sum(axis=1), found.margins, atol=1e-9)
    other = model.explain(X[:2], n_samples=300, random_state=1)
    assert found.values.tobytes() != other.values.tobytes()


@pytest.mark.parametrize("classifier", [GBT(5), LinearSVM()])
def test_pipelines_show_features_as_they_were_given(classifier):
    X, y = songs.synthesize(300, random_state=0)
    model = songs.pipeline(classifier, balance=True, random_state=0).fit(X, y)
    found = model.explain(X.iloc[[17, 3]])
    assert list(found.data) == list(songs.SELECTED_FEATURES)
    assert found.data.index.tolist() == [17, 3]
    assert found.data.equals(X.iloc[[17, 3]][list(found.data)])
    assert found.outputs == songs.LABEL_NAMES
    margins = model.decision_function(X.iloc[[17, 3]])
    np.testing.assert_allclose(found.base + found.values.sum(axis=1), margins, atol=1e-9)


def test_scaling_before_a_model_changes_no_contribution(table):
    X, y = table
    scaled = make_pipeline(StandardScaler(), GBT(5, random_state=0)).fit(X, y)
    plain = GBT(5, random_state=0).fit(X, y)
    one, two = explain(scaled, X.head(4)), explain(plain, X.head(4))
    np.testing.assert_allclose(one.values, two.values, atol=1e-12)
    assert one.data.equals(two.data)


def test_tables_text_and_json_say_the_same(table):
    X, y = table
    found = FAMILIES["gbt"].fit(X, y).explain(X.iloc[5:8])
    frame = found.to_frame()
    own = frame[(frame["row"] == 6) & (frame["class"] == "top")]
    assert own["feature"].tolist() == [*"abcd", "(base)"]
    at = found.output("top")
    assert own["contribution"].tolist() == [*found.values[1, :, at], found.base[at]]
    ranked = found.row(1, "top")
    assert ranked["contribution"].abs().is_monotonic_decreasing
    assert ranked["value"].tolist() == [X.loc[6, name] for name in ranked["feature"]]
    text = found.text(1, "top")
    assert text.startswith(f"row 6: {found.predicted[1]}; contributions to top\nmean margin")
    assert f"{found.margins[1, at]:+.4f}" in text
    told = json.loads(json.dumps(found.to_dict()))
    one = told["rows"][1]["classes"]["top"]
    assert sum(one["contributions"].values()) + one["base"] == pytest.approx(one["margin"])
    importance = found.importance()
    assert importance.loc["a", "top"] == np.abs(found.values[:, 0, at]).mean()


def test_what_cannot_be_explained_says_so(table):
    X, y = table
    with pytest.raises(TypeError, match=r"must be or end in one of GBT, .* got LogisticRegression"):
        explain(LogisticRegression().fit(X, y), X)
    with pytest.raises(ValueError, match="GBT takes no background"):
        FAMILIES["gbt"].fit(X, y).explain(X, background=X)
    found = FAMILIES["gbt"].fit(X, y).explain(X.head(1))
    with pytest.raises(ValueError, match="one of low, mid, top, got 'topp'; did you mean 'top'"):
        found.row(0, "topp")


@pytest.mark.parametrize("name", ["mlp", "svm"])
def test_values_are_those_of_the_shap_package(name, table):
    shap = pytest.importorskip("shap")
    X, y = table
    model, plain = FAMILIES[name].fit(X.to_numpy(), y), X.to_numpy()
    margin = model.logits if name == "mlp" else model.decision_function
    explainer = shap.KernelExplainer(margin, plain[100:130])
    expected = explainer.shap_values(plain[:2], nsamples=2**4, l1_reg=False, silent=True)
    found = explain(model, plain[:2], background=plain[100:130])
    np.testing.assert_allclose(found.values, expected, atol=1e-6)


def test_sampled_values_come_near_the_exact_ones(table):
    X, y = table
    model = FAMILIES["mlp"].fit(X, y)
    exact = model.explain(X.head(3), background=X.head(50))
    errors = [
        np.abs(model.explain(X.head(3), background=X.head(50), n_samples=n).values - exact.values)
        for n in (16, 1600)
    ]
    assert errors[1].max() < 0.3 * errors[0].max()


def test_columns_of_one_feature_change_together():
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"kind": rng.choice(list("abcdefghijklmn"), 300), "size": rng.random(300)})
    y = np.where((table["kind"] < "g") ^ (table["size"] > 0.5), "yes", "no")
    model = tables.pipeline(MLP((8,), epochs=20, learning_rate=0.1, random_state=0)).fit(table, y)
    found = model.explain(table.head(5))
    assert list(found.data) == ["kind", "size"]
    assert found.method.startswith("exact")
    decoded = model[:-1].transform(table.head(5))

    def margin(kinds, sizes):
        mixed = decoded[kinds].copy()
        mixed[:, -1] = decoded[sizes, -1]
        scores = model[-1].logits(mixed)
        return (scores[:, 1] - scores[:, 0]).mean()

    # Two features: the formula in full.
    every = np.arange(5)
    for row in range(5):
        same = np.full(5, row)
        none, both = margin(every, every), margin(same, same)
        kind, size = margin(same, every), margin(every, same)
        expected = [(kind - none + both - size) / 2, (size - none + both - kind) / 2]
        np.testing.assert_allclose(found.values[row, :, 0], expected, atol=1e-5)


@pytest.mark.filterwarnings("ignore:sparse X of shape")
@pytest.mark.parametrize("name", ["gbt"])
def test_steps_that_return_sparse_or_unnamed_columns(name, table):
    X, y = table
    letters = X.assign(letter=np.resize(["p", "q", "r"], len(X)))
    encode = make_column_transformer((OneHotEncoder(), ["letter"]), sparse_threshold=1.0)
    model = make_pipeline(encode, FAMILIES[name]).fit(letters, y)
    found = explain(model, letters.head(5))
    assert list(found.data) == [f"onehotencoder__letter_{letter}" for letter in "pqr"]
    np.testing.assert_allclose(found.base + found.values.sum(axis=1), found.margins, atol=1e-9)
    unnamed = make_pipeline(FunctionTransformer(np.square), FAMILIES[name]).fit(X.to_numpy(), y)
    assert list(explain(unnamed, X.to_numpy()[:5]).data) == ["x0", "x1", "x2", "x3"]


@pytest.mark.parametrize("name", ["mlp", "svm", "linear"])
@pytest.mark.parametrize("copies", [1, 3])
def test_rows_that_are_alike_are_not_their_own_background(name, copies, table):
    X, y = table
    row = X.iloc[[5] * copies]
    alone = FAMILIES[name].fit(X, y)
    with pytest.raises(ValueError, match="a single row, or rows that are all alike"):
        alone.explain(row)
    assert np.abs(alone.explain(row, background=X.head(50)).values).max() > 0
    # A scaler knows the mean of the training rows.
    scaled = make_pipeline(StandardScaler(), FAMILIES[name]).fit(X, y)
    found = explain(scaled, row)
    assert np.abs(found.values).max(axis=(1, 2)).min() > 0
    assert "the mean of the training rows" in found.method
    mean = pd.DataFrame([X.mean()], columns=X.columns)
    expected = explain(scaled, row, background=mean)
    np.testing.assert_allclose(found.values, expected.values, rtol=0, atol=1e-5)


def test_short_forms():
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 20))).add_prefix("<x")
    explanation = explain(GBT(5, random_state=0).fit(X, X["<x3"] > 0), X)
    lines = repr(explanation).splitlines()
    title = "Explanation of 60 rows: mean absolute contributions of the first 10 of 20 features"
    assert lines[0] == f"<{title}>" and len(lines) == 13
    assert lines[2].split()[0] == "<x3" and lines[-1].startswith("(exact Shapley values")
    page = explanation._repr_html_()
    assert page.startswith(f"<p>{title}</p>") and "&lt;x3" in page and "<x3" not in page
