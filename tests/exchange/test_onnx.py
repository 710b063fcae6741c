"""ONNX Runtime predicts as the model does."""

import sys

import numpy as np
import pytest
from model_kinds import CLASSIFIERS, scores_of, song_model

from moodcore import GBT, MLP, SVM, exchange, songs

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")


def session(model, folder, **options):
    exchange.export(model, folder / "model.onnx", **options)
    return onnxruntime.InferenceSession(folder / "model.onnx")


def run(model, folder, rows, **options):
    """Labels and scores of rows in one tensor."""
    return session(model, folder, **options).run(None, {"X": rows})


def column_inputs(frame):
    """The inputs of a graph with one input per column of `mixed_table`."""
    return {
        "energy": frame[["energy"]].to_numpy(),
        "tempo": frame[["tempo"]].to_numpy(),
        "mood": frame[["mood"]].astype(object).fillna("").to_numpy(),
        "key": frame[["key"]].astype(float).to_numpy(),
    }


@pytest.mark.parametrize("n_classes", [4, 2])
@pytest.mark.parametrize("kind", CLASSIFIERS)
def test_labels_and_scores_of_song_pipelines(kind, n_classes, song_rows, tmp_path):
    model = song_model(kind, song_rows, n_classes)
    new = song_rows[2][list(model.feature_names_in_)]
    labels, scores = run(model, tmp_path, new.to_numpy(dtype=np.float64))
    assert (labels == model.predict(new)).all()
    # SVM decision values are sums in single precision.
    np.testing.assert_allclose(scores, scores_of(model, new), rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("kind", CLASSIFIERS)
def test_graphs_hold_nothing_that_is_not_used(kind, song_rows, tmp_path):
    """ONNX Runtime prints a warning for each constant that no operator takes."""
    exchange.export(song_model(kind, song_rows), tmp_path / "model.onnx")
    graph = onnx.load(tmp_path / "model.onnx").graph
    bodies = [a.g for node in graph.node for a in node.attribute if a.HasField("g")]
    taken = {name for body in (graph, *bodies) for node in body.node for name in node.input}
    for body in (graph, *bodies):
        assert {constant.name for constant in body.initializer} <= taken


@pytest.mark.parametrize("kind", ["network", "trees", "linear svm", "calibrated"])
def test_a_hundred_thousand_songs(kind, song_rows, tmp_path):
    model = song_model(kind, song_rows)
    new, _ = songs.synthesize(100_000, random_state=9)
    new = new[list(model.feature_names_in_)]
    labels, scores = run(model, tmp_path, new.to_numpy(dtype=np.float64))
    assert (labels == model.predict(new)).all()
    np.testing.assert_allclose(scores, scores_of(model, new), rtol=0, atol=1e-5)


def test_trees_give_the_margins_of_the_same_leaves(table, tmp_path):
    X, y, new = table
    model = GBT(30, random_state=0).fit(X, y)
    labels, scores = run(model, tmp_path, new)
    assert (labels == model.predict(new)).all()
    np.testing.assert_allclose(scores, model.predict_proba(new), rtol=0, atol=1e-14)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_rows_on_thresholds_go_the_same_ways(dtype, tmp_path):
    rng = np.random.default_rng(3)
    X = rng.choice([0.1, 0.2, 0.3, 1 / 3, 0.7], size=(500, 2)).astype(dtype)
    model = GBT(10, min_child_samples=1, random_state=0).fit(X, X.sum(axis=1) > 0.8)
    around = np.concatenate(
        [model.core_model_.arrays()["bin_values"], X.ravel().astype(np.float64)]
    )
    near = np.concatenate([around, *(np.nextafter(around, way) for way in (-9, 9))])
    new = np.stack([near, near[::-1]], axis=1).astype(dtype)
    labels, scores = run(model, tmp_path, new, dtype=np.dtype(dtype).name)
    assert (labels == model.predict(new)).all()
    np.testing.assert_allclose(scores, model.predict_proba(new), rtol=0, atol=1e-14)


@pytest.mark.parametrize("strategy", ["one_output_per_tree", "multi_output_tree"])
def test_categories_come_in_as_columns_of_their_own(strategy, mixed_table, tmp_path):
    X, y, new = mixed_table
    model = GBT(15, random_state=0, multi_strategy=strategy).fit(X, y)
    assert {"energy", "mood", "key"} <= set(model.trees_to_dataframe()["Feature"])
    labels, scores = session(model, tmp_path).run(None, column_inputs(new))
    assert (labels == model.predict(new)).all()
    np.testing.assert_allclose(scores, model.predict_proba(new), rtol=0, atol=1e-14)
    with pytest.raises(ValueError, match=r"'mood' holds categories.*columns"):
        exchange.export(model, tmp_path / "model.onnx", inputs="tensor")


def test_a_value_for_missing_does_not_hide_the_first_category(mixed_table, tmp_path):
    X, y, new = mixed_table
    X, new = X.copy(), new.copy()
    X.loc[::4, "energy"] = new.loc[::3, "energy"] = 0.0
    model = GBT(10, missing=0.0, random_state=0).fit(X, y)
    _, found = session(model, tmp_path).run(None, column_inputs(new))
    np.testing.assert_allclose(found, model.predict_proba(new), rtol=0, atol=1e-14)


def test_categories_that_are_numbers_and_a_value_for_missing(tmp_path):
    rng = np.random.default_rng(2)
    X = rng.integers(0, 9, size=(800, 3)).astype(float)
    X[rng.random(X.shape) < 0.1] = -1
    y = (X[:, 0] % 3 == 1) ^ (X[:, 1] > 4)
    model = GBT(12, min_child_samples=2, missing=-1.0, categorical_features=[0], random_state=0)
    model.fit(X, y)
    new = rng.integers(-3, 14, size=(700, 3)).astype(float)
    new[::5, 0] = np.nan
    labels, scores = run(model, tmp_path, new)
    assert (labels == model.predict(new)).all()
    np.testing.assert_allclose(scores, model.predict_proba(new), rtol=0, atol=1e-14)


def test_named_columns_of_a_song_pipeline(song_rows, tmp_path):
    model = song_model("trees", song_rows)
    new = song_rows[2]
    made = session(model, tmp_path, inputs="columns", dtype="float32")
    names = [entry.name for entry in made.get_inputs()]
    assert names == list(model.feature_names_in_)
    assert made.get_modelmeta().custom_metadata_map["class_names"] == "sad, happy, energetic, calm"
    single = new[names].astype(np.float32)
    labels, _ = made.run(None, {name: single[[name]].to_numpy() for name in names})
    assert (labels == model.predict(single.astype(np.float64))).all()


@pytest.mark.parametrize("classes", [[False, True], [0.0, 1.0, 7.0], ["ä", "b", "c"], [-3, 7]])
def test_labels_keep_their_type(classes, tmp_path):
    X = np.arange(60.0).reshape(-1, 1)
    y = np.array(classes)[np.arange(60) % len(classes)]
    model = MLP((4,), epochs=3, random_state=0).fit(X, y)
    labels, _ = run(model, tmp_path, X)
    assert (labels == model.predict(X)).all()


def test_a_single_class(tmp_path):
    model = GBT(2).fit([[0.0], [1.0]], ["only", "only"])
    labels, scores = run(model, tmp_path, np.array([[0.5], [np.nan]]))
    assert labels.tolist() == ["only", "only"]
    assert scores.tolist() == [[1.0], [1.0]]


def test_many_classes_are_coupled(tmp_path):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(360, 3))
    y = np.floor(np.arctan2(X[:, 0], X[:, 1]) * 1.9).astype(int)
    model = SVM(C=5, probability=True, random_state=0).fit(X, y)
    assert len(model.classes_) == 12
    labels, scores = run(model, tmp_path, X)
    assert (labels == model.predict(X)).all()
    np.testing.assert_allclose(scores, model.predict_proba(X), rtol=0, atol=1e-5)


def test_without_the_package_the_error_says_what_to_install(monkeypatch, tmp_path):
    model = GBT(2, min_child_samples=1).fit([[0.0], [1.0]], [0, 1])
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'moodcore\[onnx\]'"):
        exchange.export(model, tmp_path / "model.onnx")
    assert list(tmp_path.iterdir()) == []
