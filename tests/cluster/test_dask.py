"""The search on a real Dask scheduler and workers, of which some die."""

import logging
import os
import signal
import socket
import threading
import time

import pytest

from moodcore import _core
from moodcore.errors import ConfigError
from moodcore.runs.executors import dask
from moodcore.runs.executors.dask import WorkerError
from moodcore.tuning.fold_job import FoldJob

from .conftest import PATIENCE, free_port, wait_until
from .runs import Listener, assert_same_results, run, small, write_grid


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"model": "gbt", "grid": {"max_leaves": [3, 7], "learning_rate": [0.1, 0.3]}},
        {"sampler": "tpe", "trials": 3, "pruner": "median"},
        {"pruner": "halving", "epochs": 9},
    ],
    ids=["grid", "trees", "tpe", "halving"],
)
def test_results_are_those_of_a_local_run(cluster, tmp_path, changes):
    run(tmp_path / "alone", small(**changes))
    run(tmp_path / "dask", small(**changes), scheduler=cluster.address)
    assert_same_results(tmp_path / "alone", tmp_path / "dask")


def test_pruned_candidates_are_the_same(cluster, tmp_path):
    grid = {"hidden_sizes": [[4]], "learning_rate": [0.05, 0.06, 0.04, 0.05001, 1e-6, 2e-6]}
    settings = small(pruner="median", epochs=9, grid=grid)
    metrics = run(tmp_path / "dask", settings, scheduler=cluster.address)
    assert metrics["search"]["pruned"] > 0
    run(tmp_path / "alone", settings)
    assert_same_results(tmp_path / "alone", tmp_path / "dask")


def kill_one_at_work(cluster, begun, killed):
    """Kill a worker, one that has a task if any has, once the run has begun.

    The run waits meanwhile and submits no more tasks; those submitted before may be done.
    """
    with cluster.client() as client:
        processes = {
            address: cluster.workers[int(name.rpartition("-")[2])]
            for address, name in client.run(lambda dask_worker: dask_worker.name).items()
        }
        assert begun.wait(PATIENCE)
        at_work, until = [], time.monotonic() + 2
        while not at_work and time.monotonic() < until:
            at_work = [address for address, keys in client.processing().items() if keys]
        process = processes[(at_work or list(processes))[0]]
        process.kill()
        killed.append(process)


def test_a_killed_worker_loses_nothing(mortal_cluster, tmp_path):
    begun, killed = threading.Event(), []
    killer = threading.Thread(target=kill_one_at_work, args=(mortal_cluster, begun, killed))
    killer.start()

    def begin():
        begun.set()
        # The rest of the study has one worker, and the tasks of the other.
        killer.join(PATIENCE)
        assert killed[0].wait(PATIENCE) == -signal.SIGKILL

    # Long enough for tasks to be met, and no comparison of optimizers afterwards.
    grid = {"max_leaves": [3, 7, 15], "learning_rate": [1e-4, 2e-4], "early_stopping_rounds": 400}
    settings = small(model="gbt", epochs=400, grid=grid)
    listener = Listener(1, begin)
    run(tmp_path / "dask", settings, listener=listener, scheduler=mortal_cluster.address)
    assert sorted(listener.numbers) == list(range(6))
    run(tmp_path / "alone", settings)
    assert_same_results(tmp_path / "alone", tmp_path / "dask")


def test_when_all_workers_die_another_gets_the_folds_again(mortal_cluster, tmp_path, monkeypatch):
    # The next worker takes longer to begin than the scheduler would wait for one.
    monkeypatch.setattr(dask, "_TIMEOUT", 1)
    told = []

    def kill():
        for worker in mortal_cluster.workers:
            worker.kill()
            worker.wait(PATIENCE)

    def tell(text):
        told.append(text)
        if "no worker is left" in text:
            mortal_cluster.add_worker()

    listener = Listener(2, kill)
    listener.stage = tell
    run(tmp_path / "dask", small(), listener=listener, scheduler=mortal_cluster.address)
    assert sorted(listener.numbers) == list(range(6))
    assert any(f"dask worker {mortal_cluster.address}" in text for text in told)
    run(tmp_path / "alone", small())
    assert_same_results(tmp_path / "alone", tmp_path / "dask")


