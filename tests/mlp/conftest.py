import sys
from pathlib import Path

import numpy as np
import pytest

# The reference is a plain module beside its tests.
sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def spirals() -> tuple[np.ndarray, np.ndarray]:
    """Three interleaved arms: no linear model separates them."""
    rng = np.random.default_rng(0)
    turn = rng.uniform(0.2, 1.0, size=900)
    arm = np.arange(900) % 3
    angle = 4.0 * turn + arm * 2 * np.pi / 3 + 0.1 * rng.normal(size=900)
    return np.column_stack([turn * np.cos(angle), turn * np.sin(angle)]) * 3, arm
