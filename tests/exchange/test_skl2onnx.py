"""skl2onnx converts pipelines around the estimators, and ONNX Runtime predicts the same."""

import sys

import numpy as np
import pandas as pd
import pytest
from model_kinds import CLASSIFIERS, scores_of
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    MaxAbsScaler,
    OneHotEncoder,
    OrdinalEncoder,
    RobustScaler,
)

from moodcore import GBT, MLP, exchange
from moodcore.preprocessing import BalancedClassifier

skl2onnx = pytest.importorskip("skl2onnx")
onnxruntime = pytest.importorskip("onnxruntime")


@pytest.fixture(autouse=True, scope="module")
def converters():
    exchange.register_skl2onnx()


def run(model, example, inputs):
    graph = skl2onnx.to_onnx(model, example, options={"zipmap": False})
    session = onnxruntime.InferenceSession(graph.SerializeToString())
    return session.run(None, inputs)


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("kind", CLASSIFIERS)
def test_pipelines_of_each_classifier(kind, n_classes, song_rows):
    X, y, new = song_rows
    columns = ["danceability", "energy", "valence", "tempo"]
    # ONNX Runtime's imputer takes single precision only.
    X, new = (rows[columns].to_numpy(np.float32)[:700] for rows in (X, new))
    y = y[:700]
    y = (
        np.array(["sad", "happy", "energetic", "calm"])[y]
        if n_classes == 4
        else (y > 0).astype(int)
    )
    model = make_pipeline(SimpleImputer(), RobustScaler(), CLASSIFIERS[kind]()).fit(X, y)
    label, scores = run(model, X[:1], {"X": new})
    assert (label == model.predict(new)).mean() > 0.998
    # The steps before compute in single precision, so that a row on a threshold may change sides.
    same = np.isclose(scores, scores_of(model, new), rtol=1e-4, atol=1e-4)
    assert same.mean() > (0.98 if "trees" in kind or isinstance(model[-1], GBT) else 0.9999)


def test_columns_of_text_and_numbers():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"size": rng.normal(size=400), "age": rng.integers(0, 9, 400).astype(float)})
    X = X.astype(np.float32)
    X["city"] = rng.choice(["a", "b", "c"], 400)
    y = np.where((X["size"] > 0) ^ (X["city"] == "b"), "yes", "no")
    prepare = ColumnTransformer(
        [
            (
                "numbers",
                KBinsDiscretizer(8, encode="onehot-dense", quantile_method="linear"),
                ["age"],
            ),
            ("size", RobustScaler(), ["size"]),
            ("text", OneHotEncoder(sparse_output=False), ["city"]),
        ]
    )
    balanced = BalancedClassifier(GBT(10, random_state=0), random_state=0)
    for classifier in (GBT(10, random_state=0), MLP(epochs=5, random_state=0), balanced):
        model = make_pipeline(prepare, classifier).fit(X, y)
        inputs = {
            name: X[[name]].to_numpy(dtype=object if name == "city" else np.float32) for name in X
        }
        label, scores = run(model, X[:1], inputs)
        assert (label == model.predict(X)).mean() > 0.99
        np.testing.assert_allclose(scores, model.predict_proba(X), rtol=0, atol=1e-5)


def test_a_classifier_alone_and_dictionaries_of_probabilities(table):
    X, y, new = table
    model = GBT(10, random_state=0).fit(X, y)
    graph = skl2onnx.to_onnx(model, X[:1])
    session = onnxruntime.InferenceSession(graph.SerializeToString())
    label, probabilities = session.run(None, {"X": new.astype(np.float32)})
    expected = model.predict_proba(new.astype(np.float32))
    assert (label == model.predict(new.astype(np.float32))).all()
    found = pd.DataFrame(probabilities)[[0, 1, 2]].to_numpy()
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


def test_without_the_package_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "skl2onnx", None)
    with pytest.raises(ModuleNotFoundError, match=r"skl2onnx: pip install 'moodcore\[onnx\]'"):
        exchange.register_skl2onnx()


