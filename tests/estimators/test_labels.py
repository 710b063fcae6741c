"""Labels that look like the targets of a regression."""

import warnings

import numpy as np
import pytest

from moodcore import GBT, MLP, SVM, LinearSVM

CLASSIFIERS = [GBT(2), MLP((2,), epochs=1), SVM(), LinearSVM(max_iter=10_000)]
X = np.random.default_rng(0).normal(size=(24, 2))


def warned(model, y):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(X[: len(y)], y)
    return [str(warning.message) for warning in caught if "regression" in str(warning.message)]


@pytest.mark.parametrize("model", CLASSIFIERS, ids=lambda model: type(model).__name__)
@pytest.mark.parametrize("kind", [int, float, str])
def test_mostly_unique_labels_warn_once(model, kind):
    assert warned(model, np.arange(24).astype(kind)) == [
        "y has 24 different values in 24 rows: this looks like a regression problem, not a "
        "classification problem"
    ]
    assert len(warned(model, np.minimum(np.arange(24), 12).astype(kind))) == 1


@pytest.mark.parametrize("model", CLASSIFIERS, ids=lambda model: type(model).__name__)
def test_fewer_labels_or_rows_do_not_warn(model):
    # Half of the rows, and at most 20 rows, as in scikit-learn.
    assert warned(model, np.minimum(np.arange(24), 11)) == []
    assert warned(model, np.arange(20)) == []
