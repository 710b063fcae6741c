"""Any table as a data set: labels, features, held-out files, and errors in words."""

import re

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from moodcore import GBT
from moodcore.datasets import load_dataset
from moodcore.errors import ConfigError, TableError

LABELS = [
    (["no", "yes"], ["no", "yes"], ("no", "yes")),
    ([0, 1], [0, 1], ("0", "1")),
    ([1.0, 2.0], [1, 2], ("1", "2")),
    ([True, False], [False, True], ("False", "True")),
    (pd.Categorical(["b", "a"]), ["a", "b"], ("a", "b")),
    (pd.array([5, 3], dtype="Int64"), [3, 5], ("3", "5")),
    (["1", "x"], ["1", "x"], ("1", "x")),
]


@pytest.mark.parametrize(("labels", "classes", "names"), LABELS)
def test_labels(labels, classes, names):
    table = pd.DataFrame({"a": np.arange(40.0), "label": pd.Series(labels).repeat(20).array})
    dataset = load_dataset(table, "label")
    assert dataset.classes.tolist() == classes
    assert dataset.class_names == names
    assert dataset.counts == dict.fromkeys(names, 20)


def test_what_is_in_a_data_set(people):
    dataset = load_dataset(people, "pays", id="person_id")
    assert dataset.X.columns.tolist() == ["age", "job", "member", "score"]
    assert dataset.y.tolist() == people["pays"].tolist()
    assert (dataset.target, dataset.source, dataset.preset) == ("pays", "DataFrame", None)
    assert (dataset.noun, dataset.synthetic, dataset.groups) == ("rows", False, None)
    assert dataset.ids.tolist() == people["person_id"].tolist()
    assert dataset.notes == (
        "left out dates: 'joined'",
        "left out constant columns: 'country'",
        "left out columns without values: 'empty'",
    )


@pytest.mark.parametrize(
    "convert", [pa.Table.from_pandas, pl.from_pandas, lambda table: table.convert_dtypes()]
)
def test_objects_in_memory(people, convert):
    dataset = load_dataset(convert(people), "pays")
    plain = load_dataset(people, "pays")
    assert dataset.y.tolist() == plain.y.tolist()
    assert dataset.fingerprint() == plain.fingerprint()


def test_labels_apart_from_the_table(people):
    X, y = people.drop(columns="pays"), people["pays"]
    assert load_dataset(X, y=y).target == "pays"
    assert load_dataset(X, y=y.tolist()).y.tolist() == y.tolist()
    arrays = load_dataset(people[["score"]].to_numpy(), y=y.to_numpy())
    assert arrays.X.columns.tolist() == ["x0"]
    assert (arrays.source, arrays.target) == ("numpy ndarray", "target")


def test_labels_in_a_column_vector_and_columns_without_text_names():
    y = np.array([["a"], ["b"]] * 20)
    table = pd.DataFrame(np.arange(80.0).reshape(40, 2))
    assert load_dataset(table, y=y).y.tolist() == ["a", "b"] * 20
    dataset = load_dataset(table.assign(label=y.ravel()), "label", drop=[1])
    assert dataset.X.columns.tolist() == ["0"]
    whole = pd.DataFrame({0: [1.0, 2.0] * 20, 1: [0, 1] * 20})
    assert load_dataset(whole, 1).target == "1"


def test_labels_that_differ_in_case_or_spaces_are_named():
    table = pd.DataFrame({"a": np.arange(60.0), "label": ["yes", "Yes ", "no"] * 20})
    dataset = load_dataset(table, "label")
    assert dataset.class_names == ("Yes ", "no", "yes")
    assert "labels that differ in case or spaces only: 'Yes ' and 'yes'" in dataset.notes


def test_labels_that_are_dates_are_refused():
    table = pd.DataFrame({"a": np.arange(40.0), "day": pd.to_datetime(["2024-01-01"] * 40)})
    table.loc[::2, "day"] = pd.Timestamp("2024-02-01")
    with pytest.raises(TableError, match="target 'day': a category must be text, a number or"):
        load_dataset(table, "day")


def test_the_fingerprint_depends_on_names_values_and_labels(people):
    def fingerprint(table):
        return load_dataset(table, "pays").fingerprint()

    known = fingerprint(people)
    assert fingerprint(people.copy()) == known
    changed = people.copy()
    changed.loc[0, "job"] = "nurse"
    label = people.copy()
    label.loc[0, "pays"] = "no"
    others = [changed, label, people.rename(columns={"age": "years"}), people[::-1]]
    assert len({known, *map(fingerprint, others)}) == 5


