"""XGBoost's model format, JSON or UBJSON, read into boosted trees."""

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from moodcore.exchange import ubjson
from moodcore.exchange.fitted_trees import class_labels, fitted_gbt, labels_of_text
from moodcore.exchange.forest import Forest, Tree
from moodcore.exchange.thresholds import at_most_of
from moodcore.exchange.xgboost_writer import LABELS

# What prediction makes of margins is the logistic function or the softmax.
_TWO_CLASSES = ("binary:logistic", "binary:logitraw", "reg:logistic")
# A file tells how many columns there are in a few digits; they must not claim all memory.
_MOST_FEATURES = 2**20
_MORE_CLASSES = ("multi:softprob", "multi:softmax")


def read_xgboost(data: bytes, *, classes: ArrayLike | None = None) -> Any:
    """Read a model that XGBoost trained, or that `write_xgboost` wrote.

    Parameters
    ----------
    data : bytes
        The file, JSON or UBJSON.
    classes : array-like of shape (n_classes,), optional
        Labels of the classes in ascending order; by default those that `write_xgboost` noted,
        else 0, 1, 2, ...

    Returns
    -------
    GBT

    Raises
    ------
    ValueError
        With the place, when the file is damaged or holds what a `GBT` cannot be.
    """
    document = _parse(data)
    learner = _mapping(document, "learner")
    booster = _mapping(learner, "gradient_booster")
    drop = None
    if booster.get("name") == "dart":
        drop = _numbers(booster, "weight_drop", np.float32, None)
        booster = _mapping(booster, "gbtree")
    elif booster.get("name") != "gbtree":
        raise ValueError(f"gradient_booster must be gbtree or dart, got {booster.get('name')!r}")
    head = _Head(learner)
    forest = _read_forest(_mapping(booster, "model"), head, drop)
    attributes = learner.get("attributes", {})
    attributes = attributes if isinstance(attributes, Mapping) else {}
    labels = class_labels(classes, head.n_classes)
    if classes is None and LABELS in attributes:
        labels = class_labels(labels_of_text(str(attributes[LABELS])), head.n_classes)
    best = None
    if "best_iteration" in attributes:
        rounds = _whole(attributes, "best_iteration") + 1
        best = rounds * head.parallel(booster) - 1
    names = learner.get("feature_names") or None
    if names is not None and (len(names) != head.n_features or not all(map(_is_text, names))):
        raise ValueError(f"feature_names must be {head.n_features} names, got {len(names)}")
    return fitted_gbt(forest, classes=labels, feature_names=names, best_iteration=best)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _parse(data: bytes) -> Mapping[str, Any]:
    # JSON may begin with blanks; after the brace of UBJSON stands the type of a length.
    is_json = data.lstrip()[:1] == b"{" and data.lstrip()[1:].lstrip()[:1] in (b'"', b"}")
    try:
        document = json.loads(data) if is_json else ubjson.decode(data)
    except RecursionError as error:
        raise ValueError("values are nested too deep") from error
    if not isinstance(document, Mapping):
        raise ValueError(f"the file must hold an object, got {type(document).__name__}")
    return document


