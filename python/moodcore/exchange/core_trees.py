"""Trees with thresholds as the core has them, which asks for bins of one byte.

Bins are made of the thresholds, so that the same rows go the same ways. A column with more
thresholds than one byte counts is read by several features of the core.
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
    """Bins of the core that part values where the trees' thresholds do.

    Only columns that are asked for cost anything but a number: a file may claim many others.
    """

    def __init__(self, trees: Sequence[Tree], n_features: int) -> None:
        self._cuts, codes = _asked(trees)
        for column, own in codes.items():
            self._cuts[column] = _category_bins(column, self._cuts.get(column), own)
        self._is_category = frozenset(codes)
        self._n_parts = np.ones(n_features, dtype=np.int64)
        for column, cuts in self._cuts.items():
            if column not in self._is_category:
                self._n_parts[column] = -(-len(cuts) // _MOST_CUTS)
        # The first of each column's features of the core.
        self._first = np.cumsum(self._n_parts) - self._n_parts

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Give the core's arrays that describe the bins."""
        n_parts = int(self._n_parts.sum())
        lengths = np.zeros(n_parts + 1, dtype=np.int64)
        categorical = np.zeros(n_parts, dtype=np.uint8)
        columns = sorted(self._cuts)
        for column in columns:
            first, count = self._first[column], len(self._cuts[column])
            if column in self._is_category:
                categorical[first], lengths[first + 1] = 1, count
                continue
            parts = range(0, count, _MOST_CUTS)
            lengths[first + 1 : first + 1 + len(parts)] = [
                min(count - start, _MOST_CUTS) for start in parts
            ]
        arrays: dict[str, NDArray[Any]] = {
            "bin_offsets": np.cumsum(lengths).astype(np.uint32),
            "bin_values": np.concatenate(
                [np.empty(0), *(self._cuts[column] for column in columns)]
            ),
            "categorical": categorical,
        }
        if n_parts > len(self._n_parts):
            own = np.arange(len(self._n_parts), dtype=np.uint32)
            arrays["bin_column"] = np.repeat(own, self._n_parts)
        return arrays

    def nodes(self, tree: Tree) -> dict[str, Any]:
        """Give the nodes of a tree as questions for bins."""
        feature = np.full(len(tree.feature), -1)
        bin_ = np.zeros(len(tree.feature), dtype=np.int64)
        category_set = np.full(len(tree.feature), -1)
        sets = []
        for column in np.unique(tree.feature[~tree.is_leaf]):
            nodes = np.flatnonzero(tree.feature == column)
            if int(column) in self._is_category:
                feature[nodes] = self._first[column]
                continue
            place = np.searchsorted(self._cuts[int(column)], tree.threshold[nodes])
            feature[nodes] = self._first[column] + place // _MOST_CUTS
            bin_[nodes] = place % _MOST_CUTS
        for node in sorted(tree.categories):
            codes = self._cuts[int(tree.feature[node])]
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


def _asked(
    trees: Sequence[Tree],
) -> tuple[dict[int, NDArray[np.float64]], dict[int, set[float]]]:
    """Give the thresholds of each column that is asked for, and the categories."""
    features, thresholds = [np.empty(0, dtype=np.int64)], [np.empty(0)]
    codes: dict[int, set[float]] = {}
    for tree in trees:
        plain = ~tree.is_leaf
        for node, own in tree.categories.items():
            codes.setdefault(int(tree.feature[node]), set()).update(own)
            plain[node] = False
        features.append(tree.feature[plain].astype(np.int64))
        thresholds.append(tree.threshold[plain])
    feature, threshold = np.concatenate(features), np.concatenate(thresholds)
    order = np.argsort(feature, kind="stable")
    columns, starts = np.unique(feature[order], return_index=True)
    parts = np.split(threshold[order], starts[1:])
    cuts = zip(columns.tolist(), parts, strict=False)
    return {column: np.unique(own) for column, own in cuts}, codes


def _category_bins(
    column: int, cuts: NDArray[np.float64] | None, codes: set[float]
) -> NDArray[np.float64]:
    if cuts is not None:
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
