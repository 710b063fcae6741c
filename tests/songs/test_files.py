"""Files of songs: damaged, empty, misnamed, or of another kind."""

import gzip

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from moodcore.errors import TableError
from moodcore.songs import read


@pytest.mark.parametrize("source", [None, 3])
def test_wrong_source(source):
    with pytest.raises(TypeError, match=r"a table must be a path, a DataFrame, .*, got"):
        read(source)


@pytest.mark.parametrize("source", [[[1, 2]], np.zeros((3, 11))])
def test_arrays_have_no_names(source):
    with pytest.raises(TableError, match="only 0 columns are features of songs"):
        read(source)


def test_missing_file(tmp_path):
    (tmp_path / "songs.csv").touch()
    with pytest.raises(FileNotFoundError, match=r"sogns\.csv: no such file; there is 'songs\.csv'"):
        read(tmp_path / "sogns.csv")


def test_folder(tmp_path):
    with pytest.raises(IsADirectoryError, match="is a folder; a file is needed"):
        read(tmp_path)


def test_unknown_suffix(tmp_path):
    with pytest.raises(TableError, match=r"unknown kind of file '\.xlsx'; allowed are \.csv, "):
        read(tmp_path / "songs.xlsx")


@pytest.mark.parametrize("name", ["songs.csv", "songs.parquet"])
def test_empty_file(tmp_path, name):
    (tmp_path / name).touch()
    with pytest.raises(TableError, match=f"{name}: the file is empty"):
        read(tmp_path / name)


@pytest.mark.parametrize("text", ["\n\n", " \n"])
def test_blank_csv(tmp_path, text):
    path = tmp_path / "songs.csv"
    path.write_text(text)
    with pytest.raises(TableError):
        read(path)


@pytest.mark.parametrize("name", ["songs.csv", "songs.parquet"])
def test_no_rows(table, tmp_path, name, write, refusal):
    assert refusal(write(table[:0], tmp_path / name)) == ["there are no rows"]


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_truncated_parquet(table, tmp_path, share, write):
    path = write(table, tmp_path / "songs.parquet")
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(TableError, match=r"songs\.parquet: not a Parquet file, or damaged: "):
        read(path)


def test_damaged_page_in_parquet(table, tmp_path):
    path = tmp_path / "songs.parquet"
    pq.write_table(pa.Table.from_pandas(table), path, compression="zstd")
    data = bytearray(path.read_bytes())
    data[4:400] = bytes(396)
    path.write_bytes(data)
    with pytest.raises(TableError, match="not a Parquet file, or damaged: "):
        read(path)


@pytest.mark.parametrize("metadata", [b"{", b"\xff", b"[]", b'{"attributes": 3}', b"{}"])
def test_strange_pandas_metadata_in_parquet(table, tmp_path, metadata):
    path = tmp_path / "songs.parquet"
    pq.write_table(pa.Table.from_pandas(table).replace_schema_metadata({"pandas": metadata}), path)
    assert len(read(path).X) == 40


@pytest.mark.parametrize("share", [0.5, 0.0])
def test_damaged_gzip(table, tmp_path, share):
    path = tmp_path / "songs.csv.gz"
    data = gzip.compress(table.to_csv(index=False).encode())
    path.write_bytes(data[: int(len(data) * share)] or b"labels,tempo\n1,2\n")
    with pytest.raises(TableError, match="damaged gzip file: "):
        read(path)


def test_rows_longer_than_the_header(table, tmp_path):
    path = tmp_path / "songs.csv"
    head, *rows = table.to_csv(index=False).splitlines()
    for spoilt_rows in ([row + ",1,2" for row in rows], [*rows[:5], rows[5] + ",1,2", *rows[6:]]):
        path.write_text("\n".join([head, *spoilt_rows]))
        with pytest.raises(TableError, match=r"line \d has 17 fields, the header has 15"):
            read(path)


def test_rows_shorter_than_the_header(table, tmp_path, write):
    path = write(table, tmp_path / "songs.csv")
    path.write_text(path.read_text() + "40,40,200000\n")
    with pytest.raises(TableError, match=r"line 42 has 3 fields, the header has 15"):
        read(path)


def test_other_separators(table, tmp_path):
    path = tmp_path / "songs.csv"
    for separator in ";\t|":
        table.to_csv(path, index=False, sep=separator)
        pd.testing.assert_frame_equal(read(path).X, read(table).X)


def test_other_encoding(table, tmp_path):
    path = tmp_path / "songs.csv"
    path.write_bytes(table.assign(uri="\xe9").to_csv(index=False).encode("latin-1"))
    assert read(path).uri.tolist() == ["\xe9"] * 40


def test_a_column_that_comes_twice(table, tmp_path, write):
    twice = pd.concat([table, table["energy"]], axis=1)
    path = write(twice, tmp_path / "songs.csv")
    for source in (twice, path):
        with pytest.raises(ValueError, match="'energy' is the name of "):
            read(source)
