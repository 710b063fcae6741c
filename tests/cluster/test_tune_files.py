"""`moodcore tune` on files whose rows Dask workers read: the result files of one process."""

import pytest

from moodcore import load
from moodcore.cli import main

from .test_gbt_files import write_files
from .trees import categories

GRID = "max_leaves = [4, 8]\nlearning_rate = [0.3]\nreg_lambda = [1.0]\n"
FILES = ("metrics.json", "trials.csv", "curves.parquet", "predictions.parquet", "config.toml")


@pytest.fixture(scope="module")
def searches(workers, tmp_path_factory):
    """Return the command of a search, and the folder of its run in one process."""
    path = tmp_path_factory.mktemp("searches")
    (path / "grid.toml").write_text(GRID)
    folder = write_files(categories(), path / "rows")
    words = ["tune", "--data", str(folder), "--target", "label", "--drop", "weight,many",
             "--model", "gbt", "--folds", "2", "--epochs", "10",
             "--grid", str(path / "grid.toml")]  # fmt: skip
    assert main([*words, "--out", str(path / "local"), "--jobs", "2"]) == 0
    return words, path / "local"


def test_a_search_on_the_workers_has_the_same_files(workers, searches, tmp_path):
    words, local = searches
    dask = ["--engine", "dask", "--scheduler", workers.scheduler.address]
    assert main([*words, *dask, "--out", str(tmp_path / "dask")]) == 0
    for name in FILES:
        assert (tmp_path / "dask" / name).read_bytes() == (local / name).read_bytes(), name
    models = [load(path / "model.safetensors") for path in (local, tmp_path / "dask")]
    assert models[0].provenance_ == models[1].provenance_
    assert (local / "model.safetensors").read_bytes() == (
        tmp_path / "dask" / "model.safetensors"
    ).read_bytes()


def test_a_lost_scheduler_ends_the_run_which_resumes(mortal_cluster, searches, tmp_path, capsys):
    words, local = searches
    out = tmp_path / "run"
    dask = ["--engine", "dask", "--scheduler", mortal_cluster.address]
    mortal_cluster.scheduler.kill()
    mortal_cluster.scheduler.wait()
    assert main([*words, *dask, "--out", str(out)]) != 0
    assert "no Dask scheduler answers" in capsys.readouterr().err
    assert not out.exists()
    # Begun on a cluster, finished in this process.
    assert main([*words, "--out", str(out), "--minutes", "1e-9"]) == 0
    assert main(["tune", "--resume", str(out)]) == 0
    assert (out / "trials.csv").read_bytes() == (local / "trials.csv").read_bytes()
