"""Text files: every row that goes in comes out, or the file is refused with its place."""

import csv
import io
import random
import zipfile
from contextlib import closing

import numpy as np
import pandas as pd
import pytest

from moodcore import GBT, predict
from moodcore.errors import TableError
from moodcore.predict import csv_reader
from moodcore.predict.csv_reader import end_of_rows
from moodcore.predict.inputs import find_inputs
from moodcore.predict.readers import open_input


@pytest.fixture(scope="module")
def small():
    """A model of two columns of any table."""
    X = pd.DataFrame({"size": np.arange(40.0), "weight": np.arange(40.0)[::-1]})
    return GBT(2, random_state=0).fit(X, X["size"] > 20)


def read(path):
    """Return the fields of each row, the others with their numbers, and the number of rows."""
    (file,) = find_inputs(str(path))
    fields, broken, n_rows = [], [], 0
    with closing(open_input(file)) as reader:
        for batch in reader.batches(reader.columns):
            rows = batch.parse()
            fields += [tuple(row.values()) for row in rows.table.to_pylist()]
            broken += [n_rows + row.row for row in rows.bad]
            n_rows += rows.n_rows
    return fields, broken, n_rows


PIECES = ["a", '"', '""', ",", "\n", '"x,y"', '"x\ny"', '5" disc', " ", '"a""b"', "é"]


@pytest.mark.parametrize("seed", range(40))
def test_rows_are_those_of_pythons_csv_reader(seed, tmp_path, monkeypatch):
    monkeypatch.setattr(csv_reader, "_BLOCK", 16)
    monkeypatch.setattr(csv_reader, "_HEAD", 16)
    drawn = random.Random(seed)
    lines = []
    for _ in range(30):
        fields = ["".join(drawn.choices(PIECES, k=drawn.randrange(3))) for _ in range(2)]
        lines.append(",".join(fields))
    text = "p,q\n" + "\n".join(lines) + "\n"
    (tmp_path / "drawn.csv").write_text(text, newline="")
    expected = [row for row in csv.reader(io.StringIO(text, newline="")) if row][1:]
    is_open = _ends_in_quotes(text)
    try:
        fields, broken, n_rows = read(tmp_path / "drawn.csv")
    except Exception as error:
        assert is_open, text
        assert "never closed" in str(error)
        return
    assert not is_open, text
    assert n_rows == len(fields) + len(broken) == len(expected)
    assert broken == [at for at, row in enumerate(expected) if len(row) != 2]
    assert fields == [tuple(row) for row in expected if len(row) == 2]


def _ends_in_quotes(text):
    inside, at_start = False, True
    position = 0
    while position < len(text):
        character = text[position]
        if inside:
            if text[position : position + 2] == '""':
                position += 1
            elif character == '"':
                inside = False
        elif character == '"' and at_start:
            inside = True
        at_start = not inside and character in ",\n\r"
        position += 1
    return inside


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_blocks_end_between_rows(line_end):
    rows = [b'1,"a%sb"' % line_end.encode(), b'2,"c""d"', b'3,5" disc', b'4,"e"x"', b"5,f"]
    text = b"".join(row + line_end.encode() for row in rows)
    ends = np.cumsum([len(row) + len(line_end) for row in rows])
    separator_end = line_end.encode()[-1:]
    for size in range(len(text) + 1):
        expected = max((end for end in ends.tolist() if end <= size), default=0)
        assert end_of_rows(text[:size], ",", separator_end) == expected


def test_a_quote_that_is_never_closed_is_an_error_with_its_row(small, tmp_path, monkeypatch):
    lines = ["size,weight,title", *(f"{at},{at},title {at}" for at in range(300))]
    for column in range(3):
        fields = lines[5].split(",")
        fields[column] = '"' + fields[column]
        path = tmp_path / f"open{column}.csv"
        path.write_text("\n".join([*lines[:5], ",".join(fields), *lines[6:]]))
        for on_error in ("fail", "skip"):
            with pytest.raises(TableError, match=r"row 4 .*quote that opens a field is never"):
                predict.score(small, path, tmp_path / "out.csv", on_error=on_error)
            assert not (tmp_path / "out.csv").exists()
    monkeypatch.setattr(csv_reader, "_LONGEST_ROW", 500)
    monkeypatch.setattr(csv_reader, "_BLOCK", 100)
    monkeypatch.setattr(csv_reader, "_HEAD", 100)
    with pytest.raises(TableError, match=r"row 4 .*does not end within 0 MB; is a quote"):
        predict.score(small, path, tmp_path / "out.csv")


