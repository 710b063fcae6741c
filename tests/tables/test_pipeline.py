"""A classifier with its preparation: trained, saved, explained and exported as one."""

import numpy as np
import pyarrow as pa
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score

import moodcore
from moodcore import GBT, MLP, SVM, LinearSVM, songs
from moodcore.metrics import class_names
from moodcore.tables import Range, TablePipeline, pipeline, required_columns

pytestmark = pytest.mark.filterwarnings("ignore:left out:UserWarning")

MODELS = {
    "gbt": lambda: GBT(20, min_child_samples=5, random_state=0),
    "mlp": lambda: MLP((8,), epochs=60, random_state=0),
    "svm": lambda: SVM(C=2.0, probability=True, random_state=0),
    "linear-svm": lambda: LinearSVM(random_state=0),
}


def without_label(people):
    return people.drop(columns="pays")


@pytest.fixture(params=MODELS)
def kind(request):
    """The name of a family."""
    return request.param


@pytest.fixture
def fitted(kind, people):
    """A pipeline trained on the people."""
    return pipeline(MODELS[kind](), class_names=("No", "Yes")).fit(
        without_label(people), people["pays"]
    )


def scores(model, rows):
    method = "predict_proba" if hasattr(model, "predict_proba") else "decision_function"
    return getattr(model, method)(rows)


@pytest.fixture
def rows(people):
    """Rows with unseen and missing values, and without the label."""
    new = without_label(people)
    new.loc[::7, "job"] = "never seen"
    new.loc[::5, "age"] = np.nan
    new.loc[::11, "job"] = None
    return new


def test_it_learns(kind, people):
    X = without_label(people)
    model = pipeline(MODELS[kind]())
    assert cross_val_score(model, X, people["pays"], cv=4).mean() > 0.7


def test_any_classifier(people):
    X, y = without_label(people), people["pays"]
    assert pipeline(LogisticRegression(), balance=True, random_state=0).fit(X, y).score(X, y) > 0.5


def test_parameters_are_searched_and_cloned(people):
    X, y = without_label(people), people["pays"]
    search = GridSearchCV(
        pipeline(SVM(), class_names=["a", "b"]), {"classify__C": [0.1, 10.0]}, cv=2
    ).fit(X, y)
    assert search.best_estimator_.class_names == ["a", "b"]
    assert clone(search.best_estimator_).class_names == ["a", "b"]


def test_saved_and_loaded(fitted, rows, tmp_path):
    fitted.save(tmp_path / "model.safetensors")
    loaded = moodcore.load(tmp_path / "model.safetensors")
    assert isinstance(loaded, TablePipeline)
    np.testing.assert_array_equal(scores(loaded, rows), scores(fitted, rows))
    assert loaded.predict(rows).tolist() == fitted.predict(rows).tolist()
    assert class_names(loaded) == ["No", "Yes"]
    assert required_columns(loaded) == required_columns(fitted)
    loaded.save(tmp_path / "again.safetensors")
    first, again = (tmp_path / f"{name}.safetensors" for name in ("model", "again"))
    assert first.read_bytes() == again.read_bytes()


def test_explained_by_the_columns_of_the_table(fitted, rows):
    if isinstance(fitted[-1], MLP | SVM):
        pytest.importorskip("shap")
    found = fitted.explain(
        rows.head(6), n_samples=64 if isinstance(fitted[-1], MLP | SVM) else None
    )
    assert found.data.columns.tolist() == ["age", "job", "member", "score"]
    assert found.values.shape == (6, 4, 1)
    np.testing.assert_allclose(found.base + found.values.sum(axis=1), found.margins, atol=1e-5)
    assert found.outputs == ("Yes",)


def test_required_columns_of_other_models(people):
    X, y = songs.synthesize(200, random_state=0)
    columns = required_columns(songs.pipeline(GBT(2)).fit(X, y))
    assert [column.name for column in columns] == list(songs.SELECTED_FEATURES)
    assert columns[0].allowed == Range(0, 1)
    frame = people[["age", "job"]].assign(job=people["job"].astype("category"))
    age, job = required_columns(GBT(2).fit(frame, people["pays"]))
    assert (age.kind, age.may_be_missing) == ("number", True)
    assert (job.kind, job.categories) == ("category", ("clerk", "cook", "nurse", "pilot"))
    with pytest.raises(ValueError, match="trained on a table without column names"):
        required_columns(GBT(2).fit(X.to_numpy(), y))


def test_a_stream_of_batches_is_read_once(people):
    X, y = people.drop(columns="pays"), people["pays"]
    stream = pa.Table.from_pandas(X, preserve_index=False).to_reader
    model = pipeline(GBT(3, random_state=0)).fit(stream(), y)
    expected = pipeline(GBT(3, random_state=0)).fit(X, y)
    assert np.array_equal(model.predict_proba(stream()), expected.predict_proba(X))
