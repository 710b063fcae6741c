"""The experiment from Python: the same results as the command's, as objects."""

import gc
import json
import signal

import pandas as pd
import pytest

import moodcore
from moodcore import report
from moodcore.cli import main
from moodcore.errors import ConfigError
from moodcore.runs.listener import Listener

SMALL = {"rows": 400, "folds": 2, "epochs": 3, "seed": 5}
GRID = {"hidden_sizes": [[4]], "learning_rate": [0.01, 0.02], "batch_size": 32, "momentum": 0.9}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return moodcore.tune(**SMALL, grid=GRID, n_jobs=1, out=tmp_path_factory.mktemp("kept") / "run")


def test_the_command_gives_the_same(run, tmp_path, capsys):
    (tmp_path / "grid.toml").write_text(
        "hidden_sizes = [[4]]\nlearning_rate = [0.01, 0.02]\nbatch_size = 32\n"
    )
    options = [word for name, value in SMALL.items() for word in (f"--{name}", str(value))]
    grid, out = tmp_path / "grid.toml", tmp_path / "run"
    assert main(["tune", *options, "--grid", str(grid), "--out", str(out), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed.pop("report") == str(out / "report.html")
    assert printed.pop("run") == str(out)
    assert printed == run.metrics
    for name in ("trials.csv", "optimizers.parquet"):
        assert (out / name).read_bytes() == (run.folder / name).read_bytes()


def test_results_are_frames_and_a_model(run):
    assert run.trials["learning_rate"].tolist() == [0.01, 0.02]
    assert run.curves.groupby("number")["epoch"].max().tolist() == [3, 3]
    assert run.optimizers.groupby("optimizer")["epoch"].max().tolist() == [3, 3, 3]
    assert report.SYNTHETIC in run.summary
    X, _ = moodcore.songs.synthesize(5, random_state=0)
    assert run.best_model.predict(X).shape == (5,)


def test_a_kept_run_has_its_report_and_is_read_again(run):
    assert "rows=400" in (run.folder / "report.html").read_text(encoding="utf-8")
    again = moodcore.TuneResult.read(run.folder)
    assert again.metrics == run.metrics
    pd.testing.assert_frame_equal(again.trials, run.trials)


def test_nothing_is_kept_where_no_folder_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    found = moodcore.tune(**SMALL, study="optimizers", grid={"hidden_sizes": [[4]]}, n_jobs=1)
    assert found.folder is None
    assert (found.trials, found.best_model) == (None, None)
    assert found.optimizers["optimizer"].nunique() == 3
    report = found.report(tmp_path / "page.html")
    assert "moodcore.tune(" in report.read_text(encoding="utf-8")
    del found
    gc.collect()
    assert list(tmp_path.iterdir()) == [report]


def test_a_wrong_name_is_told_with_the_nearest():
    with pytest.raises(ConfigError, match="setting 'folda' does not exist; did you mean 'folds'"):
        moodcore.tune(folda=3)
    with pytest.raises(ConfigError, match="model 'gtb' does not exist; did you mean 'gbt'"):
        moodcore.tune(model="gtb")


def test_a_folder_in_use_is_refused(run):
    with pytest.raises(ConfigError, match="exists and is not an empty folder"):
        moodcore.tune(**SMALL, out=run.folder)


def test_what_is_no_finished_run_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="no run there"):
        moodcore.TuneResult.read(tmp_path)
    (tmp_path / "config.toml").write_text("")
    with pytest.raises(ConfigError, match="begun by a version of moodcore that recorded none"):
        moodcore.TuneResult.read(tmp_path)
    (tmp_path / "mark.json").write_text(
        json.dumps({"command": "tune", "version": moodcore.__version__})
    )
    with pytest.raises(ConfigError, match="is not finished; continue it with"):
        moodcore.TuneResult.read(tmp_path)


def test_an_interrupt_leaves_what_is_done(tmp_path):
    class Impatient(Listener):
        def result(self, text):
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        moodcore.tune(**SMALL, grid=GRID, n_jobs=1, out=tmp_path / "run", listener=Impatient())
    assert (tmp_path / "run" / "study.db").exists()
    assert main(["tune", "--resume", str(tmp_path / "run")]) == 0
