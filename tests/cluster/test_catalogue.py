"""A folder scored by real Dask workers, one of which is killed."""

import sys
import time

import pandas as pd
import pytest

from moodcore import GBT, LinearSVM, songs

from .conftest import free_port, wait_until

N_FILES = 24


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("catalogue")
    X, y = songs.synthesize(2_000, random_state=0)
    songs.pipeline(GBT(40, random_state=0)).fit(X, y).save(path / "model")
    (path / "in").mkdir()
    many = pd.concat([X] * 20)
    for at in range(N_FILES):
        many.assign(tempo=many["tempo"] / (1 + at / 100)).to_parquet(
            path / "in" / f"{at:02}.parquet"
        )
    return path


def test_workers_give_the_same_files_also_when_one_is_killed(folder, tmp_path, processes, moodcore):
    alone = moodcore("predict", folder / "model", folder / "in", "-o", tmp_path / "alone")
    assert alone.code == 0, alone.err
    port = free_port()
    address = f"tcp://127.0.0.1:{port}"
    dask = (sys.executable, "-m", "dask")
    processes.start("scheduler", *dask, "scheduler", "--host", "127.0.0.1", "--port", port,
                    "--no-dashboard")  # fmt: skip
    words = (*dask, "worker", address, "--nworkers", 1, "--nthreads", 1, "--no-nanny",
             "--no-dashboard")  # fmt: skip
    doomed = processes.start("doomed", *words)
    processes.start("second", *words)
    for name in ("doomed", "second"):
        wait_until(lambda name=name: "Registered to" in processes.log(name), f"worker {name}")
    running = processes.moodcore(
        "predict", "predict", folder / "model", folder / "in", "-o", tmp_path / "out",
        "--engine", "dask", "--scheduler", address,
    )  # fmt: skip
    wait_until(lambda: list((tmp_path / "out").glob("*.parquet")), "the first result")
    doomed.kill()
    processes.finish("predict", running)
    names = sorted(path.name for path in (tmp_path / "alone").glob("*.parquet"))
    assert len(names) == N_FILES
    for name in names:
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "alone" / name).read_bytes()
    assert f"{40_000 * N_FILES:,} rows scored in {N_FILES} files" in processes.log("predict")


def test_a_scheduler_that_is_not_there_is_named_within_seconds(folder, tmp_path, moodcore):
    address = f"tcp://127.0.0.1:{free_port()}"
    words = ("predict", folder / "model", folder / "in", "-o", tmp_path / "out", "--engine", "dask")
    begin = time.monotonic()
    done = moodcore(*words, "--scheduler", address)
    assert done.code == 1
    assert f"no Dask scheduler answers at {address}" in done.err
    assert time.monotonic() - begin < 60
    done = moodcore(*words)
    assert done.code == 2
    assert "--engine dask needs --scheduler" in done.err
    done = moodcore(*words, "--scheduler", "127.0.0.1")
    assert done.code == 2
    assert "is not the address of a Dask scheduler" in done.err


def test_workers_score_any_table_with_any_model(cluster, tmp_path, moodcore):
    rows = range(400)
    table = pd.DataFrame(
        {"age": [20.0 + at % 50 for at in rows], "hours": [at % 60 for at in rows]}
    )
    target = ["high" if at % 50 > 25 else "low" for at in rows]
    with_text = table.assign(work=["public" if at % 3 else "private" for at in rows])
    for name, X, model in [
        ("trees", with_text, GBT(3, random_state=0)),
        ("svm", table, LinearSVM(random_state=0)),
    ]:
        folder = tmp_path / name
        (folder / "in").mkdir(parents=True)
        model.fit(X, target).save(folder / "model")
        for at in range(3):
            X[at * 100 :].to_parquet(folder / "in" / f"{at}.parquet")
        words = ("predict", folder / "model", folder / "in", "-o")
        assert moodcore(*words, folder / "alone").code == 0
        engine = ("--engine", "dask", "--scheduler", cluster.address)
        done = moodcore(*words, folder / "out", *engine)
        assert done.code == 0, done.err
        for at in range(3):
            scored = (folder / "out" / f"{at}.parquet").read_bytes()
            assert scored == (folder / "alone" / f"{at}.parquet").read_bytes()