ENCODED = {
    "bom.csv": lambda text: b"\xef\xbb\xbf" + text.encode(),
    "cr.csv": lambda text: text.replace("\n", "\r").encode(),
    "crlf.csv": lambda text: text.replace("\n", "\r\n").encode(),
    "utf16.tsv": lambda text: text.replace(",", "\t").encode("utf-16"),
    "utf16.csv": lambda text: text.encode("utf-16-be"),
    "latin.txt": lambda text: text.encode("latin-1"),
    "semicolon.csv": lambda text: text.replace(",", ";").replace(".", ",").encode(),
    "declared.csv": lambda text: ("sep=|\n" + text.replace(",", "|")).encode(),
    "blank.csv": lambda text: ("\n\n" + text.replace("\n", "\n\n")).encode(),
}


@pytest.mark.parametrize("name", [*ENCODED, "table.zip", "table.tsv.gz"])
def test_text_is_read_in_every_layout(name, small, tmp_path):
    table = pd.DataFrame({"size": np.arange(50) + 0.5, "weight": 2.25, "title": "Ébène"})
    text = table.to_csv(index=False)
    if name == "table.zip":
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            archive.writestr("inside/table.csv", text)
            archive.writestr("__MACOSX/table.csv", "junk")
    elif name == "table.tsv.gz":
        table.to_csv(tmp_path / name, sep="\t", index=False)
    else:
        (tmp_path / name).write_bytes(ENCODED[name](text))
    report = predict.score(small, tmp_path / name, tmp_path / "out.csv", keep=["title"])
    assert (report.n_read, report.n_scored) == (50, 50)
    found = pd.read_csv(tmp_path / "out.csv")
    assert found["title"].tolist() == ["Ébène"] * 50
    expected = small.predict_proba(table[["size", "weight"]])
    assert np.array_equal(found[["probability_False", "probability_True"]].to_numpy(), expected)


def test_values_that_are_no_text_reject_their_rows(small, tmp_path):
    # Beyond the bytes from which the encoding is recognized.
    good = b"1,2,%s\n" % (b"x" * 60) * 20_000
    path = tmp_path / "late.csv"
    path.write_bytes(b"size,weight,remark\n" + good + b"1,2,caf\xe9\n1,2\n3,4,fine\n1,2,3,\xe9\n")
    with pytest.raises(TableError, match=r"column 'remark', row 20000 .*: not UTF-8 text"):
        predict.score(small, path, tmp_path / "out.csv", keep=["remark"])
    report = predict.score(small, path, tmp_path / "out.csv", keep=["remark"], on_error="null")
    assert (report.n_read, report.n_scored, report.n_rejected) == (20_004, 20_001, 3)
    found = pd.read_csv(tmp_path / "out.csv")
    assert found.index[found["predicted_label"].isna()].tolist() == [20_000, 20_001, 20_003]
    # A column that is not read does not matter.
    assert predict.score(small, path, tmp_path / "out.csv", on_error="skip").n_rejected == 2


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "the file is empty"),
        (b"\n\n", "the file is empty"),
        (b"size,weight\n1,2\n1,\0\n", "row 1 .*NUL byte"),
        (b"1,2\n3,4\n", "the first line holds numbers"),
        (b"size,size\n1,2\n", "'size' is the name of more than one column"),
        (b'"' + b"x" * 200_000 + b'"\n1\n', "the header cannot be read: field larger"),
        (b"x" * (2 << 20), "the first line does not end within 1 MB"),
        (b"size\n1\n", "missing column: 'weight'"),
    ],
)
def test_files_that_are_no_tables_are_refused_in_words(content, says, small, tmp_path):
    path = tmp_path / "odd.csv"
    path.write_bytes(content)
    with pytest.raises(TableError, match=says) as error:
        predict.score(small, path, tmp_path / "out.csv")
    assert "odd.csv" in str(error.value)
    assert [file.name for file in tmp_path.iterdir()] == ["odd.csv"]
