"""Trees as a table and as text; feature importances."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from moodcore.errors import check_choice

if TYPE_CHECKING:
    import pandas as pd

Importance = Literal["gain", "total_gain", "split", "weight", "cover", "total_cover"]

_COLUMNS = (
    "Tree",
    "Node",
    "ID",
    "Feature",
    "Split",
    "Yes",
    "No",
    "Missing",
    "Gain",
    "Cover",
    "Category",
)

_Arrays = Mapping[str, NDArray[Any]]
_Categories = Sequence[list[Any] | None]


def feature_importances(arrays: _Arrays, kind: Importance) -> NDArray[np.float64]:
    """Return the importance of each feature; a ValueError for an unknown kind."""
    check_choice("kind", kind, get_args(Importance))
    columns = feature_columns(arrays)
    n_features = int(columns[-1]) + 1
    inner = arrays["feature"] >= 0
    feature = columns[arrays["feature"][inner]]
    splits = np.bincount(feature, minlength=n_features).astype(np.float64)
    if kind in ("split", "weight"):
        return splits
    values = arrays["gain" if kind.endswith("gain") else "cover"][inner]
    totals = np.bincount(feature, values, n_features).astype(np.float64)
    return totals if kind.startswith("total_") else totals / np.maximum(splits, 1)


def feature_columns(arrays: _Arrays) -> NDArray[Any]:
    """Return the column that each feature of the core reads.

    Trees from other libraries may have more thresholds on a column than a feature of 255 bins can
    hold; then several features read the column.
    """
    return arrays.get("bin_column", np.arange(len(arrays["categorical"])))


@dataclass(frozen=True)
class _Node:
    """A node; `value` is None in inner nodes."""

    tree: int
    number: int
    feature: int
    threshold: float
    labels: list[Any] | None
    yes: int
    no: int
    missing: int
    gain: float
    cover: float
    value: float | list[float] | None


def _nodes(arrays: _Arrays, categories: _Categories) -> Iterator[_Node]:
    offsets, values = arrays["tree_offsets"], arrays["value"]
    n_outputs, used = len(arrays["base"]), 0
    for tree, (first, last) in enumerate(pairwise(offsets.tolist())):
        width = n_outputs if arrays["tree_output"][tree] == -1 else 1
        count = last - first
        of_tree = values[used : used + count * width].reshape(count, width)
        used += count * width
        for number in range(count):
            yield _node(arrays, categories, (tree, number), first + number, of_tree[number])


def _node(
    arrays: _Arrays,
    categories: _Categories,
    name: tuple[int, int],
    at: int,
    values: NDArray[np.float64],
) -> _Node:
    feature = int(arrays["feature"][at])
    gain, cover = float(arrays["gain"][at]), float(arrays["cover"][at])
    if feature == -1:
        value = float(values[0]) if len(values) == 1 else values.tolist()
        return _Node(*name, -1, np.nan, None, -1, -1, -1, gain, cover, value)
    column = int(feature_columns(arrays)[feature])
    left, right = int(arrays["left"][at]), int(arrays["right"][at])
    missing = left if arrays["missing_left"][at] else right
    threshold, labels = np.nan, None
    bins = arrays["bin_values"][slice(*arrays["bin_offsets"][feature : feature + 2])]
    if arrays["categorical"][feature]:
        words = arrays["sets"][arrays["category_set"][at]]
        codes = [code for bin_, code in enumerate(bins) if int(words[bin_ >> 6]) >> (bin_ & 63) & 1]
        named = categories[column]
        labels = [float(code) if named is None else named[int(code)] for code in codes]
    else:
        bin_ = int(arrays["bin"][at])
        # In the last bin all values go left, and only missing ones can go right.
        threshold = float(bins[bin_]) if bin_ < len(bins) else np.inf
    return _Node(*name, column, threshold, labels, left, right, missing, gain, cover, None)


def tree_table(arrays: _Arrays, names: Sequence[str], categories: _Categories) -> pd.DataFrame:
    """Return the nodes of all trees as a table with XGBoost's columns."""
    import pandas as pd

    def name(node: _Node, number: int) -> str | float:
        return np.nan if number < 0 else f"{node.tree}-{number}"

    rows = [
        (
            node.tree,
            node.number,
            name(node, node.number),
            "Leaf" if node.feature < 0 else names[node.feature],
            node.threshold,
            name(node, node.yes),
            name(node, node.no),
            name(node, node.missing),
            node.gain if node.value is None else node.value,
            node.cover,
            np.nan if node.labels is None else node.labels,
        )
        for node in _nodes(arrays, categories)
    ]
    return pd.DataFrame(rows, columns=list(_COLUMNS))


def dump_trees(arrays: _Arrays, names: Sequence[str], categories: _Categories) -> str:
    """Return all trees as text: one line per node, indented by its depth."""
    lines: list[str] = []
    depth: dict[int, int] = {}
    stacks: dict[int, dict[int, _Node]] = {}
    for node in _nodes(arrays, categories):
        stacks.setdefault(node.tree, {})[node.number] = node
    for tree, nodes in stacks.items():
        lines.append(f"tree {tree}:")
        depth, waiting = {0: 1}, [0]
        while waiting:
            node = nodes[waiting.pop()]
            lines.append("  " * depth[node.number] + _line(node, names))
            if node.value is None:
                depth[node.yes] = depth[node.no] = depth[node.number] + 1
                waiting += [node.no, node.yes]
    return "\n".join([*lines, ""])


def _line(node: _Node, names: Sequence[str]) -> str:
    if node.value is not None:
        values = node.value if isinstance(node.value, list) else [node.value]
        listed = ", ".join(f"{value:.6g}" for value in values)
        return f"{node.number}: value {listed} (cover {node.cover:.6g})"
    feature = names[node.feature]
    if node.labels is not None:
        test = f"{feature} in {node.labels}"
    elif np.isinf(node.threshold) and node.threshold > 0:
        test = f"{feature} not missing"
    else:
        test = f"{feature} <= {node.threshold:.6g}"
    return (
        f"{node.number}: {test}? yes {node.yes}, no {node.no}, missing {node.missing} "
        f"(gain {node.gain:.6g}, cover {node.cover:.6g})"
    )