def test_features_and_drop(people):
    assert load_dataset(people, "pays", drop=["age"]).X.columns.tolist() == [
        *("job", "member", "score"),
    ]
    chosen = load_dataset(people, "pays", features=["score", "person_id"])
    assert chosen.X.columns.tolist() == ["score", "person_id"]
    assert len(load_dataset(people, "pays", features="all").X.columns) == 4


def test_some_rows(people):
    dataset = load_dataset(people, "pays", rows=100, seed=3)
    assert len(dataset.X) == len(dataset.y) == 100
    assert dataset.X.index.is_monotonic_increasing
    assert people["pays"][dataset.X.index].tolist() == dataset.y.tolist()
    assert "100 of 240 rows, drawn at random within each class" in dataset.notes
    shares = pd.Series(dataset.y).value_counts(normalize=True) / people["pays"].value_counts(
        normalize=True
    )
    assert shares.between(0.95, 1.05).all()


def test_text_among_numbers_counts_as_missing(people):
    people["score"] = people["score"].astype(str)
    people.loc[3, "score"] = "n. a."
    dataset = load_dataset(people, "pays")
    assert dataset.X["score"].isna().tolist() == [row == 3 for row in range(240)]
    assert "column 'score' holds numbers; 'n. a.' count as missing" in dataset.notes


def test_rows_without_a_label(people):
    people.loc[[7, 9], "pays"] = None
    with pytest.raises(
        ConfigError, match=r"column 'pays': 2 rows without a label, first row 7; --"
    ):
        load_dataset(people, "pays")
    dataset = load_dataset(people, "pays", on_bad_rows="drop")
    assert 7 not in dataset.X.index and len(dataset.y) == 238
    assert "column 'pays': 2 rows without a label, first row 7: dropped" in dataset.notes


def test_repeated_rows(people):
    table = pd.concat([people, people[:5]]).drop(columns=["person_id", "joined"])
    words = "5 rows repeat an earlier one in every column, the label included"
    assert f"{words}: kept" in load_dataset(table, "pays").notes
    dropped = load_dataset(table, "pays", duplicates="drop")
    assert len(dropped.y) == 240
    assert f"{words}: dropped" in dropped.notes


ERRORS = [
    ({"target": "pay"}, "target 'pay' does not exist; did you mean 'pays'?"),
    (
        {"target": "pays", "drop": ["agee"]},
        "drop: column 'agee' does not exist; did you mean",
    ),
    ({"target": "pays", "id": "personid"}, "id: column .* did you mean 'person_id'"),
    ({"target": "pays", "features": ["scor"]}, "features: column 'scor' .* did you mean 'score'"),
    ({"target": "pays", "drop": "age"}, "drop must be a list of columns, got the text 'age'"),
    ({"target": "pays", "features": ["joined"]}, "features 'joined' hold dates; allowed are numb"),
    ({"target": "pays", "features": "published"}, "features must be 'all' or a list of columns"),
    ({"target": "score"}, "'score' has 240 distinct numbers, not all whole; moodcore trains class"),
    ({"target": "person_id"}, "'person_id' has 240 distinct values in 240 rows, which are no cl"),
    ({"target": "country"}, "target 'country' holds only the label 'Norway'; two classes are"),
    ({"target": "empty"}, "target 'empty' holds no labels; two classes"),
    ({"target": "pays", "y": [1]}, "pass y or target, not both"),
    ({"y": [1]}, r"y must have one label per row \(240\), got 1"),
    ({"y": np.zeros((240, 2))}, r"y must be one column of labels, got the shape \(240, 2\)"),
    ({"target": "pays", "rows": 500}, "rows: 500 requested, but DataFrame has 240"),
    ({"target": "pays", "rows": 1}, "rows: must be at least 2, one per class, got 1"),
    ({"target": "pays", "class_names": ["a"]}, "class_names: 1 names for 2 classes"),
    ({}, "these are not songs; name the column of the labels, for example --target 'pays'; the "),
]


@pytest.mark.parametrize(("options", "message"), ERRORS)
def test_errors_in_words(people, options, message):
    with pytest.raises(ConfigError, match=message):
        load_dataset(people, **options)


def test_the_likely_target_is_suggested(people):
    with pytest.raises(ConfigError, match="for example --target 'Class'"):
        load_dataset(people.rename(columns={"job": "Class"}))


def test_many_whole_numbers_are_no_classes():
    table = pd.DataFrame({"a": np.arange(400.0), "price": np.arange(400) % 200})
    with pytest.raises(ConfigError, match="'price' has 200 distinct numbers; moodcore trains"):
        load_dataset(table, "price")


