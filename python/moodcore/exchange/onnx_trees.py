"""Boosted trees as ONNX's ``TreeEnsemble`` of double precision."""

import numpy as np

from moodcore.exchange.forest import Forest, Tree
from moodcore.exchange.onnx_graph import Graph

# Kinds of nodes, and of what becomes of the sums, as the operator numbers them.
_AT_MOST, _MEMBER = 0, 6
_SUM, _AS_IT_IS = 1, 0


def add_forest(graph: Graph, forest: Forest, n_classes: int, rows: str) -> tuple[str, str]:
    """Add trees; give the position of the class of each row, and probabilities."""
    if not forest.trees:
        # Of a single class there is nothing to learn.
        n_rows = graph.add("Shape", [rows], end=1)
        shape = graph.add("Concat", [n_rows, graph.constant([forest.n_outputs], np.int64)], axis=0)
        margins = graph.add("Expand", [graph.constant(forest.base), shape])
        return _of_one_margin(graph, margins, n_classes)
    nodes = _Nodes()
    for tree in forest.one_output_trees():
        nodes.add(tree, forest)
    rows = _numbered(graph, forest, rows)
    sums = graph.add(
        "TreeEnsemble",
        [rows],
        n_targets=forest.n_outputs,
        aggregate_function=_SUM,
        post_transform=_AS_IT_IS,
        nodes_modes=graph.tensor(nodes.mode, np.uint8),
        nodes_splits=graph.tensor(nodes.split, np.float64),
        leaf_weights=graph.tensor(nodes.leaf_weight, np.float64),
        tree_roots=nodes.root,
        nodes_featureids=nodes.feature,
        nodes_truenodeids=nodes.true,
        nodes_trueleafs=nodes.true_is_leaf,
        nodes_falsenodeids=nodes.false,
        nodes_falseleafs=nodes.false_is_leaf,
        nodes_missing_value_tracks_true=nodes.missing_true,
        leaf_targetids=nodes.leaf_target,
        **({"membership_values": graph.tensor(nodes.members, np.float64)} if nodes.members else {}),
    )
    margins = graph.add("Add", [sums, graph.constant(forest.base)])
    if n_classes > 2:
        label = graph.add("ArgMax", [margins], axis=1, keepdims=0)
        return label, graph.add("Softmax", [margins], axis=1)
    return _of_one_margin(graph, margins, n_classes)


def _numbered(graph: Graph, forest: Forest, rows: str) -> str:
    """Give categories by number, column by column; unknown ones become NaN.

    Runtimes take whole numbers alone for members of a set.
    """
    parts, start = [], 0
    for column in sorted(forest.codes):
        parts.append(_columns(graph, rows, range(start, column)))
        one = _columns(graph, rows, range(column, column + 1))
        parts.append(graph.places(one, forest.codes[column]))
        start = column + 1
    if not parts:
        return rows
    parts.append(_columns(graph, rows, range(start, forest.n_features)))
    return graph.add("Concat", [part for part in parts if part], axis=1)


def _columns(graph: Graph, rows: str, places: range) -> str:
    if not places:
        return ""
    return graph.add("Gather", [rows, graph.constant(list(places), np.int64)], axis=1)


def _of_one_margin(graph: Graph, margins: str, n_classes: int) -> tuple[str, str]:
    if n_classes == 1:
        nothing = graph.add("Mul", [margins, graph.constant(0.0)])
        first = graph.add("Squeeze", [nothing, graph.constant([1], np.int64)])
        return graph.cast(first, "INT64"), graph.add("Add", [nothing, graph.constant(1.0)])
    above = graph.add("Greater", [margins, graph.constant(0.0)])
    label = graph.add("Squeeze", [graph.cast(above, "INT64"), graph.constant([1], np.int64)])
    # The margin for and against: neither probability is a difference from one.
    both = graph.add("MatMul", [margins, graph.constant([[1.0, -1.0]])])
    odds = graph.add("Exp", [both])
    return label, graph.add("Reciprocal", [graph.add("Add", [odds, graph.constant(1.0)])])


class _Nodes:
    """Nodes and leaves of all trees in the lists of the operator."""

    def __init__(self) -> None:
        self.root: list[int] = []
        self.feature: list[int] = []
        self.mode: list[int] = []
        self.split: list[float] = []
        self.members: list[float] = []
        self.true: list[int] = []
        self.true_is_leaf: list[int] = []
        self.false: list[int] = []
        self.false_is_leaf: list[int] = []
        self.missing_true: list[int] = []
        self.leaf_target: list[int] = []
        self.leaf_weight: list[float] = []

    def add(self, tree: Tree, forest: Forest) -> None:
        leaf = tree.is_leaf.tolist()
        first, first_leaf = len(self.feature), len(self.leaf_weight)
        place = np.where(
            leaf,
            first_leaf + np.cumsum(leaf) - 1,
            first + np.cumsum(np.logical_not(leaf)) - 1,
        ).tolist()
        self.leaf_weight += tree.value[leaf, 0].tolist()
        self.leaf_target += [tree.output] * sum(leaf)
        self.root.append(first)
        if leaf[0]:
            # The operator has no tree of a leaf alone: either way leads to it.
            self._ask(0, _AT_MOST, 0.0, [(place[0], 1)] * 2)
            return
        for node in range(len(leaf)):
            if leaf[node]:
                continue
            left, right = int(tree.left[node]), int(tree.right[node])
            ways = [(place[left], int(leaf[left])), (place[right], int(leaf[right]))]
            feature = int(tree.feature[node])
            if node not in tree.categories:
                missing = int(tree.missing_left[node])
                self._ask(feature, _AT_MOST, float(tree.threshold[node]), ways, missing)
                continue
            codes, members_left = forest.member_test(tree, node)
            if not codes:
                # All go the same way, missing ones too.
                self._ask(feature, _AT_MOST, np.inf, [ways[members_left]] * 2)
                continue
            places = {code: float(place) for place, code in enumerate(forest.codes[feature])}
            self.members += [*(places[code] for code in codes), np.nan]
            self._ask(feature, _MEMBER, 0.0, ways if members_left else ways[::-1])

    def _ask(
        self,
        feature: int,
        mode: int,
        split: float,
        ways: list[tuple[int, int]],
        missing_true: int = 0,
    ) -> None:
        """Add a node; its ways are where it leads when true and when false, leaf or not."""
        self.feature.append(feature)
        self.mode.append(mode)
        self.split.append(split)
        (true, true_is_leaf), (false, false_is_leaf) = ways
        self.true.append(true)
        self.true_is_leaf.append(true_is_leaf)
        self.false.append(false)
        self.false_is_leaf.append(false_is_leaf)
        self.missing_true.append(missing_true)
