"""XGBoost's model format in JSON, read into boosted trees."""

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from moodcore.exchange.checks import (
    MOST_CLASSES,
    MOST_FEATURES,
    check_length,
    read_float,
    read_int,
)
from moodcore.exchange.fitted_trees import class_labels, fitted_gbt, labels_of_text
from moodcore.exchange.forest import Forest, Tree
from moodcore.exchange.thresholds import at_most_of
from moodcore.exchange.xgboost_writer import LABELS, MISSING

# Objectives whose margins become probabilities by the logistic function, or by the softmax.
_TWO_CLASSES = ("binary:logistic", "binary:logitraw", "reg:logistic")
_MORE_CLASSES = ("multi:softprob", "multi:softmax")


def read_xgboost(
    data: bytes, *, classes: ArrayLike | None = None, missing: float | None = None
) -> Any:
    """Read a model that XGBoost trained, or that `write_xgboost` wrote.

    Labels are ``classes``, else those that `write_xgboost` stored, else 0, 1, 2, ... Likewise the
    missing value is ``missing``, the stored one, or NaN.
    """
    try:
        document = json.loads(data)
    except RecursionError as error:
        raise ValueError("values are nested too deep") from error
    if not isinstance(document, Mapping):
        raise ValueError(f"the file must hold an object, got {type(document).__name__}")
    learner = _mapping(document, "learner")
    booster = _mapping(learner, "gradient_booster")
    weights = None
    if booster.get("name") == "dart":
        weights = _array(booster, "weight_drop", np.float32, None).astype(np.float64)
        booster = _mapping(booster, "gbtree")
    elif booster.get("name") != "gbtree":
        raise ValueError(f"gradient_booster must be gbtree or dart, got {booster.get('name')!r}")
    head = _Head(learner)
    model = _mapping(booster, "model")
    forest = _read_forest(model, head, weights)
    attributes = learner.get("attributes", {})
    attributes = attributes if isinstance(attributes, Mapping) else {}
    labels = class_labels(classes, head.n_classes)
    if classes is None and LABELS in attributes:
        labels = class_labels(labels_of_text(str(attributes[LABELS])), head.n_classes)
    best = None
    if "best_iteration" in attributes:
        parallel = read_int(_mapping(model, "gbtree_model_param"), "num_parallel_tree", default=1)
        if not 0 < parallel < 2**31:
            raise ValueError(f"num_parallel_tree must be at least 1, got {parallel}")
        best = (read_int(attributes, "best_iteration") + 1) * parallel - 1
    names = learner.get("feature_names") or None
    if names is not None and (
        len(names) != head.n_features or not all(isinstance(name, str) for name in names)
    ):
        raise ValueError(f"feature_names must be {head.n_features} names, got {len(names)}")
    if missing is None:
        missing = read_float(str(attributes[MISSING]), MISSING) if MISSING in attributes else np.nan
    return fitted_gbt(
        forest, classes=labels, feature_names=names, missing=missing, best_iteration=best
    )


class _Head:
    """Fields that describe the model as a whole."""

    def __init__(self, learner: Mapping[str, Any]) -> None:
        params = _mapping(learner, "learner_model_param")
        self.n_features = read_int(params, "num_feature")
        self.objective = _mapping(learner, "objective").get("name")
        n_classes = read_int(params, "num_class")
        if self.objective in _TWO_CLASSES and n_classes < 2:
            self.n_outputs, self.n_classes = 1, 2
        elif self.objective in _MORE_CLASSES and 2 <= n_classes < MOST_CLASSES:
            self.n_outputs = self.n_classes = n_classes
        else:
            known = ", ".join((*_TWO_CLASSES, *_MORE_CLASSES))
            raise ValueError(
                f"objective must be one of {known}, with a fitting num_class, "
                f"got {self.objective!r} with num_class {n_classes}"
            )
        if not 0 < self.n_features <= MOST_FEATURES:
            raise ValueError(f"num_feature must be 1 to {MOST_FEATURES}, got {self.n_features}")
        if read_int(params, "num_target", default=1) > 1:
            raise ValueError(f"num_target must be 1, got {params['num_target']}")
        self.base = self._margins(str(params.get("base_score", "5E-1")))

    def _margins(self, text: str) -> NDArray[np.float64]:
        """Read the base: one number, or from version 3.1 on a list."""
        parts = text.strip().removeprefix("[").removesuffix("]").split(",")
        try:
            base = np.array([float(part) for part in parts])
        except ValueError as error:
            raise ValueError(f"base_score must be numbers, got {text!r}") from error
        if len(base) not in (1, self.n_outputs) or not np.isfinite(base).all():
            raise ValueError(f"base_score must be 1 or {self.n_outputs} numbers, got {text!r}")
        if self.objective in ("binary:logistic", "reg:logistic"):
            if not 0 < base[0] < 1:
                raise ValueError(f"base_score must be a probability, got {text!r}")
            base = np.array([math.log(base[0]) - math.log1p(-base[0])])
        return np.broadcast_to(base, (self.n_outputs,)).copy()


