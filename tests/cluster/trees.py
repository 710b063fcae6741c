"""Rows in memory and as Dask collections, and the comparison of models trained on them."""

import dataclasses

import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd

from moodcore import GBT


@dataclasses.dataclass
class Data:
    """Rows in memory, and the same as Dask collections."""

    X: object
    y: object
    weight: object
    n_parts: int = 5

    def collections(self, weighted):
        """Return the rows as collections of several partitions."""
        if isinstance(self.X, pd.DataFrame):
            tables = (self.X, self.y, pd.Series(self.weight))
            X, y, weight = (dd.from_pandas(table, npartitions=self.n_parts) for table in tables)
        else:
            size = -(-len(self.y) // self.n_parts)
            X, y, weight = (da.from_array(values, chunks=(size, -1)[: values.ndim])
                            for values in (self.X, self.y, self.weight))  # fmt: skip
        return X, y, weight if weighted else None


def numbers(n_rows=1500, seed=0):
    """Return rows whose class depends on two of five numbers, some of which are missing."""
    rng = np.random.default_rng(seed)
    X = rng.random((n_rows, 5))
    y = (2 * X[:, 0] * X[:, 1] + rng.random(n_rows)).astype(int)
    X[rng.random(X.shape) < 0.03] = np.nan
    weight = rng.random(n_rows) * 2
    weight[::7] = 0
    return Data(X, y, weight)


def categories(n_rows=1500, seed=1):
    """Return a frame with text, more categories than bins, integers, and a column of both."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(rng.random((n_rows, 2)), columns=["a", "b"])
    frame["text"] = rng.choice(["low", "high", None], n_rows)
    frame["many"] = [f"m{int(value)}" for value in 400 * rng.random(n_rows) ** 2]
    frame["codes"] = pd.Categorical(rng.choice([3, 1, 2], n_rows))
    frame["integers"] = rng.integers(0, 40, n_rows)
    # Text in the last rows alone.
    frame["late"] = pd.Series([None] * (n_rows - 200) + ["x", "y"] * 100, dtype=object)
    labels = np.array(["no", "maybe", "yes"])
    signal_ = frame["a"] + (frame["text"] == "high") + 0.5 * rng.random(n_rows)
    y = pd.Series(labels[np.clip(signal_.astype(int), 0, 2)])
    return Data(frame, y, rng.integers(0, 4, n_rows))


def file_bytes(model, folder, name="model"):
    model.save(folder / name)
    return (folder / name).read_bytes()


def assert_same(trained, parameters, data, folder, *, weighted=False, **fit):
    local = GBT(**parameters).fit(data.X, data.y, data.weight if weighted else None, **fit)
    assert file_bytes(trained, folder) == file_bytes(local, folder, "local")
    assert local.n_trees_ > 0
