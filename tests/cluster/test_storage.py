"""One study in a real PostgreSQL server, worked on by many processes, of which some die."""

import dataclasses
import json
import os
import signal
import socket
from collections import Counter

import pytest

from moodcore.errors import ConfigError
from moodcore.runs import storage as storages
from moodcore.runs.mark import make_mark
from moodcore.runs.storage import Storage
from moodcore.tuning import study as studies
from moodcore.tuning.run import TuneRun
from moodcore.tuning.settings import TuneSettings

from .conftest import free_port, wait_until
from .runs import GRID, Listener, assert_same_results, run, small, write_grid


def trials_of(url, name=storages.DEFAULT_NAME):
    """Return the trials of a study; none while it does not exist."""
    import optuna

    backend = Storage.of_url(url).connect()
    try:
        return optuna.load_study(storage=backend, study_name=name).get_trials()
    except KeyError:
        return []
    finally:
        backend.remove_session()
        backend.engine.dispose()


def count(url):
    """Return how many trials are in each state."""
    return Counter(trial.state.name for trial in trials_of(url))


def has_open_transactions(url):
    """Return whether another connection is inside a transaction, and so may hold locks."""
    from sqlalchemy import create_engine, text

    engine = create_engine(Storage.of_url(url).url)
    query = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
        "AND pid <> pg_backend_pid() AND state <> 'idle'"
    )
    try:
        with engine.connect() as connection:
            return connection.execute(text(query)).scalar_one() > 0
    finally:
        engine.dispose()


def test_processes_that_begin_together_share_the_candidates(database, processes, tmp_path):
    grid = write_grid(tmp_path / "grid.toml")
    options = ("--songs", 400, "--folds", 2, "--epochs", 4, "--jobs", 1, "--grid", grid)
    begun = [
        processes.moodcore(name, "tune", *options, "--out", name, "--storage", database)
        for name in ("a", "b")
    ]
    run(tmp_path / "alone", small())
    for name, process in zip(("a", "b"), begun, strict=True):
        processes.finish(name, process)
        assert_same_results(tmp_path / "alone", tmp_path / name)
    done = [
        trial.user_attrs["candidate"] for trial in trials_of(database) if trial.state.name != "FAIL"
    ]
    assert sorted(done) == list(range(6))


@pytest.mark.skipif(os.name == "nt", reason="signals as on POSIX")
def test_the_candidate_of_a_killed_process_is_tried_again(database, processes, tmp_path):
    # The second half takes long enough to be met in training.
    epochs = [4, 2000]
    grid = write_grid(tmp_path / "grid.toml", epochs=epochs)
    options = ("--songs", 2000, "--folds", 2, "--jobs", 1, "--grid", grid)
    victim = processes.moodcore("a", "tune", *options, "--out", "a", "--storage", database)
    wait_until(lambda: count(database)["COMPLETE"] >= 1, "a first candidate")

    def stopped_in_training():
        victim.send_signal(signal.SIGSTOP)
        os.waitpid(victim.pid, os.WUNTRACED)
        # The server may still carry out what the process sent before, and a process that is stopped
        # inside a transaction holds its locks.
        running = [count(database)["RUNNING"] for _ in range(3)]
        if running == [1, 1, 1] and not has_open_transactions(database):
            return True
        victim.send_signal(signal.SIGCONT)
        return False

    wait_until(stopped_in_training, "a candidate in training")
    (left,) = (trial for trial in trials_of(database) if trial.state.name == "RUNNING")
    before = count(database)["COMPLETE"]
    worker = processes.moodcore("b", "tune", "--worker", "--storage", database, "--jobs", 1)
    wait_until(lambda: count(database)["COMPLETE"] > before, "a candidate of the other")
    victim.kill()
    processes.finish("b", worker)
    assert count(database)["COMPLETE"] == 12
    (again,) = (
        trial
        for trial in trials_of(database)
        if trial.state.name == "COMPLETE"
        and trial.user_attrs["candidate"] == left.user_attrs["candidate"]
    )
    assert again.number > left.number
    assert trials_of(database)[left.number].state.name == "FAIL"
    # The victim's folder knows where its study is, and has the results that it would have had.
    processes.finish("c", processes.moodcore("c", "tune", "--resume", "a"))
    assert "24 already done" in processes.log("c")
    alone = TuneSettings(rows=2000, folds=2, grid=GRID | {"epochs": epochs})
    run(tmp_path / "alone", alone)
    assert_same_results(tmp_path / "alone", tmp_path / "a")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epochs": 5}, "epochs was 4 when the run began and is 5 now"),
        ({"seed": 1}, "seed was 0 when the run began and is 1 now"),
        ({"rows": 404}, "rows was 400 .* 404"),
    ],
)
def test_a_study_of_other_settings_is_refused(database, tmp_path, changes, message):
    storage = Storage.of_url(database)
    studies.close(studies.open_study(storage, small(), make_mark(small().decisive(), "abc")))
    with pytest.raises(ConfigError, match=f"cannot join the study 'moodcore': {message}"):
        run(tmp_path / "run", small(**changes), storage)


