"""Rows per second of prediction, compared with LightGBM and ONNX Runtime.

    pip install '.[bench]' && python benches/predict.py [--rows 10000000]

First the models alone, on rows in memory with two threads, alternating: boosted trees of 100 rounds
with 31 leaves compared with LightGBM's of the same size, and the 16-16 network compared with ONNX
Runtime on its exported graph. Then the whole command on a Parquet file with the same number of
songs, with the processor time of its parts.
"""

import argparse
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from moodcore import GBT, MLP, predict, songs
from moodcore.predict.preparation import Preparation
from moodcore.predict.readers import BATCH_ROWS

THREADS, PART, ROUNDS = 2, 500_000, 3

# The network of the song experiment, whatever the defaults of `MLP` are.
PAPER = {
    "n_networks": 1,
    "activation": "relu",
    "input_scaling": None,
    "optimizer": "sgd",
    "batch_size": 32,
    "learning_rate": 0.005,
    "momentum": 0.9,
    "weight_decay": 0.0,
    "init": "he",
    "learning_rate_schedule": "constant",
    "early_stopping": False,
}


def made(n_rows: int) -> tuple[pd.DataFrame, np.ndarray]:
    X, y = songs.synthesize(n_rows, random_state=0)
    return X[list(songs.FEATURES)], np.asarray(y)


def timed(call: Callable[[], Any]) -> float:
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def compare(name: str, ours: Callable[[], Any], theirs: Callable[[], Any], n_rows: int) -> None:
    """Time two calls alternately; the second is that of the other library."""
    ours(), theirs()
    pairs = [(timed(ours), timed(theirs)) for _ in range(ROUNDS)]
    ratios = [theirs / ours for ours, theirs in pairs]
    rate = n_rows / statistics.median(ours for ours, _ in pairs) / 1e6
    print(
        f"{name}: {rate:.2f} million rows per second, {statistics.median(ratios):.1f} times as "
        f"many ({min(ratios):.1f} to {max(ratios):.1f})"
    )


def trees(X: np.ndarray, y: np.ndarray, rows: np.ndarray) -> None:
    from lightgbm import LGBMClassifier

    ours = GBT(100, max_leaves=31, n_jobs=THREADS, random_state=0).fit(X, y)
    theirs = LGBMClassifier(n_estimators=100, num_leaves=31, n_jobs=THREADS, verbose=-1).fit(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        compare("GBT and LightGBM", lambda: in_parts(ours.predict_proba, rows),
               lambda: in_parts(theirs.predict_proba, rows), len(rows))  # fmt: skip


def networks(X: np.ndarray, y: np.ndarray, rows: np.ndarray) -> None:
    import onnxruntime

    from moodcore.exchange import export

    ours = MLP((16, 16), epochs=3, n_jobs=THREADS, random_state=0, **PAPER).fit(X, y)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    with tempfile.TemporaryDirectory() as folder:
        export(ours, f"{folder}/network.onnx", dtype="float32")
        session = onnxruntime.InferenceSession(f"{folder}/network.onnx", options)
    (given,) = session.get_inputs()
    outputs = [output.name for output in session.get_outputs()]
    compare("MLP and ONNX Runtime", lambda: in_parts(ours.predict_proba, rows),
           lambda: in_parts(lambda part: session.run(outputs, {given.name: part}), rows),
           len(rows))  # fmt: skip


def in_parts(predict: Callable[[np.ndarray], Any], rows: np.ndarray) -> None:
    for start in range(0, len(rows), PART):
        predict(rows[start : start + PART])


def whole(X: pd.DataFrame, y: np.ndarray, n_rows: int) -> None:
    """Score a file with this many songs, whose rows repeat with other uris."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "songs.parquet"
        write_long(path, X, n_rows)
        for name, model in {
            "GBT": GBT(100, max_leaves=31, n_jobs=1, random_state=0),
            "MLP": MLP((16, 16), epochs=3, n_jobs=1, random_state=0, **PAPER),
        }.items():
            fitted = songs.pipeline(model, features="all").fit(X[:135_000], y[:135_000])
            begin, busy = time.perf_counter(), time.process_time()
            report = predict.score(fitted, path, Path(folder) / "moods.parquet")
            seconds, busy = time.perf_counter() - begin, time.process_time() - busy
            model = processor_time(fitted, X) * n_rows / len(X)
            print(
                f"moodcore predict, {name}: {report.n_scored / seconds / 1e6:.2f} million rows per "
                f"second; of the processor time {model / busy:.2f} in the model and its scaling, "
                f"{1 - model / busy:.2f} in reading, checking and writing"
            )


def processor_time(fitted: Any, X: pd.DataFrame) -> float:
    """Return the processor time of predicting rows in memory, in the batches of a file."""
    short = Preparation.of(fitted)
    parts = [X[start : start + BATCH_ROWS] for start in range(0, len(X), BATCH_ROWS)]
    columns = [{name: part[name].to_numpy().copy() for name in part} for part in parts]
    begin = time.process_time()
    for part in columns:
        good = np.ones(len(part[X.columns[0]]), dtype=bool)
        short.classifier.predict_proba(short.matrix(part, good))
    return time.process_time() - begin


def write_long(path: Path, X: pd.DataFrame, n_rows: int) -> None:
    with pq.ParquetWriter(path, schema_of(X)) as file:
        for start in range(0, n_rows, len(X)):
            part = X[: n_rows - start]
            uri = [f"spotify:track:{at:022}" for at in range(start, start + len(part))]
            file.write_table(pa.Table.from_pandas(part.assign(uri=uri), schema=schema_of(X),
                                                  preserve_index=False))  # fmt: skip


def schema_of(X: pd.DataFrame) -> pa.Schema:
    return pa.schema([*((name, pa.float64()) for name in X), ("uri", pa.string())])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    n_rows = parser.parse_args().rows
    X, y = made(277_938)
    learned = X[:135_000].to_numpy(np.float32), y[:135_000]
    rows = np.resize(X.to_numpy(np.float32), (n_rows, X.shape[1]))
    trees(*learned, rows)
    networks(*learned, rows)
    del rows
    whole(X, y, n_rows)


if __name__ == "__main__":
    main()
