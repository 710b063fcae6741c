"""Evaluation sets, in the forms in which `fit` of all estimators takes them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class EvaluationSet:
    """Rows on which metrics are computed during training, as the caller passed them."""

    name: str
    X: Any
    y: Any
    sample_weight: Any = None
    base_margin: Any = None


def evaluation_sets(
    eval_set: Any,
    *,
    eval_names: Sequence[str] | None = None,
    sample_weight_eval_set: Any = None,
    base_margin_eval_set: Any = None,
    X_val: Any = None,
    y_val: Any = None,
    sample_weight_val: Any = None,
) -> list[EvaluationSet]:
    """Return the evaluation sets that were passed to `fit`.

    Parameters
    ----------
    eval_set : tuple (X, y), list of (X, y), dict of them by name, or None
        The form of LightGBM and XGBoost.
    eval_names : list of str, optional
        Names of the sets; by default "validation_0" and so on, or the keys of the dict.
    sample_weight_eval_set, base_margin_eval_set : list or dict of array-like, optional
        Weights and base margins, one entry per set, which may be None; for a single tuple also the
        array itself.
    X_val, y_val, sample_weight_val : optional
        The form of scikit-learn: one set, which is called "validation".

    Returns
    -------
    list of EvaluationSet
        In the order in which they were passed; names are unique.

    Raises
    ------
    TypeError, ValueError
        If both forms are used, sets are not pairs, or names, weights or margins do not match.
    """
    if X_val is None and y_val is None:
        if sample_weight_val is not None:
            raise ValueError("sample_weight_val needs X_val and y_val, which are not passed")
        return _of_eval_set(eval_set, eval_names, sample_weight_eval_set, base_margin_eval_set)
    for name, value in (("X_val", X_val), ("y_val", y_val)):
        if value is None:
            other = "y_val" if name == "X_val" else "X_val"
            raise ValueError(f"{other} is passed, but {name} is not")
    if eval_set is not None:
        raise ValueError("pass either eval_set or X_val and y_val, not both")
    return [EvaluationSet("validation", X_val, y_val, sample_weight_val)]


def _of_eval_set(
    eval_set: Any, eval_names: Sequence[str] | None, weights: Any, margins: Any
) -> list[EvaluationSet]:
    if eval_set is None:
        unused = {"sample_weight_eval_set": weights, "base_margin_eval_set": margins}
        for name, value in unused.items():
            if value is not None:
                raise ValueError(f"{name} needs eval_set, which is not passed")
        return []
    names: list[Any]
    if isinstance(eval_set, Mapping):
        names, pairs = list(eval_set), list(eval_set.values())
    else:
        if not isinstance(eval_set, tuple | list):
            raise TypeError(
                "eval_set must be a tuple (X, y), a list of such tuples or a dict of them, "
                f"got {type(eval_set).__name__}"
            )
        if isinstance(eval_set, tuple) and not all(isinstance(pair, tuple) for pair in eval_set):
            eval_set = [eval_set]
            weights, margins = _of_single(weights), _of_single(margins)
        pairs = list(eval_set)
        names = [f"validation_{position}" for position in range(len(pairs))]
    if eval_names is not None:
        names = list(eval_names)
    if len(names) != len(pairs) or len(set(names)) != len(names):
        raise ValueError(
            f"eval_names must be a different name for each of {len(pairs)} evaluation sets, "
            f"got {names}"
        )
    for name, pair in zip(names, pairs, strict=True):
        if not (isinstance(pair, tuple | list) and len(pair) == 2):
            raise TypeError(
                f"eval_set must contain tuples (X, y), got {type(pair).__name__} for {name!r}"
            )
    set_weights = _per_set("sample_weight_eval_set", weights, names)
    set_margins = _per_set("base_margin_eval_set", margins, names)
    return [
        EvaluationSet(str(name), X, y, weight, margin)
        for name, (X, y), weight, margin in zip(names, pairs, set_weights, set_margins, strict=True)
    ]


def _of_single(values: Any) -> Any:
    """Wrap the weights or margins of a single set in a list, unless they already are in one."""
    if values is None or isinstance(values, Mapping):
        return values
    if isinstance(values, list | tuple) and len(values) == 1 and np.ndim(values[0]) > 0:
        return values
    return [values]


def _per_set(parameter: str, values: Any, names: list[Any]) -> list[Any]:
    if values is None:
        return [None] * len(names)
    if isinstance(values, Mapping):
        unknown = [name for name in values if name not in names]
        if unknown:
            raise ValueError(
                f"{parameter} must have names of evaluation sets ({names}) as keys, "
                f"got {unknown[0]!r}"
            )
        return [values.get(name) for name in names]
    if len(values) != len(names):
        raise ValueError(
            f"{parameter} must have an entry for each of {len(names)} sets, got {len(values)}"
        )
    return list(values)
