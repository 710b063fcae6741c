"""Training on files larger than memory: rows per second and peak memory, compared with peers.

    pip install '.[bench]' && python benches/streaming.py --quick

Writes a folder of Parquet files with synthetic rows, trains the same number of rounds of trees with
31 leaves with each library in a process of its own, and prints the seconds and processor seconds
(reading included), the rows per second (rows times rounds, divided by seconds), the seconds until
the first round, and the largest resident memory of the process. The libraries are:

- `moodcore files`: `GBT.fit(folder, "y")`;
- `moodcore memory`: `GBT.fit(X, y)`, with the rows in memory as float32;
- `xgboost files`: an iterator over the files and `ExtMemQuantileDMatrix`, whose pages are on disk;
- `xgboost memory`: `QuantileDMatrix` of rows in memory;
- `lightgbm files`: `two_round=true` on a CSV file, its way of not having all rows in memory;
- `lightgbm memory`: rows in memory.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

ROWS_PER_FILE = 500_000
LEAVES, RATE, BINS = 31, 0.1, 255


def write_rows(folder: Path, n_rows: int, n_features: int, n_classes: int) -> None:
    """Write a folder of Parquet files."""
    folder.mkdir(parents=True, exist_ok=True)
    names = [f"x{at}" for at in range(n_features)]
    effects = np.random.default_rng(0).normal(size=(n_features, n_classes)).astype(np.float32)
    for at, start in enumerate(range(0, n_rows, ROWS_PER_FILE)):
        rng = np.random.default_rng([1, at])
        size = min(ROWS_PER_FILE, n_rows - start)
        X = rng.normal(size=(size, n_features)).astype(np.float32)
        scores = np.sin(2 * X) @ effects + rng.normal(size=(size, n_classes))
        table = pa.table(dict(zip(names, X.T, strict=True)) | {"y": scores.argmax(axis=1)})
        pq.write_table(table, folder / f"part-{at:04}.parquet", row_group_size=100_000)


def write_csv(folder: Path, path: Path) -> None:
    """Write the rows of a folder as one CSV file with the label first, as LightGBM reads it."""
    from pyarrow import csv

    options = csv.WriteOptions(include_header=False)
    with path.open("wb") as out:
        for file in sorted(folder.glob("*.parquet")):
            table = pq.read_table(file)
            names = ["y", *(name for name in table.column_names if name != "y")]
            csv.write_csv(table.select(names), out, options)


def read_memory(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read the rows of a folder into one matrix, file by file."""
    files = sorted(folder.glob("*.parquet"))
    n_rows = sum(pq.read_metadata(file).num_rows for file in files)
    n_features = pq.read_schema(files[0]).names.index("y")
    X, y = np.empty((n_rows, n_features), np.float32), np.empty(n_rows, np.int64)
    start = 0
    for file in files:
        table = pq.read_table(file)
        end = start + len(table)
        for at in range(n_features):
            X[start:end, at] = table.column(at).to_numpy()
        y[start:end] = table["y"].to_numpy()
        start = end
    return X, y


def train_moodcore(folder: Path, rounds: int, threads: int, *, files: bool) -> list[float]:
    """Train `GBT`; return the time after each round."""
    from moodcore import GBT

    times: list[float] = []
    model = GBT(
        rounds,
        max_leaves=LEAVES,
        learning_rate=RATE,
        n_jobs=threads,
        random_state=0,
        callbacks=[lambda _: times.append(time.perf_counter())],
    )
    model.fit(folder, "y") if files else model.fit(*read_memory(folder))
    return times


def train_xgboost(folder: Path, rounds: int, threads: int, *, files: bool) -> list[float]:
    """Train XGBoost; return the time after each round."""
    import xgboost

    class Rows(xgboost.DataIter):
        def __init__(self) -> None:
            self._files, self._at = sorted(folder.glob("*.parquet")), 0
            super().__init__(cache_prefix=str(folder.parent / "xgboost"))

        def next(self, input_data) -> bool:
            if self._at == len(self._files):
                return False
            table = pq.read_table(self._files[self._at])
            features = [table.column(at).to_numpy() for at in range(table.num_columns - 1)]
            input_data(data=np.column_stack(features), label=table["y"].to_numpy())
            self._at += 1
            return True

        def reset(self) -> None:
            self._at = 0

    class Times(xgboost.callback.TrainingCallback):
        def after_iteration(self, *_) -> bool:
            times.append(time.perf_counter())
            return False

    times: list[float] = []
    if files:
        matrix = xgboost.ExtMemQuantileDMatrix(Rows(), max_bin=BINS, nthread=threads)
    else:
        X, y = read_memory(folder)
        matrix = xgboost.QuantileDMatrix(X, y, max_bin=BINS, nthread=threads)
    n_classes = int(matrix.get_label().max()) + 1
    parameters = {
        "objective": "multi:softprob",
        "num_class": n_classes,
        "tree_method": "hist",
        "grow_policy": "lossguide",
        "max_leaves": LEAVES,
        "max_depth": 0,
        "learning_rate": RATE / 2,
        "max_bin": BINS,
        "nthread": threads,
    }
    xgboost.train(parameters, matrix, rounds, callbacks=[Times()])
    return times