def test_classes_with_too_few_rows(people):
    people.loc[:6, "pays"] = "maybe"
    message = r"5 folds need at least 10 rows of every class, .* label 'maybe' \(7\); use fewer"
    with pytest.raises(ConfigError, match=message):
        load_dataset(people, "pays")
    assert load_dataset(people, "pays", folds=3).counts["maybe"] == 7
    assert load_dataset(people[:20], "pays", folds=0).counts["maybe"] == 7


def test_no_rows_and_no_columns(people):
    with pytest.raises(TableError, match="there are no rows"):
        load_dataset(people[:0], "pays")
    with pytest.raises(TableError, match="no column to learn from; left out constant columns"):
        load_dataset(people[["country", "pays"]], "pays")


@pytest.mark.parametrize("source", [None, 3, b"x"])
def test_other_objects(source):
    with pytest.raises((TypeError, ConfigError), match=r"target needs data|must be a path"):
        load_dataset(source, "target")


def test_a_held_out_table(people, tmp_path):
    path = tmp_path / "test.csv"
    people[200:].to_csv(path, index=False)
    dataset = load_dataset(people[:200], "pays", test=path)
    X, y = dataset.test
    assert X.columns.tolist() == dataset.X.columns.tolist()
    assert y.tolist() == people["pays"][200:].tolist()
    assert y.dtype.kind == dataset.y.dtype.kind


def test_labels_of_a_held_out_table_are_matched_by_value(tmp_path):
    table = pd.DataFrame({"a": np.arange(40.0), "label": ["0", "1"] * 20})
    _, y = load_dataset(table, "label", test=table.assign(label=[0, 1] * 20)).test
    assert y.tolist() == table["label"].tolist()
    one_class = table[::2]
    assert set(load_dataset(table, "label", test=one_class).test[1]) == {"0"}


def test_numbers_of_a_held_out_table_are_converted(people):
    texts = people.assign(score=people["score"].astype(str))
    texts.loc[0, "score"] = "n. a."
    X, _ = load_dataset(people, "pays", test=texts).test
    assert np.isnan(X["score"][0])
    assert X["score"][1:].tolist() == people["score"][1:].tolist()


def test_the_columns_of_a_fold_are_those_of_the_table():
    """A column of few repeats is a category in every fold, however its values fall."""
    table = pd.DataFrame({"a": [f"v{row % 75}" for row in range(80)], "b": np.arange(80) % 7})
    dataset = load_dataset(table.assign(label=["x", "y"] * 40), "label")
    model = dataset.pipeline(GBT(2, min_child_samples=2)).fit(dataset.X[:40], dataset.y[:40])
    assert model.feature_names_in_.tolist() == ["a", "b"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop(columns="score"), "DataFrame: missing column: 'score'; the table has"),
        (lambda t: t.drop(columns="pays"), "missing column: 'pays'"),
        (lambda t: t.assign(pays="yess"), "holds 'yess', a class .* have .no, yes.; did you mean"),
        (lambda t: t.assign(pays=None), "holds no labels"),
    ],
)
def test_held_out_tables_that_do_not_fit(people, change, message):
    with pytest.raises(ConfigError, match=message):
        load_dataset(people, "pays", test=change(people[:50]))


def test_pipeline_and_preparation(people):
    from moodcore import MLP

    dataset = load_dataset(people, "pays", class_names=["never", "always"])
    model = dataset.pipeline(MLP(epochs=5, random_state=0), balance=True, random_state=0)
    model.fit(dataset.X, dataset.y)
    assert model.class_names == ("never", "always")
    assert model.score(dataset.X, dataset.y) > 0.4
    prepared = dataset.preparation(MLP()).fit_transform(dataset.X)
    assert prepared.shape == (240, 9)
    native = dataset.preparation(GBT(), features=["job"]).fit_transform(dataset.X)
    assert native.columns.tolist() == ["job"]
    with pytest.raises(ConfigError, match="features: column 'jobb' does not exist; did you mean"):
        dataset.pipeline(GBT(), features=["jobb"])


def test_take_keeps_rows_together(people):
    dataset = load_dataset(people, "pays", id="person_id").take(np.array([5, 2]), "two rows")
    assert dataset.X.index.tolist() == dataset.ids.index.tolist() == [5, 2]
    assert dataset.y.tolist() == people["pays"][[5, 2]].tolist()
    assert dataset.notes[-1] == "two rows"


def test_errors_name_the_file(people, tmp_path):
    path = tmp_path / "people.csv"
    people.to_csv(path, index=False)
    with pytest.raises(ConfigError, match=f"^{re.escape(str(path))}: target 'pay' does not exist"):
        load_dataset(path, "pay")
