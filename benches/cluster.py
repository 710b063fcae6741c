"""Speedup of a search with two workers over one worker, on this machine.

    python benches/cluster.py [--rounds 3] [--storage URL]

Each round runs the same search four times: with one process and with two that share a study, and
with one and with two Dask workers of one thread. Only the search is timed, from the start of the
first candidate to the end of the last. Runs with one and two workers alternate, and the ratio of a
round comes from consecutive runs. The load average is printed with each ratio: on a machine that
does other work, the ratios mean little.
"""

from __future__ import annotations

import argparse
import os
import socket
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

OPTIONS = ("--songs", "20000", "--folds", "3", "--epochs", "60", "--jobs", "1")
GRID = """hidden_sizes = [[8], [16], [16, 16]]
learning_rate = [0.005, 0.02]
batch_size = [32, 64]
"""


def command(*words: object) -> list[str]:
    return [sys.executable, "-m", *(str(word) for word in words)]


def quiet(*words: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command(*words), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def seconds_of(url: str, name: str) -> float:
    """Return the time from the first begin to the last end of a study's trials."""
    from moodcore.runs.storage import Storage

    backend = Storage.of_url(url, name).connect()
    trials = backend.get_all_trials(backend.get_study_id_from_name(name))
    backend.engine.dispose()
    started = [trial.datetime_start for trial in trials if trial.datetime_start is not None]
    ended = [trial.datetime_complete for trial in trials if trial.datetime_complete is not None]
    return (max(ended) - min(started)).total_seconds()


def with_processes(count: int, url: str, folder: Path, label: str) -> float:
    """Time a search by this many processes on one study."""
    options = (*OPTIONS, "--grid", folder / "grid.toml", "--storage", url, "--study-name", label)
    prepare(url, label)
    tune = ("moodcore.cli", "tune")
    processes = [quiet(*tune, *options, "--out", folder / f"{label}-{n}") for n in range(count)]
    for process in processes:
        if process.wait() != 0:
            raise SystemExit(f"a process of {label} failed")
    return seconds_of(url, label)


def prepare(url: str, label: str) -> None:
    """Make the tables and the study, so that no process waits for another to do it."""
    from moodcore.runs.storage import Storage

    Storage.of_url(url, label).connect().engine.dispose()


def with_dask(count: int, url: str, folder: Path, label: str) -> float:
    """Time a search by this many Dask workers of one thread."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"
    started = [quiet("dask", "scheduler", "--host", "127.0.0.1", "--port", port, "--no-dashboard")]
    worker = ("dask", "worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard")
    started += [quiet(*worker) for _ in range(count)]
    try:
        from distributed import Client

        with Client(address, timeout=60, set_as_default=False) as client:
            client.wait_for_workers(count, timeout=60)
        options = (*OPTIONS, "--grid", folder / "grid.toml", "--out", folder / label)
        where = ("--storage", url, "--study-name", label)
        engine = ("--engine", "dask", "--scheduler", address)
        done = quiet("moodcore.cli", "tune", *options, *where, *engine)
        if done.wait() != 0:
            raise SystemExit(f"the run {label} failed")
    finally:
        for process in started:
            process.kill()
            process.wait()
    return seconds_of(url, label)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--storage", help="database; default: an SQLite file")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "grid.toml").write_text(GRID)
        url = arguments.storage or f"sqlite:///{folder}/studies.db"
        print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f} at the start")
        for what, run in (("processes", with_processes), ("Dask workers", with_dask)):
            ratios = []
            for number in range(arguments.rounds):
                one, two = (run(n, url, folder, f"{what[:4]}{number}-{n}") for n in (1, 2))
                ratios.append(one / two)
                load = os.getloadavg()[0]
                print(
                    f"{what}: one {one:.1f} s, two {two:.1f} s, {one / two:.2f}x, load {load:.1f}"
                )
            print(f"{what}: median {statistics.median(ratios):.2f}x over {len(ratios)} rounds")


if __name__ == "__main__":
    main()
