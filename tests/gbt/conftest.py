import numpy as np
import pytest


@pytest.fixture(scope="session")
def gaps() -> tuple[np.ndarray, np.ndarray]:
    """Three classes by the sign of a product and a threshold; one value in twenty is missing."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(900, 5))
    y = (X[:, 0] * X[:, 1] > 0).astype(int) + (X[:, 2] > 1)
    X[rng.random(X.shape) < 0.05] = np.nan
    return X, y


@pytest.fixture(scope="session")
def two(gaps) -> tuple[np.ndarray, np.ndarray]:
    """The same rows in two classes."""
    X, y = gaps
    return X, (y > 0).astype(int)
