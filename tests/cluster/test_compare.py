"""A comparison on a real Dask scheduler and workers."""

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression

from moodcore import compare

SETTINGS = {"folds": 2, "repeats": 1, "curve_sizes": 0, "epochs": 4}


def test_results_are_those_of_a_local_run(cluster, tmp_path):
    rng = np.random.default_rng(0)
    y = np.arange(200) % 2
    X = pd.DataFrame(rng.normal(size=(200, 3)) + y[:, None], columns=["a", "b", "c"])

    class Local(LogisticRegression):
        """A class that no module of the workers has, and that warns."""

    # Warnings belong to one training each, whatever other threads of a worker train.
    models = {"mlp": "mlp", "gbt": "gbt", "mine": Local(max_iter=1)}
    local = compare(X, y, models=models, n_jobs=1, **SETTINGS)
    remote = compare(
        X, y, models=models, scheduler=cluster.address, out=tmp_path / "run", **SETTINGS
    )
    assert remote.metrics == local.metrics
    assert {row["model"] for row in remote.metrics["warnings"]} == {"mine"}
    pd.testing.assert_frame_equal(remote.predictions, local.predictions)
