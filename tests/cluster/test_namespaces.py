"""Two Dask workers in network namespaces of their own, which a virtual cable connects."""

import os
import shutil
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from moodcore.cli import main

from .conftest import wait_until

ADDRESSES = ("10.77.0.1", "10.77.0.2")


def run(*words):
    """Run a command; return its error message, or None if it succeeded."""
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return done.stderr.strip() or "failed" if done.returncode else None


@pytest.fixture
def namespaces():
    """Return the names of two network namespaces that can reach each other and nothing else."""
    if shutil.which("ip") is None:
        pytest.skip("the command ip (Debian: iproute2) is not installed")
    names = [f"moodcore-{os.getpid()}-{at}" for at in range(2)]
    made, cables = [], [f"mc{os.getpid()}-{at}" for at in range(2)]
    try:
        for name in names:
            if error := run("ip", "netns", "add", name):
                pytest.skip(f"network namespaces are not permitted: {error}")
            made.append(name)
        cable = ("ip", "link", "add", cables[0], "netns", names[0], "type", "veth")
        if error := run(*cable, "peer", "name", cables[1], "netns", names[1]):
            pytest.skip(f"virtual network devices are not permitted: {error}")
        for name, device, address in zip(names, cables, ADDRESSES, strict=True):
            inside = ("ip", "-n", name)
            assert run(*inside, "address", "add", f"{address}/24", "dev", device) is None
            assert run(*inside, "link", "set", device, "up") is None
            assert run(*inside, "link", "set", "lo", "up") is None
        yield names
    finally:
        # The devices are deleted with the namespaces.
        for name in made:
            run("ip", "netns", "delete", name)


def test_workers_in_two_namespaces_train_the_same_bytes(namespaces, processes, tmp_path, capsys):
    rng = np.random.default_rng(0)
    X, folder = rng.random((1200, 3)), tmp_path / "rows"
    y = (2 * X[:, 0] * X[:, 1] + rng.random(1200)).astype(int)
    folder.mkdir()
    for at in range(2):
        rows = slice(600 * at, 600 * at + 600)
        columns = dict(zip("abc", X[rows].T, strict=True)) | {"label": y[rows]}
        pq.write_table(pa.table(columns), folder / f"part-{at}.parquet", row_group_size=200)

    def start(name, namespace, *words):
        return processes.start(name, "ip", "netns", "exec", namespace, sys.executable, *words)

    first, second = namespaces
    scheduler = f"tcp://{ADDRESSES[0]}:8786"
    listens = ("--host", ADDRESSES[0], "--port", "8786", "--no-dashboard")
    start("scheduler", first, "-m", "dask", "scheduler", *listens)
    wait_until(lambda: "Scheduler at" in processes.log("scheduler"), "the scheduler")
    for at, (namespace, address) in enumerate(zip(namespaces, ADDRESSES, strict=True)):
        words = (scheduler, "--no-nanny", "--nthreads", 1, "--host", address, "--no-dashboard")
        start(f"worker-{at}", namespace, "-m", "dask", "worker", *words)
    for at in range(2):
        wait_until(lambda at=at: "Registered to" in processes.log(f"worker-{at}"), "a worker")
    words = ["train", "--data", str(folder), "--target", "label", "--model", "gbt",
             "--set", "n_estimators=8"]  # fmt: skip
    distributed, local = tmp_path / "dask.safetensors", tmp_path / "local.safetensors"
    dask = ("--engine", "dask", "--scheduler", scheduler, "-o", distributed)
    processes.finish("client", start("client", second, "-m", "moodcore.cli", *words, *dask))
    assert main([*words, "-o", str(local)]) == 0
    assert "held-out rows" in processes.log("client") and "held-out" in capsys.readouterr().out
    assert distributed.read_bytes() == local.read_bytes()
