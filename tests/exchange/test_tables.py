"""Pipelines of any table, with the preparation of missing values and categories."""

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import make_pipeline
from test_source_code import compiled

from moodcore import GBT, MLP, SVM, LinearSVM, exchange
from moodcore.exchange.computation import computation_of
from moodcore.preprocessing import BalancedClassifier
from moodcore.tables import TablePreparation, pipeline

MODELS = {
    "gbt": lambda: GBT(12, min_child_samples=5, random_state=0),
    "mlp": lambda: MLP((8,), epochs=5, random_state=0),
    "svm": lambda: SVM(C=2.0, gamma=0.01, probability=True, random_state=0),
    "linear-svm": lambda: LinearSVM(random_state=0),
}


@pytest.fixture(params=MODELS)
def fitted(request, mixed_table):
    """A model of the table, and rows with missing and unseen values."""
    X, y, new = mixed_table
    X, y = X[:600], y[:600]
    return pipeline(MODELS[request.param](), balance=request.param == "gbt").fit(X, y), new


def scores_of(model, rows):
    method = "predict_proba" if hasattr(model, "predict_proba") else "decision_function"
    return getattr(model, method)(rows)


def coded(model, rows):
    """Return rows as C and Rust take them: categories by number."""
    table = pd.DataFrame(index=rows.index)
    for column in computation_of(model).columns:
        values = rows[column.name]
        if column.labels is not None:
            codes = {label: float(at) for at, label in enumerate(column.labels)}
            unseen = float(len(codes)) if column.has_other else np.nan
            values = [np.nan if pd.isna(v) else codes.get(str(v), unseen) for v in values]
        table[column.name] = np.asarray(values, dtype=float)
    return table.to_numpy()


@pytest.mark.parametrize("language", ["c", "rs"])
def test_source_code(fitted, tmp_path, language):
    model, new = fitted
    expected = scores_of(model, new)
    codes, scores = compiled(model, tmp_path, language)(coded(model, new), expected.shape[1])
    assert (model.classes_[codes] == model.predict(new)).all()
    np.testing.assert_allclose(scores, expected, rtol=1e-5, atol=1e-5)
    text = (tmp_path / f"model.{language}").read_text().lower()
    other = model.named_steps["prepare"].columns_[2].has_other
    assert ("nan for a missing one, " in text) == other


def test_onnx(fitted, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    model, new = fitted
    exchange.export(model, tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"))
    columns = {name: new[[name]].to_numpy() for name in ("energy", "tempo")}
    for name in ("mood", "key"):
        texts = new[name].map(str, na_action="ignore").astype(object)
        columns[name] = texts.where(texts.notna(), "").to_numpy(dtype=object)[:, None]
    labels, scores = session.run(None, columns)
    assert (labels == model.predict(new)).all()
    np.testing.assert_allclose(scores, scores_of(model, new), rtol=1e-5, atol=1e-5)


def test_formats_of_trees_alone_refuse_encoded_columns(mixed_table, tmp_path):
    X, y, _ = mixed_table
    model = make_pipeline(TablePreparation(), BalancedClassifier(GBT(3))).fit(X, y)
    with pytest.raises(ValueError, match=r"cannot hold replaced missing values .* ONNX, C or Rust"):
        exchange.export(model, tmp_path / "model.json")
