"""Trees as other libraries represent them: thresholds are numbers, not bins.

All formats of trees are read into and written from these types.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moodcore.estimators.gbt.inspection import feature_columns


@dataclass(frozen=True)
class Tree:
    """One tree in arrays with one entry per node; node 0 is the root.

    Attributes
    ----------
    feature
        The column that a split tests; -1 in a leaf.
    threshold
        The largest value that goes left, in double precision.
    missing_left
        Whether missing values and unknown categories go left.
    left, right
        Children.
    gain, cover, weight
        Gain of the split; the weight of the node in Shapley values; training rows.
    value : ndarray of shape (n_nodes, width)
        What a leaf adds to the margin: one number, or with ``output`` -1 one per output.
    output
        The output that the values belong to; -1 for all.
    categories
        The codes that go left, by node, of splits by category.
    """

    feature: NDArray[Any]
    threshold: NDArray[np.float64]
    missing_left: NDArray[np.bool_]
    left: NDArray[Any]
    right: NDArray[Any]
    gain: NDArray[np.float64]
    cover: NDArray[np.float64]
    weight: NDArray[np.float64]
    value: NDArray[np.float64]
    output: int
    categories: Mapping[int, tuple[float, ...]] = field(default_factory=dict)

    @property
    def is_leaf(self) -> NDArray[np.bool_]:
        """Return which nodes are leaves."""
        return self.feature < 0

    @property
    def is_numeric_split(self) -> NDArray[np.bool_]:
        """Return which nodes compare a number with a threshold."""
        numeric = ~self.is_leaf
        numeric[list(self.categories)] = False
        return numeric

    def in_order(self, *, by_level: bool = False) -> "Tree":
        """Return the tree with parents before children, without unreachable nodes.

        A left child follows its parent, or with ``by_level`` siblings are adjacent, level by
        level. A `ValueError` refuses children out of range, and nodes with two parents.
        """
        order = self._reachable(by_level)
        position = np.full(len(self.feature), -1, dtype=np.int64)
        position[order] = np.arange(len(order))
        inner = ~self.is_leaf[order]
        arrays = {
            name: getattr(self, name)[order]
            for name in ("feature", "threshold", "missing_left", "gain", "cover", "weight", "value")
        }
        for name in ("left", "right"):
            children = np.where(inner, getattr(self, name)[order], 0)
            arrays[name] = np.where(inner, position[children], -1)
        codes = {int(position[node]): codes for node, codes in self.categories.items()}
        codes.pop(-1, None)
        return replace(self, **arrays, categories=codes)

    def _reachable(self, by_level: bool) -> NDArray[np.intp]:
        """List the nodes from the root down, each once."""
        count = len(self.feature)
        left, right, leaf = self.left.tolist(), self.right.tolist(), self.is_leaf.tolist()
        seen = [False] * count
        order: list[int] = []
        waiting = deque([0])
        while waiting:
            node = waiting.popleft() if by_level else waiting.pop()
            if seen[node]:
                raise ValueError(f"node {node} has two parents")
            seen[node] = True
            order.append(node)
            if leaf[node]:
                continue
            for child in (left[node], right[node]) if by_level else (right[node], left[node]):
                if not 0 <= child < count:
                    raise ValueError(
                        f"children of node {node} must be nodes 0 to {count - 1}, got {child}"
                    )
                waiting.append(child)
        return np.array(order, dtype=np.intp)


@dataclass(frozen=True)
class Forest:
    """Trees whose values are added up, round by round.

    ``base`` has the margins before the first tree: one for two classes, else one per class.
    ``codes`` has the known categories of each categorical column, ``cuts`` the thresholds that
    training chose from in each numeric one.
    """

    trees: Sequence[Tree]
    base: NDArray[np.float64]
    trees_per_round: int
    n_features: int
    codes: Mapping[int, tuple[float, ...]] = field(default_factory=dict)
    cuts: Mapping[int, NDArray[np.float64]] = field(default_factory=dict)

    @property
    def n_outputs(self) -> int:
        """Return the number of margins of a row."""
        return len(self.base)

    def member_test(self, tree: Tree, node: int) -> tuple[tuple[float, ...], bool]:
        """Return a node's split by category in the form ``(x in codes) is goes_left``.

        Missing and unknown categories are in no list, so the list is that of the side to which
        they do not go.
        """
        left = tree.categories[node]
        if not tree.missing_left[node]:
            return left, True
        known = self.codes.get(int(tree.feature[node]), ())
        return tuple(code for code in known if code not in left), False

    def one_output_trees(self) -> list[Tree]:
        """Return trees of one output each, round by round."""
        return [
            replace(tree, value=tree.value[:, output : output + 1], output=output)
            if tree.output == -1
            else tree
            for tree in self.trees
            for output in (range(self.n_outputs) if tree.output == -1 else (tree.output,))
        ]


def forest_of(arrays: Mapping[str, NDArray[Any]]) -> Forest:
    """Convert the arrays of the Rust core (``_core.GbtModel.arrays``) to trees."""
    columns = feature_columns(arrays).astype(np.int64)
    bins = [arrays["bin_values"][first:last] for first, last in pairwise(arrays["bin_offsets"])]
    base, trees, used = arrays["base"], [], 0
    for number, (first, last) in enumerate(pairwise(arrays["tree_offsets"].tolist())):
        nodes = slice(first, last)
        output = int(arrays["tree_output"][number])
        width = len(base) if output == -1 else 1
        value = arrays["value"][used : used + (last - first) * width]
        used += (last - first) * width
        feature = arrays["feature"][nodes]
        threshold, categories = _splits(arrays, nodes, bins)
        trees.append(
            Tree(
                np.where(feature < 0, -1, columns[np.maximum(feature, 0)]),
                threshold,
                arrays["missing_left"][nodes] != 0,
                arrays["left"][nodes].astype(np.int64),
                arrays["right"][nodes].astype(np.int64),
                arrays["gain"][nodes],
                arrays["cover"][nodes],
                arrays["weight"][nodes],
                value.reshape(last - first, width),
                output,
                categories,
            )
        )
    n_features = int(columns[-1]) + 1 if len(columns) else 0
    codes: dict[int, tuple[float, ...]] = {}
    cuts: dict[int, NDArray[np.float64]] = {}
    for column, is_category, values in zip(
        columns.tolist(), arrays["categorical"], bins, strict=True
    ):
        if is_category:
            codes[column] = tuple(values.tolist())
        else:
            cuts[column] = np.concatenate([cuts.get(column, values[:0]), values])
    return Forest(trees, base, int(arrays["trees_per_round"][0]), n_features, codes, cuts)


def _splits(
    arrays: Mapping[str, NDArray[Any]], nodes: slice, bins: Sequence[NDArray[Any]]
) -> tuple[NDArray[np.float64], dict[int, tuple[float, ...]]]:
    """Return the threshold of each node of a tree, and the categories that go left."""
    threshold = np.full(nodes.stop - nodes.start, np.nan)
    categories = {}
    for node, at in enumerate(range(nodes.start, nodes.stop)):
        feature = int(arrays["feature"][at])
        if feature < 0:
            continue
        values = bins[feature]
        if arrays["categorical"][feature]:
            words = arrays["sets"][arrays["category_set"][at]].tolist()
            inside = [words[bin_ >> 6] >> (bin_ & 63) & 1 for bin_ in range(len(values))]
            categories[node] = tuple(values[np.array(inside, dtype=bool)].tolist())
        else:
            last = int(arrays["bin"][at])
            # In the last bin all values go left; only missing ones can go right.
            threshold[node] = values[last] if last < len(values) else np.inf
    return threshold, categories
