"""The classifiers work without the packages that only the experiment needs."""

import subprocess
import sys

import pytest

EXPERIMENT = ("click", "jinja2", "matplotlib", "optuna", "pandas", "pyarrow", "rich", "tomli_w")

BLOCK = f"""
import sys


class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {EXPERIMENT!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)


sys.meta_path.insert(0, Blocker())
"""

FIT_SAVE_LOAD = """
import numpy as np
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
import moodcore
from moodcore.model_files.container import save
from moodcore.preprocessing import BalancedClassifier, CorrelationFilter, SelectColumns

rng = np.random.default_rng(0)
X = rng.normal(size=(60, 3))
y = np.where(X[:, 0] > 0, "happy", "sad")
for model in (
    moodcore.MLP((4,), epochs=2, random_state=0),
    moodcore.SVM(),
    moodcore.LinearSVM(),
    moodcore.GBT(3),
    BalancedClassifier(moodcore.GBT(3), random_state=0),
    make_pipeline(SelectColumns([0, 2]), CorrelationFilter(), StandardScaler(), moodcore.SVM()),
):
    model.fit(X, y)
    save(model, "model.mood")
    loaded = moodcore.load("model.mood")
    assert np.array_equal(loaded.predict(X), model.predict(X))
text = np.array([["C", 1.0], ["D", None]] * 20, dtype=object)
trees = moodcore.GBT(3, min_child_samples=1).fit(text, text[:, 0])
assert trees.score(text.tolist(), text[:, 0]) == 1.0
assert trees.predict_proba_row(["C", None])[0] > 0.5
loaded = [name for name in sys.modules if name.partition(".")[0] in {experiment}]
assert not loaded, loaded
"""

POLARS = """
import numpy as np
import polars as pl
import moodcore

table = pl.DataFrame({"key": ["C", "D", None, "C"] * 10, "tempo": [1.0, None, 2.0, 3.0] * 10})
y = np.arange(40) % 2
model = moodcore.GBT(3, min_child_samples=1).fit(table, y)
expected = model.predict_proba(table)
other = table.with_columns(pl.col("key").cast(pl.Enum(["D", "C"])))
assert np.array_equal(model.predict_proba(other), expected)
assert moodcore.LinearSVM().fit(table.select(pl.col("tempo").fill_null(0)), y).classes_.size == 2


class Stream:
    def __arrow_c_stream__(self, requested_schema=None):
        return table.__arrow_c_stream__(requested_schema)


assert np.array_equal(model.predict_proba(Stream()), expected)
"""


@pytest.mark.parametrize("code", [FIT_SAVE_LOAD, POLARS], ids=["numpy", "polars"])
def test_the_core_needs_no_package_of_the_experiment(code, tmp_path):
    code = BLOCK + code.replace("{experiment}", repr(EXPERIMENT))
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