def test_a_scheduler_that_goes_away_and_comes_back_loses_nothing(mortal_cluster, tmp_path):
    def kill():
        mortal_cluster.scheduler.kill()
        mortal_cluster.scheduler.wait(PATIENCE)

    address = mortal_cluster.address
    with pytest.raises(ConnectionError, match=r"no Dask scheduler answers .*`dask scheduler`"):
        run(tmp_path / "dask", small(), listener=Listener(2, kill), scheduler=address)
    mortal_cluster.start_scheduler()
    mortal_cluster.add_worker()
    with mortal_cluster.client() as client:
        client.wait_for_workers(1, timeout=PATIENCE)
    listener = Listener()
    run(tmp_path / "dask", small(), listener=listener, scheduler=address)
    assert listener.done_before == 2
    run(tmp_path / "alone", small())
    assert_same_results(tmp_path / "alone", tmp_path / "dask")


def busy_threads(cluster):
    """Return in how many threads the workers are at a task."""
    with cluster.client() as client:
        return sum(client.run(lambda dask_worker: len(dask_worker.active_threads)).values())


@pytest.mark.skipif(os.name == "nt", reason="signals as on POSIX")
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGKILL])
def test_workers_leave_what_nobody_waits_for(cluster, processes, tmp_path, ending):
    # Hours, if it were left alone.
    grid = write_grid(tmp_path / "grid.toml", epochs=1_000_000)
    options = ("--songs", 2000, "--folds", 2, "--grid", grid, "--out", "run")
    engine = ("--engine", "dask", "--scheduler", cluster.address)
    process = processes.moodcore("tune", "tune", *options, *engine)
    wait_until(lambda: busy_threads(cluster) == 2, "tasks in training")
    process.send_signal(ending)
    code = process.wait(PATIENCE)
    if ending == signal.SIGINT:
        assert code == 130, processes.log("tune")
        assert "moodcore tune --resume run" in processes.log("tune")
    wait_until(lambda: busy_threads(cluster) == 0, "workers without a task")


def test_a_worker_with_another_version_is_refused(cluster, tmp_path, monkeypatch):
    monkeypatch.setattr(_core, "__version__", "9.9.9")
    with pytest.raises(WorkerError, match=r"has moodcore .*, this process 9\.9\.9"):
        run(tmp_path, small(), scheduler=cluster.address)


def test_no_scheduler(moodcore, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(dask, "_TIMEOUT", 1)
    address = f"tcp://127.0.0.1:{free_port()}"
    done = moodcore("tune", "--engine", "dask", "--scheduler", address)
    assert done.code == 1
    assert f"no Dask scheduler answers at {address}" in done.err
    assert f"`dask scheduler` starts one, `dask worker {address}` its workers" in done.err
    assert "Traceback" not in done.err
    assert not list(tmp_path.iterdir())


def test_a_scheduler_that_never_answers(moodcore, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(dask, "_TIMEOUT", 1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        done = moodcore("tune", "--engine", "dask", "--scheduler", address)
    assert (done.code, "no Dask scheduler answers" in done.err) == (1, True), done.err


def test_no_workers(moodcore, processes, tmp_path, monkeypatch):
    from .conftest import Cluster

    empty = Cluster(processes)
    with empty.client():
        pass
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    done = moodcore("tune", "--engine", "dask", "--scheduler", empty.address)
    assert done.code == 1
    assert f"has no workers; start one: dask worker {empty.address}" in done.err
    assert not list((tmp_path / "here").iterdir())


@pytest.mark.parametrize(
    "address", ["localhost", "localhost:8786", "tcp://", "http://a:1", "tcp://a"]
)
def test_an_address_of_no_scheduler_is_refused(address):
    with pytest.raises(
        ConfigError, match="is not the address of a Dask scheduler: tcp://HOST:8786"
    ):
        dask.check_address(address)


def test_a_task_that_kills_its_workers_is_a_failed_candidate():
    from distributed import KilledWorker

    job = FoldJob(3, 1, ("songs", 1), "mlp", {"learning_rate": 0.1}, 7)
    outcome = dask._failed(KilledWorker("task", None, 3), job)
    assert outcome.failed.startswith("fold 2: each of the 4 Dask workers that tried it died")
    with pytest.raises(OSError, match="disk full"):
        dask._failed(OSError("disk full"), job)


@pytest.fixture(autouse=True)
def distributed_logs():
    """Leave the level of Dask's messages as it was."""
    logger = logging.getLogger("distributed")
    before = logger.level
    yield
    logger.setLevel(before)
