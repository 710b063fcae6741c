"""Paths of results: what cannot be written there is refused before any work begins."""

import tempfile

import pandas as pd
import pytest

from moodcore import GBT

# The data of the first ones do not exist, which would be found out later.
FILES = {
    "train --data nowhere.csv --target species -o": ".safetensors",
    "data synthesize -o": ".csv",
    "predict {model} {data} -o": ".csv",
    "predict {model} {data} -o {good} --rejected": ".csv",
    "explain nowhere nowhere.csv -o": ".svg",
    "export nowhere": ".onnx",
}
FOLDERS = (
    "tune --data nowhere.csv --target species -o",
    "compare --data nowhere.csv --target species -o",
    "features --data nowhere.csv --target species -o",
    "playlists nowhere nowhere.csv -o",
    "predict {model} {folder} -o",
)


@pytest.fixture
def refused(moodcore, tmp_path):
    """Run a command with a path for its result; it must fail with one line, which is returned."""
    data = tmp_path / "data"
    data.mkdir()
    X = pd.DataFrame({"width": [1.0, 2.0, 3.0, 4.0] * 5})
    X.to_csv(data / "iris.csv", index=False)
    model = data / "model"
    GBT(3, min_child_samples=1).fit(X, [0, 1, 0, 1] * 5).save(model)
    names = {"model": model, "data": data / "iris.csv", "folder": data, "good": data / "good.csv"}

    def run(command, out):
        before = sorted(tmp_path.rglob("*"))
        done = moodcore(*(word.format(**names) for word in command.split()), out)
        assert (done.code, done.out) == (2, "")
        assert sorted(tmp_path.rglob("*")) == before
        (line,) = done.err.splitlines()
        return line.removeprefix("moodcore: error: ")

    return run


@pytest.mark.parametrize("command", [*FILES, *FOLDERS])
def test_a_file_above(command, refused, tmp_path):
    file = tmp_path / "notes"
    file.write_text("mine")
    for name in ("new", "more/new"):
        line = refused(command, f"{file}/{name}{FILES.get(command, '')}")
        assert line.startswith(f"{file}: is a file; a folder is needed for ")
    assert file.read_text() == "mine"


@pytest.mark.parametrize("command", FILES)
def test_a_missing_folder(command, refused, tmp_path):
    path = f"{tmp_path}/missing/new{FILES[command]}"
    assert refused(command, path) == f"{path}: there is no folder {tmp_path}/missing"


@pytest.mark.parametrize("command", FILES)
def test_a_folder_in_place_of_a_file(command, refused, tmp_path):
    path = tmp_path / f"new{FILES[command]}"
    path.mkdir()
    if command.endswith("-o") and command.startswith("predict"):
        assert "is not empty" in refused(command, tmp_path)
    else:
        assert refused(command, path) == f"{path}: is a folder; a file is needed"


@pytest.mark.parametrize("command", FOLDERS)
def test_a_file_in_place_of_a_folder(command, refused, tmp_path):
    file = tmp_path / "notes"
    file.write_text("mine")
    line = refused(command, file)
    assert f"{file}: is a file" in line or "exists and is not an empty folder" in line


@pytest.mark.parametrize("command", [*FILES, *FOLDERS])
def test_a_folder_without_permission(command, refused, tmp_path, monkeypatch):
    def refusing(make):
        def refuse(*, prefix, dir):
            if dir == tmp_path:
                raise PermissionError(13, "Permission denied", f"{prefix}x1y2z3")
            return make(prefix=prefix, dir=dir)

        return refuse

    for name in ("mkstemp", "mkdtemp"):
        monkeypatch.setattr(tempfile, name, refusing(getattr(tempfile, name)))
    path = tmp_path / f"new{FILES.get(command, '')}"
    line = refused(command, path)
    assert line.startswith(f"{path}: cannot be written: ")
    assert line.endswith("Permission denied")


def test_runs_in_a_folder_of_another_name(moodcore, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").write_text("a file")
    done = moodcore("tune", "--data", "nowhere.csv", "--target", "species")
    assert done.code == 2
    assert "error: runs: is a file; a folder is needed for 20" in done.err
