"""Names that are not UTF-8, text files of any editor, and closed or full standard streams."""

import io
import os
import subprocess
import sys

import pandas as pd
import pytest
from sklearn.datasets import load_iris

from moodcore.cli import main

NAME = os.fsdecode(b"caf\xe9 a?b#c%20")
posix = pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="names as on Linux")
TUNE = ("--model", "linear-svm", "--folds", "2", "--jobs", "1", "--target", "species")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    frame = load_iris(as_frame=True).frame.drop_duplicates()
    frame["species"] = frame.pop("target").map({0: "a", 1: "b", 2: "c"})
    frame.to_csv(tmp_path / "iris.csv", index=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@posix
def test_files_and_runs_have_any_name(folder, monkeypatch):
    # As the command does at its start.
    for name in ("stdout", "stderr"):
        stream = io.TextIOWrapper(io.BytesIO(), "utf-8", errors="surrogateescape")
        monkeypatch.setattr(sys, name, stream)
    data = folder / f"{NAME}.csv"
    (folder / "iris.csv").rename(data)
    run, model = folder / f"{NAME} run", folder / f"{NAME} run" / "model.safetensors"
    assert main(["tune", *TUNE, "--data", str(data), "--out", str(run)]) == 0
    assert main(["tune", "--resume", str(run)]) == 0
    config = str(run / "config.toml")
    assert main(["tune", "--config", config, "--dry-run"]) == 0
    assert (run / "report.html").read_text(encoding="utf-8")
    bad = folder / f"bad {NAME}.csv"
    bad.write_text(data.read_text().replace("3.5", "x"))
    out = folder / f"out {NAME}.parquet"
    assert main(["predict", str(model), str(bad), "--on-error", "skip", "-o", str(out)]) == 3
    listed = pd.read_csv(folder / f"{out.name}.rejected.csv")
    assert listed["file"].str.contains("bad caf?", regex=False).all()
    # A Parquet file of such a name is read too.
    frame = pd.read_csv(data)
    with out.open("wb") as file:
        frame.to_parquet(file)
    assert main(["evaluate", str(model), str(out)]) == 0


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "latin-1", "utf-8"])
def test_toml_files_of_any_editor(folder, encoding, capsys):
    text = '# "größe"\r\nC = [0.5, 1.0]\r\nloss = "hinge"\r\n'
    (folder / "grid.toml").write_bytes(text.encode(encoding))
    options = ("--grid", "grid.toml", "--data", "iris.csv", "--dry-run", "--json")
    assert main(["tune", *TUNE, *options]) == 0
    assert '"candidates": 3' in capsys.readouterr().out


def shell(command, folder, unbuffered=""):
    words = f"{sys.executable} -m moodcore.cli {command}"
    return subprocess.run(
        words,
        shell=True,
        cwd=folder,
        env=os.environ | {"PYTHONUNBUFFERED": unbuffered},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


@posix
def test_closed_streams(folder):
    main(["train", "--model", "gbt", "--data", "iris.csv", "--target", "species", "-o", "m"])
    done = shell("predict m iris.csv >&-", folder)
    assert done.returncode == 2
    assert "standard output is closed" in done.stderr
    done = shell("predict m - 0<&-", folder)
    assert done.returncode == 2
    assert "standard input is closed" in done.stderr
    done = shell("predict m iris.csv -o out.csv 0<&- >&- 2>&-", folder)
    assert done.returncode == 0
    assert len(pd.read_csv(folder / "out.csv")) == len(pd.read_csv(folder / "iris.csv"))
    # Processes of workers inherit the streams.
    options = "--models gbt --no-baselines --curve-sizes 0 --repeats 1 --folds 2 --jobs 2"
    command = f"compare --data iris.csv --target species {options} --out run 0<&- >&- 2>&-"
    assert shell(command, folder).returncode == 0
    assert (folder / "run" / "report.html").exists()


@posix
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_full_streams(folder, unbuffered):
    for command in ("data check iris.csv --target species", "--version"):
        done = shell(f"{command} > /dev/full", folder, unbuffered)
        assert done.returncode == 1
        assert "standard output" in done.stderr
        assert "No space left on device" in done.stderr
        assert "Exception ignored" not in done.stderr
    dry = "tune --dry-run --data iris.csv --target species 2> /dev/full"
    done = shell(dry, folder, unbuffered)
    assert done.returncode == 0
    assert "time" in done.stdout
    assert shell("data check none.csv 2> /dev/full", folder, unbuffered).returncode == 2
    assert shell("data check --none 2> /dev/full", folder, unbuffered).returncode == 2
