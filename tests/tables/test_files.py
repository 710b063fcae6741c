"""Table files: every layout gives the same table, and damaged ones an error in words."""

import gzip
import re
import zipfile

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from moodcore.errors import TableError
from moodcore.tables.files import read_table_file
from moodcore.tables.text_files import detect_encoding, detect_separator, first_lines

TABLE = pd.DataFrame(
    {
        "id": ["001", "002", "003"],
        "weight": [1.5, -2.25e-7, np.nan],
        "count": [1, 2, 3],
        "name": ["Zoë, the first", 'a "quoted" one', "with\nnewline"],
    }
)


def check(path, *notes, **options):
    """Read a file that holds TABLE, and check its notes."""
    frame, found = read_table_file(path, **options)
    assert frame["id"].tolist() == TABLE["id"].tolist()
    np.testing.assert_array_equal(frame["weight"], TABLE["weight"])
    assert frame["count"].tolist() == [1, 2, 3]
    assert frame["name"].tolist() == TABLE["name"].tolist()
    assert found == list(notes)


def text(separator=",", decimal="."):
    return TABLE.to_csv(index=False, sep=separator, decimal=decimal)


SEPARATED = {",": [], ";": ["semicolons"], "\t": ["tabs"], "|": ["vertical bars"]}


@pytest.mark.parametrize("separator", SEPARATED)
@pytest.mark.parametrize("ending", [".csv", ".tsv", ".txt"])
def test_separators(tmp_path, separator, ending):
    path = tmp_path / f"table{ending}"
    path.write_text(text(separator), encoding="utf-8")
    check(path, *(f"fields separated by {name}" for name in SEPARATED[separator]))


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_decimal_commas(tmp_path, separator):
    path = tmp_path / "table.csv"
    path.write_text(text(separator, ","), encoding="utf-8")
    check(path, f"fields separated by {SEPARATED[separator][0]}", "decimal commas in 'weight'")


def test_commas_in_text_are_no_decimal_commas(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("a;pair\n1;1,5\n2;3,4 or so\n")
    frame, _ = read_table_file(path)
    assert frame["pair"].tolist() == ["1,5", "3,4 or so"]


@pytest.mark.parametrize(
    ("encoding", "mark", "notes"),
    [
        ("utf-8", b"", []),
        ("utf-8", b"\xef\xbb\xbf", []),
        ("utf-16-le", b"\xff\xfe", ["text in UTF-16"]),
        ("utf-16-be", b"\xfe\xff", ["text in UTF-16"]),
        ("utf-16-le", b"", ["text in UTF-16"]),
        ("utf-16-be", b"", ["text in UTF-16"]),
        ("latin-1", b"", ["not valid UTF-8 (line 2): read as Latin-1"]),
    ],
)
def test_encodings(tmp_path, encoding, mark, notes):
    path = tmp_path / "table.csv"
    path.write_bytes(mark + text().encode(encoding))
    check(path, *notes)


def zipped(path, data, name="inner/table.csv", others=()):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, data)
        for other in ("readme.md", "__MACOSX/._table.csv", ".hidden.csv", *others):
            archive.writestr(other, "x")


@pytest.mark.parametrize("compression", [".gz", ".zst", ".zip"])
@pytest.mark.parametrize("kind", [".csv", ".parquet"])
def test_compressed(tmp_path, compression, kind):
    plain = tmp_path / f"table{kind}"
    write_text_or_parquet(plain)
    data = plain.read_bytes()
    path = tmp_path / f"table{kind}{compression}"
    if compression == ".zip":
        zipped(path, data, f"table{kind}")
    elif compression == ".gz":
        path.write_bytes(gzip.compress(data))
    else:
        with pa.CompressedOutputStream(str(path), "zstd") as stream:
            stream.write(data)
    check(path)


def write_text_or_parquet(path):
    if path.suffix == ".csv":
        path.write_text(text(), encoding="utf-8")
    else:
        TABLE.to_parquet(path, index=False)


@pytest.mark.parametrize("name", ["t.parquet", "t.pq", "t.feather", "t.arrow", "t.ipc", "T.PQ"])
def test_columnar_files(tmp_path, name):
    path = tmp_path / name
    if name.lower().endswith(("parquet", "pq")):
        TABLE.to_parquet(path, index=False)
    elif name.endswith("feather"):
        TABLE.to_feather(path)
    else:
        table = pa.Table.from_pandas(TABLE, preserve_index=False)
        new = pa.ipc.new_file if name.endswith("arrow") else pa.ipc.new_stream
        with new(path, table.schema) as writer:
            writer.write_table(table)
    check(path)


