"""The preparation of any table: what it learns, where it refuses, and that nothing leaks."""

import re
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks

from moodcore import GBT, MLP, SVM
from moodcore.errors import missing_columns
from moodcore.preprocessing import BalancedClassifier
from moodcore.tables import TablePreparation
from moodcore.tables.preparation import kind_of

pytestmark = pytest.mark.filterwarnings("ignore:left out:UserWarning")


def features(people):
    return people.drop(columns="pays")


def test_what_becomes_of_each_column(people):
    fitted = TablePreparation().fit(features(people))
    assert fitted.left_out_ == {
        "person_id": "id",
        "joined": "date",
        "country": "constant",
        "empty": "empty",
    }
    assert fitted.get_feature_names_out().tolist() == [
        "age",
        "age is missing",
        "job=clerk",
        "job=cook",
        "job=nurse",
        "job is other",
        "job is missing",
        "member",
        "score",
    ]
    assert fitted.source_columns() == ["age"] * 2 + ["job"] * 5 + ["member", "score"]
    prepared = fitted.transform(features(people))
    assert prepared.dtype == np.float32 and prepared.flags.c_contiguous


def test_numbers_are_imputed_and_standardized(people):
    age = people["age"].to_numpy()
    prepared = TablePreparation().fit_transform(people[["age"]])
    filled = np.where(np.isnan(age), np.nanmedian(age), age)
    np.testing.assert_allclose(prepared[:, 0], (filled - filled.mean()) / filled.std(), atol=1e-6)
    np.testing.assert_array_equal(prepared[:, 1], np.isnan(age))


def test_categories_become_columns(people):
    fitted = TablePreparation().fit(people[["job"]])
    rows = pd.DataFrame({"job": ["cook", "pilot", "never seen", None]})
    names = fitted.get_feature_names_out().tolist()
    found = [[names[at] for at in np.flatnonzero(row)] for row in fitted.transform(rows)]
    assert found == [["job=cook"], ["job is other"], ["job is other"], ["job is missing"]]


def test_without_rare_categories_there_is_no_other_column():
    fitted = TablePreparation().fit(pd.DataFrame({"a": ["x", "y"] * 10}))
    assert fitted.get_feature_names_out().tolist() == ["a=x", "a=y"]
    assert fitted.transform(pd.DataFrame({"a": ["z", None]})).tolist() == [[0, 0], [0, 0]]


def test_the_number_of_columns_of_a_category_is_limited():
    table = pd.DataFrame({"a": np.repeat([f"v{at:02d}" for at in range(30)], np.arange(30, 60))})
    fitted = TablePreparation(max_categories=10).fit(table)
    names = fitted.get_feature_names_out().tolist()
    assert names == [*(f"a=v{at}" for at in range(21, 30)), "a is other"]
    assert (fitted.transform(table).sum(axis=1) == 1).all()


def test_native_columns(people):
    prepared = TablePreparation("native").fit_transform(features(people))
    assert prepared.columns.tolist() == ["age", "job", "member", "score"]
    np.testing.assert_array_equal(prepared["age"], people["age"])
    assert prepared["job"].cat.categories.tolist() == ["clerk", "cook", "nurse", "pilot"]
    assert prepared["job"].isna().tolist() == people["job"].isna().tolist()
    assert set(prepared["member"]) == {0.0, 1.0}


@pytest.mark.parametrize("kind", ["numeric", "native"])
def test_tables_in_other_forms_are_the_same(people, kind, tmp_path):
    fitted = TablePreparation(kind).fit(features(people))
    expected = np.asarray(fitted.transform(features(people)))
    path = tmp_path / "people.csv"
    people.to_csv(path, index=False)
    mixed = people[people.columns[::-1]].assign(more=[[1]] * len(people))
    text = people.assign(
        age=people["age"].astype(str), member=people["member"].astype(str).str.lower()
    )
    for other in (
        pd.read_csv(path),
        pd.read_csv(path, dtype=str),
        people.convert_dtypes(),
        people.convert_dtypes(dtype_backend="pyarrow"),
        people.assign(job=people["job"].astype("category"), member=people["member"].astype(int)),
        pa.Table.from_pandas(people),
        pl.from_pandas(people),
        mixed,
        text,
    ):
        found = np.asarray(fitted.transform(other))
        assert found.shape == expected.shape
        same = (found == expected) | (pd.isna(found) & pd.isna(expected))
        assert same.all()


@pytest.mark.parametrize(
    ("trained", "arriving"),
    [
        ([10, 20], ["10", "20"]),
        ([10, 20], ["10.0", "20.0"]),
        ([10, 20], [10.0, 20.0]),
        (["10", "20"], [10, 20]),
        ([True, False], ["True", "False"]),
        (["a", "b"], [" a", "b "]),
    ],
)
@pytest.mark.parametrize("kind", ["numeric", "native"])
def test_categories_are_matched_by_value(trained, arriving, kind):
    table = pd.DataFrame({"a": pd.Categorical(trained * 10)})
    fitted = TablePreparation(kind).fit(table)
    expected = np.asarray(fitted.transform(table))
    found = fitted.transform(pd.DataFrame({"a": pd.Series(arriving * 10, dtype=object)}))
    assert (np.asarray(found) == expected).all()


