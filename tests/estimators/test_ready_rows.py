"""Arrays that need no check are predicted as they are; all others get the checks."""

import numpy as np
import pandas as pd
import pytest

from moodcore import MLP, SVM, LinearSVM
from moodcore.estimators import tables

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 4))
Y = np.arange(60) % 3
DTYPES = [np.float32, np.float64]


@pytest.fixture(params=[MLP((4,), epochs=2, random_state=0), SVM(), LinearSVM()], ids=repr)
def model(request):
    return request.param.fit(X, Y)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_plain_array_is_returned(model, dtype):
    rows = X.astype(dtype)
    assert tables.validate_numbers(model, rows, dtype=DTYPES, reset=False) is rows


@pytest.mark.parametrize(
    "rows",
    [X[:, ::-1][:, ::-1], np.asfortranarray(X), X.astype(">f8"), X.tolist(), X[:1], X.astype("f4")],
    ids=["view", "columns first", "byte order", "list", "one row", "single"],
)
def test_predictions_do_not_depend_on_the_path(model, rows, monkeypatch):
    predicted = model.predict(rows)
    monkeypatch.setattr(tables, "_is_ready", lambda *_: False)
    np.testing.assert_array_equal(predicted, model.predict(rows))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "labels", [Y, Y > 0, np.array(["a", "b", "c"])[Y]], ids=["int", "bool", "str"]
)
def test_plain_training_arrays_are_returned(dtype, labels):
    rows = X.astype(dtype)
    model = SVM()
    returned = tables.validate_numbers(model, rows, labels, dtype=DTYPES)
    assert returned[0] is rows
    assert returned[1] is labels
    assert model.n_features_in_ == 4


def test_plain_training_arrays_replace_column_names():
    model = SVM()
    tables.validate_numbers(model, pd.DataFrame(X, columns=list("abcd")), Y, dtype=DTYPES)
    assert model.feature_names_in_.tolist() == list("abcd")
    tables.validate_numbers(model, X[:, :3].copy(), Y, dtype=DTYPES)
    assert not hasattr(model, "feature_names_in_")
    assert model.n_features_in_ == 3


@pytest.mark.parametrize(
    ("rows", "labels"),
    [
        (X[:, ::-1][:, ::-1], Y),
        (X.astype(">f8"), Y),
        (X.tolist(), Y.tolist()),
        (X, Y.astype(float)),
        (X, np.array(["a", "b", "c"], dtype=object)[Y]),
        (X, np.repeat(Y, 2)[::2]),
    ],
    ids=["view", "byte order", "lists", "float labels", "object labels", "label view"],
)
def test_models_do_not_depend_on_the_path(rows, labels, monkeypatch):
    model = SVM().fit(rows, labels)
    monkeypatch.setattr(tables, "_is_ready", lambda *_: False)
    other = SVM().fit(rows, labels)
    np.testing.assert_array_equal(model.dual_coef_, other.dual_coef_)
    np.testing.assert_array_equal(model.classes_, other.classes_)


@pytest.mark.parametrize(
    ("rows", "labels", "message"),
    [
        (X, Y[:-1], "inconsistent numbers of samples"),
        (X, Y[:, None] + [0, 1], "1d array"),
        (X[:0], Y[:0], "0 sample"),
        (X[:, :0], Y, "0 feature"),
        (np.where(X[7, 2] == X, np.nan, X), Y, "NaN"),
        (X, np.where(np.arange(60) == 5, np.nan, Y), "NaN"),
        (X, Y + 1j, "Complex data"),
    ],
)
def test_other_training_arrays_are_refused(rows, labels, message):
    with pytest.raises(ValueError, match=message):
        SVM().fit(rows, labels)


def test_too_few_rows_are_refused_on_every_path():
    with pytest.raises(ValueError, match="minimum of 2 is required"):
        tables.validate_numbers(SVM(), X[:1], Y[:1], dtype=DTYPES, ensure_min_samples=2)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (X[:, :3], "3 features"),
        (X[:0], "0 sample"),
        (X[0], "1D array"),
        (np.where(X[7, 2] == X, np.nan, X), "NaN"),
        (np.where(X[7, 2] == X, np.inf, X), "infinity"),
        (np.where(X[7, 2] == X, np.inf, np.where(X[8, 2] == X, -np.inf, X)), "infinity"),
    ],
)
@pytest.mark.filterwarnings("ignore:invalid value encountered in reduce")
def test_other_arrays_are_refused(model, rows, message):
    with pytest.raises(ValueError, match=message):
        model.predict(rows)


def test_values_whose_sum_overflows_are_finite(model):
    rows = np.full((3, 4), np.finfo(np.float32).max, dtype=np.float32)
    assert tables.validate_numbers(model, rows, dtype=DTYPES, reset=False).shape == (3, 4)


def test_missing_names_are_reported():
    model = LinearSVM().fit(pd.DataFrame(X, columns=list("abcd")), Y)
    with pytest.warns(UserWarning, match="feature names"):
        model.predict(X)
