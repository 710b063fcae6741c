"""Trees with thresholds, converted to those of the Rust core, whose bins are one byte.

Bins are made of the thresholds, so that every row takes the same path. A column with more
thresholds than fit one byte becomes several features of the core.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moodcore.exchange.forest import Forest, Tree

# Thresholds of a feature of the core: 255 bins, and the byte 255 for missing values.
_MOST_CUTS = 254
_MOST_CATEGORIES = 255


def core_arrays(forest: Forest) -> dict[str, NDArray[Any]]:
    """Return the arrays from which ``_core.GbtModel`` is made.

    A `ValueError` refuses what the core cannot represent: nodes that do not form a tree, features
    out of range, values that are not finite, features that are both numeric and categorical.
    """
    trees = [_checked(tree, number, forest) for number, tree in enumerate(forest.trees)]
    bins = _Bins(trees, forest.n_features)
    nodes = [bins.nodes(tree) for tree in trees]

    def joined(name: str, dtype: Any, parts: Sequence[NDArray[Any]] | None = None) -> NDArray[Any]:
        parts = [tree_nodes[name] for tree_nodes in nodes] if parts is None else parts
        return np.concatenate([np.empty(0), *parts]).astype(dtype)

    sets = np.array([words for tree_nodes in nodes for words in tree_nodes["sets"]], np.uint64)
    category_set = joined("category_set", np.int32)
    category_set[category_set >= 0] = np.arange(len(sets))
    return {
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
        **{
            name: joined(name, np.float64, [getattr(tree, name).ravel() for tree in trees])
            for name in ("gain", "cover", "weight", "value")
        },
        **bins.arrays(),
    }


def _checked(tree: Tree, number: int, forest: Forest) -> Tree:
    """Sort the nodes of a tree and refuse what the core cannot represent."""
    try:
        tree = tree.in_order()
        largest = tree.feature.max()
        if largest >= forest.n_features:
            raise ValueError(
                f"there is no feature {largest}: features are 0 to {forest.n_features - 1}"
            )
        for name in ("gain", "cover", "weight", "value"):
            values = getattr(tree, name)
            if not np.isfinite(values).all():
                raise ValueError(f"{name} must be finite, got {values[~np.isfinite(values)][0]}")
        if np.isnan(tree.threshold[tree.is_numeric_split]).any():
            raise ValueError("thresholds must be numbers, got nan")
    except ValueError as error:
        raise ValueError(f"tree {number}: {error}") from error
    return tree


class _Bins:
    """Bins of the core whose limits are the trees' thresholds.

    Columns that no tree tests cost one number each: a file may claim many of them.
    """

    def __init__(self, trees: Sequence[Tree], n_features: int) -> None:
        self._cuts, codes = _tested_values(trees)
        for column, column_codes in codes.items():
            if column in self._cuts:
                raise ValueError(
                    f"feature {column} is numeric in some splits and categorical in others"
                )
            if len(column_codes) > _MOST_CATEGORIES:
                raise ValueError(
                    f"feature {column} is split by {len(column_codes)} categories; "
                    f"at most {_MOST_CATEGORIES} are supported"
                )
            self._cuts[column] = np.array(sorted(column_codes), dtype=np.float64)
        self._is_category = frozenset(codes)
        self._n_parts = np.ones(n_features, dtype=np.int64)
        for column, cuts in self._cuts.items():
            if column not in self._is_category:
                self._n_parts[column] = -(-len(cuts) // _MOST_CUTS)
        # The first of each column's features of the core.
        self._first = np.cumsum(self._n_parts) - self._n_parts

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the core's arrays that describe the bins."""
        n_parts = int(self._n_parts.sum())
        lengths = np.zeros(n_parts + 1, dtype=np.int64)
        categorical = np.zeros(n_parts, dtype=np.uint8)
        columns = sorted(self._cuts)
        for column in columns:
            first, count = self._first[column], len(self._cuts[column])
            if column in self._is_category:
                categorical[first], lengths[first + 1] = 1, count
                continue
            for part, start in enumerate(range(0, count, _MOST_CUTS)):
                lengths[first + 1 + part] = min(count - start, _MOST_CUTS)
        arrays: dict[str, NDArray[Any]] = {
            "bin_offsets": np.cumsum(lengths).astype(np.uint32),
            "bin_values": np.concatenate([np.empty(0), *map(self._cuts.__getitem__, columns)]),
            "categorical": categorical,
        }
        if n_parts > len(self._n_parts):
            source = np.arange(len(self._n_parts), dtype=np.uint32)
            arrays["bin_column"] = np.repeat(source, self._n_parts)
        return arrays

    def nodes(self, tree: Tree) -> dict[str, Any]:
        """Return the nodes of a tree, whose splits compare bins."""
        feature = np.full(len(tree.feature), -1)
        bin_ = np.zeros(len(tree.feature), dtype=np.int64)
        category_set = np.full(len(tree.feature), -1)
        sets = []
        for column in np.unique(tree.feature[~tree.is_leaf]):
            nodes = np.flatnonzero(tree.feature == column)
            feature[nodes] = self._first[column]
            if int(column) not in self._is_category:
                cut = np.searchsorted(self._cuts[int(column)], tree.threshold[nodes])
                feature[nodes] += cut // _MOST_CUTS
                bin_[nodes] = cut % _MOST_CUTS
        for node in sorted(tree.categories):
            codes = self._cuts[int(tree.feature[node])]
            category_set[node] = 0
            sets.append(_bit_set(np.isin(codes, tree.categories[node])))
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


def _tested_values(
    trees: Sequence[Tree],
) -> tuple[dict[int, NDArray[np.float64]], dict[int, set[float]]]:
    """Return the thresholds and the categories of each column that a tree tests."""
    features, thresholds = [np.empty(0, dtype=np.int64)], [np.empty(0)]
    codes: dict[int, set[float]] = {}
    for tree in trees:
        for node, node_codes in tree.categories.items():
            codes.setdefault(int(tree.feature[node]), set()).update(node_codes)
        features.append(tree.feature[tree.is_numeric_split].astype(np.int64))
        thresholds.append(tree.threshold[tree.is_numeric_split])
    feature, threshold = np.concatenate(features), np.concatenate(thresholds)
    order = np.argsort(feature, kind="stable")
    columns, starts = np.unique(feature[order], return_index=True)
    parts = np.split(threshold[order], starts[1:])
    return dict(zip(columns.tolist(), map(np.unique, parts), strict=False)), codes


def _bit_set(inside: NDArray[np.bool_]) -> list[int]:
    """Convert a set of bins to four words of 64 bits."""
    words = [0, 0, 0, 0]
    for bin_ in np.flatnonzero(inside).tolist():
        words[bin_ >> 6] |= 1 << (bin_ & 63)
    return words