def train_lightgbm(folder: Path, rounds: int, threads: int, *, files: bool) -> list[float]:
    """Train LightGBM; return the time after each round."""
    import lightgbm

    times: list[float] = []
    parameters = {
        "objective": "multiclass",
        "num_class": 4,
        "num_leaves": LEAVES,
        "learning_rate": RATE,
        "max_bin": BINS,
        "num_threads": threads,
        "two_round": files,
        "header": False,
        "label_column": 0,
        "verbose": -1,
    }
    if files:
        data = lightgbm.Dataset(str(folder.parent / "rows.csv"), params=parameters)
    else:
        data = lightgbm.Dataset(*read_memory(folder), params=parameters)
    lightgbm.train(
        parameters, data, rounds, callbacks=[lambda _: times.append(time.perf_counter())]
    )
    return times


LIBRARIES = {
    "moodcore": train_moodcore,
    "xgboost": train_xgboost,
    "lightgbm": train_lightgbm,
}


def measure(name: str, folder: Path, rounds: int, threads: int) -> dict[str, float]:
    """Train one library in this process, and measure time and memory."""
    library, where = name.split()
    before, cpu = time.perf_counter(), time.process_time()
    times = LIBRARIES[library](folder, rounds, threads, files=where == "files")
    return {
        "seconds": time.perf_counter() - before,
        "cpu": time.process_time() - cpu,
        "first_round": times[0] - before,
        "per_round": (times[-1] - times[0]) / max(len(times) - 1, 1),
        "peak_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9,
    }


def measured_apart(name: str, folder: Path, rounds: int, threads: int) -> dict[str, float] | None:
    """Measure a library in a process of its own; None if it fails."""
    command = [sys.executable, __file__, "--library", name, "--folder", str(folder)]
    command += ["--rounds", str(rounds), "--threads", str(threads)]
    environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        print(f"{name}: failed: {done.stderr.strip().splitlines()[-1:]}")
        return None
    return json.loads(done.stdout.strip().splitlines()[-1])


def main() -> None:
    """Measure all libraries that were chosen."""
    names = [f"{library} {where}" for library in LIBRARIES for where in ("files", "memory")]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--features", type=int, default=10)
    parser.add_argument("--classes", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--quick", action="store_true", help="200,000 rows and 3 rounds")
    parser.add_argument("--libraries", nargs="*", default=names, choices=names)
    parser.add_argument("--library", choices=names, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help="where the files are written; kept if passed")
    args = parser.parse_args()
    if args.library:
        print(json.dumps(measure(args.library, args.folder, args.rounds, args.threads)))
        return
    n_rows, rounds = (200_000, 3) if args.quick else (args.rows, args.rounds)
    with tempfile.TemporaryDirectory(dir=args.folder) as temporary:
        folder = Path(temporary) / "rows"
        write_rows(folder, n_rows, args.features, args.classes)
        if "lightgbm files" in args.libraries:
            write_csv(folder, folder.parent / "rows.csv")
        print(f"{n_rows:,} rows x {args.features}, {args.classes} classes, {rounds} rounds")
        print(
            "| | seconds | CPU seconds | until round 1 | per round | rows x rounds / s | peak GB |"
        )
        print("|---|---|---|---|---|---|---|")
        for name in args.libraries:
            result = measured_apart(name, folder, rounds, args.threads)
            if result is not None:
                rate = n_rows * rounds / result["seconds"]
                print(
                    f"| {name} | {result['seconds']:.1f} | {result['cpu']:.1f} | "
                    f"{result['first_round']:.1f} | "
                    f"{result['per_round']:.2f} | {rate:,.0f} | {result['peak_gb']:.2f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
