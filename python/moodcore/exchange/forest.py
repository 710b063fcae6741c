"""Trees as other libraries have them: thresholds are numbers, not bins.

What every format of trees is read into and written from.
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
    """One tree; node 0 is the root.

    Attributes
    ----------
    feature : ndarray of int, shape (n_nodes,)
        The column that is asked for; -1 in a leaf.
    threshold : ndarray of float64, shape (n_nodes,)
        The largest value that goes left, in double precision.
    missing_left : ndarray of bool, shape (n_nodes,)
        Whether missing values, and unknown categories, go left.
    left, right : ndarray of int, shape (n_nodes,)
        Children.
    gain, cover, weight : ndarray of float64, shape (n_nodes,)
        Gain of the split; what stands for the share of training rows in Shapley values; rows.
    value : ndarray of float64, shape (n_nodes, width)
        What is added to the margin, in leaves: one number, or with ``output`` -1 one an output.
    output : int
        The output that the values belong to; -1 for all.
    categories : dict from int to tuple of float
        The codes that go left, of nodes that ask for a category.
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
        """Which nodes are leaves."""
        return self.feature < 0

    def in_order(self, *, by_level: bool = False) -> "Tree":
        """Give the tree with parents before children, and without nodes that no way leads to.

        Parameters
        ----------
        by_level : bool, default=False
            Level after level, siblings side by side; else a left child follows its parent.

        Raises
        ------
        ValueError
            When children are out of range, or two ways lead to one node, as in a cycle.
        """
        order = self._reachable(by_level)
        place = np.full(len(self.feature), -1, dtype=np.int64)
        place[order] = np.arange(len(order))
        inner = ~self.is_leaf[order]
        return Tree(
            self.feature[order],
            self.threshold[order],
            self.missing_left[order],
            np.where(inner, place[np.where(inner, self.left[order], 0)], -1),
            np.where(inner, place[np.where(inner, self.right[order], 0)], -1),
            self.gain[order],
            self.cover[order],
            self.weight[order],
            self.value[order],
            self.output,
            {int(place[at]): codes for at, codes in self.categories.items() if place[at] >= 0},
        )

    def _reachable(self, by_level: bool) -> NDArray[np.intp]:
        """List the nodes from the root down, each once."""
        count = len(self.feature)
        left, right, leaf = self.left.tolist(), self.right.tolist(), self.is_leaf.tolist()
        seen = [False] * count
        order: list[int] = []
        waiting = deque([0])
        while waiting:
            at = waiting.popleft() if by_level else waiting.pop()
            if seen[at]:
                raise ValueError(f"two ways lead to node {at}")
            seen[at] = True
            order.append(at)
            if leaf[at]:
                continue
            for child in (left[at], right[at]) if by_level else (right[at], left[at]):
                if not 0 <= child < count:
                    raise ValueError(
                        f"children of node {at} must be nodes 0 to {count - 1}, got {child}"
                    )
                waiting.append(child)
        return np.array(order, dtype=np.intp)


@dataclass(frozen=True)
class Forest:
    """Trees that are added up, round after round, in a round by output.

    Attributes
    ----------
    trees : sequence of Tree
    base : ndarray of float64, shape (n_outputs,)
        Margins before the first tree: one for two classes, else one a class.
    trees_per_round : int
    n_features : int
    codes : dict from int to tuple of float
        The categories that are known, of columns that hold categories.
    """

    trees: Sequence[Tree]
    base: NDArray[np.float64]
    trees_per_round: int
    n_features: int
    codes: Mapping[int, tuple[float, ...]] = field(default_factory=dict)

    @property
    def n_outputs(self) -> int:
        """The number of margins of a row."""
        return len(self.base)

    def member_test(self, tree: Tree, node: int) -> tuple[tuple[float, ...], bool]:
        """Give a node's question for a category in the form ``(x in codes) is goes_left``.

        Missing and unknown categories are in no list, so the list is that of the side to which
        they do not go.
        """
        left = tree.categories[node]
        if not tree.missing_left[node]:
            return left, True
        known = self.codes.get(int(tree.feature[node]), ())
        return tuple(code for code in known if code not in left), False

    def one_output_trees(self) -> list[Tree]:
        """Give trees of one output each, round after round."""
        trees = []
        for tree in self.trees:
            if tree.output != -1:
                trees.append(tree)
                continue
            for output in range(self.n_outputs):
                own = tree.value[:, output : output + 1]
                trees.append(replace(tree, value=own, output=output))
        return trees


def forest_of(arrays: Mapping[str, NDArray[Any]]) -> Forest:
    """Give the trees that the core's arrays describe.

    Parameters
    ----------
    arrays : mapping
        What ``_core.GbtModel.arrays`` gives.
    """
    columns = feature_columns(arrays).astype(np.int64)
    bins = [arrays["bin_values"][first:last] for first, last in pairwise(arrays["bin_offsets"])]
    base, trees, used = arrays["base"], [], 0
    for at, (first, last) in enumerate(pairwise(arrays["tree_offsets"].tolist())):
        nodes = slice(first, last)
        output = int(arrays["tree_output"][at])
        width = len(base) if output == -1 else 1
        value = arrays["value"][used : used + (last - first) * width]
        used += (last - first) * width
        feature = arrays["feature"][nodes]
        threshold, categories = _questions(arrays, nodes, bins)
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
    kinds = zip(columns.tolist(), arrays["categorical"], bins, strict=True)
    codes = {column: tuple(own.tolist()) for column, is_category, own in kinds if is_category}
    return Forest(trees, base, int(arrays["trees_per_round"][0]), n_features, codes)


def _questions(
    arrays: Mapping[str, NDArray[Any]], nodes: slice, bins: Sequence[NDArray[Any]]
) -> tuple[NDArray[np.float64], dict[int, tuple[float, ...]]]:
    """Give the threshold of each node of a tree, and the categories that go left."""
    threshold = np.full(nodes.stop - nodes.start, np.nan)
    categories = {}
    for number, at in enumerate(range(nodes.start, nodes.stop)):
        feature = int(arrays["feature"][at])
        if feature < 0:
            continue
        own = bins[feature]
        if arrays["categorical"][feature]:
            words = arrays["sets"][arrays["category_set"][at]].tolist()
            inside = [words[bin_ >> 6] >> (bin_ & 63) & 1 for bin_ in range(len(own))]
            categories[number] = tuple(own[np.array(inside, dtype=bool)].tolist())
        else:
            last = int(arrays["bin"][at])
            # In the last bin all values go left, and only missing ones can go right.
            threshold[number] = own[last] if last < len(own) else np.inf
    return threshold, categories
