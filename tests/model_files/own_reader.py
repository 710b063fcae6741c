"""A reader of model files written from the pages docs/reference/model-file*.md alone.

It uses NumPy and JSON and none of our code.

It is what a stranger would write in another language, and shows that the page says enough.
"""

import json
import math
import struct
from itertools import combinations

import numpy as np

TYPES = {"F32": "<f4", "F64": "<f8", "U8": "u1", "U32": "<u4", "I32": "<i4", "I64": "<i8",
         "U64": "<u8"}  # fmt: skip


def read(path):
    """The description of the model, and its arrays by name."""
    raw = path.read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    header, buffer = json.loads(raw[8 : 8 + length]), raw[8 + length :]
    _, text = header.pop("__metadata__")["moodcore"].split("\n", 1)
    arrays = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        values = np.frombuffer(buffer[begin:end], TYPES[entry["dtype"]])
        arrays[name] = values.reshape(entry["shape"])
    return json.loads(text)["model"], arrays


def run(part, name, rows, arrays):
    """What a part makes of rows, columns by name: new columns, or for a classifier its scores."""

    def own(short):
        return arrays[f"{name}.{short}"]

    kind = part["kind"]
    if kind in ("Pipeline", "SongPipeline"):
        for step, inner in part["steps"]:
            rows = run(inner, f"{name}.{step}", rows, arrays)
        return rows
    if kind == "BalancedClassifier":
        return run(part["estimator"], f"{name}.estimator", rows, arrays)
    if kind == "SelectColumns":
        return {column: rows[column] for column in part["columns"]}
    if kind == "CorrelationFilter":
        kept = zip(rows.items(), part["support"], strict=True)
        return dict(item for item, support in kept if support)
    if kind in ("MinMaxScaler", "StandardScaler"):
        table = np.column_stack(list(rows.values()))
        if kind == "MinMaxScaler":
            table = table * own("scale_") + own("min_")
        else:
            table = (table - own("mean_")) / own("scale_")
        return dict(zip(rows, table.T, strict=True))
    return CLASSIFIERS[kind](part, own, list(rows.values()))


def softmax(scores):
    scores = np.exp(scores - scores.max(axis=1, keepdims=True))
    return scores / scores.sum(axis=1, keepdims=True)


ACTIVATIONS = {
    "relu": lambda x: np.maximum(x, 0),
    "leaky_relu": lambda x: np.where(x > 0, x, 0.01 * x),
    "tanh": np.tanh,
    "selu": lambda x: np.where(x > 0, 1.0507009873554805 * x, 1.7580993408473766 * np.expm1(x)),
}


def run_mlp(part, own, columns):
    """Return the probabilities of the mean scores of the networks."""
    rows, n_layers = np.column_stack(columns), len(part["params"]["hidden_sizes"]) + 1
    if part.get("input_scale"):
        rows = (rows - own("input_scale.center")) * own("input_scale.factor")
        rows = rows.clip(-1e15, 1e15)
        if part["input_scale"]["clips"]:
            rows = rows / np.sqrt(1 + (rows / 3) ** 2)
    activate = ACTIVATIONS[part["params"].get("activation", "relu")]
    scores = []
    for network in range(part["params"].get("n_networks", 1)):
        values = rows
        for layer in range(n_layers):
            at = network * n_layers + layer
            values = values @ own(f"coefs.{at}") + own(f"intercepts.{at}")
            values = activate(values) if layer < n_layers - 1 else values
        scores.append(values)
    return softmax(np.mean(scores, axis=0))


def run_linear_svm(part, own, columns):
    """Return decision values: above zero for the second of two classes, else one per class."""
    scores = np.column_stack(columns) @ own("coef").T + own("intercept")
    return scores[:, 0] if scores.shape[1] == 1 else scores


def run_svm(part, own, columns):
    """The decision of each pair, above zero for its first class."""
    X, Z, params = np.column_stack(columns), own("support_vectors").astype("f8"), part["params"]
    product, gamma = X @ Z.T, part["gamma"]
    if params["kernel"] == "rbf":
        square = (X * X).sum(1)[:, None] + (Z * Z).sum(1)
        kernel = np.exp(-gamma * (square - 2 * product))
    elif params["kernel"] == "poly":
        kernel = (gamma * product + params["coef0"]) ** params["degree"]
    else:
        kernel = product
    coef, ends = own("dual_coef"), np.cumsum(own("n_support"))
    of = [np.arange(end - n, end) for end, n in zip(ends, own("n_support"), strict=True)]
    decisions = []
    for pair, (c, d) in enumerate(combinations(range(len(of)), 2)):
        first, second = kernel[:, of[c]] @ coef[d - 1, of[c]], kernel[:, of[d]] @ coef[c, of[d]]
        decisions.append(first + second + own("intercept")[pair])
    return np.column_stack(decisions)


def run_gbt(part, own, columns):
    """Probabilities."""
    bins = [bins_of(part, own, at, column) for at, column in enumerate(columns)]
    margins = np.tile(own("base"), (len(columns[0]), 1))
    starts, value_at = own("tree_offsets"), 0
    for tree, output in enumerate(own("tree_output")):
        start, end = int(starts[tree]), int(starts[tree + 1])
        width = margins.shape[1] if output < 0 else 1
        values = own("value")[value_at : value_at + width * (end - start)].reshape(-1, width)
        value_at += values.size
        for row, margin in enumerate(margins):
            at = start
            while own("feature")[at] >= 0:
                left = goes_left(own, at, bins[own("feature")[at]][row])
                at = start + int(own("left" if left else "right")[at])
            margin[slice(None) if output < 0 else output] += (
                values[at - start] if output < 0 else values[at - start, 0]
            )
    if margins.shape[1] > 1:
        return softmax(margins)
    second = 1 / (1 + np.exp(-margins[:, 0]))
    return np.column_stack([1 - second, second])


def bins_of(part, own, feature, column):
    """The bin of each value of a column; None where it is missing."""
    start, end = own("bin_offsets")[feature : feature + 2]
    entries, labels = own("bin_values")[start:end].tolist(), part["categories"][feature]
    if labels is not None:
        codes = {label: code for code, label in enumerate(labels["values"])}
        column = [codes.get(label, math.nan) for label in column]
    if own("categorical")[feature]:
        return [entries.index(value) if value in entries else None for value in column]
    return [None if math.isnan(v) else sum(cut < v for cut in entries) for v in column]


def goes_left(own, node, value_bin):
    if value_bin is None:
        return own("missing_left")[node] == 1
    if own("category_set")[node] < 0:
        return value_bin <= own("bin")[node]
    words = own("sets")[own("category_set")[node]]
    return int(words[value_bin // 64]) >> (value_bin % 64) & 1 == 1


CLASSIFIERS = {"MLP": run_mlp, "GBT": run_gbt, "SVM": run_svm, "LinearSVM": run_linear_svm}