def _read_forest(
    model: Mapping[str, Any], head: _Head, weights: NDArray[np.float64] | None
) -> Forest:
    documents = model.get("trees")
    if not isinstance(documents, list):
        raise ValueError("trees must be a list")
    info = _array(model, "tree_info", np.int64, len(documents))
    if weights is not None:
        check_length("weight_drop", weights, len(documents))
    trees = []
    for number, document in enumerate(documents):
        try:
            tree = _read_tree(document, int(info[number]), head)
        except (ValueError, OverflowError) as error:
            raise ValueError(f"tree {number}: {error}") from error
        if weights is not None:
            tree = replace(tree, value=tree.value * weights[number])
        trees.append(tree)
    outputs = np.array([tree.output for tree in trees], dtype=np.int64)
    if (outputs == -1).any():
        if (outputs != -1).any():
            raise ValueError("trees must all have one number per leaf, or all one vector per leaf")
        return Forest(trees, head.base, 1, head.n_features)
    counts = np.bincount(outputs, minlength=head.n_outputs)
    if (counts != counts[0]).any():
        raise ValueError(
            f"each class must have as many trees, got {counts.min()} to {counts.max()}"
        )
    # With several parallel trees, those of one class are adjacent in the file; a round of ours
    # has one tree per class.
    order = np.argsort(outputs, kind="stable").reshape(head.n_outputs, -1).T.ravel()
    rounds = [trees[number] for number in order.tolist()]
    return Forest(rounds, head.base, head.n_outputs, head.n_features)


def _read_tree(document: Any, output: int, head: _Head) -> Tree:
    if not isinstance(document, Mapping):
        raise ValueError(f"a tree must be an object, got {type(document).__name__}")
    left = _array(document, "left_children", np.int64, None)
    count, leaf = len(left), left == -1
    if count == 0:
        raise ValueError("a tree must have a root, got no node")
    right = _array(document, "right_children", np.int64, count)
    condition = _array(document, "split_conditions", np.float32, count)
    if document.get("split_type") is not None:
        categorical = ~leaf & (_array(document, "split_type", np.int64, count) != 0)
        if categorical.any():
            raise ValueError(
                f"node {categorical.argmax()} splits by category; models of numeric features are "
                "read. Encode the categories as numbers, or as one column each, and train again"
            )
    feature = _array(document, "split_indices", np.int64, count)
    bad = ~leaf & ((feature < 0) | ~(condition > -np.inf))
    if bad.any():
        node = int(bad.argmax())
        raise ValueError(
            f"node {node} must compare a feature with a number, "
            f"got feature {feature[node]} and {condition[node]}"
        )
    width = read_int(_mapping(document, "tree_param"), "size_leaf_vector", default=1)
    if width > 1:
        value, output = _leaf_vectors(document, leaf, right, width, head), -1
    elif not 0 <= output < head.n_outputs:
        raise ValueError(f"tree_info must be a class below {head.n_outputs}, got {output}")
    else:
        value = np.where(leaf, condition, 0).astype(np.float64)[:, np.newaxis]
    cover = _array(document, "sum_hessian", np.float32, count).astype(np.float64)
    return Tree(
        np.where(leaf, -1, feature),
        np.where(leaf, np.nan, at_most_of(np.where(leaf, np.float32(0), condition))),
        _array(document, "default_left", np.int64, count) != 0,
        left,
        right,
        _array(document, "loss_changes", np.float32, count).astype(np.float64),
        cover,
        cover,
        value,
        output,
    )


def _leaf_vectors(
    document: Mapping[str, Any], leaf: NDArray[Any], index: NDArray[Any], width: int, head: _Head
) -> NDArray[np.float64]:
    """Read one number per class of each leaf; ``index`` is its position in ``leaf_weights``."""
    if width != head.n_outputs:
        raise ValueError(f"size_leaf_vector must be 1 or {head.n_outputs}, got {width}")
    vectors = _array(document, "leaf_weights", np.float32, None)
    if len(vectors) % width:
        raise ValueError(
            f"{len(vectors)} leaf_weights are not a multiple of the vector size {width}"
        )
    vectors = vectors.reshape(-1, width)
    if not ((index[leaf] >= 0) & (index[leaf] < len(vectors))).all():
        raise ValueError(f"leaves must refer to one of {len(vectors)} vectors of leaf_weights")
    value = np.zeros((len(leaf), width))
    value[leaf] = vectors[index[leaf]]
    return value


def _mapping(parent: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = parent.get(name)
    if not isinstance(value, Mapping):
        raise ValueError(f"the object {name} is missing")
    return value


def _array(parent: Mapping[str, Any], name: str, dtype: Any, length: int | None) -> NDArray[Any]:
    """Read a list of numbers, or of integers."""
    values = parent.get(name)
    if not isinstance(values, list):
        raise ValueError(f"{name} must be a list of numbers, got {type(values).__name__}")
    try:
        array = np.asarray(values) if values else np.empty(0, dtype)
        if array.ndim != 1 or array.dtype.kind not in "biuf":
            raise ValueError(f"{name} must be a list of numbers")
        if np.issubdtype(dtype, np.integer) and array.dtype.kind == "f":
            raise ValueError(f"{name} must be integers")
        with np.errstate(over="ignore"):
            array = array.astype(dtype)
    except (TypeError, OverflowError) as error:
        raise ValueError(f"{name} must be a list of numbers: {error}") from error
    check_length(name, array, length)
    return array