def test_a_study_of_other_songs_is_refused_before_a_folder_is_made(database, moodcore, tmp_path):
    studies.close(
        studies.open_study(
            Storage.of_url(database), small(), make_mark(small().decisive(), "another table")
        )
    )
    grid = write_grid(tmp_path / "grid.toml")
    options = ("--songs", 400, "--folds", 2, "--epochs", 4, "--grid", grid)
    done = moodcore("tune", *options, "--storage", database, "--out", tmp_path / "run")
    assert done.code == 2
    assert "the data have changed since the run began" in done.err
    assert "choose another --study-name" in done.err
    assert not (tmp_path / "run").exists()
    refused = moodcore("tune", "--worker", "--storage", database)
    assert (refused.code, "the data have changed" in refused.err) == (2, True)


def test_one_database_holds_many_studies(database, moodcore, tmp_path):
    for seed in (0, 1):
        storage = Storage.of_url(database, f"seed-{seed}")
        run(tmp_path / str(seed), small(seed=seed, trials=2, sampler="random"), storage)
        run(tmp_path / f"alone-{seed}", small(seed=seed, trials=2, sampler="random"))
        assert_same_results(tmp_path / str(seed), tmp_path / f"alone-{seed}")
    done = moodcore("tune", "--worker", "--storage", database, "--study-name", "seed-1", "--json")
    assert json.loads(done.out) == {
        "format": "moodcore-worker",
        "version": 1,
        "trained": 0,
        "candidates": 2,
    }
    missing = moodcore("tune", "--worker", "--storage", database)
    assert missing.code == 2
    assert "there is no study 'moodcore'" in missing.err
    assert "moodcore tune --storage" in missing.err


def test_pruning_and_tpe_work_in_the_database(database, tmp_path):
    for number, changes in enumerate(
        ({"sampler": "tpe", "trials": 3, "pruner": "median"}, {"pruner": "halving", "epochs": 9})
    ):
        run(tmp_path / f"{number}", small(**changes), Storage.of_url(database, str(number)))
        run(tmp_path / f"{number}-alone", small(**changes))
        assert_same_results(tmp_path / f"{number}", tmp_path / f"{number}-alone")


def test_a_database_that_goes_away_and_comes_back_loses_nothing(postgres, tmp_path):
    storage = Storage.of_url(postgres.new_database("goes-away"))
    try:
        with pytest.raises(ConnectionError, match=r"no database answers at .*start its server"):
            run(tmp_path, small(), storage, Listener(2, postgres.stop))
    finally:
        postgres.start()
    listener = Listener()
    run(tmp_path, small(), storage, listener)
    assert listener.done_before == 2
    run(tmp_path / "alone", small())
    assert_same_results(tmp_path / "alone", tmp_path)


def test_the_password_is_written_nowhere(postgres, database, moodcore, tmp_path, monkeypatch):
    secret = "Hush-4711"
    url = postgres.url(database.rpartition("/")[2], f":{secret}")
    arguments = ("tune", "--songs", 400, "--folds", 2, "--epochs", 1, "--trials", 1)
    arguments = (*arguments, "--out", tmp_path / "run", "--storage", url)
    monkeypatch.setattr("sys.argv", ["moodcore", *map(str, arguments)])
    done = moodcore(*arguments)
    assert done.code == 0, done.err
    for path in (tmp_path / "run").rglob("*"):
        assert path.is_dir() or secret.encode() not in path.read_bytes(), path
    assert secret not in done.err + done.out
    assert "--storage" in json.loads((tmp_path / "run" / "timing.json").read_text())["command"]


@pytest.fixture
def hurried(monkeypatch):
    monkeypatch.setattr(storages, "HEARTBEAT", 1)
    monkeypatch.setattr(storages, "GRACE", 1)


