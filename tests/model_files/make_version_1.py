"""Write the files of `version_1/`: a small model of each kind, and its predictions of some rows.

They were made once, by the first release of the format, and are never made again: that later
releases read them, and get the same bits, is what `test_version_1.py` proves. A later version of
the format gets a folder of its own. Run as `python tests/model_files/make_version_1.py FOLDER`;
only files that FOLDER does not have are written.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from moodcore import GBT, MLP, SVM, LinearSVM, songs
from moodcore.model_files.container import save
from moodcore.preprocessing import CorrelationFilter

N_TRAIN, N_ASKED = 150, 12


def plain_table() -> tuple[pd.DataFrame, np.ndarray]:
    """Three classes in the plane; finite values only."""
    rng = np.random.default_rng(1)
    X = rng.normal(size=(N_TRAIN + N_ASKED, 3))
    y = np.array(["low", "mid", "top"])[(X[:, 0] > 0).astype(int) + (X[:, 1] * X[:, 2] > 0)]
    return pd.DataFrame(X, columns=["a", "b", "c"]), y


def rough_table() -> tuple[pd.DataFrame, np.ndarray]:
    """Two classes; missing and infinite values, and a categorical column."""
    X, y = plain_table()
    letters = np.array(["p", "q", "r"])[np.arange(len(X)) % 3]
    rough = X.assign(letter=pd.Categorical(letters))
    rough.iloc[::5, 0], rough.iloc[::7, 1] = np.nan, np.inf
    return rough, (y == "top").astype(int) ^ (letters == "q")


def song_table() -> tuple[pd.DataFrame, np.ndarray]:
    X, y = songs.synthesize(N_TRAIN + N_ASKED, random_state=1)
    return X, np.asarray(y)


def models() -> dict[str, tuple[Any, tuple[pd.DataFrame, np.ndarray]]]:
    """Return models that together contain every kind of part."""
    song = {"random_state": 0}
    mlp, gbt = MLP((4,), epochs=5, random_state=0), GBT(6, max_leaves=4, random_state=0)
    vector = GBT(3, max_leaves=4, multi_strategy="multi_output_tree", random_state=0)
    filtered = MLP((3, 2), epochs=3, random_state=0)
    svm, linear = SVM(C=10.0, probability=True, random_state=0), LinearSVM(random_state=0)
    scaled = make_pipeline(StandardScaler(), MLP((4,), epochs=5, random_state=0))
    return {
        "mlp": (mlp, plain_table()),
        "gbt": (gbt, rough_table()),
        "gbt_vector": (vector, plain_table()),
        "svm": (SVM(probability=True, random_state=0), plain_table()),
        "svm_linear": (SVM(kernel="linear"), plain_table()),
        "svm_poly": (SVM(kernel="poly", coef0=1.0, degree=2), plain_table()),
        "linear_svm": (LinearSVM(random_state=0), plain_table()),
        "songs_mlp": (songs.pipeline(filtered, features=CorrelationFilter(0.6), **song),
                      song_table()),
        "songs_gbt": (songs.pipeline(gbt, balance=True, **song), song_table()),
        "songs_svm": (songs.pipeline(svm, features="all", **song), song_table()),
        "songs_linear_svm": (songs.pipeline(linear, features=CorrelationFilter(0.6), balance=True,
                                            **song), song_table()),
        "pipeline_mlp": (scaled, plain_table()),
    }  # fmt: skip


def answers(model: Any, rows: Any) -> dict[str, list[Any]]:
    """Return the predictions of a model as JSON values."""
    said = {"predict": model.predict(rows).tolist()}
    for method in ("predict_proba", "decision_function"):
        if hasattr(model, method):
            said[method] = getattr(model, method)(rows).tolist()
    return said


def main(folder: Path) -> None:
    """Train, save, predict, and write the predictions."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "answers.json"
    told = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    for name, (model, (X, y)) in models().items():
        if name in told:
            continue
        fitted, rows = model.fit(X[:N_TRAIN], y[:N_TRAIN]), X[N_TRAIN:]
        save(fitted, folder / f"{name}.safetensors", provenance={"made by": "make_version_1.py"})
        columns = {name: rows[name].tolist() for name in rows}
        told[name] = {"rows": columns, **answers(fitted, rows)}
    # Python's JSON has NaN and infinities, and the repr of floats keeps every bit.
    path.write_text(json.dumps(told) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
