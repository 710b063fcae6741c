"""Boosted trees as ONNX's ``TreeEnsemble`` of double precision."""

from typing import Any

import numpy as np

from moodcore.exchange.forest import Forest, Tree
from moodcore.exchange.onnx_graph import Graph

# The operator's codes for kinds of nodes, for the aggregation and for no transformation.
_AT_MOST, _MEMBER = 0, 6
_SUM, _NONE = 1, 0
# Attributes with one number per node.
_NODES = ("modes", "splits", "featureids", "missing_value_tracks_true")
_BRANCHES = ("truenodeids", "trueleafs", "falsenodeids", "falseleafs")
_TENSORS = {
    "nodes_modes": np.uint8,
    "nodes_splits": np.float64,
    "leaf_weights": np.float64,
    "membership_values": np.float64,
}


def add_forest(graph: Graph, forest: Forest, n_classes: int, rows: str) -> tuple[str, str]:
    """Add trees; return the position of the class of each row, and probabilities."""
    if not forest.trees:
        # A single class: there is nothing to learn.
        n_rows = graph.add("Shape", [rows], end=1)
        shape = graph.add("Concat", [n_rows, [forest.n_outputs]], axis=0)
        margins = graph.add("Expand", [forest.base, shape])
        return _classify_one_margin(graph, margins, n_classes)
    add_trees = _add_version_3 if graph.tree_version == 3 else _add_version_5
    sums = add_trees(graph, forest, rows)
    margins = graph.add("Add", [sums, forest.base])
    if n_classes > 2:
        label = graph.add("ArgMax", [margins], axis=1, keepdims=0)
        return label, graph.add("Softmax", [margins], axis=1)
    return _classify_one_margin(graph, margins, n_classes)


def _add_version_5(graph: Graph, forest: Forest, rows: str) -> str:
    """Add a ``TreeEnsemble``, and return its sums."""
    attributes = _Attributes(forest).values
    if not attributes["membership_values"]:
        del attributes["membership_values"]
    for name, dtype in _TENSORS.items():
        if name in attributes:
            attributes[name] = graph.tensor(attributes[name], dtype)
    return graph.add(
        "TreeEnsemble",
        [_number_categories(graph, forest, rows)],
        n_targets=forest.n_outputs,
        aggregate_function=_SUM,
        post_transform=_NONE,
        **attributes,
    )


def _add_version_3(graph: Graph, forest: Forest, rows: str) -> str:
    """Add a ``TreeEnsembleRegressor``, whose thresholds are of double and sums of single precision.

    Raises
    ------
    ValueError
        If a column is split by category.
    """
    names = ("nodeids", "treeids", "featureids", "truenodeids", "falsenodeids", "modes",
             "missing_value_tracks_true")  # fmt: skip
    nodes: dict[str, list[Any]] = {name: [] for name in names}
    leaves: dict[str, list[Any]] = {name: [] for name in ("treeids", "nodeids", "ids")}
    values, weights = [], []
    for number, tree in enumerate(forest.one_output_trees()):
        if tree.categories:
            raise ValueError(
                "trees that split by category need ai.onnx.ml 5, which skl2onnx does not write; "
                "encode the categories in a step of the pipeline"
            )
        leaf, count = tree.is_leaf, len(tree.feature)
        nodes["nodeids"] += range(count)
        nodes["treeids"] += [number] * count
        nodes["featureids"] += np.where(leaf, 0, tree.feature).tolist()
        nodes["truenodeids"] += np.where(leaf, 0, tree.left).tolist()
        nodes["falsenodeids"] += np.where(leaf, 0, tree.right).tolist()
        nodes["modes"] += ["LEAF" if is_leaf else "BRANCH_LEQ" for is_leaf in leaf.tolist()]
        nodes["missing_value_tracks_true"] += (tree.missing_left & ~leaf).astype(int).tolist()
        values += np.where(leaf, 0.0, tree.threshold).tolist()
        places = np.flatnonzero(leaf).tolist()
        leaves["treeids"] += [number] * len(places)
        leaves["nodeids"] += places
        leaves["ids"] += [tree.output] * len(places)
        weights += tree.value[leaf, 0].tolist()
    sums = graph.add(
        "TreeEnsembleRegressor",
        [rows],
        n_targets=forest.n_outputs,
        nodes_values_as_tensor=graph.tensor(values, np.float64),
        target_weights_as_tensor=graph.tensor(weights, np.float64),
        **{f"nodes_{name}": listed for name, listed in nodes.items()},
        **{f"target_{name}": listed for name, listed in leaves.items()},
    )
    return graph.cast(sums, "DOUBLE")


