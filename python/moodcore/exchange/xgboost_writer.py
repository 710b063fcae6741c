"""XGBoost's model format in JSON, from boosted trees.

The format: https://xgboost.readthedocs.io/en/stable/tutorials/saving_model.html. XGBoost sends a
value left when it, rounded to single precision, is below the threshold; margins are sums of
single precision.
"""

import json
import re
import warnings
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moodcore.exchange.computation import computation_of, flat_parts
from moodcore.exchange.fitted_trees import labels_as_text
from moodcore.exchange.forest import Forest, Tree
from moodcore.exchange.steps import Computation, MissingValue
from moodcore.exchange.thresholds import (
    Dtype,
    below_of,
    check_single_precision,
    unscaled_forest,
)

# Every later version reads this one; newer fields have defaults.
_VERSION = [2, 1, 0]
# Attributes that hold the class labels and the missing value of models that this module wrote.
LABELS, MISSING = "moodcore_classes", "moodcore_missing"
_NO_PARENT = 2**31 - 1


def write_xgboost(model: Any, *, classifier_only: bool = False, dtype: Dtype = "float64") -> bytes:
    """Write the rounds that a fitted model predicts with, scaling folded into the thresholds.

    ``dtype`` is the type of rows before XGBoost rounds them; see `below_of` and
    `check_single_precision`.
    """
    computation = computation_of(model, classifier_only=classifier_only)
    if not isinstance(computation.classifier, Forest):
        kind = type(flat_parts(model)[-1]).__name__
        raise TypeError(f"only a GBT can be written in XGBoost's format, got {kind}")
    if len(computation.classes) < 2:
        raise ValueError("XGBoost's format needs at least two classes, got one")
    forest = unscaled_forest(computation)
    if dtype == "float64":
        check_single_precision(forest, [column.name for column in computation.columns])
    trees = []
    for number, tree in enumerate(_with_base(forest)):
        if tree.categories:
            name = computation.columns[tree.feature[next(iter(tree.categories))]].name
            raise ValueError(
                f"feature {name!r} is split by category: XGBoost's format is written for numbers "
                "only. ONNX, C and Rust support categories"
            )
        # XGBoost expects the right child to follow the left one.
        ordered = tree.in_order(by_level=True)
        values = _tree_values(ordered, number, forest.n_features, dtype)
        trees.append((values, tree.output))
    document = _document(computation, trees, forest)
    # XGBoost does not read JSON's escapes of letters.
    text = json.dumps(document, default=_number_list, separators=(",", ":"), ensure_ascii=False)
    return text.encode()


def _checked_names(computation: Computation) -> list[str]:
    """Return the names of the columns, empty if they have only positions.

    Raises
    ------
    ValueError
        If XGBoost would not read or not take a name.
    """
    names = [column.name for column in computation.columns]
    if all(re.fullmatch(r"x\d+", name) for name in names):
        # XGBoost then accepts tables with any column names, or none.
        return []
    for name in names:
        if re.search(r"[\[\]<\0-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]", name):
            raise ValueError(
                "XGBoost's format cannot hold feature names with '[', ']', '<', control characters "
                f"or surrogates, got {name!r}"
            )
    if len(set(names)) < len(names):
        raise ValueError(f"feature names must differ for XGBoost's format, got {names}")
    return names


def _missing_value(computation: Computation) -> dict[str, str]:
    """Return the attribute that holds the missing value; the format has no place for it."""
    values = [step.value for step in computation.steps if isinstance(step, MissingValue)]
    if not values:
        return {}
    warnings.warn(
        f"XGBoost's format does not store missing={values[0]:g}: pass it to "
        "xgboost.XGBClassifier or xgboost.DMatrix (moodcore.exchange.load restores it)",
        stacklevel=4,
    )
    return {MISSING: repr(values[0])}


def _number_list(values: NDArray[Any]) -> list[Any]:
    """Convert an array; single precision in the fewest digits that restore the number."""
    if values.dtype == np.float32:
        # JSON has no infinity, the threshold above all values: the largest number replaces it.
        return [float(str(value)) for value in np.minimum(values, np.finfo(np.float32).max)]
    return list(values.tolist())


def _with_base(forest: Forest) -> list[Tree]:
    """Return trees of one output each, with the base added to those of the first round.

    Only XGBoost 3.1 and later reads a separate base for each class; all versions read leaves.
    """
    trees = forest.one_output_trees()
    first = [
        replace(tree, value=tree.value + forest.base[tree.output])
        for tree in trees[: forest.n_outputs]
    ]
    return first + trees[forest.n_outputs :]


def _tree_values(tree: Tree, number: int, n_features: int, dtype: Dtype) -> dict[str, Any]:
    leaf, count = tree.is_leaf, len(tree.feature)
    with np.errstate(over="ignore"):
        value = tree.value[:, 0].astype(np.float32)
    if not np.isfinite(value).all():
        raise ValueError(f"tree {number}: leaf values must be in the range of float32")
    condition = np.where(leaf, value, below_of(np.where(leaf, 0.0, tree.threshold), dtype=dtype))
    parents = np.full(count, _NO_PARENT, dtype=np.int32)
    for children in (tree.left, tree.right):
        parents[children[~leaf]] = np.flatnonzero(~leaf)
    return {
        "base_weights": value,
        "categories": [],
        "categories_nodes": [],
        "categories_segments": [],
        "categories_sizes": [],
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
    names = _checked_names(computation)
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
                **_missing_value(computation),
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
