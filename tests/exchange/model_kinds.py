"""One model of each kind that an exporter must know, and a compiler of exported source code."""

import ctypes
import shutil
import subprocess
import warnings

import numpy as np
import pytest

from moodcore import GBT, MLP, SVM, LinearSVM, exchange, songs

C = ["cc", "-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror", "-O1", "-shared", "-fPIC"]
RUST = ["rustc", "--edition=2021", "-Dwarnings", "-Copt-level=1", "--crate-type=cdylib"]
LOOP_C = """#include "model.c"
void many(const double *rows, long n, double *scores, int *codes)
{
    for (long at = 0; at < n; at++)
        codes[at] = model_predict(rows + at * MODEL_N_COLUMNS, scores + at * MODEL_N_SCORES);
}
"""
LOOP_RUST = """mod model;
#[no_mangle]
pub unsafe extern "C" fn many(rows: *const f64, n: usize, scores: *mut f64, codes: *mut i32) {
    for at in 0..n {
        let row = &*rows.add(at * model::N_COLUMNS).cast();
        let (code, found) = model::predict(row);
        *codes.add(at) = code as i32;
        scores.add(at * model::N_SCORES).cast::<[f64; model::N_SCORES]>().write(found);
    }
}
"""
CLASSIFIERS = {
    "network": lambda: MLP((16, 8), epochs=10, random_state=0),
    "network without layers": lambda: MLP((), epochs=5, random_state=0),
    "robust tanh": lambda: MLP(
        (16, 8), epochs=5, activation="tanh", input_scaling="robust", random_state=0
    ),
    "three networks": lambda: MLP((8, 4), n_networks=3, epochs=5, random_state=0),
    "selu": lambda: MLP(
        (8,), epochs=5, activation="selu", init="lecun", input_scaling="standard", random_state=0
    ),
    "leaky": lambda: MLP((8,), epochs=5, activation="leaky_relu", optimizer="adam", random_state=0),
    "trees": lambda: GBT(20, random_state=0),
    "vector leaves": lambda: GBT(8, random_state=0, multi_strategy="multi_output_tree"),
    "stopped early": lambda: GBT(40, random_state=0, early_stopping_rounds=2),
    "linear svm": LinearSVM,
    "rbf": lambda: SVM(C=2),
    "calibrated": lambda: SVM(C=2, probability=True, random_state=0),
    "ties broken": lambda: SVM(C=2, probability=True, random_state=0, break_ties=True),
    "by pairs": lambda: SVM(kernel="linear", decision_function_shape="ovo"),
    "poly": lambda: SVM(kernel="poly", degree=2, gamma=0.1, coef0=1.0),
    "sigmoid": lambda: SVM(kernel="sigmoid", gamma=0.05, coef0=-0.1),
}


def song_model(kind, song_rows, n_classes=4):
    """A fitted song pipeline; its classes are numbers, or text where there are two."""
    X, y, _ = song_rows
    if n_classes == 2:
        y = np.array(["calm", "lively"])[(y > 0).astype(int)]
    features = "all" if n_classes == 2 else "published"
    classifier = CLASSIFIERS[kind]()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return songs.pipeline(classifier, features=features, balance=True, random_state=0).fit(X, y)


def scores_of(model, X):
    """Return probabilities, or the scores of a model without, as a matrix."""
    has = hasattr(model, "predict_proba")
    found = model.predict_proba(X) if has else model.decision_function(X)
    return found.reshape(len(found), -1)


def compiled(model, folder, language):
    """A function from rows to positions of classes and scores."""
    exchange.export(model, folder / f"model.{language}")
    loop, library = folder / f"loop.{language}", folder / f"model_{language}.so"
    loop.write_text(LOOP_C if language == "c" else LOOP_RUST)
    command = [*(C if language == "c" else RUST), "-o", library, loop]
    command += ["-lm"] if language == "c" else []
    if shutil.which(command[0]) is None:
        pytest.skip(f"there is no {command[0]}")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    many = ctypes.CDLL(str(library)).many

    def predict(rows, n_scores):
        rows = np.ascontiguousarray(rows, dtype=np.float64)
        scores, codes = np.zeros((len(rows), n_scores)), np.zeros(len(rows), dtype=np.int32)
        places = [ctypes.c_void_p(array.ctypes.data) for array in (rows, scores, codes)]
        many(places[0], ctypes.c_long(len(rows)), *places[1:])
        return codes, scores

    return predict
