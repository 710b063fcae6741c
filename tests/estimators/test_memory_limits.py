"""At every limit of memory, fits and predictions succeed or raise `MemoryError`."""

import os
import subprocess
import sys

import pytest

# Each limit is tried in a fork of a process that has trained before: what the interpreter and the
# libraries allocate once is there.
CODE = """
import os, re, resource, sys, warnings
from pathlib import Path
import numpy as np
import scipy.sparse
from moodcore import GBT, LinearSVM, MLP, SVM, _core

warnings.simplefilter("ignore")
sys.unraisablehook = lambda hook: None
name, n_rows, top, step = sys.argv[1], *map(int, sys.argv[2:])
models = {
    "GBT": GBT(2, random_state=0), "GBT sparse": GBT(2, random_state=0),
    "LinearSVM": LinearSVM(), "L1": LinearSVM(penalty="l1"), "hinge": LinearSVM(loss="hinge"),
    "LinearSVM sparse": LinearSVM(), "MLP": MLP(epochs=1, random_state=0),
    "SVM": SVM(max_iter=3000), "SVM sparse": SVM(max_iter=3000), "SVM double": SVM(max_iter=3000),
}
rng = np.random.default_rng(0)
X = rng.normal(size=(n_rows, 40)).astype(np.float32)
y = (X[:, 0] + X[:, 1] * X[:, 2] > 0) + 1 * (X[:, 3] > 1)
if "sparse" in name:
    X = scipy.sparse.csr_array(np.where(np.abs(X) > 2.5, X, 0))
if "double" in name:
    X = X.astype(np.float64) + 1e7
model = models[name]

spare = None

def limit(kilobytes):
    used = int(re.search(r"VmSize:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) * 1024
    soft = resource.RLIM_INFINITY if kilobytes is None else used + (kilobytes << 10)
    resource.setrlimit(resource.RLIMIT_AS, (soft, resource.RLIM_INFINITY))

def limited(function):
    # The core alone: NumPy 2.4 crashes where it has no memory for the buffer of a reduction.
    def call(*args, **options):
        limit(spare)
        try:
            return function(*args, **options)
        finally:
            limit(None)
    return call

for fit in ("gbt_fit", "linear_svm_fit", "mlp_fit", "svm_fit"):
    setattr(_core, fit, limited(getattr(_core, fit)))

def work():
    model.fit(X, y)
    limit(spare)
    model.predict(X)

def outcome():
    try:
        work()
    except MemoryError:
        return 1
    except OSError as error:
        # A thread needs memory for its stack.
        if "cannot start" in str(error):
            return 2
        print(repr(error), flush=True)
        return 4
    except BaseException as error:
        print(repr(error), flush=True)
        return 4
    return 0

work()
counts = {}
# Kilobytes beyond those in use; with the last few there is enough.
for spare in [*range(0, top, step), 100_000, 200_000, 400_000]:
    child = os.fork()
    if child == 0:
        os._exit(outcome())
    status = os.waitpid(child, 0)[1]
    ending = f"signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
    counts.setdefault(ending, []).append(spare)
print(counts)
bad = {ending: spares for ending, spares in counts.items() if ending not in (0, 1, 2)}
assert not bad, bad
# Too little and enough are among the limits.
assert 0 in counts and (1 in counts or 2 in counts)
"""

# The C library asks the system for every larger block, and returns what is freed, so that the limit
# is met where memory is allocated.
SETTINGS = {
    "MALLOC_MMAP_THRESHOLD_": "16384",
    "MALLOC_TRIM_THRESHOLD_": "0",
    "MALLOC_TOP_PAD_": "0",
    "MALLOC_ARENA_MAX": "1",
}

# Rows, few enough that no fit is refused before it begins, and kilobytes to go up to.
CASES = {
    "GBT": (3_000, 12_000),
    "GBT sparse": (3_000, 12_000),
    "LinearSVM": (2_500, 12_000),
    "L1": (2_500, 12_000),
    "hinge": (2_500, 12_000),
    "LinearSVM sparse": (2_500, 12_000),
    "MLP": (3_000, 12_000),
    "SVM": (1_200, 16_000),
    "SVM sparse": (1_200, 16_000),
    "SVM double": (700, 16_000),
}


@pytest.mark.skipif(sys.platform != "linux", reason="limits as Linux has them")
@pytest.mark.parametrize("name", CASES)
def test_a_ladder_of_limits(name):
    n_rows, top = CASES[name]
    done = subprocess.run(
        [sys.executable, "-c", CODE, name, str(n_rows), str(top), str(top // 30)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | SETTINGS,
    )
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
