"""Estimators in programs that are parallel already: threads, pickles, the interpreter's lock."""

import os
import pickle
import sys
import threading
from pathlib import Path

import joblib
import numpy as np
import pytest
import threadpoolctl
from sklearn.base import clone

from moodcore import GBT, MLP, SVM, LinearSVM
from moodcore.estimators.progress import polled
from moodcore.platform import thread_count

needs_proc = pytest.mark.skipif(
    not Path("/proc/self/task").exists(), reason="threads are counted in /proc"
)


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1200, 6)).astype(np.float32)
    return X, (X[:, 0] + X[:, 1] * X[:, 2] > 0).astype(int)


@pytest.fixture(scope="module")
def noise():
    """Return rows with nothing to learn, enough columns to try for long, and classes to share."""
    rng = np.random.default_rng(0)
    return rng.normal(size=(1500, 150)).astype(np.float32), rng.integers(0, 3, size=1500)


def models(n_jobs=None):
    """Return models that are fitted within moments."""
    return [
        MLP((16,), epochs=3, random_state=0, n_jobs=n_jobs),
        GBT(n_estimators=5, n_jobs=n_jobs),
        SVM(n_jobs=n_jobs),
        LinearSVM(n_jobs=n_jobs),
    ]


def endless(n_jobs=None):
    """Return models whose training takes minutes unless it is interrupted."""
    # Threads of a network share its batches, if these are large.
    mlp = MLP((64, 64), epochs=1_000_000, batch_size="full", early_stopping=False, random_state=0)
    return [
        mlp.set_params(n_jobs=n_jobs),
        GBT(n_estimators=1_000_000, learning_rate=1e-6, n_jobs=n_jobs),
        SVM(C=1e7, gamma=1e-4, tol=1e-12, max_iter=-1, n_jobs=n_jobs),
        LinearSVM(C=1e7, loss="hinge", tol=1e-15, max_iter=10**9, n_jobs=n_jobs),
    ]


def names(some):
    return [type(item).__name__ for item in some]


@pytest.fixture(scope="module")
def count():
    """Return a function that can be sent anywhere: threads of the core while a model is fitted."""

    def threads_in_training(model, X, y):
        import time
        from pathlib import Path

        class SeenError(Exception):
            pass

        def threads():
            seen = 0
            for task in Path("/proc/self/task").iterdir():
                try:
                    seen += (task / "comm").read_text().startswith("moodcore-")
                except OSError:
                    # It ended meanwhile.
                    continue
            return seen

        counts = []

        def look():
            # Threads take a moment to begin.
            counts.append(threads())
            if len(counts) > 10 and len(set(counts[-10:])) == 1:
                raise SeenError

        # And another one to end, after an earlier training.
        for _ in range(12_000):
            if not threads():
                break
            time.sleep(0.01)
        try:
            with polled(look):
                model.fit(X, y)
        except SeenError:
            return counts[-1]
        raise AssertionError("the training was over before anybody could look")

    return threads_in_training


def pool_size(threads):
    """Return how many threads the core makes: with one, it works in the caller's."""
    return threads if threads > 1 else 0


@needs_proc
@pytest.mark.parametrize("model", endless(), ids=names(endless()))
def test_so_many_threads_as_asked_for(model, noise, count):
    assert count(model.set_params(n_jobs=3), *noise) == 3
    assert count(model.set_params(n_jobs=1), *noise) == 0
    assert count(model.set_params(n_jobs=None), *noise) == 0
    with joblib.parallel_config(n_jobs=3):
        assert count(model, *noise) == 3
        assert count(model.set_params(n_jobs=1), *noise) == 0


@needs_proc
@pytest.mark.parametrize("model", endless(-1), ids=names(endless()))
@pytest.mark.parametrize("limit", [1, 3])
def test_limits_of_threadpoolctl_hold(model, noise, count, limit, monkeypatch):
    model = clone(model)
    # With the variable set, scikit-learn lets a limit go beyond the processors.
    monkeypatch.setenv("OMP_NUM_THREADS", "8")
    with threadpoolctl.threadpool_limits(limit, user_api="openmp"):
        assert count(model, *noise) == pool_size(limit)
        assert count(model.set_params(n_jobs=2), *noise) == 2


def test_all_but_some(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "8")
    with threadpoolctl.threadpool_limits(4, user_api="openmp"):
        assert [thread_count(n) for n in (-1, -2, -4, -9)] == [4, 3, 1, 1]
        with joblib.parallel_config(n_jobs=-2):
            assert thread_count(None) == 3


@needs_proc
def test_joblib_processes_share_the_processors(noise, count):
    def in_workers(n_jobs, **limits):
        with joblib.parallel_config("loky", n_jobs=2, **limits):
            return joblib.Parallel()(
                joblib.delayed(count)(model, *noise) for model in endless(n_jobs)
            )

    assert in_workers(-1, inner_max_num_threads=3) == [3] * 4
    assert in_workers(None, inner_max_num_threads=3) == [0] * 4