def test_excel_declares_the_separator(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("sep=;\n" + text(";"), encoding="utf-8")
    check(path, "fields separated by semicolons")


def test_a_single_column(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("weight\n1.5\n2.5\n")
    assert read_table_file(path)[0]["weight"].tolist() == [1.5, 2.5]


def test_missing_values(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("a,b\n1,x\n?,NA\n,null\n4,\n")
    frame, _ = read_table_file(path)
    assert frame["a"].isna().tolist() == [False, True, True, False]
    assert frame["b"].isna().tolist() == [False, True, True, True]


BROKEN = [
    ("", "the file is empty"),
    ("\n \n", "the file is empty"),
    ("1.5,2,3\n4,5,6\n", r"the first line holds numbers \(1.5, 2, 3, ...\); a table needs"),
    ("a,b,a\n1,2,3\n", "'a' is the name of more than one column"),
    ("a,b\n1,2\n3\n4,5\n6,7,8\n", r"line 3 has 1 field, the header has 2 \(2 such lines\)"),
    ("a,b\n1,2\n3,4,5\n", "line 3 has 3 fields, the header has 2"),
    ('a,b\n1,2\n3,"4\n5,6\n7,8\n', "line 3: a field that is opened by a quote is never closed"),
    ("a,b\n1,2\n3,\x00\n", "line 3 holds a NUL byte"),
]


@pytest.mark.parametrize(("content", "message"), BROKEN)
def test_broken_text(tmp_path, content, message):
    path = tmp_path / "table.csv"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(TableError, match=f"^{re.escape(str(path))}: {message}"):
        read_table_file(path)


def test_ragged_rows_can_be_dropped(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text('a,b\n1,"x,\ny"\n3\n4,z\n6,7,8\n')
    frame, notes = read_table_file(path, drop_ragged_rows=True)
    assert frame["a"].tolist() == [1, 4]
    assert frame["b"].tolist() == ["x,\ny", "z"]
    assert notes == ["line 4 has 1 field, the header has 2 (2 such lines): dropped"]


def test_trailing_gaps_are_no_ragged_rows(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("a,b\n1,\n2,\n\n")
    assert read_table_file(path)[0].shape == (2, 2)


def test_a_header_only(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("a,b\n")
    assert read_table_file(path)[0].shape == (0, 2)


@pytest.mark.parametrize("name", ["table.parquet", "table.arrow", "table.csv.gz", "table.csv.zst",
                                  "table.zip"])  # fmt: skip
def test_damaged_files(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"what is this\n")
    with pytest.raises(TableError, match=f"^{re.escape(str(path))}: .*damaged"):
        read_table_file(path)


@pytest.mark.parametrize(("names", "inside"), [(["a.csv", "b.tsv"], "'a.csv', 'b.tsv'")])
def test_a_zip_with_two_tables(tmp_path, names, inside):
    path = tmp_path / "tables.zip"
    zipped(path, b"x", names[0], names[1:])
    with pytest.raises(TableError, match=f"must hold one table .* got {inside}; unpack it"):
        read_table_file(path)


def test_a_zip_without_a_table(tmp_path):
    path = tmp_path / "tables.zip"
    zipped(path, b"x", "picture.png")
    with pytest.raises(TableError, match=r"must hold one table .*, got none"):
        read_table_file(path)


def test_other_kinds_and_missing_files(tmp_path):
    with pytest.raises(TableError, match=r"unknown kind of file '\.xlsx'; allowed are \.csv, "):
        read_table_file(tmp_path / "table.xlsx")
    (tmp_path / "table.csv").touch()
    with pytest.raises(FileNotFoundError, match=r"no such file; there is 'table\.csv'"):
        read_table_file(tmp_path / "tabel.csv")
    (tmp_path / "people").mkdir()
    with pytest.raises(FileNotFoundError, match=r"no such file or folder; there is 'people'"):
        read_table_file(tmp_path / "poeple")
    with pytest.raises(IsADirectoryError, match="is a folder"):
        read_table_file(tmp_path)


@pytest.mark.parametrize(
    ("sample", "separator"),
    [
        ("a,b\n1,2\n", ","),
        ("a;b\n1,5;2,5\n", ";"),
        ("name\ttext\nx\tone, two; three\n", "\t"),
        ('"a;b",c\n"d;e",f\n', ","),
        ("a|b|c\n1|2|3\n", "|"),
        ("alone\n1\n", ","),
        ("", ","),
    ],
)
def test_detect_separator(sample, separator):
    assert detect_separator(sample) == separator


def test_detect_encoding_of_short_texts():
    assert detect_encoding(b"") == "utf-8"
    assert detect_encoding(b"a") == "utf-8"


def test_first_lines_are_whole():
    long = "x" * 70 + "\n"
    found = first_lines(long * 2_000)
    assert found.endswith("x") and len(found) < 1 << 16
    assert first_lines("a\nb") == "a\nb"
