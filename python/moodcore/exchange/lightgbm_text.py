"""LightGBM's text format, read into boosted trees.

The format is that of LightGBM's ``Booster.save_model``, version 4 (and 3, which has the same
fields). A value goes left if it is at most the threshold, in double precision; values up to
`LIGHTGBM_ZERO` in size are zero. Each split names its kind of missing values: NaN; zero; or none,
and then NaN is treated as zero. Category codes are truncated to whole numbers.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from moodcore.estimators.table_schema import LIGHTGBM_ZERO
from moodcore.exchange.checks import (
    MOST_CLASSES,
    MOST_FEATURES,
    check_length,
    read_float,
    read_int,
    text_lines,
)
from moodcore.exchange.fitted_trees import class_labels, fitted_gbt
from moodcore.exchange.forest import Forest, Tree

_VERSIONS = ("v3", "v4")
_CATEGORY, _DEFAULT_LEFT = 1, 2
_NONE, _ZERO, _NAN = 0, 1, 2
# Words of 32 bits that list the categories of a split.
_MOST_WORDS = 2**15
# Fields with one number per split.
_SPLITS = ("split_feature", "split_gain", "threshold", "decision_type", "left_child", "right_child")


def read_lightgbm(data: bytes, *, classes: ArrayLike | None = None) -> Any:
    """Read a classifier that LightGBM trained; the file has no class labels.

    ``cover`` is the number of training rows, with which LightGBM computes Shapley values.
    """
    fields, blocks, rest = _parts(data)
    head = _Head(fields)
    _refuse_categories_of_pandas(rest)
    trees, kinds = [], set()
    for number, block in enumerate(blocks):
        try:
            tree, missing = _read_tree(block, head.n_features)
        except (ValueError, OverflowError) as error:
            raise ValueError(f"tree {number}: {error}") from error
        trees.append(replace(tree, output=number % head.n_outputs))
        kinds |= missing
    if len(trees) % head.n_outputs:
        raise ValueError(
            f"{len(trees)} trees are not a multiple of the trees per round, {head.n_outputs}"
        )
    if _ZERO in kinds and len(kinds) > 1:
        raise ValueError(
            "zero counts as missing in some splits and not in others; train all of the model "
            "with the same zero_as_missing"
        )
    n_rounds = max(len(trees) // head.n_outputs, 1)
    factor = head.slope / (n_rounds if head.averaged else 1)
    trees = [replace(tree, value=tree.value * factor) for tree in trees]
    return fitted_gbt(
        Forest(trees, np.zeros(head.n_outputs), head.n_outputs, head.n_features),
        classes=class_labels(classes, head.n_classes),
        feature_names=head.names,
        missing=0.0 if _ZERO in kinds else np.nan,
        lightgbm=_ZERO in kinds or any(tree.categories for tree in trees),
    )


def _parts(data: bytes) -> tuple[dict[str, str], list[dict[str, str]], list[str]]:
    """Return the fields of the head, those of each tree, and the lines after the trees."""
    lines = text_lines(data)
    if not lines or lines[0].strip() != "tree":
        raise ValueError('the first line must be "tree"')
    if "end of trees" not in lines:
        raise ValueError('the line "end of trees" is missing: the file is truncated')
    end = lines.index("end of trees")
    head: dict[str, str] = {}
    blocks: list[dict[str, str]] = []
    fields = head
    for number, line in enumerate(lines[1:end], start=2):
        name, equals, value = line.partition("=")
        if not line.strip():
            continue
        if name == "Tree" and value != str(len(blocks)):
            raise ValueError(f"line {number}: Tree={len(blocks)} is expected, got {line[:40]!r}")
        if name == "Tree":
            fields = {}
            blocks.append(fields)
        elif name in fields:
            raise ValueError(f"line {number}: {name} appears twice")
        else:
            # Some fields, such as average_output, have no value.
            fields[name] = value if equals else ""
    sizes = head.get("tree_sizes", "").split()
    if len(sizes) != len(blocks):
        raise ValueError(f"tree_sizes lists {len(sizes)} trees, the file has {len(blocks)}")
    return head, blocks, lines[end + 1 :]


def _refuse_categories_of_pandas(lines: list[str]) -> None:
    """Refuse models with categorical columns of pandas: the file does not name the columns."""
    for line in lines:
        if line.startswith("pandas_categorical:"):
            text = line.partition(":")[2].strip()
            try:
                labels = json.loads(text)
            except (ValueError, RecursionError) as error:
                raise ValueError(f"pandas_categorical must be JSON, got {text[:40]!r}") from error
            if labels:
                raise ValueError(
                    "the model was trained on categories of pandas, whose columns the file does "
                    "not name; train on their codes as numbers"
                )


class _Head:
    """Fields that describe the model as a whole."""

    def __init__(self, fields: Mapping[str, str]) -> None:
        version = fields.get("version")
        if version not in _VERSIONS:
            raise ValueError(f"version must be {' or '.join(_VERSIONS)}, got {version!r}")
        self.n_outputs = read_int(fields, "num_tree_per_iteration")
        self.n_features = read_int(fields, "max_feature_idx") + 1
        if not 0 < self.n_features <= MOST_FEATURES:
            raise ValueError(
                f"max_feature_idx must be below {MOST_FEATURES}, got {self.n_features - 1}"
            )
        self.averaged = "average_output" in fields
        name, *settings = fields.get("objective", "").split() or [""]
        options = dict(setting.partition(":")[::2] for setting in settings)
        self.slope = 1.0
        if name == "binary" and self.n_outputs == 1:
            self.n_classes = 2
            self.slope = read_float(options.get("sigmoid", "1"), "sigmoid")
            if self.slope <= 0:
                raise ValueError(f"sigmoid must be above 0, got {self.slope}")
        elif name == "multiclass" and 2 <= self.n_outputs < MOST_CLASSES:
            self.n_classes = self.n_outputs
        else:
            raise ValueError(
                "objective must be binary (one tree per round) or multiclass (one per class), "
                f"got {fields.get('objective', '')!r} with {self.n_outputs} trees per round"
            )
        names = fields.get("feature_names", "").split()
        if len(names) != self.n_features:
            raise ValueError(f"feature_names must be {self.n_features} names, got {len(names)}")
        numbered = names == [f"Column_{at}" for at in range(self.n_features)]
        self.names = None if numbered else names


def _read_tree(fields: Mapping[str, str], n_features: int) -> tuple[Tree, set[int]]:
    """Return a tree, and the kinds of missing values in its splits."""
    if read_int(fields, "is_linear", default=0):
        raise ValueError("linear models in leaves (linear_tree) are not supported")
    n_leaves = read_int(fields, "num_leaves")
    leaf_value = _array(fields, "leaf_value", np.float64, None)
    if n_leaves < 1 or len(leaf_value) != n_leaves:
        raise ValueError(f"num_leaves is {n_leaves}, but leaf_value has {len(leaf_value)} numbers")
    if n_leaves == 1:
        return _single_leaf(leaf_value), set()
    n_splits = n_leaves - 1
    feature, gain, threshold, decision, left, right = (
        _array(fields, name, np.float64 if name in ("split_gain", "threshold") else np.int64,
               n_splits) for name in _SPLITS
    )  # fmt: skip
    bad = (feature < 0) | (feature >= n_features)
    if bad.any():
        raise ValueError(f"there is no feature {feature[bad][0]}: they are 0 to {n_features - 1}")
    counts = [
        _array(fields, f"{which}_count", np.float64, count)
        for which, count in (("internal", n_splits), ("leaf", n_leaves))
    ]
    kind = decision >> 2 & 3
    is_category = decision & _CATEGORY == _CATEGORY
    missing_left = _missing_left(threshold, decision, kind) & ~is_category
    # All values that count as zero go where zero goes.
    below = np.nextafter(-LIGHTGBM_ZERO, -np.inf)
    cuts = np.where(threshold < 0, below, LIGHTGBM_ZERO)
    cuts = np.where(np.abs(threshold) <= LIGHTGBM_ZERO, cuts, threshold)
    nothing, cover = np.zeros(n_leaves), np.concatenate(counts)
    tree = Tree(
        np.concatenate([feature, np.full(n_leaves, -1)]),
        np.concatenate([np.where(is_category, np.nan, cuts), np.full(n_leaves, np.nan)]),
        np.concatenate([missing_left, np.zeros(n_leaves, dtype=bool)]),
        np.concatenate([_children(left, n_splits, n_leaves), np.full(n_leaves, -1)]),
        np.concatenate([_children(right, n_splits, n_leaves), np.full(n_leaves, -1)]),
        np.concatenate([gain, nothing]),
        cover,
        cover,
        np.concatenate([np.zeros(n_splits), leaf_value])[:, np.newaxis],
        0,
        _categories(fields, threshold, np.flatnonzero(is_category)),
    )
    return tree, set(kind[~is_category].tolist())


def _single_leaf(value: NDArray[np.float64]) -> Tree:
    nothing, none = np.zeros(1), np.full(1, -1)
    missing = np.zeros(1, dtype=bool)
    parts = (nothing, nothing, nothing, value[:, np.newaxis])
    return Tree(none, np.full(1, np.nan), missing, none, none, *parts, 0)


def _missing_left(
    threshold: NDArray[np.float64], decision: NDArray[Any], kind: NDArray[Any]
) -> NDArray[np.bool_]:
    """Return where missing values go; where the kind is none, NaN is treated as zero."""
    if (kind > _NAN).any():
        raise ValueError(f"decision_type {decision[kind > _NAN][0]} is unknown")
    default_left = decision & _DEFAULT_LEFT == _DEFAULT_LEFT
    return np.where(kind == _NONE, threshold >= 0, default_left)


def _children(children: NDArray[Any], n_splits: int, n_leaves: int) -> NDArray[Any]:
    """Return children as nodes, leaves after splits; the file counts leaves from -1 down."""
    bad = (children >= n_splits) | (children < -n_leaves)
    if bad.any():
        raise ValueError(
            f"children must be splits 0 to {n_splits - 1} or leaves -1 to -{n_leaves}, "
            f"got {children[bad][0]}"
        )
    return np.where(children >= 0, children, n_splits + ~children)


def _categories(
    fields: Mapping[str, str], threshold: NDArray[np.float64], splits: NDArray[np.intp]
) -> dict[int, tuple[float, ...]]:
    """Return the categories that go left, which the file has as bits of 32-bit words."""
    if not len(splits):
        return {}
    bounds = _array(fields, "cat_boundaries", np.int64, None)
    words = _array(fields, "cat_threshold", np.int64, None)
    rising = len(bounds) and bounds[0] == 0 and (np.diff(bounds) >= 0).all()
    if not rising or bounds[-1] != len(words) or ((words < 0) | (words >= 2**32)).any():
        raise ValueError("cat_boundaries must rise from 0 to the length of cat_threshold")
    categories = {}
    for split in splits.tolist():
        place = threshold[split]
        if not 0 <= place < len(bounds) - 1 or place != int(place):
            raise ValueError(f"split {split} names categories {place} of {len(bounds) - 1}")
        split_words = words[bounds[int(place)] : bounds[int(place) + 1]]
        if len(split_words) > _MOST_WORDS:
            raise ValueError(f"split {split} has categories above {32 * _MOST_WORDS}")
        bits = split_words[:, np.newaxis] >> np.arange(32) & 1
        categories[split] = tuple(np.flatnonzero(bits.ravel()).astype(np.float64).tolist())
    return categories


def _array(fields: Mapping[str, str], name: str, dtype: Any, length: int | None) -> NDArray[Any]:
    if name not in fields:
        raise ValueError(f"{name} is missing")
    try:
        array = np.array([dtype(entry) for entry in fields[name].split()], dtype=dtype)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{name} must be numbers: {error}") from error
    check_length(name, array, length)
    if np.isnan(array).any():
        raise ValueError(f"{name} must be numbers, got nan")
    return array
