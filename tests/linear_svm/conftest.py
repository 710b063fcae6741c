import sys
from pathlib import Path

import numpy as np
import pytest

# The reference is a plain module beside its tests.
sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def clouds() -> tuple[np.ndarray, np.ndarray]:
    """Four classes that overlap, five features."""
    rng = np.random.default_rng(0)
    y = np.arange(600) % 4
    centres = rng.normal(size=(4, 5))
    return (centres[y] + rng.normal(size=(600, 5))).astype(np.float32), y


@pytest.fixture(scope="session")
def two(clouds) -> tuple[np.ndarray, np.ndarray]:
    """Two of them."""
    X, y = clouds
    return X[y < 2], y[y < 2]
