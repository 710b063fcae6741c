"""Damaged files of every format: a result that accounts for every row, or an error in words.

`python tests/predict/test_damaged.py COUNT [SEED]` tries more of them.
"""

import gzip
import io
import random
import sys
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from moodcore import GBT, predict
from moodcore.errors import TableError
from moodcore.tables.files import read_table_file


def make_files():
    """Return a table in every format, by the name of the file, and a model for it."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame(
        {"size": rng.normal(size=60), "kind": pd.Categorical(rng.choice(["a", "b", "c"], 60))}
    )
    model = GBT(2, random_state=0).fit(X, X["size"] > 0)
    table = X.assign(uri=[f"u{at}" for at in range(60)], title='say "hi", é\nthen')
    text = table.to_csv(index=False).encode()
    arrow = pa.Table.from_pandas(table, preserve_index=False)
    files = {
        "t.csv": text,
        "t.tsv": table.to_csv(index=False, sep="\t").encode("utf-16"),
        "t.csv.gz": gzip.compress(text, mtime=0),
        "t.csv.zst": pa.compress(text, "zstd", asbytes=True),
    }
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("t.csv", text)
    files["t.zip"] = archive.getvalue()
    for name, options in {
        "t.parquet": {"row_group_size": 25},
        "v2.parquet": {"data_page_version": "2.0", "compression": "zstd", "use_dictionary": False},
    }.items():
        buffer = io.BytesIO()
        pq.write_table(arrow, buffer, **options)
        files[name] = buffer.getvalue()
    for name, make in {"t.arrow": pa.ipc.new_file, "stream.arrow": pa.ipc.new_stream}.items():
        for suffix, packing in {"": None, "lz4": "lz4"}.items():
            buffer = io.BytesIO()
            with make(
                buffer, arrow.schema, options=pa.ipc.IpcWriteOptions(compression=packing)
            ) as writer:
                writer.write_table(arrow, max_chunksize=25)
            files[suffix + name] = buffer.getvalue()
    return files, model


def mutate(data, drawn):
    """Change a few bytes, or cut, repeat, insert or drop a piece."""
    data = bytearray(data)
    for _ in range(drawn.choice([1, 1, 2, 5])):
        at = drawn.randrange(len(data) + 1)
        end = min(at + drawn.choice([1, 2, 4, 8, 64]), len(data))
        kind = drawn.randrange(7)
        if kind == 0:
            del data[at:]
        elif kind == 1:
            del data[at:end]
        elif kind == 2:
            data[at:at] = data[at:end]
        elif kind == 3:
            data[at:at] = drawn.choice([b'"', b"\0", b"\r", b",", b"\xff", b"\n", b"e308", b"'"])
        elif at < len(data):
            data[at] = drawn.choice([0, 1, 127, 128, 255, data[at] ^ (1 << drawn.randrange(8))])
        if not data:
            break
    return bytes(data)


def check(name, data, model, folder, on_error):
    """Score a damaged file; return the error in words, if it is one."""
    path, out = folder / name, folder / "out.parquet"
    path.write_bytes(data)
    out.unlink(missing_ok=True)
    try:
        report = predict.score(model, path, out, on_error=on_error, keep=["all"], jobs=1)
    except TableError as error:
        assert name in str(error), error
        assert not out.exists()
        assert [file.name for file in folder.iterdir() if file.name.startswith(".")] == []
        return str(error)
    assert report.n_read == report.n_scored + report.n_rejected
    rows = pq.read_table(out)
    rows.validate(full=True)
    assert rows.num_rows == (report.n_read if on_error == "null" else report.n_scored)
    return None


FILES, MODEL = make_files()


@pytest.mark.parametrize("name", FILES)
def test_damaged_files_end_in_words_or_account_for_every_row(name, tmp_path):
    drawn = random.Random(name)
    assert check(name, FILES[name], MODEL, tmp_path, "fail") is None
    errors = 0
    for number in range(40):
        on_error = ("fail", "skip", "null")[number % 3]
        data = mutate(FILES[name], drawn)
        errors += check(name, data, MODEL, tmp_path, on_error) is not None
    assert errors


def read(name, data, folder, drop_ragged_rows):
    """Read a damaged file as a whole; return the error in words, if it is one."""
    (folder / name).write_bytes(data)
    try:
        read_table_file(folder / name, drop_ragged_rows=drop_ragged_rows)
    except TableError as error:
        assert name in str(error), error
        return str(error)
    return None


@pytest.mark.parametrize("name", FILES)
def test_the_reader_of_whole_files_ends_in_words_too(name, tmp_path):
    drawn = random.Random(f"whole {name}")
    assert read(name, FILES[name], tmp_path, False) is None
    errors = [read(name, mutate(FILES[name], drawn), tmp_path, bool(n % 2)) for n in range(150)]
    assert any(errors)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a,b,y\n1,{},p\n2,3\n", "line 2 cannot be read: field larger than"),
        ("a,{},y\n1,2,p\n2,3\n", "the header cannot be read: field larger than"),
        ('a,b,y\n1,2,p\n1,"{},p\n2,3,q\n', "line 3: a field that is opened by a quote is never"),
    ],
)
@pytest.mark.parametrize("drop", [False, True])
def test_fields_beyond_the_limit_of_the_reader(text, says, drop, tmp_path):
    error = read("long.csv", text.format("x" * 200_000).encode(), tmp_path, drop)
    assert says in error


class Endless(io.RawIOBase):
    """Standard input that never ends its first line, and counts what is read."""

    def __init__(self):
        self.n_read = 0

    def read(self, size=-1):
        assert size > 0
        self.n_read += size
        return b"a" * size


def test_a_header_without_end_on_standard_input(monkeypatch):
    endless = Endless()
    monkeypatch.setattr(sys, "stdin", type("Stdin", (), {"buffer": endless}))
    with pytest.raises(TableError, match="standard input: the first line does not end within 1 MB"):
        predict.score(MODEL, "-", None)
    assert endless.n_read <= 2 << 20


def main(count, seed):
    """Try this many mutations, and print what the errors were."""
    import collections
    import tempfile

    errors = collections.Counter()
    names = list(FILES)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number in range(count):
            drawn = random.Random(f"{seed}-{number}")
            chosen = names[number % len(names)]
            data = mutate(FILES[chosen], drawn)
            # What is written first can be looked at after a crash.
            Path(f"{tempfile.gettempdir()}/damaged-{seed}").write_bytes(data)
            error = check(chosen, data, MODEL, folder, ("fail", "skip", "null")[number // 7 % 3])
            errors["".join(c for c in error or "read" if not c.isdigit())[:90]] += 1
            read(chosen, data, folder, bool(number % 2))
    for text, n in errors.most_common():
        print(f"{n:6} {text}")


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "0")
