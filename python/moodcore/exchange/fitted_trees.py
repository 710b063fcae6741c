"""A fitted `GBT` from trees that were trained elsewhere."""

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote, unquote

import numpy as np
from numpy.typing import ArrayLike, NDArray

from moodcore import _core
from moodcore.estimators.gbt.estimator import GBT
from moodcore.estimators.table_schema import TableSchema
from moodcore.exchange.core_trees import core_arrays
from moodcore.exchange.forest import Forest


def fitted_gbt(
    forest: Forest,
    *,
    classes: NDArray[Any],
    feature_names: Sequence[str] | None,
    missing: float = np.nan,
    best_iteration: int | None = None,
    lightgbm: bool = False,
) -> GBT:
    """Return trees as a fitted classifier; see `TableSchema` for ``missing`` and ``lightgbm``."""
    arrays = core_arrays(forest)
    core = _core.GbtModel(arrays)
    if core.n_rounds == 0:
        raise ValueError("there must be at least one tree, got none")
    if best_iteration is not None and not 0 <= best_iteration < core.n_rounds:
        raise ValueError(f"best_iteration {best_iteration} must be below {core.n_rounds}")
    is_category = np.zeros(forest.n_features, dtype=bool)
    for tree in forest.trees:
        is_category[[int(tree.feature[node]) for node in tree.categories]] = True
    model = GBT(core.n_rounds, missing=missing)
    model.classes_ = classes
    model.n_features_in_ = forest.n_features
    if feature_names is not None:
        model.feature_names_in_ = np.array(feature_names, dtype=object)
    categorical = tuple(is_category.tolist())
    names = None if feature_names is None else tuple(feature_names)
    model.table_schema_ = TableSchema(
        categorical, (None,) * forest.n_features, missing, names, lightgbm=lightgbm
    )
    model.evals_result_ = {}
    model.best_iteration_, model.best_score_ = best_iteration, None
    model.seed_ = 0
    model.resolved_ = {}
    model.core_model_ = core
    return model


def class_labels(classes: ArrayLike | None, n_classes: int) -> NDArray[Any]:
    """Check the labels that the caller passes, or number the classes."""
    if classes is None:
        return np.arange(n_classes)
    labels = np.asarray(classes)
    if labels.shape != (n_classes,):
        raise ValueError(f"classes must be {n_classes} labels, got {np.size(classes)}")
    if not np.array_equal(labels, np.unique(labels)):
        raise ValueError(f"classes must be different and in ascending order, got {labels.tolist()}")
    return labels


def labels_as_text(labels: NDArray[Any]) -> str:
    """Write class labels as the JSON that `labels_of_text` reads, without a backslash.

    XGBoost does not keep backslashes when it converts JSON to UBJSON.
    """
    from moodcore.model_files.values import write_labels

    text = json.dumps(write_labels(labels))
    return quote(text) if "\\" in text else text


def labels_of_text(text: str) -> NDArray[Any]:
    """Read class labels that `labels_as_text` wrote."""
    from moodcore.model_files.values import read_labels

    try:
        return read_labels(json.loads(text if text.startswith("{") else unquote(text)))
    except (TypeError, KeyError, RecursionError) as error:
        raise ValueError(f"class labels cannot be read: {error!r}") from error
