"""Parts of pipelines whose description was changed, with a checksum that fits."""

import numpy as np
import pandas as pd
import pytest
from parts_of_files import changed
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from moodcore import MLP, ModelFileError, load
from moodcore.model_files import save
from moodcore.preprocessing import BalancedClassifier, CorrelationFilter, SelectColumns

STEPS = {
    "select": SelectColumns(["tempo", "energy", "valence"]),
    "minmax": MinMaxScaler(),
    "filter": CorrelationFilter(0.9),
    "standard": StandardScaler(),
    "classify": BalancedClassifier(MLP((2,), epochs=1, random_state=0), random_state=0),
}


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(40, 3)), columns=["tempo", "energy", "valence"])
    STEPS["select"].set_output(transform="pandas")
    model = make_pipeline(*STEPS.values()).fit(X, rng.integers(0, 2, 40))
    path = tmp_path_factory.mktemp("parts") / "model"
    save(model, path)
    load(path).predict(X)
    return path.read_bytes()


LIES = [
    ("select", "columns", ["tempo", "tempo", "valence"], "different names or positions"),
    ("select", "columns", ["tempo", "energy"], "2 columns do not match 3 features"),
    ("select", "columns", [0, True, 2], "different names or positions"),
    ("select", "output", "os.system", "unknown output 'os.system'"),
    ("minmax", "params.feature_range", [1, 0], "two ascending numbers"),
    ("minmax", "params.clip", "yes", "must be True or False"),
    ("minmax", "n_samples", [], "n_samples must be an int of at least 0, or 3 of them"),
    ("minmax", "n_samples", [40, 40], "or 3 of them, got .40, 40"),
    ("standard", "n_samples", -1, "n_samples must be an int of at least 0"),
    ("standard", "n_samples", 2**63, "n_samples must be an int of at least 0"),
    ("filter", "support", [False] * 3, "and keep one"),
    ("filter", "support", [True, True, False], "step standardscaler takes 3 columns"),
    ("standard", "params.with_mean", 0, "must be True or False"),
    ("classify", "counts_after", [5], "a count for each of 2 classes"),
    ("classify", "estimator.best_epoch", 9, "must be one of 1 epochs"),
    ("classify", "estimator.history", ["loss", "profit"], "profit"),
]


@pytest.mark.parametrize(("step", "keys", "value", "says"), LIES)
def test_lies_in_the_description_of_a_step(saved, tmp_path, step, keys, value, says):
    at = list(STEPS).index(step)
    (tmp_path / "model").write_bytes(changed(saved, f"model.steps.{at}.1.{keys}", value))
    with pytest.raises(ModelFileError, match=says):
        load(tmp_path / "model")


def test_parameters_set_after_training_change_no_saved_network(tmp_path):
    X = np.random.default_rng(0).normal(size=(20, 2))
    model = MLP((3,), epochs=1, random_state=0).fit(X, X[:, 0] > 0)
    expected = model.predict_proba(X)
    model.set_params(hidden_sizes=(5, 5)).save(tmp_path / "model")
    np.testing.assert_array_equal(load(tmp_path / "model").predict_proba(X), expected)