def test_numbers_for_categories_of_text_are_refused():
    fitted = TablePreparation().fit(pd.DataFrame({"a": ["x", "y"] * 10}))
    with pytest.raises(ValueError, match=r"column 'a' held categories such as 'x' .* numbers \(3"):
        fitted.transform(pd.DataFrame({"a": [3, 4]}))


def test_categories_that_are_all_new_are_warned_of():
    fitted = TablePreparation(min_frequency=1).fit(pd.DataFrame({"a": ["x", "y"] * 10}))
    with pytest.warns(UserWarning, match="column 'a' holds none of .* such as 'x', but 'z'"):
        fitted.transform(pd.DataFrame({"a": ["z"] * 10}))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted.transform(pd.DataFrame({"a": ["z"] * 9}))
        fitted.transform(pd.DataFrame({"a": ["z"] * 9 + ["x"]}))
        fitted.transform(pd.DataFrame({"a": [None] * 10}))


def test_rare_categories_alone_are_not_warned_of():
    frame = pd.DataFrame({"a": ["x"] * 4 + ["y"] * 4 + [None] * 12})
    fitted = TablePreparation(min_frequency=5).fit(frame)
    assert fitted.columns_[0].levels == ()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted.transform(frame)
        fitted.transform(pd.DataFrame({"a": ["z"] * 10}))


def test_text_for_numbers_is_refused_by_name_row_and_value(people):
    fitted = TablePreparation().fit(people[["age"]])
    bad = pd.DataFrame({"age": ["31", "old"]})
    with pytest.raises(ValueError, match="column 'age': row 1 holds 'old'; allowed are finite"):
        fitted.transform(bad)
    with pytest.raises(ValueError, match="column 'age': row 0 holds inf"):
        fitted.transform(pd.DataFrame({"age": [np.inf]}))


def test_missing_columns_are_refused_by_name(people):
    fitted = TablePreparation().fit(features(people))
    message = "missing columns: 'age' (there is 'Age'), 'score'; the table has: "
    renamed = people.rename(columns={"age": "Age"}).drop(columns="score")
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        fitted.transform(renamed)


def test_a_column_with_a_vaguely_similar_name_is_not_suggested():
    assert missing_columns(["liveness"], ["loudness"]).startswith("missing column: 'liveness'; the")


def test_identifiers_and_dates_are_named_in_a_warning(people):
    with pytest.warns(UserWarning) as caught:
        TablePreparation().fit(features(people))
    assert [str(warning.message) for warning in caught] == [
        "left out identifiers (unique values): 'person_id'",
        "left out dates: 'joined'",
    ]


def test_columns_by_name(people):
    fitted = TablePreparation(columns=["score", "person_id"], min_frequency=1).fit(people)
    assert [column.name for column in fitted.columns_] == ["score", "person_id"]
    with pytest.raises(ValueError, match="missing column: 'scor'"):
        TablePreparation(columns=["scor"]).fit(people)


def test_nothing_to_learn_from(people):
    with pytest.raises(
        ValueError, match=r"no column is left to learn from \(n_samples=240\); left out: {'country'"
    ):
        TablePreparation().fit(people[["country", "empty"]])


def test_wrong_kind():
    with pytest.raises(ValueError, match="kind must be 'numeric' or 'native', got 'number'"):
        TablePreparation("number").fit([[1.0], [2.0]])


def test_required_columns(people):
    columns = TablePreparation().fit(features(people)).required_columns()
    assert [(column.name, column.kind) for column in columns] == [
        ("age", "number"),
        ("job", "category"),
        ("member", "boolean"),
        ("score", "number"),
    ]
    assert columns[1].categories == ("clerk", "cook", "nurse")


@pytest.mark.parametrize("kind", ["numeric", "native"])
def test_only_training_rows_are_learned_from(people, kind):
    """Other rows change nothing: neither medians, nor scales, nor categories, nor roles."""
    train = features(people)[:120]
    fitted = TablePreparation(kind).fit(train)
    again = clone(fitted).fit(train)
    extreme = features(people)[120:].assign(age=1e9, job=["astronaut", "cook"] * 60, score=-1e9)
    fitted.transform(extreme)
    assert fitted.columns_ == again.columns_
    whole = TablePreparation(kind).fit(pd.concat([train, extreme]))
    assert whole.columns_ != fitted.columns_


def test_a_failed_fit_leaves_the_old_one(people):
    fitted = TablePreparation().fit(features(people))
    before = dict(vars(fitted))
    with pytest.raises(ValueError, match="row 0 holds inf"):
        fitted.fit(pd.DataFrame({"score": [np.inf, 1.0, 2.0]}))
    assert vars(fitted) == before


def test_kind_of():
    assert kind_of(GBT()) == kind_of(BalancedClassifier(GBT())) == "native"
    assert kind_of(MLP()) == kind_of(BalancedClassifier(SVM())) == "numeric"


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks([TablePreparation()])
def test_estimator_checks(estimator, check):
    check(estimator)