@needs_proc
def test_threads_of_a_joblib_pool_make_no_others(noise, count):
    with joblib.parallel_config("threading", n_jobs=2):
        for n_jobs in (-1, None):
            counts = joblib.Parallel()(
                joblib.delayed(count)(model, *noise) for model in endless(n_jobs)
            )
            assert counts == [0] * 4


@needs_proc
def test_a_task_of_dask_is_one_thread(noise, count, cluster):
    with cluster.client() as client:
        for n_jobs, threads in ((-1, 0), (None, 0), (3, 3)):
            futures = [client.submit(count, model, *noise) for model in endless(n_jobs)]
            assert client.gather(futures) == [threads] * 4


@pytest.mark.parametrize("model", models(), ids=names(models()))
def test_the_model_of_a_dask_worker_is_the_same(model, table, cluster):
    with cluster.client() as client:
        fitted = client.submit(lambda: model.fit(*table), pure=False).result()
    answer = "decision_function" if isinstance(model, SVM | LinearSVM) else "predict_proba"
    here, there = (getattr(fit, answer)(table[0]) for fit in (model.fit(*table), fitted))
    assert here.tobytes() == there.tobytes()


@pytest.mark.parametrize("model", models(), ids=names(models()))
def test_a_pickle_holds_the_model_and_nothing_else(model, table, tmp_path):
    model.fit(*table)
    model.save(tmp_path / "model.safetensors")
    size = (tmp_path / "model.safetensors").stat().st_size
    assert len(pickle.dumps(model)) < 1.05 * size + 2000
    # Rows that were learnt from do not go along, except as support vectors.
    if not isinstance(model, SVM):
        X, y = (np.tile(part, (4, 1)[: part.ndim]) for part in table)
        again = type(model)(**model.get_params()).fit(X, y)
        assert len(pickle.dumps(again)) < 1.5 * len(pickle.dumps(model)) + 2000


@pytest.fixture
def no_switching():
    """Let no thread take the interpreter from another that does not give it away."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1000.0)
    yield
    sys.setswitchinterval(before)


class Enough(Exception):
    """The other thread has been seen at work often enough."""


@pytest.mark.parametrize("model", endless(), ids=names(endless()))
def test_other_threads_run_while_a_model_is_trained(model, noise, no_switching):
    turns, ended = [], threading.Event()

    def work():
        # Each turn gives the interpreter away, and gets it back only from one who does so too.
        while not ended.wait(0.001):
            turns.append(1)

    def look():
        if len(turns) >= 20:
            raise Enough

    other = threading.Thread(target=work)
    other.start()
    try:
        with pytest.raises(Enough), polled(look):
            model.fit(*noise)
    finally:
        ended.set()
        other.join()


@pytest.mark.parametrize("kind", range(4), ids=names(endless()))
def test_two_trainings_run_at_the_same_time(kind, noise):
    """Each waits, in the middle of its training, for the other to be in the middle of its own."""
    meeting, met = threading.Barrier(2, timeout=60), []

    def meet():
        meeting.wait()
        raise Enough

    def train(model):
        try:
            with polled(meet):
                model.fit(*noise)
        except Enough:
            met.append(model)

    threads = [threading.Thread(target=train, args=(endless()[kind],)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(met) == 2


def at_odd_addresses(array):
    shifted = np.frombuffer(b"-" + array.tobytes(), np.uint8)[1:]
    return shifted.view(array.dtype).reshape(array.shape)


@pytest.mark.parametrize("model", models(), ids=names(models()))
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_arrays_as_messages_bring_them_give_the_same_model(model, table, dtype):
    X, y = table[0].astype(dtype), table[1]
    weight = np.linspace(0.5, 2.0, len(y))
    expected = model.fit(X, y, sample_weight=weight).predict(X)
    odd = [at_odd_addresses(array) for array in (X, y, weight)]
    assert not any(array.flags.aligned for array in odd)
    model.fit(*odd[:2], sample_weight=odd[2])
    np.testing.assert_array_equal(model.predict(odd[0]), expected)
    # So does a model, whose arrays may come apart from its pickle.
    parts = []
    whole = pickle.dumps(model, protocol=5, buffer_callback=parts.append)
    odd_parts = [memoryview(b"-" + part.raw().tobytes())[1:] for part in parts]
    again = pickle.loads(whole, buffers=odd_parts)
    np.testing.assert_array_equal(again.predict(X), expected)


def test_limits_of_the_environment_hold(tmp_path):
    import subprocess

    code = "from moodcore.platform import thread_count; print(thread_count(-1), thread_count(5))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"OMP_NUM_THREADS": "3"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["3", "5"]