def _number_categories(graph: Graph, forest: Forest, rows: str) -> str:
    """Replace categories by their positions, unknown ones by NaN.

    Runtimes accept only integers as members of a set.
    """
    if not forest.codes:
        return rows
    parts, start = [], 0
    for column in sorted(forest.codes):
        parts.append(_columns(graph, rows, range(start, column)))
        codes = _columns(graph, rows, range(column, column + 1))
        parts.append(graph.positions(codes, forest.codes[column]))
        start = column + 1
    parts.append(_columns(graph, rows, range(start, forest.n_features)))
    return graph.add("Concat", [part for part in parts if part], axis=1)


def _columns(graph: Graph, rows: str, columns: range) -> str:
    return graph.add("Gather", [rows, list(columns)], axis=1) if columns else ""


def _classify_one_margin(graph: Graph, margins: str, n_classes: int) -> tuple[str, str]:
    if n_classes == 1:
        zero = graph.add("Mul", [margins, 0.0])
        first = graph.add("Squeeze", [zero, [1]])
        return graph.cast(first, "INT64"), graph.add("Add", [zero, 1.0])
    label = graph.is_positive(margins)
    # The margin for and against: neither probability is computed as one minus the other.
    both = graph.add("MatMul", [margins, [[1.0, -1.0]]])
    odds = graph.add("Exp", [both])
    return label, graph.add("Reciprocal", [graph.add("Add", [odds, 1.0])])


class _Attributes:
    """Nodes and leaves of all trees in the lists of the operator."""

    def __init__(self, forest: Forest) -> None:
        self.values: dict[str, Any] = {
            name: []
            for name in (
                *(f"nodes_{name}" for name in (*_NODES, *_BRANCHES)),
                *("tree_roots", "membership_values", "leaf_weights", "leaf_targetids"),
            )
        }
        for tree in forest.one_output_trees():
            self._add_tree(tree, forest)

    def _add_tree(self, tree: Tree, forest: Forest) -> None:
        leaf = tree.is_leaf
        first, first_leaf = len(self.values["nodes_modes"]), len(self.values["leaf_weights"])
        position = np.where(leaf, first_leaf + np.cumsum(leaf), first + np.cumsum(~leaf)) - 1
        self.values["leaf_weights"] += tree.value[leaf, 0].tolist()
        self.values["leaf_targetids"] += [tree.output] * int(leaf.sum())
        self.values["tree_roots"].append(first)
        if leaf[0]:
            # The operator has no tree of a single leaf: both branches lead to it.
            self._add_node(0, _AT_MOST, 0.0, [(int(position[0]), 1)] * 2)
        for node in np.flatnonzero(~leaf).tolist():
            children = int(tree.left[node]), int(tree.right[node])
            branches = [(int(position[child]), int(leaf[child])) for child in children]
            feature = int(tree.feature[node])
            if node not in tree.categories:
                missing = int(tree.missing_left[node])
                self._add_node(feature, _AT_MOST, float(tree.threshold[node]), branches, missing)
                continue
            codes, members_left = forest.member_test(tree, node)
            if not codes:
                # All rows go to the same side, also with a missing value.
                self._add_node(feature, _AT_MOST, np.inf, [branches[members_left]] * 2)
                continue
            positions = {code: float(at) for at, code in enumerate(forest.codes[feature])}
            self.values["membership_values"] += [*(positions[code] for code in codes), np.nan]
            self._add_node(feature, _MEMBER, 0.0, branches if members_left else branches[::-1])

    def _add_node(
        self,
        feature: int,
        mode: int,
        split: float,
        branches: list[tuple[int, int]],
        missing_true: int = 0,
    ) -> None:
        """Add a node; ``branches`` are (position, is leaf) where the test is true and false."""
        numbers = (mode, split, feature, missing_true, *branches[0], *branches[1])
        for name, number in zip((*_NODES, *_BRANCHES), numbers, strict=True):
            self.values[f"nodes_{name}"].append(number)
