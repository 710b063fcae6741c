"""Tables of songs: what is taken, and what is said of what cannot be."""

import re
import warnings

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from moodcore import songs
from moodcore.songs import SongTableError, load, read

COLUMNS = [songs.DURATION, *songs.FEATURES]


@pytest.mark.parametrize("name", ["songs.csv", "songs.CSV.gz", "songs.parquet", "songs.pq"])
def test_files(table, tmp_path, name, write):
    path = write(table, tmp_path / name.lower()).rename(tmp_path / name)
    for source in (path, str(path)):
        found = read(source)
        assert found.X.columns.tolist() == COLUMNS
        np.testing.assert_allclose(found.X, table[COLUMNS], rtol=1e-15)
        assert found.y.tolist() == table["labels"].tolist()
        assert found.uri.tolist() == table["uri"].tolist()
        assert found.source == str(path)


@pytest.mark.parametrize("convert", [lambda table: table, pa.Table.from_pandas])
def test_tables_in_memory(table, convert):
    found = read(convert(table))
    np.testing.assert_array_equal(found.X, table[COLUMNS])
    assert (found.X.dtypes == np.float64).all()
    assert (found.y.dtype, found.y.name) == (np.int64, "labels")
    assert found.source in ("DataFrame", "pyarrow Table")


def test_load_gives_features_and_labels(table):
    X, y = load(table)
    pd.testing.assert_frame_equal(X, read(table).X)
    pd.testing.assert_series_equal(y, read(table).y)


def test_load_without_labels(table):
    with pytest.raises(ValueError, match="load returns labels; use read instead"):
        load(table, labels="ignore")


def test_columns_in_any_order(table):
    pd.testing.assert_frame_equal(read(table[table.columns[::-1]]).X, read(table).X)


def test_the_index_of_the_table_plays_no_part(table):
    moved = table.set_index(pd.Index(range(100, 140), name="labels"))
    assert read(moved).X.index.tolist() == list(range(40))


def test_spaces_around_names_and_values(table, tmp_path):
    text = table.to_csv(index=False).replace(",", " , ")
    path = tmp_path / "songs.csv"
    path.write_text("\ufeff" + text, encoding="utf-8")
    np.testing.assert_array_equal(read(path).X, table[COLUMNS])


def test_arrow_and_nullable_types(table):
    for kind in ("pyarrow", "numpy_nullable"):
        np.testing.assert_array_equal(
            read(table.convert_dtypes(dtype_backend=kind)).X, read(table).X
        )


@pytest.mark.parametrize(
    "labels",
    [
        lambda y: y.astype(float),
        lambda y: y.astype(str),
        lambda y: y.map(dict(enumerate(songs.LABEL_NAMES))),
        lambda y: y.map(dict(enumerate(songs.LABEL_NAMES))).str.upper().astype("category"),
        lambda y: y.astype("Int64"),
    ],
)
def test_labels_in_other_forms(table, labels):
    expected = table["labels"].tolist()
    table["labels"] = labels(table["labels"])
    assert read(table).y.tolist() == expected


def test_other_label_names(table):
    names = ("Happy", "Sad", "Energetic", "Calm")
    table["labels"] = "sad"
    assert set(read(table, label_names=names).y) == {1}
    assert set(read(table).y) == {0}


# Column, value, what is said of it.
BAD = [
    ("energy", np.nan, "missing, first row 7: nan; allowed: 0 to 1"),
    ("energy", 1.5, "out of range, first row 7: 1.5; allowed: 0 to 1"),
    ("energy", -0.1, "out of range, first row 7: -0.1; allowed: 0 to 1"),
    ("tempo", np.inf, "infinite, first row 7: inf; allowed: 0 to 300 BPM"),
    ("loudness", -np.inf, "infinite, first row 7: -inf; allowed: -60 to 10 dB"),
    ("loudness", "loud", "not a number, first row 7: 'loud'; allowed: -60 to 10 dB"),
    ("valence", "0,5", "not a number, first row 7: '0,5'; allowed: 0 to 1"),
    ("liveness", "x" * 90, f"not a number, first row 7: '{'x' * 39}...; allowed: 0 to 1"),
    (songs.DURATION, 0, "out of range, first row 7: 0; allowed: 1 to 86,400,000 ms"),
    ("labels", np.nan, "unlabeled, first row 7: nan; allowed: "),
    ("labels", 4, "not a label, first row 7: 4; allowed: "),
    ("labels", -1, "not a label, first row 7: -1; allowed: "),
    ("labels", 1.5, "not a label, first row 7: 1.5; allowed: "),
    ("labels", "angry", "not a label, first row 7: 'angry'; allowed: "),
]
CODES = "0 (sad), 1 (happy), 2 (energetic), 3 (calm)"


def spoilt(table, column, value, rows=(7, 9)):
    if isinstance(value, str):
        table[column] = table[column].astype(object)
    elif isinstance(value, float):
        table[column] = table[column].astype(float)
    table.loc[list(rows), column] = value
    return table


