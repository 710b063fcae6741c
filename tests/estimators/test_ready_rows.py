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
