"""Folders of runs: begun completely or not at all, and resumed by the same version only."""

import json
import shutil
from pathlib import Path

import pytest

from moodcore import __version__
from moodcore.errors import ConfigError
from moodcore.files import atomic_folder
from moodcore.runs.folder import RunFolder, read_json
from moodcore.runs.mark import check_mark, make_mark
from moodcore.tuning.settings import TuneSettings

VERSION_1 = Path(__file__).parent.parent / "golden" / "version_1_runs"
COMMANDS = ("tune", "compare", "features")
SETTINGS = TuneSettings(seed=3)
MARK = make_mark(SETTINGS.decisive(), "ab" * 32)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("state", ["finished", "interrupted"])
def test_a_run_of_version_one_is_not_resumed(command, state, moodcore, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(VERSION_1 / f"{command}-{state}", run)
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    done = moodcore(command, "--resume", run)
    assert done.code == 2
    assert f"cannot resume {run}: the run was begun by a version of moodcore that" in done.err
    assert f"this is moodcore {__version__}; start a new run" in done.err
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before


def test_a_run_of_another_version_or_command_is_not_resumed(moodcore, tmp_path):
    run = tmp_path / "run"
    RunFolder.begin(run, "tune", SETTINGS, MARK | {"version": "9.9"})
    done = moodcore("tune", "--resume", run)
    assert done.code == 2
    assert "begun by moodcore 9.9" in done.err and "install moodcore 9.9" in done.err
    other = RunFolder.begin(tmp_path / "other", "compare", SETTINGS, MARK)
    done = moodcore("tune", "--resume", other.path)
    assert done.code == 2 and "a run of moodcore compare, not of moodcore tune" in done.err


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": "0"}, "begun by moodcore 0, this is"),
        ({"settings": MARK["settings"] | {"seed": 4}}, "seed was 4 when the run began and is 3"),
        ({"settings": MARK["settings"] | {"rows": 9}}, "rows was 9 .* and is not set now"),
        ({"data": "cd" * 32}, "the data have changed since the run began"),
    ],
)
def test_what_differs_is_named(change, message):
    with pytest.raises(ConfigError, match=message):
        check_mark(MARK | change, MARK)


def test_the_place_of_the_data_is_not_compared():
    moved = TuneSettings(seed=3, data="/elsewhere/songs.csv", test="/elsewhere/test.csv")
    check_mark(MARK, make_mark(moved.decisive(), "ab" * 32))


def test_a_folder_appears_with_settings_and_mark(tmp_path):
    folder = RunFolder.begin(tmp_path / "a" / "run", "tune", SETTINGS, MARK)
    assert {path.name for path in folder.path.iterdir()} == {"config.toml", "mark.json"}
    assert read_json(folder.mark) == {"command": "tune", **MARK}
    # Nothing else is left beside it.
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["run"]
    assert folder.path.stat().st_mode & 0o777 == (tmp_path / "a").stat().st_mode & 0o777


def test_a_folder_that_cannot_be_begun_leaves_nothing(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("moodcore.runs.folder.write_json", refuse)
    with pytest.raises(OSError, match="No space left"):
        RunFolder.begin(tmp_path / "run", "tune", SETTINGS, MARK)
    assert list(tmp_path.iterdir()) == []


def test_an_empty_folder_may_become_a_run_and_a_full_one_not(tmp_path):
    (tmp_path / "empty").mkdir()
    RunFolder.begin(tmp_path / "empty", "tune", SETTINGS, MARK)
    with pytest.raises(ConfigError, match="is not an empty folder"):
        RunFolder.begin(tmp_path / "empty", "tune", SETTINGS, MARK)


def test_a_damaged_file_is_named(tmp_path):
    folder = RunFolder.begin(tmp_path / "run", "tune", SETTINGS, MARK)
    folder.mark.write_text(json.dumps(MARK)[:20])
    with pytest.raises(ConfigError, match=r"mark\.json: is not JSON, or is damaged"):
        RunFolder.existing(folder.path, "tune")


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_a_run_that_cannot_begin_leaves_no_folder(error, monkeypatch, tmp_path):
    """Neither its own nor those above it that were made for it."""

    def write_text(*_):
        raise error

    monkeypatch.setattr("moodcore.runs.folder.write_text", write_text)
    with pytest.raises(error):
        RunFolder.begin(tmp_path / "runs" / "today" / "first", "tune", SETTINGS, MARK)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_another_run_uses_by_now_stays(tmp_path):
    with pytest.raises(RuntimeError), atomic_folder(tmp_path / "runs" / "first"):
        (tmp_path / "runs" / "second").mkdir()
        raise RuntimeError
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["second"]