def plain(text):
    """Without the point that a column of floats gives its integers."""
    return re.sub(r"(first row 7: -?\d)\.0;", r"\1;", text)


@pytest.mark.parametrize(("column", "value", "said"), BAD)
def test_bad_values(table, column, value, said, refusal):
    expected = f"column {column!r}: 2 rows {said}" + (CODES if column == "labels" else "")
    assert list(map(plain, refusal(spoilt(table, column, value)))) == [expected]


@pytest.mark.parametrize(("column", "value", "said"), BAD)
def test_bad_values_in_a_csv_file(table, tmp_path, column, value, said, write, refusal):
    path = write(spoilt(table, column, value), tmp_path / "songs.csv")
    expected = f"column {column!r}: 2 rows {said}" + (CODES if column == "labels" else "")
    lines = [re.sub(r"first row 7: '(-?\d)'", r"first row 7: \1", line) for line in refusal(path)]
    assert list(map(plain, lines)) == [expected]


@pytest.mark.parametrize(
    "values", [[True] * 40, [pd.Timestamp("2020-01-01")] * 40, [0.5j] * 40, [[0.5]] * 40]
)
def test_what_is_neither_number_nor_text_is_not_a_number(table, values, refusal):
    table["energy"] = values
    (line,) = refusal(table)
    assert line.startswith("column 'energy': 40 rows not a number, first row 0: ")


@pytest.mark.parametrize("value", [10**400, -(10**400), "9" * 400])
def test_numbers_too_large_for_a_float(table, value, refusal):
    table["tempo"] = pd.Series([value] * 40, dtype=object)
    (line,) = refusal(table)
    assert line.startswith("column 'tempo': 40 rows infinite, first row 0: ")


def test_names_in_any_case_and_spelling(table):
    names = {"energy": "ENERGY", "labels": "Mood", "tempo": "BPM", songs.DURATION: "duration_ms"}
    found = read(table.rename(columns=names))
    pd.testing.assert_frame_equal(found.X, read(table).X)
    pd.testing.assert_series_equal(found.y, read(table).y)
    assert found.notes == (
        "columns by other names: 'BPM' is 'tempo', labels from the column 'Mood'",
    )


def test_a_misspelled_feature_is_noted(table):
    found = read(table.rename(columns={"valence": "valense"}))
    assert "valence" not in found.X
    assert "missing features, done without: 'valence' (there is 'valense')" in found.notes


def test_all_that_is_wrong_is_told_at_once(table, refusal):
    table = spoilt(spoilt(table, "energy", 3.0), "energy", "x", rows=[2])
    table = spoilt(table, "labels", 9, rows=[30]).drop(columns="tempo")
    columns = ["energy", "valence", "tempo"]
    first, *rest = refusal(table.rename(columns={"valence": "valense"}), columns=columns)
    assert first.startswith("missing columns: 'valence' (there is 'valense'), 'tempo'; the table ")
    assert rest == [
        "column 'energy': 1 row not a number, first row 2: 'x'; allowed: 0 to 1",
        "column 'energy': 2 rows out of range, first row 7: 3.0; allowed: 0 to 1",
        f"column 'labels': 1 row not a label, first row 30: 9; allowed: {CODES}",
    ]


def test_the_error_carries_the_problems(table):
    with pytest.raises(SongTableError) as caught:
        read(spoilt(table, "energy", 2.5))
    (problem,) = caught.value.problems
    assert (problem.column, problem.kind) == ("energy", "out of range")
    assert (problem.n_rows, problem.first_row, problem.value) == (2, 7, 2.5)


def test_bad_rows_are_dropped_and_told(table):
    table = spoilt(spoilt(table, "energy", 3.0), "labels", np.nan, rows=[9, 20])
    with pytest.warns(UserWarning) as caught:
        found = read(table, on_bad_rows="drop")
    expected = [
        "40 rows read, 37 kept",
        "3 rows with unusable values: dropped",
        "column 'energy': 2 rows out of range, first row 7: 3.0; allowed: 0 to 1",
        f"column 'labels': 2 rows unlabeled, first row 9: nan; allowed: {CODES}",
    ]
    assert str(found.report).splitlines() == expected
    assert str(caught[0].message) == "DataFrame: " + "\n".join(expected)
    assert caught[0].filename == __file__
    left = [row for row in range(40) if row not in (7, 9, 20)]
    assert found.X.index.tolist() == found.y.index.tolist() == found.uri.index.tolist() == left
    assert (found.report.n_read, found.report.n_bad, found.report.n_dropped) == (40, 3, 3)


def test_no_usable_row(table, refusal):
    table["energy"] = 700.0
    assert refusal(table, on_bad_rows="drop") == [
        "column 'energy': 40 rows out of range, first row 0: 700.0; allowed: 0 to 1",
        "no usable row is left",
    ]


def test_missing_columns_are_refused_even_when_bad_rows_are_dropped(table, refusal):
    bad = spoilt(table, "energy", 3.0).drop(columns="tempo")
    missing, value = refusal(bad, on_bad_rows="drop", columns=["tempo", "energy"])
    assert missing.startswith("missing column: 'tempo'; the table has: 'Unnamed: 0.1', ")
    assert value.startswith("column 'energy': 2 rows out of range, first row 7: 3.0")


