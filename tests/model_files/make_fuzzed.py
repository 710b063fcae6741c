"""Write the files of `fuzzed/`: models of kinds that `version_1/` lacks, and rows to predict.

`fuzz.py` damages them. They are stored so that a case depends on its seed and number alone, not on
the versions of the packages. Run as `python tests/model_files/make_fuzzed.py FOLDER`; only files
that FOLDER does not have are written.
"""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.sparse import csr_array
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    MaxAbsScaler,
    OneHotEncoder,
    OrdinalEncoder,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
)

import moodcore
from moodcore import GBT, MLP, SVM
from moodcore.model_files import save


def models():
    """Yield the name of each file, its model and three rows."""
    rng = np.random.default_rng(2)
    frame = pd.DataFrame({"size": rng.normal(size=90), "kind": rng.choice(list("abc"), 90)})
    y = np.where((frame["size"] > 0) ^ (frame["kind"] == "a"), "yes", "no")
    gbt, mlp = GBT(3, max_leaves=4, random_state=0), MLP((3,), epochs=2, random_state=0)
    yield "table_gbt", moodcore.tables.pipeline(gbt).fit(frame, y), frame
    yield "table_mlp", moodcore.tables.pipeline(mlp).fit(frame, y), frame
    X = np.column_stack([frame["size"], rng.integers(0, 3, (90, 2))])
    categories = GBT(3, categorical_features=[1], missing=0.0, random_state=0)
    yield "gbt_missing", categories.fit(X, y), pd.DataFrame(X)
    few = np.where(np.abs(X) > 1, X, 0)
    yield "svm_sparse", SVM().fit(csr_array(few), y), pd.DataFrame(few)
    yield "svm_precomputed", SVM(kernel="precomputed").fit(X @ X.T, y), pd.DataFrame(X @ X.T)
    for activation in ("tanh", "selu"):
        network = MLP((3,), activation=activation, epochs=2, random_state=0)
        yield f"mlp_{activation}", network.fit(X, y), pd.DataFrame(X)
    numbers = make_pipeline(SimpleImputer(add_indicator=True), RobustScaler(), MaxAbsScaler())
    bent = make_pipeline(PowerTransformer(), QuantileTransformer(n_quantiles=5))
    rare = OneHotEncoder(min_frequency=35, handle_unknown="infrequent_if_exist")
    dense = OneHotEncoder(sparse_output=False)
    gaps = frame.assign(size=frame["size"].where(frame["size"] < 1))
    for name, columns in {
        "columns_rare": [("numbers", numbers, ["size"]), ("text", rare, ["kind"])],
        "columns_bent": [
            ("numbers", make_pipeline(SimpleImputer(), bent), ["size"]),
            ("text", OrdinalEncoder(), ["kind"]),
        ],
        "columns_rest": [("text", dense, slice(1, 2)), ("rest", "passthrough", [0])],
    }.items():
        model = make_pipeline(ColumnTransformer(columns), GBT(2, max_leaves=3, random_state=0))
        yield name, model.fit(gaps, y), gaps
    sparse = make_pipeline(OneHotEncoder(), MaxAbsScaler(), SVM(random_state=0))
    yield "sparse", sparse.fit(frame[["kind"]], y), frame[["kind"]]


def main(folder):
    """Train, save, and write three rows of each table."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "rows.json"
    rows = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    for name, model, table in models():
        if name not in rows:
            save(model, folder / f"{name}.safetensors")
            rows[name] = {str(column): table[column].head(3).tolist() for column in table}
    path.write_text(json.dumps(rows) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
