"""Training of boosted trees on 1, 2 and 4 Dask workers of one thread, on this machine.

    python benches/cluster_training.py [--quick] [--rows N] [--rounds N] [--peers]

Prints rounds per second, the bytes that workers sent per round and those of the formula in
docs/how-to/clusters.md, and the time of a sum over the workers: that of a round on few rows
divided by its messages. With --peers the same rows are trained by LightGBM's and XGBoost's Dask
estimators with the same number of leaves. The load average is printed: on a machine that does other
work, times mean little, bytes do.
"""

from __future__ import annotations

import argparse
import os
import time
import warnings
from typing import Any

import dask.array as da
import numpy as np
from distributed import Client, LocalCluster

from moodcore.dask import GBT
from moodcore.estimators.cluster.attempts import Training

FEATURES, CLASSES, LEAVES = 10, 4, 31


def rows(n_rows: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    X = rng.random((n_rows, FEATURES), dtype=np.float32)
    return X, (4 * X[:, 0] * X[:, 1] + 2 * rng.random(n_rows)).astype(int).clip(max=CLASSES - 1)


def timed(client: Client, n_rows: int, rounds: int, n_workers: int) -> tuple[float, dict[str, Any]]:
    """Return the seconds of the rounds, without the preparation, and the result of the core."""
    X, y = rows(n_rows)
    size = -(-n_rows // (2 * n_workers))
    X, y = client.persist([da.from_array(X, (size, FEATURES)), da.from_array(y, size)])
    results: list[dict[str, Any]] = []
    run = Training.run

    def captured(self: Training, on_iteration: Any) -> dict[str, Any]:
        results.append(run(self, on_iteration))
        return results[-1]

    Training.run = captured  # type: ignore[method-assign]
    try:
        seconds = []
        for n_rounds in (1, 1 + rounds):
            begun = time.perf_counter()
            GBT(n_rounds, random_state=0).fit(X, y, client=client)
            seconds.append(time.perf_counter() - begun)
    finally:
        Training.run = run  # type: ignore[method-assign]
    return seconds[1] - seconds[0], results[1] | {"before": results[0]["n_bytes"]}


def peers(client: Client, n_rows: int, rounds: int, n_workers: int) -> dict[str, float]:
    """Return the seconds of the rounds of other libraries."""
    import lightgbm
    from xgboost import dask as xgboost_dask

    X, y = rows(n_rows)
    size = -(-n_rows // (2 * n_workers))
    X, y = client.persist([da.from_array(X, (size, FEATURES)), da.from_array(y, size)])
    makers = {
        "LightGBM": lambda n: lightgbm.DaskLGBMClassifier(
            n_estimators=n, num_leaves=LEAVES, client=client, verbose=-1, n_jobs=1
        ),
        "XGBoost": lambda n: xgboost_dask.DaskXGBClassifier(
            n_estimators=n, max_leaves=LEAVES, grow_policy="lossguide", max_depth=0,
            tree_method="hist", n_jobs=1,
        ),
    }  # fmt: skip
    found = {}
    for name, make in makers.items():
        seconds = []
        for n_rounds in (1, 1 + rounds):
            begun = time.perf_counter()
            model = make(n_rounds)
            if name == "XGBoost":
                model.client = client
            model.fit(X, y)
            seconds.append(time.perf_counter() - begun)
        found[name] = seconds[1] - seconds[0]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few rows and rounds")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--peers", action="store_true")
    given = parser.parse_args()
    n_rows, rounds = (50_000, 5) if given.quick else (given.rows, given.rounds)
    warnings.simplefilter("ignore")
    print(f"{os.cpu_count()} processors, {n_rows:,} rows, {rounds} rounds")
    # Histograms of the root and of one child of every split but the last, 256 bins of 16 bytes.
    per_edge = CLASSES * (LEAVES - 1) * FEATURES * 256 * 16
    for n_workers in (1, 2, 4):
        with (
            LocalCluster(
                n_workers=n_workers, threads_per_worker=1, dashboard_address=None
            ) as local,
            Client(local) as client,
        ):
            timed(client, 2_000, 1, n_workers)
            seconds, result = timed(client, n_rows, rounds, n_workers)
            small, _ = timed(client, 2_000, rounds, n_workers)
            sent = (result["n_bytes"] - result["before"]) / rounds
            print(
                f"{n_workers} workers: {rounds / seconds:.2f} rounds/s, {sent / 1e6:.2f} MB sent "
                f"per round (formula: {(n_workers - 1) * per_edge / 1e6:.2f} MB), "
                f"{1000 * small / rounds / (LEAVES + 1):.2f} ms per sum on 2,000 rows, "
                f"load {os.getloadavg()[0]:.1f}",
                flush=True,
            )
            if given.peers:
                for name, other in peers(client, n_rows, rounds, n_workers).items():
                    print(f"  {name}: {rounds / other:.2f} rounds/s", flush=True)


if __name__ == "__main__":
    main()
