"""The steps of a pipeline before its classifier are exported to every format that has them."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from test_onnx import run, session
from test_source_code import compiled
from test_xgboost import booster_of, predict

from moodcore import GBT, MLP, exchange, songs
from moodcore.preprocessing import BalancedClassifier, CorrelationFilter, SelectColumns


@pytest.fixture(scope="module")
def rows():
    """Rows of a few decimals, labels, and rows beyond their range."""
    rng = np.random.default_rng(4)
    X = rng.normal(size=(600, 6)).round(2)
    X[:, 3] = X[:, 1] + 0.01 * X[:, 2]
    y = (X[:, 0] > 0).astype(int) + (X[:, 2] * X[:, 5] > 0.2)
    return X, y, (3 * rng.normal(size=(900, 6))).round(2)


PIPELINES = {
    "clipped": lambda: [MinMaxScaler(feature_range=(-1, 2), clip=True), StandardScaler()],
    "columns turned": lambda: [SelectColumns([5, 0, 2]), StandardScaler(with_std=False)],
    "filtered": lambda: [StandardScaler(with_mean=False), CorrelationFilter(0.9), MinMaxScaler()],
    "twice": lambda: [SelectColumns([4, 3, 2, 1, 0]), MinMaxScaler(), SelectColumns([2, 4, 0])],
    "nothing done": lambda: [StandardScaler(with_mean=False, with_std=False)],
    "nested": lambda: [make_pipeline(StandardScaler(), SelectColumns(None)), MinMaxScaler()],
}


@pytest.mark.parametrize("kind", PIPELINES)
def test_every_format_does_what_the_pipeline_does(kind, rows, tmp_path):
    X, y, new = rows
    trees = BalancedClassifier(GBT(12, random_state=0, min_child_samples=5), random_state=0)
    model = make_pipeline(*PIPELINES[kind](), trees).fit(X, y)
    expected, labels = model.predict_proba(new), model.predict(new)
    # A selection takes its columns alone.
    new = new[:, {"columns turned": [5, 0, 2], "twice": [4, 3, 2, 1, 0]}.get(kind, slice(None))]
    found, scores = run(model, tmp_path, new)
    assert (found == labels).all()
    np.testing.assert_allclose(scores, expected, rtol=0, atol=1e-14)
    for language in ("c", "rs"):
        codes, scores = compiled(model, tmp_path, language)(new, 3)
        assert (codes == labels).all()
        np.testing.assert_allclose(scores, expected, rtol=0, atol=1e-14)
    theirs = predict(booster_of(model, tmp_path, "json"), new)
    np.testing.assert_allclose(theirs, expected, rtol=0, atol=1e-6)


def test_a_filter_of_songs_by_name(song_rows, tmp_path):
    X, y, new = song_rows
    classifier = MLP((8,), epochs=5, random_state=0)
    model = songs.pipeline(classifier, features=CorrelationFilter(0.7)).fit(X, y)
    made = session(model, tmp_path, inputs="columns")
    names = [entry.name for entry in made.get_inputs()]
    assert names == list(model.feature_names_in_)
    labels, scores = made.run(None, {name: new[[name]].to_numpy() for name in names})
    assert (labels == model.predict(new)).all()
    np.testing.assert_allclose(scores, model.predict_proba(new), rtol=0, atol=1e-6)


def test_parts_that_are_not_known_are_named(rows, tmp_path):
    X, y, _ = rows
    model = make_pipeline(PCA(2), GBT(2)).fit(X, y)
    with pytest.raises(
        TypeError, match=r"supports pipelines of .*; got PCA. ONNX files support other"
    ):
        exchange.export(model, tmp_path / "model.c")
    with pytest.raises(
        TypeError, match=r"the classifier of an export must be one of .*, got StandardScaler"
    ):
        exchange.export(StandardScaler().fit(X), tmp_path / "model.c")
    assert list(tmp_path.iterdir()) == []


@given(
    seed=st.integers(0, 2**16),
    n_classes=st.integers(2, 4),
    n_features=st.integers(1, 4),
    options=st.fixed_dictionaries(
        {
            "max_bin": st.sampled_from([2, 7, 255]),
            "missing": st.sampled_from([np.nan, 0.0]),
            "categorical_features": st.sampled_from([None, [0]]),
            "multi_strategy": st.sampled_from(["one_output_per_tree", "multi_output_tree"]),
            "boosting": st.sampled_from(["gbdt", "dart", "extra_trees"]),
            "max_leaves": st.sampled_from([2, 5, 31]),
        }
    ),
)
@settings(max_examples=25, deadline=None)
def test_trees_of_any_shape_on_any_values(seed, n_classes, n_features, options, tmp_path_factory):
    rng = np.random.default_rng(seed)
    odd = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1e300]
    X = rng.integers(-5, 6, size=(200, n_features)) / 4
    X[rng.random(X.shape) < 0.1] = rng.choice(odd)
    y = (np.arange(200) + (np.nan_to_num(X[:, 0]) > 0)) % n_classes
    model = GBT(4, min_child_samples=1, random_state=0, **options).fit(X, y)
    new = np.concatenate([X, rng.choice([*odd, 0.25, 0.5, 7.0], size=(100, n_features))])
    labels, scores = run(model, tmp_path_factory.mktemp("any"), new)
    assert (labels == model.predict(new)).all()
    np.testing.assert_allclose(scores, model.predict_proba(new), rtol=0, atol=1e-14)


def test_names_of_columns_may_be_anything(tmp_path):
    X = pd.DataFrame({"a b": [0.0, 1.0] * 30, "é\"'": [1.0, 0.0] * 30})
    model = MLP((2,), epochs=2, random_state=0).fit(X, [0, 1] * 30)
    made = session(model, tmp_path, inputs="columns")
    labels, _ = made.run(None, {name: X[[name]].to_numpy() for name in X})
    assert (labels == model.predict(X)).all()
    with pytest.raises(ValueError, match=r'inputs must be "tensor" or "columns", got \'rows\''):
        exchange.export(model, tmp_path / "model.onnx", inputs="rows")
    with pytest.raises(ValueError, match="dtype must be float64 or float32, got 'float16'"):
        exchange.export(model, tmp_path / "model.onnx", dtype="float16")
