"""Too little memory is a `MemoryError`, not the end of the process."""

import subprocess
import sys

import pytest

CODE = """
import re, resource, sys, warnings
from pathlib import Path
import numpy as np
from moodcore import GBT, LinearSVM, MLP, SVM

warnings.simplefilter("ignore")
name, part, spare = sys.argv[1], sys.argv[2], int(sys.argv[3])
models = {
    "GBT": GBT(1, random_state=0), "LinearSVM": LinearSVM(max_iter=1, n_jobs=2),
    "hinge": LinearSVM(loss="hinge", max_iter=1), "L1": LinearSVM(penalty="l1", max_iter=1),
    "MLP": MLP(epochs=1, random_state=0), "SVM": SVM(max_iter=1),
}
model, n_classes = models[name], 3 if part == "fit" else 150
few = np.zeros((3 * n_classes, 40), dtype=np.float32)
few[:, 0] = np.arange(len(few))
model.fit(few, np.arange(len(few)) % n_classes)
X = np.zeros((400_000, 40), dtype=np.float32)
y = np.arange(len(X)) % n_classes
used = int(re.search(r"VmSize:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) * 1024
resource.setrlimit(resource.RLIMIT_AS, (used + (spare << 20), resource.RLIM_INFINITY))
scores = model.decision_function if name == "LinearSVM" else getattr(model, "predict_proba", None)
try:
    model.fit(X, y) if part == "fit" else scores(X)
except MemoryError as error:
    print("MemoryError:", error)
else:
    print("enough")
resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
print(len(model.predict(few)), "rows are predicted after it")
"""


CASES = [(name, "fit", spare) for name in ("GBT", "LinearSVM", "SVM") for spare in (2, 20)] + [
    ("MLP", "fit", 20),
    ("hinge", "fit", 20),
    ("L1", "fit", 20),
    ("MLP", "predict", 20),
    ("GBT", "predict", 20),
    ("LinearSVM", "predict", 20),
]
# Threads that start after a check take memory, too.
ENOUGH_OR_NOT = [("LinearSVM", "fit", 150), ("MLP", "fit", 200), ("hinge", "fit", 110)]


@pytest.mark.skipif(sys.platform != "linux", reason="limits as Linux has them")
@pytest.mark.parametrize(("name", "part", "spare"), CASES + ENOUGH_OR_NOT)
def test_too_little_memory_can_be_caught(name, part, spare):
    done = subprocess.run(
        [sys.executable, "-c", CODE, name, part, str(spare)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "MemoryError" in done.stdout or (name, part, spare) in ENOUGH_OR_NOT
    assert "rows are predicted after it" in done.stdout


CALLS = """
import re, resource, sys
from pathlib import Path
import numpy as np
from moodcore._core import SvmModel, gbt_sampled_rows

n_classes, n_pairs = 2000, 1999000
kernel = ("precomputed", 1.0, 3, 0.0)
parts = np.zeros(n_classes, np.uint32), np.zeros((0, 0), np.float32), np.zeros((n_classes - 1, 0))
ones = np.ones(n_pairs)
model = SvmModel(kernel, *parts, ones, (-ones, ones))
calls = {
    "couple": (24, lambda: model.probabilities(ones[None])),
    "sample": (1, lambda: gbt_sampled_rows(10_000_000)),
}
spare, call = calls[sys.argv[1]]
used = int(re.search(r"VmSize:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) * 1024
resource.setrlimit(resource.RLIMIT_AS, (used + (spare << 20), resource.RLIM_INFINITY))
try:
    call()
except MemoryError as error:
    print("MemoryError:", error)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits as Linux has them")
@pytest.mark.parametrize("name", ["couple", "sample"])
def test_too_little_memory_in_a_call_of_the_core_can_be_caught(name):
    done = subprocess.run(
        [sys.executable, "-c", CALLS, name], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "MemoryError" in done.stdout