def prepared(**steps):
    """Return a preparation of the columns of `mixed_table`."""
    numbers = make_pipeline(SimpleImputer(), RobustScaler(), FunctionTransformer())
    text = steps.get("text", OneHotEncoder(handle_unknown="ignore"))
    return ColumnTransformer(
        [("numbers", steps.get("numbers", numbers), ["size", "age"]), ("text", text, ["city"])]
    )


@pytest.fixture(scope="module")
def mixed_table():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"size": rng.normal(size=400), "age": rng.integers(0, 9, 400).astype(float)})
    X["city"] = rng.choice(["a", "b", "c"], 400)
    y = np.where((X["size"] > 0) ^ (X["city"] == "b"), "yes", "no")
    X.loc[::7, "size"] = np.nan
    return X, y


def exported(model, path, X, dtype="float64"):
    """Export a model, and return the outputs of its ONNX file for a table."""
    exchange.export(model, path, dtype=dtype)
    session = onnxruntime.InferenceSession(path)
    kinds = {entry.name: object if "string" in entry.type else dtype
             for entry in session.get_inputs()}  # fmt: skip
    return session.run(None, {name: X[[name]].to_numpy(kind) for name, kind in kinds.items()})


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(
    "text",
    [
        OneHotEncoder(handle_unknown="ignore"),
        OneHotEncoder(sparse_output=False),
        OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
    ],
    ids=["sparse", "one-hot", "ordinal"],
)
@pytest.mark.parametrize("kind", CLASSIFIERS)
def test_export_of_text_and_numbers(kind, text, dtype, mixed_table, tmp_path):
    X, y = mixed_table
    model = make_pipeline(prepared(text=text), CLASSIFIERS[kind]()).fit(X, y)
    label, scores = exported(model, tmp_path / "m.onnx", X, dtype)
    assert (label == model.predict(X)).mean() > 0.99
    assert np.isclose(scores.squeeze(), scores_of(model, X).squeeze(), atol=2e-5).mean() > 0.99


def test_transformers_of_numbers_need_no_skl2onnx(mixed_table, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "skl2onnx", None)
    X, y = mixed_table[0][["size", "age"]], mixed_table[1]
    steps = (SimpleImputer(), RobustScaler(), MaxAbsScaler(), FunctionTransformer())
    model = make_pipeline(*steps, MLP(epochs=5, random_state=0)).fit(X, y)
    exchange.export(model, tmp_path / "m.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx")
    label, probabilities = session.run(None, {"X": X.to_numpy()})
    assert (label == model.predict(X)).all()
    np.testing.assert_allclose(probabilities, model.predict_proba(X), atol=1e-6)
    exchange.export(model, tmp_path / "m.c")
    assert (tmp_path / "m.c").stat().st_size > 1000


@pytest.mark.parametrize(
    ("numbers", "ending", "message"),
    [
        (SimpleImputer(), ".c", "supports pipelines of .*RobustScaler.*; got ColumnTransformer"),
        (SimpleImputer(), ".rs", "got ColumnTransformer. ONNX files support other"),
        (FunctionTransformer(np.abs), ".onnx", "FunctionTransformer with a function is not"),
        (SimpleImputer(add_indicator=True), ".onnx", "SimpleImputer with add_indicator=True"),
        (KBinsDiscretizer(3, quantile_method="linear"), ".onnx", "with dtype='float32' it may"),
    ],
)
def test_what_cannot_be_exported(numbers, ending, message, mixed_table, tmp_path):
    X, y = mixed_table
    X = X.fillna(0.0) if not isinstance(numbers, SimpleImputer) else X
    model = make_pipeline(prepared(numbers=numbers), GBT(3, random_state=0)).fit(X, y)
    with pytest.raises(TypeError, match=message):
        exchange.export(model, tmp_path / f"m{ending}")
    assert not list(tmp_path.iterdir())


def test_a_missing_package_is_named(mixed_table, tmp_path, monkeypatch):
    X, y = mixed_table
    model = make_pipeline(prepared(), GBT(3, random_state=0)).fit(X, y)
    monkeypatch.setitem(sys.modules, "skl2onnx", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'moodcore\[onnx\]'"):
        exchange.export(model, tmp_path / "m.onnx")
    with pytest.raises(TypeError, match="got ColumnTransformer"):
        exchange.export(model, tmp_path / "m.json")