def test_spec_rate_is_computed(table):
    found = read(table.drop(columns="spec_rate"))
    pd.testing.assert_frame_equal(found.X, read(table).X)
    assert found.notes == ("'spec_rate' computed: speechiness divided by duration",)
    only = read(table.drop(columns="spec_rate"), columns=["spec_rate"])
    assert only.X.columns.tolist() == ["spec_rate"]


def test_spec_rate_is_not_made_up(table, refusal):
    bare = table.drop(columns=["spec_rate", songs.DURATION])
    (line,) = refusal(bare, columns=["spec_rate"])
    assert line.startswith("missing column: 'spec_rate'; ")


def test_missing_features_are_done_without(table):
    absent = ["loudness", "acousticness", "tempo"]
    found = read(table.drop(columns=absent))
    assert not set(absent) & set(found.X.columns)
    assert found.notes == (f"missing features, done without: {', '.join(map(repr, absent))}",)


def test_duplicates_are_counted(table):
    twice = pd.concat([table, table[3:5].assign(uri="other")])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = read(twice)
    assert len(found.X) == 42
    assert str(found.report) == "42 rows read, 42 kept\n2 duplicate rows, first row 40: kept"


def test_duplicates_are_dropped(table):
    twice = pd.concat([table, table[3:5]])
    said = "42 rows read, 40 kept\n2 duplicate rows, first row 40: dropped"
    with pytest.warns(UserWarning, match=said):
        found = read(twice, duplicates="drop")
    assert found.X.index.tolist() == list(range(40))
    assert (found.report.n_duplicates, found.report.n_bad) == (2, 0)


def test_another_label_makes_another_song(table):
    other = table[:1].assign(labels=(table["labels"][0] + 1) % 4)
    assert read(pd.concat([table, other])).report.n_duplicates == 0


def test_bad_rows_are_no_duplicates(table):
    table = spoilt(table, "energy", 3.0)
    twice = pd.concat([table, table[7:8], table[:1]])
    with pytest.warns(UserWarning, match="43 rows|42 rows"):
        report = read(twice, on_bad_rows="drop", duplicates="drop").report
    assert (report.n_bad, report.n_duplicates, report.first_duplicate) == (3, 1, 41)


def test_nothing_to_tell(table):
    assert str(read(table).report) == "40 rows read, 40 kept"


def test_labels_may_be_absent(table, refusal):
    bare = table.drop(columns=["labels", "uri"])
    found = read(bare, labels="optional")
    assert found.y is None
    assert found.uri is None
    (line,) = refusal(bare)
    assert line.startswith("missing column: 'labels'; ")


def test_optional_labels_are_checked_if_they_are_there(table, refusal):
    assert read(table, labels="optional").y is not None
    assert len(refusal(spoilt(table, "labels", 9), labels="optional")) == 1
    assert read(table, labels="ignore").y is None


def test_only_the_columns_asked_for(table):
    table["valence"] = "?"
    found = read(table.drop(columns=songs.DURATION), columns=["tempo", "energy"])
    assert found.X.columns.tolist() == ["energy", "tempo"]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"on_bad_rows": "dorp"}, ValueError, "on_bad_rows .* got 'dorp'; did you mean 'drop'"),
        ({"duplicates": 1}, ValueError, "duplicates must be one of 'keep', 'drop', got 1"),
        ({"labels": "maybe"}, ValueError, "labels must be one of 'required', 'optional', 'ignore'"),
        (
            {"columns": ["enrgy"]},
            ValueError,
            "'enrgy' does not exist; did you mean 'energy'",
        ),
        ({"columns": "energy"}, TypeError, "columns must be a sequence of names, got the string"),
        ({"columns": []}, ValueError, "columns must name at least one of duration"),
        ({"label_names": "sad"}, TypeError, "label_names must be a sequence of names, got the str"),
        (
            {"label_names": ("sad", "Sad ")},
            ValueError,
            r"label_names must differ.* \('sad', 'Sad '",
        ),
    ],
)
def test_wrong_options(table, options, error, message):
    with pytest.raises(error, match=message):
        read(table, **options)


@pytest.mark.parametrize("name", ["songs.csv", "songs.parquet"])
def test_synthetic_songs_say_so(tmp_path, name, write):
    X, y = songs.synthesize(20, random_state=0)
    table = X.assign(labels=y, uri=[f"{songs.SYNTHETIC_URI}{row}" for row in range(20)])
    assert read(table).synthetic
    assert read(write(table, tmp_path / name)).synthetic
    assert read(write(table.drop(columns="uri"), tmp_path / "x.parquet")).synthetic


def test_other_songs_do_not(table, tmp_path, write):
    table.attrs = {}
    assert not read(table).synthetic
    assert not read(write(table, tmp_path / "songs.csv")).synthetic


def test_the_source_is_left_as_it_was(table):
    before = table.copy()
    read(table)
    pd.testing.assert_frame_equal(table, before)
