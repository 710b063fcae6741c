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
name, part = sys.argv[1:]
models = {
    "GBT": GBT(1, random_state=0), "LinearSVM": LinearSVM(max_iter=1),
    "MLP": MLP(epochs=1, random_state=0), "SVM": SVM(max_iter=1),
}
model, n_classes = models[name], 3 if part == "fit" else 150
few = np.zeros((3 * n_classes, 40), dtype=np.float32)
few[:, 0] = np.arange(len(few))
model.fit(few, np.arange(len(few)) % n_classes)
X = np.zeros((400_000, 40), dtype=np.float32)
y = np.arange(len(X)) % n_classes
used = int(re.search(r"VmSize:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) * 1024
resource.setrlimit(resource.RLIMIT_AS, (used + (20 << 20), resource.RLIM_INFINITY))
try:
    model.fit(X, y) if part == "fit" else model.predict_proba(X)
except MemoryError as error:
    print("MemoryError:", error)
else:
    print("enough")
resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
print(len(model.predict(few)), "rows are predicted after it")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits as Linux has them")
@pytest.mark.parametrize(
    ("name", "part"),
    [("GBT", "fit"), ("LinearSVM", "fit"), ("SVM", "fit"), ("MLP", "predict"), ("GBT", "predict")],
)
def test_too_little_memory_can_be_caught(name, part):
    done = subprocess.run(
        [sys.executable, "-c", CODE, name, part], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "MemoryError" in done.stdout
    assert "rows are predicted after it" in done.stdout