def begin_candidate(study, number):
    """Open a trial as another process would, which then says nothing more."""
    params = {"hidden_sizes": "4", "learning_rate": 0.01}
    study.enqueue_trial(params, user_attrs={"candidate": number})
    return study.ask({})


def test_a_process_that_died_before_its_first_heartbeat_is_missed(hurried, tmp_path):
    storage = Storage.of_url(f"sqlite:///{tmp_path}/studies.db")
    settings = small()
    search = TuneRun(settings)
    search.claim(storage, search.load())
    study = studies.open_study(storage, settings)
    with pytest.warns(UserWarning, match="Heartbeat"):
        dead = begin_candidate(study, 3)
    run(tmp_path / "run", settings, storage)
    assert study.get_trials()[dead.number].state.name == "FAIL"
    studies.close(study)
    run(tmp_path / "alone", settings)
    assert_same_results(tmp_path / "alone", tmp_path / "run")


def test_a_result_of_one_who_was_taken_for_dead_changes_nothing(tmp_path):
    from moodcore.runs.candidate import Candidate, pruned

    study = studies.open_study(Storage.of_file(tmp_path / "study.db"), small())
    slow = begin_candidate(study, 0)
    studies.close_stale(study)
    again = begin_candidate(study, 0)
    result = dataclasses.replace(
        pruned(0, Candidate("mlp", {}), {}), state="complete", score=0.5, accuracy=0.5
    )
    assert studies.record(study, again, result)
    assert not studies.record(study, slow, dataclasses.replace(result, accuracy=0.1))
    assert studies.finished(study)[0].accuracy == 0.5
    studies.close(study)


def test_a_candidate_queued_twice_is_trained_once(tmp_path):
    study = studies.open_study(Storage.of_file(tmp_path / "study.db"), small())
    for _ in range(2):
        study.enqueue_trial({}, user_attrs={"candidate": 0})
    taken = []
    while trial := studies.open_next(study, 3, lambda number: {}):
        taken.append(trial.user_attrs["candidate"])
    states = Counter(trial.state.name for trial in study.get_trials())
    studies.close(study)
    assert taken == [0, 1, 2]
    assert states == {"RUNNING": 3, "FAIL": 1}


def test_no_server(moodcore, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    port = free_port()
    done = moodcore("tune", "--storage", f"postgresql://me:Hush@127.0.0.1:{port}/songs")
    assert done.code == 1
    assert f"no database answers at postgresql://me@127.0.0.1:{port}/songs" in done.err
    assert "systemctl start postgresql" in done.err
    assert "Hush" not in done.err and "Traceback" not in done.err
    assert not list(tmp_path.iterdir())


def test_a_server_that_never_answers(moodcore, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(storages, "_TIMEOUT", 2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        done = moodcore("tune", "--storage", f"postgresql://me@127.0.0.1:{port}/songs")
    assert (done.code, "no database answers" in done.err) == (1, True), done.err


def test_no_such_database(moodcore, postgres, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = moodcore("tune", "--storage", postgres.url("nowhere"))
    assert done.code == 1
    assert 'database "nowhere" does not exist' in done.err
    assert "createdb" in done.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--storage", "songs"), "storage 'songs' is not the address of a database: postgresql://"),
        (("--storage", "postgresq://me@host/db"), "did you mean 'postgresql'?"),
        (("--storage", "sqlite:///a.db", "--study-name", " "), "study-name must not be empty"),
        (("--storage", "sqlite://"), "lies in memory"),
        (("--worker",), "--worker needs --storage"),
        (("--study-name", "a"), "--study-name needs --storage"),
        (("--storage", "sqlite:///a.db", "--study", "optimizers"), "--storage shares a search"),
        (
            ("--storage", "sqlite:///a.db", "--worker", "--out", "a"),
            "--worker cannot be combined with --out",
        ),
        (
            ("--storage", "sqlite:///a.db", "--worker", "--dry-run"),
            "--worker cannot be combined with --dry-run",
        ),
        (("--engine", "dusk"), "'dask'"),
        (("--engine", "dask"), "--engine dask needs --scheduler"),
        (("--scheduler", "tcp://localhost:8786"), "--scheduler needs --engine dask"),
    ],
)
def test_bad_requests_are_explained(moodcore, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    done = moodcore("tune", *arguments)
    assert done.code == 2
    assert message in done.err
    assert "Traceback" not in done.err
    assert not list(tmp_path.iterdir())
