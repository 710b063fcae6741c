"""Trees as other libraries have them: thresholds are numbers, not bins.

What every format of trees is read into and written from. Our own trees ask for bins of one byte;
`core_arrays` makes bins of the thresholds, so that the same rows go the same ways. A feature with
more thresholds than one byte counts is read by several features of the core.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moodcore._gbt_trees import feature_columns

# Thresholds of a feature of the core: 255 bins, and the byte 255 for missing values.
_MOST_CUTS = 254
_MOST_CATEGORIES = 255


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


def core_arrays(forest: Forest) -> dict[str, NDArray[Any]]:
    """Give the arrays from which ``_core.GbtModel`` is made.

    Raises
    ------
    ValueError
        When trees are no trees, ask for features that are not there, or hold numbers that are not
        finite; when a feature is both a number and a category, or has too many categories.
    """
    trees = [_checked(tree, at, forest) for at, tree in enumerate(forest.trees)]
    binned = _Bins(trees, forest.n_features)
    nodes = [binned.nodes(tree) for tree in trees]

    def joined(name: str, dtype: Any) -> NDArray[Any]:
        return np.concatenate([one[name] for one in nodes] or [[]]).astype(dtype)

    sets = np.array([words for one in nodes for words in one["sets"]], dtype=np.uint64)
    category_set = joined("category_set", np.int32)
    category_set[category_set >= 0] = np.arange(len(sets))

    def gathered(name: str) -> NDArray[np.float64]:
        return np.concatenate([getattr(tree, name).ravel() for tree in trees] or [[]])

    arrays: dict[str, NDArray[Any]] = {
        "base": np.asarray(forest.base, dtype=np.float64),
        "trees_per_round": np.array([forest.trees_per_round], dtype=np.uint32),
        "tree_offsets": np.cumsum([0, *(len(tree.feature) for tree in trees)]).astype(np.uint32),
        "tree_output": np.array([tree.output for tree in trees], dtype=np.int32),
        "feature": joined("feature", np.int32),
        "bin": joined("bin", np.uint8),
        "missing_left": joined("missing_left", np.uint8),
        "left": joined("left", np.uint32),
        "right": joined("right", np.uint32),
        "category_set": category_set,
        "sets": sets.reshape(-1, 4),
        **{name: gathered(name) for name in ("gain", "cover", "weight", "value")},
        **binned.arrays(),
    }
    return arrays


def _checked(tree: Tree, at: int, forest: Forest) -> Tree:
    """Put a tree in order, and refuse what the core could not hold."""
    try:
        tree = tree.in_order()
        asked = tree.feature[~tree.is_leaf]
        if asked.size and asked.max() >= forest.n_features:
            raise ValueError(
                f"there is no feature {asked.max()}: features are 0 to {forest.n_features - 1}"
            )
        for name in ("gain", "cover", "weight", "value"):
            values = getattr(tree, name)
            if not np.isfinite(values).all():
                raise ValueError(f"{name} must be finite, got {values[~np.isfinite(values)][0]}")
        plain = ~tree.is_leaf
        plain[list(tree.categories)] = False
        if np.isnan(tree.threshold[plain]).any():
            raise ValueError("thresholds must be numbers, got nan")
    except ValueError as error:
        raise ValueError(f"tree {at}: {error}") from error
    return tree


class _Bins:
    """Bins of the core that part values where the trees' thresholds do."""

    def __init__(self, trees: Sequence[Tree], n_features: int) -> None:
        asked: list[list[NDArray[np.float64]]] = [[] for _ in range(n_features)]
        codes: list[set[float]] = [set() for _ in range(n_features)]
        is_category = np.zeros(n_features, dtype=bool)
        for tree in trees:
            plain = ~tree.is_leaf
            for node, own in tree.categories.items():
                codes[tree.feature[node]].update(own)
                is_category[tree.feature[node]] = True
                plain[node] = False
            for feature in np.unique(tree.feature[plain]):
                asked[feature].append(tree.threshold[plain & (tree.feature == feature)])
        self.columns: list[int] = []
        self.values: list[NDArray[np.float64]] = []
        self.categorical: list[bool] = []
        # Of each column: the first of its features of the core, and its thresholds.
        self._first: list[int] = []
        self._cuts: list[NDArray[np.float64]] = []
        for column in range(n_features):
            cuts = np.unique(np.concatenate(asked[column])) if asked[column] else np.empty(0)
            if is_category[column]:
                cuts = _category_bins(column, cuts, codes[column])
            self._add(column, cuts, bool(is_category[column]))

    def _add(self, column: int, cuts: NDArray[np.float64], categorical: bool) -> None:
        self._first.append(len(self.columns))
        self._cuts.append(cuts)
        most = _MOST_CATEGORIES if categorical else _MOST_CUTS
        for start in range(0, max(len(cuts), 1), most):
            self.columns.append(column)
            self.values.append(cuts[start : start + most])
            self.categorical.append(categorical)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Give the core's arrays that describe the bins."""
        lengths = [0, *(len(values) for values in self.values)]
        arrays: dict[str, NDArray[Any]] = {
            "bin_offsets": np.cumsum(lengths).astype(np.uint32),
            "bin_values": np.concatenate(self.values) if self.values else np.empty(0),
            "categorical": np.array(self.categorical, dtype=np.uint8),
        }
        if len(self.columns) > len(self._first):
            arrays["bin_column"] = np.array(self.columns, dtype=np.uint32)
        return arrays

    def nodes(self, tree: Tree) -> dict[str, Any]:
        """Give the nodes of a tree as questions for bins."""
        feature = np.full(len(tree.feature), -1)
        bin_ = np.zeros(len(tree.feature), dtype=np.int64)
        category_set = np.full(len(tree.feature), -1)
        sets = []
        for column in np.unique(tree.feature[~tree.is_leaf]):
            nodes = np.flatnonzero(tree.feature == column)
            if self.categorical[self._first[column]]:
                feature[nodes] = self._first[column]
                continue
            place = np.searchsorted(self._cuts[column], tree.threshold[nodes])
            feature[nodes] = self._first[column] + place // _MOST_CUTS
            bin_[nodes] = place % _MOST_CUTS
        for node in sorted(tree.categories):
            codes = self._cuts[tree.feature[node]]
            category_set[node] = 0
            sets.append(_words(np.isin(codes, tree.categories[node])))
        inner = ~tree.is_leaf
        return {
            "feature": feature,
            "bin": bin_,
            "missing_left": tree.missing_left & inner,
            "left": np.where(inner, tree.left, 0),
            "right": np.where(inner, tree.right, 0),
            "category_set": category_set,
            "sets": sets,
        }


def _category_bins(column: int, cuts: NDArray[np.float64], codes: set[float]) -> NDArray[Any]:
    if len(cuts):
        raise ValueError(f"feature {column} is a number in some splits, a category in others")
    if len(codes) > _MOST_CATEGORIES:
        raise ValueError(
            f"feature {column} is split by {len(codes)} categories; at most {_MOST_CATEGORIES} "
            "can be told apart"
        )
    return np.array(sorted(codes), dtype=np.float64)


def _words(inside: NDArray[np.bool_]) -> list[int]:
    """Give a set of bins as four words of 64 bits."""
    words = [0, 0, 0, 0]
    for bin_ in np.flatnonzero(inside).tolist():
        words[bin_ >> 6] |= 1 << (bin_ & 63)
    return words
