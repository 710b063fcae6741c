import sys
from pathlib import Path

import numpy as np
import pytest

# `parts_of_files` and `svm_reference` are imported by their names.
sys.path.insert(0, str(Path(__file__).parents[1] / "model_files"))
sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def blobs() -> tuple[np.ndarray, np.ndarray]:
    """Three classes that overlap."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, size=600)
    X = rng.normal(size=(600, 4)) + np.array([[0, 0, 0, 0], [1.5, 0, 1, 0], [0, 1.5, -1, 1]])[y]
    return X.astype(np.float32), y
