"""Boosted trees as the dictionary that `shap.TreeExplainer` reads."""

from typing import Any

import numpy as np

from moodcore.exchange.computation import computation_of, flat_parts
from moodcore.exchange.forest import Forest
from moodcore.exchange.steps import MissingValue
from moodcore.exchange.thresholds import unscaled_forest


def shap_trees(model: Any) -> dict[str, Any]:
    """Return fitted trees as the dictionary that ``shap.TreeExplainer`` takes as its model.

    Its Shapley values are those of `GBT.predict_contributions`, on the scale of the margins.

    Parameters
    ----------
    model : GBT, or a pipeline that ends in one
        Fitted. Scaling and selected columns of a pipeline are folded into the trees, so that rows
        have the columns that the pipeline takes.

    Returns
    -------
    dict
        The trees, with one output for two classes, else one per class.

    Raises
    ------
    NotFittedError
        If the model is not fitted.
    TypeError, ValueError
        If the model has other parts, splits by category, or a missing value besides NaN.

    Examples
    --------
    >>> import numpy as np, shap
    >>> from moodcore import GBT, exchange
    >>> X = np.random.default_rng(0).normal(size=(200, 3))
    >>> model = GBT(10, random_state=0).fit(X, X[:, 0] * X[:, 1] > 0)
    >>> explainer = shap.TreeExplainer(exchange.shap_trees(model))
    >>> ours = model.predict_contributions(X)[:, :-1]
    >>> bool(np.allclose(explainer.shap_values(X), ours))
    True
    """
    computation = computation_of(model)
    if not isinstance(computation.classifier, Forest):
        raise TypeError(
            "shap_trees requires a GBT, or a pipeline that ends in one, "
            f"got {type(flat_parts(model)[-1]).__name__}"
        )
    for step in computation.steps:
        if isinstance(step, MissingValue):
            raise ValueError(
                "TreeExplainer supports only NaN as the missing value, "
                f"got missing={step.value:g}; replace it "
                "by NaN before training"
            )
    forest = unscaled_forest(computation)
    trees = []
    for tree in forest.one_output_trees():
        if tree.categories:
            column = computation.columns[tree.feature[next(iter(tree.categories))]].name
            raise ValueError(
                f"column {column!r} is split by category, which TreeExplainer does not read; "
                "GBT.explain and predict_contributions do"
            )
        leaf = tree.is_leaf
        values = np.zeros((len(leaf), forest.n_outputs))
        values[:, tree.output] = np.where(leaf, tree.value[:, 0], 0)
        trees.append(
            {
                "children_left": np.where(leaf, -1, tree.left),
                "children_right": np.where(leaf, -1, tree.right),
                "children_default": np.where(
                    leaf, -1, np.where(tree.missing_left, tree.left, tree.right)
                ),
                "features": np.where(leaf, -2, tree.feature),
                "thresholds": np.where(leaf, 0.0, tree.threshold),
                "values": values,
                "node_sample_weight": tree.cover,
            }
        )
    return {
        "trees": trees,
        "base_offset": forest.base if forest.n_outputs > 1 else float(forest.base[0]),
        "tree_output": "log_odds" if forest.n_outputs == 1 else "raw_value",
        "objective": "binary_crossentropy" if forest.n_outputs == 1 else None,
        "input_dtype": np.float64,
        "internal_dtype": np.float64,
    }