class _Head:
    """What is told of the model as a whole."""

    def __init__(self, learner: Mapping[str, Any]) -> None:
        params = _mapping(learner, "learner_model_param")
        self.n_features = _whole(params, "num_feature")
        self.objective = _mapping(learner, "objective").get("name")
        n_classes = _whole(params, "num_class")
        if self.objective in _TWO_CLASSES and n_classes < 2:
            self.n_outputs, self.n_classes = 1, 2
        elif self.objective in _MORE_CLASSES and 2 <= n_classes < 2**20:
            self.n_outputs = self.n_classes = n_classes
        else:
            known = ", ".join((*_TWO_CLASSES, *_MORE_CLASSES))
            raise ValueError(
                f"objective must be one of {known}, with a fitting num_class, "
                f"got {self.objective!r} with num_class {n_classes}"
            )
        if not 0 < self.n_features <= _MOST_FEATURES:
            raise ValueError(f"num_feature must be 1 to {_MOST_FEATURES}, got {self.n_features}")
        if _whole(params, "num_target", default=1) > 1:
            raise ValueError(f"num_target must be 1, got {params['num_target']}")
        self.base = self._margins(str(params.get("base_score", "5E-1")))

    def _margins(self, told: str) -> NDArray[np.float64]:
        """Read the base: one number, or from version 3.1 on a list."""
        parts = told.strip().removeprefix("[").removesuffix("]").split(",")
        try:
            base = np.array([float(part) for part in parts])
        except ValueError as error:
            raise ValueError(f"base_score must be numbers, got {told!r}") from error
        if len(base) not in (1, self.n_outputs) or not np.isfinite(base).all():
            raise ValueError(f"base_score must be 1 or {self.n_outputs} numbers, got {told!r}")
        if self.objective in ("binary:logistic", "reg:logistic"):
            if not 0 < base[0] < 1:
                raise ValueError(f"base_score must be a probability, got {told!r}")
            base = np.array([math.log(base[0]) - math.log1p(-base[0])])
        return np.broadcast_to(base, (self.n_outputs,)).copy()

    @staticmethod
    def parallel(booster: Mapping[str, Any]) -> int:
        """Give the trees that a round has for each output."""
        params = _mapping(_mapping(booster, "model"), "gbtree_model_param")
        parallel = _whole(params, "num_parallel_tree", default=1)
        if not 0 < parallel < 2**31:
            raise ValueError(f"num_parallel_tree must be at least 1, got {parallel}")
        return parallel


def _read_forest(model: Mapping[str, Any], head: _Head, drop: NDArray[np.float32] | None) -> Forest:
    told = model.get("trees")
    if not isinstance(told, list):
        raise ValueError("trees must be a list")
    outputs = _numbers(model, "tree_info", np.int64, len(told))
    if drop is not None and len(drop) != len(told):
        raise ValueError(f"weight_drop must have {len(told)} numbers, got {len(drop)}")
    trees = []
    for at, values in enumerate(told):
        try:
            tree = _read_tree(values, int(outputs[at]), head)
        except (ValueError, OverflowError) as error:
            raise ValueError(f"tree {at}: {error}") from error
        factor = 1.0 if drop is None else float(drop[at])
        trees.append(tree if factor == 1.0 else _scaled(tree, factor))
    if trees and trees[0].output == -1:
        if any(tree.output != -1 for tree in trees):
            raise ValueError("trees must all have a number a leaf, or all one a class")
        return Forest(trees, head.base, 1, head.n_features)
    told_outputs = np.array([tree.output for tree in trees], dtype=np.int64)
    if (told_outputs == -1).any():
        raise ValueError("trees must all have a number a leaf, or all one a class")
    counts = np.bincount(told_outputs, minlength=head.n_outputs)
    if (counts != counts[0]).any():
        raise ValueError(
            f"each class must have as many trees, got {counts.min()} to {counts.max()}"
        )
    # One tree of each class after another, where several trees of a class stand together.
    order = np.argsort(told_outputs, kind="stable").reshape(head.n_outputs, -1).T.ravel()
    rounds = [trees[at] for at in order.tolist()]
    return Forest(rounds, head.base, head.n_outputs, head.n_features)


def _scaled(tree: Tree, factor: float) -> Tree:
    return replace(tree, value=tree.value * factor)


