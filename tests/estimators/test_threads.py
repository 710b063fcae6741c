"""Threads that cannot be started are an error, not the end of the process."""

import os
import subprocess
import sys

import pytest

CODE = """
import re, resource, sys
from pathlib import Path
import numpy as np
from moodcore import GBT, LinearSVM, MLP, SVM

# Enough work for several threads.
X = np.random.default_rng(0).normal(size=(3_000, 3))
y = np.digitize(X[:, 0], [-0.5, 0.5])
for kind in (GBT, LinearSVM, MLP, SVM):
    model = kind(random_state=0).fit(X, y)
    used = int(re.search(r"VmSize:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) * 1024
    resource.setrlimit(resource.RLIMIT_AS, (used + (100 << 20), resource.RLIM_INFINITY))
    try:
        kind(n_jobs=60, random_state=0).fit(X, y)
    except OSError as error:
        print(kind.__name__, error)
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    model.predict(X)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits as Linux has them")
def test_too_many_threads_are_an_error():
    # Of stacks of this size, the limit has room for one, and for all else that a thread needs.
    stacks = os.environ | {"RUST_MIN_STACK": str(64 << 20)}
    done = subprocess.run(
        [sys.executable, "-c", CODE], capture_output=True, text=True, check=False, env=stacks
    )
    assert done.returncode == 0, done.stderr
    for kind in ("GBT", "LinearSVM", "MLP", "SVM"):
        assert f"{kind} cannot start 60 worker threads" in done.stdout
