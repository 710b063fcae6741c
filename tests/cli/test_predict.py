"""`moodcore predict` and `moodcore playlists`, in this process and in others."""

import io
import json
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from moodcore import GBT, songs

PREDICT = [sys.executable, "-m", "moodcore.cli", "predict"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("predict")
    X, y = songs.synthesize(400, random_state=0)
    songs.pipeline(GBT(5, random_state=0)).fit(X, y).save(path / "model")
    X.assign(uri=[f"u{at}" for at in range(400)]).to_csv(path / "songs.csv", index=False)
    return path


def test_standard_input_to_standard_output(folder):
    with (folder / "songs.csv").open("rb") as file:
        done = subprocess.run(
            [*PREDICT, folder / "model", "-"], stdin=file, capture_output=True, check=False
        )
    assert done.returncode == 0, done.stderr
    found = pd.read_csv(io.BytesIO(done.stdout))
    assert found["uri"].tolist() == [f"u{at}" for at in range(400)]
    assert b"400 of 400 rows scored" in done.stderr


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="waits for a pipe")
@pytest.mark.parametrize("n_songs", [0, 400])
def test_ctrl_c_is_heard_while_nothing_comes(folder, tmp_path, n_songs):
    lines = (folder / "songs.csv").read_bytes().splitlines(keepends=True)
    words = [*PREDICT, folder / "model", "-", "-o", tmp_path / "o.csv"]
    running = subprocess.Popen(words, stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        # The pipe stays open, as that of a command that has more to say.
        running.stdin.write(b"".join(lines[: n_songs + 1]))
        running.stdin.flush()
        while not list(tmp_path.iterdir()) and running.poll() is None:
            time.sleep(0.01)
        running.send_signal(signal.SIGINT)
        assert running.wait(120) == 130
    finally:
        running.kill()
        running.communicate()
    assert list(tmp_path.iterdir()) == []


def test_rejected_rows_end_with_a_code_of_their_own(folder, moodcore, tmp_path):
    bad = pd.read_csv(folder / "songs.csv").astype(object)
    bad.loc[7, "tempo"] = "fast"
    bad.to_csv(tmp_path / "bad.csv", index=False)
    words = ("predict", folder / "model", tmp_path / "bad.csv", "-o", tmp_path / "out.csv")
    done = moodcore(*words)
    assert done.code == 2
    assert "row 7" in done.err
    assert "--on-error skip" in done.err
    done = moodcore(*words, "--on-error", "null", "--json", "--rejected", tmp_path / "bad rows.csv")
    assert done.code == 3
    told = json.loads(done.out)
    assert (told["rows"], told["scored"], told["rejected"]) == (400, 399, 1)
    assert told["reasons"] == {"tempo: not a number": 1}
    assert len(pd.read_csv(tmp_path / "bad rows.csv")) == 1
    assert "rejected: 1 row: tempo: not a number" in done.err


def test_other_units_are_reported_before_the_run(folder, moodcore, tmp_path):
    odd = pd.read_csv(folder / "songs.csv").assign(tempo=0.0)
    odd.to_csv(tmp_path / "odd.csv", index=False)
    done = moodcore("predict", folder / "model", tmp_path / "odd.csv", "-o", tmp_path / "out.csv")
    assert done.code == 0
    assert "column 'tempo': 400 of 400 rows are 0" in done.err


def test_folders_and_requests_that_make_no_sense(folder, moodcore, tmp_path):
    source = tmp_path / "in"
    source.mkdir()
    (source / "a.csv").write_bytes((folder / "songs.csv").read_bytes())
    words = ("predict", folder / "model", source, "-o", tmp_path / "out", "--format", "parquet")
    assert moodcore(*words).code == 0
    assert pq.read_table(tmp_path / "out" / "a.parquet").num_rows == 400
    done = moodcore(*words, "--resume")
    assert done.code == 0
    assert "1 file was done before" in done.err
    assert moodcore(*words).code == 2
    done = moodcore("predict", folder / "model", source, "--json")
    assert done.code == 2
    assert "give --out" in done.err


def test_playlists_are_written(folder, moodcore, tmp_path):
    words = ("playlists", folder / "model", folder / "songs.csv", "-o", tmp_path / "lists")
    done = moodcore(*words, "--per-mood", 4, "--min-probability", 0.3)
    assert done.code == 0, done.err
    assert sorted(path.name for path in (tmp_path / "lists").iterdir()) == sorted(
        f"{name}.{kind}" for name in songs.LABEL_NAMES for kind in ("csv", "m3u")
    )
    assert "happy: 4 songs, lowest probability 0." in done.out
    spoilt = pd.read_csv(folder / "songs.csv").astype(object)
    spoilt.loc[[3, 4], "tempo"] = 999
    spoilt.loc[5, "uri"] = None
    spoilt.to_csv(tmp_path / "spoilt.csv", index=False)
    done = moodcore("playlists", folder / "model", tmp_path / "spoilt.csv", "-o", tmp_path / "two")
    assert done.code == 3
    assert "left out: 2 rows: tempo: out of range" in done.err
    assert "left out: 1 row: uri: missing" in done.err


def test_nothing_that_is_read_is_written_over(folder, moodcore, tmp_path):
    songs_file, model = tmp_path / "songs.csv", tmp_path / "model.csv"
    songs_file.write_bytes((folder / "songs.csv").read_bytes())
    model.write_bytes((folder / "model").read_bytes())
    before = songs_file.read_bytes(), model.read_bytes()
    words = ("predict", model, songs_file)
    for written in (songs_file, tmp_path / "." / "songs.csv", model):
        for option in ("-o", "--rejected"):
            result = () if option == "-o" else ("-o", tmp_path / "moods.csv")
            done = moodcore(*words, *result, option, written, "--on-error", "skip")
            assert done.code == 2
            assert "which is read; choose another name" in done.err
    assert (songs_file.read_bytes(), model.read_bytes()) == before


def test_results_inside_the_folder_that_is_read_are_no_songs(folder, moodcore, tmp_path):
    (tmp_path / "a.csv").write_bytes((folder / "songs.csv").read_bytes())
    words = ("predict", folder / "model", tmp_path, "-o", tmp_path / "out", "--resume")
    assert moodcore(*words).code == 0
    done = moodcore(*words)
    assert done.code == 0, done.err
    assert "1 file was done before" in done.err
    assert [path.name for path in (tmp_path / "out").glob("*.csv")] == ["a.csv"]


def test_a_model_that_is_not_there_is_looked_for(folder, moodcore):
    done = moodcore("predict", folder / "modle", folder / "songs.csv")
    assert done.code == 2
    assert "no such model file; there is 'model'" in done.err
    done = moodcore("predict", folder, folder / "songs.csv")
    assert done.code == 2
    assert "is a folder; a model file is needed" in done.err
    done = moodcore(
        "predict", folder / "model", folder / "songs.csv", "-o", folder / "no" / "a.csv"
    )
    assert done.code == 2
    assert done.err.strip().endswith(f"a.csv: there is no folder {folder / 'no'}")


@pytest.fixture(scope="module")
def long_table(tmp_path_factory):
    """Two million songs: 700 MB in memory, more than a run may use."""
    path = tmp_path_factory.mktemp("long") / "long.parquet"
    X, _ = songs.synthesize(100_000, random_state=0)
    uri = np.array([f"spotify:track:{at:022}" for at in range(len(X))])
    part = pa.Table.from_pandas(X.assign(uri=uri, title=np.char.add(uri, "." * 200)))
    with pq.ParquetWriter(path, part.schema) as file:
        for _ in range(20):
            file.write_table(part)
    assert 20 * part.nbytes > 700e6
    return path


# The largest size of this process alone: `ru_maxrss` would count that of the tests it came from.
PEAK = """
import re, sys
from pathlib import Path
from moodcore.cli import main
code = main(sys.argv[1:])
print(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1], file=sys.stderr)
sys.exit(code)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads Linux's /proc")
def test_memory_does_not_grow_with_the_table(folder, long_table, tmp_path):
    out = tmp_path / "out.parquet"
    words = ["predict", folder / "model", long_table, "--keep", "title", "-o", out]
    done = subprocess.run(
        [sys.executable, "-c", PEAK, *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    # Far less than the table; how many batches wait at a time depends on the host.
    assert int(done.stderr.split()[-1]) * 1024 < 600e6
    assert pq.read_metadata(out).num_rows == 2_000_000


def test_ctrl_c_ends_a_run_and_leaves_no_half_file(folder, long_table, tmp_path):
    source, out = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    out.mkdir()
    # A hundred million songs, so that no machine is done before it is interrupted.
    for number in range(50):
        (source / f"{number}.parquet").symlink_to(long_table)
    words = [*PREDICT, folder / "model", source / "*.parquet", "-o", out / "o.parquet"]
    running = subprocess.Popen(words, stderr=subprocess.PIPE)
    try:
        # The temporary file tells that the run has begun.
        while not list(out.iterdir()) and running.poll() is None:
            time.sleep(0.01)
        running.send_signal(signal.SIGINT)
        _, told = running.communicate(timeout=120)
    finally:
        running.kill()
        running.communicate()
    assert running.returncode == 130, told
    assert list(out.iterdir()) == []
