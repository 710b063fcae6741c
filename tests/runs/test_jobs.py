"""Jobs, their executors and their results."""

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from moodcore.errors import RunFailedError
from moodcore.runs.carry_out import carry_out
from moodcore.runs.executors import open_executor
from moodcore.runs.interrupts import RunInterruptedError
from moodcore.runs.listener import Listener
from moodcore.runs.store import FolderStore, MemoryStore

DEADLINE = 60


@dataclass(frozen=True)
class Sum:
    """Adds a number to the sum of the shared rows."""

    number: int
    shared: str = "rows"

    @property
    def key(self):
        return f"sum {self.number}"

    @property
    def group(self):
        return self.number % 2

    def run(self, shared, should_stop):
        return float(shared.sum()) + self.number

    def failure(self, reason):
        return reason


@dataclass(frozen=True)
class Endless(Sum):
    """Runs until it is stopped."""

    def run(self, shared, should_stop):
        while not should_stop():
            time.sleep(0.01)


@dataclass(frozen=True)
class Dying(Sum):
    """Ends its process."""

    def run(self, shared, should_stop):
        os.kill(os.getpid(), signal.SIGKILL)


ROWS = {"rows": np.arange(5.0)}


class Events(Listener):
    def __init__(self):
        self.started_with, self.texts, self.count, self.is_ended = None, [], 0, False

    def started(self, total, done, unit):
        self.started_with = total, done, unit

    def advanced(self, count=1):
        self.count += count

    def result(self, text):
        self.texts.append(text)

    def ended(self):
        self.is_ended = True


def results_of(jobs, executor, store=None, listener=None, **options):
    return carry_out(
        jobs,
        store if store is not None else MemoryStore(),
        executor,
        listener or Listener(),
        unit="sums",
        describe=lambda job, result: f"{job.key}: {result:g}",
        **options,
    )


@pytest.mark.parametrize(("jobs", "processes"), [(1, False), (3, False), (2, True)])
def test_results_are_the_same_everywhere(jobs, processes):
    stop = threading.Event()
    with open_executor(ROWS, jobs=jobs, stop=stop, processes=processes) as executor:
        found = results_of([Sum(n) for n in range(7)], executor)
    # In the order of the jobs, whichever ended first.
    assert list(found.items()) == [(f"sum {n}", 10.0 + n) for n in range(7)]


def test_only_what_is_missing_is_carried_out():
    store, listener = MemoryStore(), Events()
    store.put("sum 1", -1.0)
    with open_executor(ROWS, jobs=2, stop=threading.Event()) as executor:
        found = results_of([Sum(n) for n in range(3)], executor, store, listener)
    assert found == {"sum 0": 10.0, "sum 1": -1.0, "sum 2": 12.0}
    assert listener.started_with == (3, 1, "sums")
    assert sorted(listener.texts) == ["sum 0: 10", "sum 2: 12"]
    assert listener.count == 2 and listener.is_ended


def test_no_job_begins_after_the_time_limit_once_there_is_enough():
    with open_executor(ROWS, jobs=1, stop=threading.Event()) as executor:
        found = results_of(
            [Sum(n) for n in range(50)],
            executor,
            minutes=1e-9,
            enough=lambda results: len(results) >= 3,
        )
    assert 3 <= len(found) < 50
    assert list(found) == [f"sum {n}" for n in range(len(found))]


def test_a_stopped_run_keeps_what_is_done():
    store, stop = MemoryStore(), threading.Event()

    class Stopping(Listener):
        def result(self, text):
            stop.set()

    with (
        open_executor(ROWS, jobs=2, stop=stop) as executor,
        pytest.raises(RunInterruptedError),
    ):
        results_of([Sum(0), Endless(1), Sum(2)], executor, store, Stopping())
    assert store.get("sum 0") == 10.0


def test_a_cancelled_group_ends():
    ended = []
    with open_executor(ROWS, jobs=2, stop=threading.Event()) as executor:

        def finished(job, result):
            ended.append((job.number, result))
            executor.cancel(1)

        executor.run(iter([Endless(1), Sum(0), Endless(3)]), finished)
    assert sorted(ended, key=str) == [(0, 10.0), (1, None), (3, None)]


def test_what_a_job_raises_ends_the_others():
    @dataclass(frozen=True)
    class Broken(Sum):
        def run(self, shared, should_stop):
            raise OSError("disk full")

    with (
        open_executor(ROWS, jobs=2, stop=threading.Event()) as executor,
        pytest.raises(OSError, match="disk full"),
    ):
        executor.run(iter([Endless(1), Broken(0)]), lambda job, result: None)


@pytest.mark.skipif(os.name == "nt", reason="signals as on POSIX")
def test_a_killed_process_is_reported():
    with (
        open_executor(ROWS, jobs=2, stop=threading.Event(), processes=True) as executor,
        pytest.raises(RunFailedError, match="killed from outside, perhaps because memory ran out"),
    ):
        executor.run(iter([Dying(0)]), lambda job, result: None)


ORPHANS = """
import os, sys, threading, time
from moodcore.runs.executors import open_executor
class Pids:
    key = shared = group = "a"
    def run(self, shared, should_stop):
        print(os.getpid(), flush=True)
        time.sleep(1000)
with open_executor({"a": 0}, jobs=2, stop=threading.Event(), processes=True) as executor:
    executor.run(iter([Pids()]), print)
"""


def is_running(pid):
    try:
        with Path(f"/proc/{pid}/stat").open(encoding="ascii") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are seen in /proc")
def test_workers_end_with_a_killed_parent(tmp_path):
    (tmp_path / "orphans.py").write_text(ORPHANS)
    parent = subprocess.Popen([sys.executable, "orphans.py"], stdout=subprocess.PIPE, cwd=tmp_path)
    worker = int(parent.stdout.readline())
    assert is_running(worker)
    parent.kill()
    parent.wait(DEADLINE)
    parent.stdout.close()
    begin = time.monotonic()
    while is_running(worker):
        assert time.monotonic() - begin < DEADLINE, "the worker did not end"
        time.sleep(0.05)


def test_a_folder_keeps_results_and_damaged_ones_are_missing(tmp_path):
    def store():
        return FolderStore(tmp_path / "results", str.encode, bytes.decode, ".txt")

    store().put("a b", "one")
    store().put("a-b", "two")
    assert (store().get("a b"), store().get("a-b"), store().get("c")) == ("one", "two", None)
    for path in (tmp_path / "results").iterdir():
        path.write_bytes(b"\xff\xfe")
    assert store().get("a b") is None