def _read_tree(values: Any, output: int, head: _Head) -> Tree:
    if not isinstance(values, Mapping):
        raise ValueError(f"a tree must be an object, got {type(values).__name__}")
    left = _numbers(values, "left_children", np.int64, None)
    count = len(left)
    if count == 0:
        raise ValueError("a tree must have a root, got no node")
    right = _numbers(values, "right_children", np.int64, count)
    condition = _numbers(values, "split_conditions", np.float32, count)
    leaf = left == -1
    split_type = _numbers(values, "split_type", np.int64, count, optional=True)
    if split_type is not None and split_type[~leaf].any():
        node = int(np.flatnonzero(~leaf & (split_type != 0))[0])
        raise ValueError(
            f"node {node} splits by category; models of numeric features are read. Encode the "
            "categories as numbers, or as one column each, and train again"
        )
    asked = _numbers(values, "split_indices", np.int64, count)
    bad = ~leaf & ((asked < 0) | ~(condition > -np.inf))
    if bad.any():
        node = int(np.flatnonzero(bad)[0])
        raise ValueError(
            f"node {node} must compare a feature with a number, "
            f"got feature {asked[node]} and {condition[node]}"
        )
    value, output = _leaf_values(values, (leaf, right, condition), output, head)
    gain = _numbers(values, "loss_changes", np.float32, count).astype(np.float64)
    cover = _numbers(values, "sum_hessian", np.float32, count).astype(np.float64)
    return Tree(
        np.where(leaf, -1, asked),
        np.where(leaf, np.nan, at_most_of(np.where(leaf, np.float32(0), condition))),
        _numbers(values, "default_left", np.int64, count) != 0,
        left,
        right,
        gain,
        cover,
        cover,
        value,
        output,
    )


def _leaf_values(
    values: Mapping[str, Any],
    nodes: tuple[NDArray[Any], NDArray[Any], NDArray[Any]],
    output: int,
    head: _Head,
) -> tuple[NDArray[np.float64], int]:
    """Give what each node adds, and to which output."""
    leaf, right, condition = nodes
    width = _whole(_mapping(values, "tree_param"), "size_leaf_vector", default=1)
    if width <= 1:
        if not 0 <= output < head.n_outputs:
            raise ValueError(f"tree_info must be a class below {head.n_outputs}, got {output}")
        return np.where(leaf, condition, 0).astype(np.float64)[:, np.newaxis], output
    if width != head.n_outputs:
        raise ValueError(f"size_leaf_vector must be 1 or {head.n_outputs}, got {width}")
    vectors = _numbers(values, "leaf_weights", np.float32, None)
    if len(vectors) % width:
        raise ValueError(f"{len(vectors)} leaf_weights are no whole vectors of {width}")
    vectors = vectors.reshape(-1, width)
    place = right[leaf]
    if place.size and not (place.min() >= 0 and place.max() < len(vectors)):
        raise ValueError(f"leaves must name one of {len(vectors)} vectors of leaf_weights")
    value = np.zeros((len(leaf), width))
    value[leaf] = vectors[place]
    return value, -1


def _mapping(parent: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = parent.get(name)
    if not isinstance(found, Mapping):
        raise ValueError(f"the object {name} is missing")
    return found


def _whole(parent: Mapping[str, Any], name: str, default: int | None = None) -> int:
    """Read a whole number, which XGBoost writes as text."""
    told = parent.get(name, default)
    try:
        return int(told)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"{name} must be a whole number, got {told!r}") from error


def _numbers(
    parent: Mapping[str, Any],
    name: str,
    dtype: Any,
    length: int | None,
    *,
    optional: bool = False,
) -> Any:
    """Read an array of numbers, finite where they are whole."""
    told = parent.get(name)
    if told is None and optional:
        return None
    if not isinstance(told, list | np.ndarray):
        raise ValueError(f"{name} must be a list of numbers, got {type(told).__name__}")
    try:
        array = np.asarray(told)
        if array.size == 0:
            array = array.astype(np.float64)
        if array.ndim != 1 or array.dtype.kind not in "biuf":
            raise ValueError(f"{name} must be a list of numbers")
        if np.issubdtype(dtype, np.integer) and array.dtype.kind == "f" and array.size:
            raise ValueError(f"{name} must be whole numbers")
        with np.errstate(over="ignore"):
            array = array.astype(dtype)
    except (TypeError, OverflowError) as error:
        raise ValueError(f"{name} must be a list of numbers: {error}") from error
    if length is not None and len(array) != length:
        raise ValueError(f"{name} must have {length} numbers, got {len(array)}")
    return array
