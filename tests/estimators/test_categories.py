"""Categories are found by value, whatever type they arrive in."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from moodcore import GBT, load
from moodcore.estimators.categories import CategoryCodes
from moodcore.estimators.table_columns import Categories, ColumnError, read_series

N = 400


def fitted(values, **params):
    """A model of one categorical column, and the accuracy that it has."""
    codes = np.arange(N) % len(values)
    y = codes % 2
    X = pd.DataFrame({"key": pd.Categorical([values[code] for code in codes]), "noise": 0.0})
    return GBT(20, random_state=0, min_child_samples=2, **params).fit(X, y), codes, y


def table(values, codes, dtype=None):
    return pd.DataFrame({"key": pd.Series([values[c] for c in codes], dtype=dtype), "noise": 0.0})


NUMBERS = [10, 3, 7, 22]
WORDS = ["10", "3", "7", "22"]
ARRIVALS = [
    (NUMBERS, WORDS, None),
    (NUMBERS, WORDS, "category"),
    (NUMBERS, WORDS, object),
    (NUMBERS, ["10.0", " 3", "7.", "22.00"], None),
    (NUMBERS, [10.0, 3.0, 7.0, 22.0], None),
    (NUMBERS, NUMBERS, "Int16"),
    ([0.5, -1.0, 2.5, 1e300], ["0.5", "-1", "2.50", "1E300"], None),
    ([True, False], ["True", "False"], None),
    ([True, False], ["true", "FALSE"], "category"),
    ([True, False], [True, False], None),
    ([True, False], [1, 0], None),
    (["True", "False"], [True, False], None),
    (["True", "False"], [True, False], "boolean"),
    (WORDS, NUMBERS, None),
    (WORDS, NUMBERS, "category"),
    (WORDS, NUMBERS, float),
    (["10.5", "3", "-7e1", "22"], [10.5, 3, -70, 22], None),
]


@pytest.mark.parametrize(("trained", "arriving", "dtype"), ARRIVALS)
def test_values_of_another_type_are_matched(trained, arriving, dtype):
    model, codes, y = fitted(trained)
    X = table(arriving, codes, dtype)
    assert model.score(X, y) == 1.0
    for other in (pl.from_pandas(X), pa.Table.from_pandas(X)):
        assert np.array_equal(model.predict_proba(other), model.predict_proba(X))
    for code in range(len(trained)):
        row = model.predict_proba_row([arriving[code], 0.0])
        assert row == model.predict_proba(X[code : code + 1])[0].tolist()


@pytest.mark.parametrize(
    ("trained", "arriving", "says"),
    [
        (NUMBERS, ["10", "3", "seven", "22"], "held categories such as 3 in training, got 'seven'"),
        (NUMBERS, ["a", "b", "c", "d"], "held categories such as 3 in training, got"),
        ([True, False], ["yes", "no"], "held categories such as False in training, got"),
        (["a", "b", "c", "d"], NUMBERS, "held categories such as 'a' in training, got"),
        (["1", "2", "x", "3"], [1, 2, 3, 2], "held categories such as '1' in training, got 1"),
        (["1", "1.0", "2", "3"], [1, 1, 2, 3], "held categories such as '1' in training, got 1"),
        (WORDS, pd.to_datetime(["2020", "2021", "2022", "2023"]), "such as '10' in training, got"),
    ],
    ids=["a word", "words", "yes", "letters", "some letters", "ambiguous", "days"],
)
def test_values_that_cannot_be_matched_are_refused_by_name(trained, arriving, says):
    model, codes, _ = fitted(trained)
    X = table(arriving, codes, "category")
    with pytest.raises(ColumnError, match=f"column 'key' .*{says}"):
        model.predict(X)
    with pytest.raises(ColumnError, match=r"column 'key' held categories such as"):
        for value in arriving:
            model.predict_proba_row([value, 0.0])


def test_missing_and_unseen_values_of_another_type_are_missing():
    model, _, _ = fitted(NUMBERS)
    missing = model.predict_proba(pd.DataFrame({"key": [np.nan], "noise": 0.0})).tolist()
    for value in ("nan", "", "None", "<NA>", None, pd.NA, "99", 99, pd.NaT):
        assert model.predict_proba_row([value, 0.0]) == missing[0]
        X = pd.DataFrame({"key": pd.Series([value], dtype=object), "noise": 0.0})
        assert model.predict_proba(X).tolist() == missing
    model, _, _ = fitted(WORDS)
    missing = model.predict_proba_row([None, 0.0])
    assert model.predict_proba_row([99, 0.0]) == model.predict_proba_row(["x", 0.0]) == missing


def test_numbers_named_as_categories_may_arrive_as_text():
    codes = np.arange(N) % 4
    X = pd.DataFrame({"key": np.array(NUMBERS)[codes], "noise": 0.0})
    model = GBT(20, categorical_features=["key"], min_child_samples=2).fit(X, codes % 2)
    assert model.score(X, codes % 2) == 1.0
    for dtype in (str, "category", object):
        text = X.assign(key=X["key"].astype(str).astype(dtype))
        assert np.array_equal(model.predict_proba(text), model.predict_proba(X))
    with pytest.raises(ColumnError, match="column 'key' must hold numbers, got 'ten'"):
        model.predict(X.assign(key="ten"))
    with pytest.raises(ColumnError, match="column 'noise' must hold numbers, got '0'"):
        model.predict(X.assign(noise="0"))


def test_single_rows_with_missing_values():
    X = np.array([[0.0, np.nan], [1.0, 2.0]] * 10)
    model = GBT(5, min_child_samples=1).fit(X, X[:, 0])
    expected = model.predict_proba_row([1.0, float("nan")])
    for missing in (None, pd.NA, pd.NaT):
        assert model.predict_proba_row([1.0, missing]) == expected
    for row, says in (
        ([1.0, "2"], "column 1 must hold numbers, got '2'"),
        ([pd.Timestamp("2020-01-01"), 2.0], "column 0 must hold .* got Timestamp; use its year"),
        ([1.0, [2.0]], "column 1 must hold .* got list"),
        ([1.0], "a row of 1 values|2 features|2 values"),
    ):
        with pytest.raises(ValueError, match=says):
            model.predict_proba_row(row)


def test_codes_are_built_once_per_model(monkeypatch, tmp_path):
    model, codes, y = fitted(NUMBERS)
    model.save(tmp_path / "model.mood")
    built = []
    build = CategoryCodes.__init__
    monkeypatch.setattr(
        CategoryCodes, "__init__", lambda *args: (built.append(args), build(*args))[0]
    )
    loaded = load(tmp_path / "model.mood")
    X = table(WORDS, codes)
    for _ in range(3):
        assert loaded.score(X, y) == 1.0
        loaded.predict_proba_row(["10", 0.0])
    assert len(built) == 1
    assert pickle.loads(pickle.dumps(loaded)).score(X, y) == 1.0
    with pytest.raises(ColumnError, match="column 'key' held categories"):
        loaded.predict(table(["x"] * 4, codes))


def test_a_row_looks_up_its_own_categories_only():
    many = pd.Index([f"c{code}" for code in range(100_000)])
    frame = pd.DataFrame({"id": pd.Categorical.from_codes([5, -1, 5], many)})
    column = read_series(frame["id"], "id")
    assert (column.values, column.codes.tolist()) == (["c5"], [0, -1, 0])


def test_values_without_a_hash_are_refused_by_name():
    model, _, _ = fitted(NUMBERS)
    with pytest.raises(ColumnError, match=r"column 'key' held categories .* got \[10\]"):
        model.predict_proba_row([[10], 0.0])


def test_codes_of_an_empty_column():
    codes = CategoryCodes([], "a")
    assert np.isnan(codes.encode(Categories(np.array([0, -1]), ["x"]))).all()
