"""XGBoost's model format, JSON or UBJSON, from boosted trees.

The format: https://xgboost.readthedocs.io/en/stable/tutorials/saving_model.html. XGBoost sends a
value left when it, rounded to single precision, is below the threshold; margins are sums of
single precision.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from moodcore.exchange import ubjson
from moodcore.exchange.computation import Computation, computation_of, flat_parts
from moodcore.exchange.fitted_trees import labels_as_text
from moodcore.exchange.folding import folded_forest
from moodcore.exchange.forest import Forest, Tree
from moodcore.exchange.thresholds import Dtype, below_of

# The version whose reader every later one still is; newer fields have defaults.
_VERSION = [2, 1, 0]
# Under this key of the attributes stand the class labels of our own models.
LABELS = "moodcore_classes"
_NO_PARENT = 2**31 - 1


def write_xgboost(
    model: Any, *, binary: bool = False, classifier_only: bool = False, dtype: Dtype = "float64"
) -> bytes:
    """Write fitted trees as XGBoost does.

    Parameters
    ----------
    model : GBT, or a pipeline that ends in one
        Fitted, without splits by category. The scaling of a pipeline goes into the thresholds.
    binary : bool, default=False
        UBJSON in place of JSON.
    classifier_only : bool, default=False
        Leave out what a pipeline does before its classifier.
    dtype : {"float64", "float32"}, default="float64"
        What rows will be before XGBoost rounds them.

    Returns
    -------
    bytes
        The file: the rounds that predict. Thresholds are rounded as
        :func:`moodcore.exchange.thresholds.below_of` says.

    Raises
    ------
    ValueError
        When trees split by category, or there is only one class.
    """
    computation = computation_of(model, classifier_only=classifier_only)
    if not isinstance(computation.classifier, Forest):
        kind = type(flat_parts(model)[-1]).__name__
        raise TypeError(f"XGBoost's format holds boosted trees, GBT, got {kind}")
    if len(computation.classes) < 2:
        raise ValueError("XGBoost's format needs at least two classes, got one")
    forest = folded_forest(computation)
    trees = []
    for number, tree in enumerate(_with_base(forest)):
        if tree.categories:
            name = computation.columns[tree.feature[next(iter(tree.categories))]].name
            raise ValueError(
                f"feature {name!r} is split by category: XGBoost's format is written for numbers "
                "only. ONNX, C and Rust hold categories"
            )
        # XGBoost takes the right child to follow the left one.
        values = _tree_values(tree.in_order(by_level=True), (number, forest.n_features), dtype)
        trees.append((values, tree.output))
    document = _document(computation, trees, forest)
    return ubjson.encode(document) if binary else _as_json(document)


def _with_base(forest: Forest) -> list[Tree]:
    """Give trees of one output each; the base is in those of the first round.

    A base of its own for each class is read by XGBoost from version 3.1 on; leaves are read by
    all.
    """
    trees = forest.one_output_trees()
    for at in range(forest.n_outputs):
        trees[at] = replace(trees[at], value=trees[at].value + forest.base[trees[at].output])
    return trees


def _tree_values(tree: Tree, place: tuple[int, int], dtype: Dtype) -> dict[str, Any]:
    number, n_features = place
    leaf, count = tree.is_leaf, len(tree.feature)
    value = tree.value[:, 0].astype(np.float32)
    condition = np.where(leaf, value, below_of(np.where(leaf, 0.0, tree.threshold), dtype=dtype))
    parents = np.full(count, _NO_PARENT, dtype=np.int32)
    for children in (tree.left, tree.right):
        parents[children[~leaf]] = np.flatnonzero(~leaf)
    nothing = np.empty(0, dtype=np.int32)
    return {
        "base_weights": value,
        "categories": nothing,
        "categories_nodes": nothing,
        "categories_segments": np.empty(0, dtype=np.int64),
        "categories_sizes": np.empty(0, dtype=np.int64),
        "default_left": (tree.missing_left & ~leaf).astype(np.uint8),
        "id": number,
        "left_children": np.where(leaf, -1, tree.left).astype(np.int32),
        "loss_changes": tree.gain.astype(np.float32),
        "parents": parents,
        "right_children": np.where(leaf, -1, tree.right).astype(np.int32),
        "split_conditions": condition.astype(np.float32),
        "split_indices": np.where(leaf, 0, tree.feature).astype(np.int32),
        "split_type": np.zeros(count, dtype=np.uint8),
        "sum_hessian": tree.cover.astype(np.float32),
        "tree_param": {
            "num_deleted": "0",
            "num_feature": str(n_features),
            "num_nodes": str(count),
            "size_leaf_vector": "1",
        },
    }


def _document(
    computation: Computation, trees: list[tuple[Any, int]], forest: Forest
) -> dict[str, Any]:
    names = [column.name for column in computation.columns]
    if all(re.fullmatch(r"x\d+", name) for name in names):
        # Columns that have only positions: XGBoost then takes tables with any names, or none.
        names = []
    n_outputs = forest.n_outputs
    binary = n_outputs == 1
    objective: dict[str, Any] = {"name": "binary:logistic"}
    objective["reg_loss_param"] = {"scale_pos_weight": "1"}
    if not binary:
        objective = {
            "name": "multi:softprob",
            "softmax_multiclass_param": {"num_class": str(n_outputs)},
        }
    return {
        "learner": {
            "attributes": {
                LABELS: labels_as_text(computation.classes),
                "scikit_learn": json.dumps({"_estimator_type": "classifier"}),
            },
            "feature_names": names,
            "feature_types": ["float"] * len(names),
            "gradient_booster": {
                "model": {
                    "gbtree_model_param": {"num_parallel_tree": "1", "num_trees": str(len(trees))},
                    "iteration_indptr": list(range(0, len(trees) + 1, n_outputs)),
                    "tree_info": [output for _, output in trees],
                    "trees": [values for values, _ in trees],
                },
                "name": "gbtree",
            },
            "learner_model_param": {
                # A margin of zero: the logistic function of zero is one half.
                "base_score": "5E-1" if binary else "0E0",
                "boost_from_average": "1",
                "num_class": "0" if binary else str(n_outputs),
                "num_feature": str(forest.n_features),
                "num_target": "1",
            },
            "objective": objective,
        },
        "version": _VERSION,
    }


def _as_json(document: Mapping[str, Any]) -> bytes:
    def plain(value: Any) -> Any:
        # The shortest text that gives the number of single precision again.
        if value.dtype == np.float32:
            return [float(str(number)) for number in value]
        return value.tolist()

    text = json.dumps(document, default=plain, separators=(",", ":"))
    # An infinite threshold, above all values, has no text in JSON: the largest number.
    return text.replace("Infinity", "3.4028235e+38").encode()
