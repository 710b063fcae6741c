"""Parameters of boosting, from the form of users to that of the core."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray


def _feature_index(feature: Any, names: Sequence[str] | None, n_features: int, what: str) -> int:
    if isinstance(feature, str):
        if names is None:
            raise ValueError(f"{what} names {feature!r}, but the training data had no names")
        if feature not in names:
            raise ValueError(f"{what} must name features ({', '.join(names)}), got {feature!r}")
        return list(names).index(feature)
    if isinstance(feature, bool | np.bool_) or not isinstance(feature, int | np.integer):
        raise TypeError(f"{what} must hold names or numbers of features, got {feature!r}")
    if not 0 <= feature < n_features:
        raise ValueError(f"{what} must hold feature numbers 0 to {n_features - 1}, got {feature}")
    return int(feature)


def _is_list(value: Any) -> bool:
    """Return whether a value is None or something that can be listed, other than text."""
    return value is None or (isinstance(value, Iterable) and not isinstance(value, str | bytes))


def categorical_mask(
    categorical_features: Any, names: Sequence[str] | None, n_features: int
) -> NDArray[np.bool_] | None:
    """Return which features are categorical; None if the types of the columns decide.

    Raises
    ------
    ValueError, TypeError
        If the features are not those of the table.
    """
    if isinstance(categorical_features, str) and categorical_features == "from_dtype":
        return None
    if isinstance(categorical_features, str) or not _is_list(categorical_features):
        raise ValueError(
            "categorical_features must be 'from_dtype', None, or a list of features, "
            f"got {categorical_features!r}"
        )
    mask = np.zeros(n_features, dtype=bool)
    if categorical_features is None:
        return mask
    listed = list(categorical_features)
    if listed and all(isinstance(entry, bool | np.bool_) for entry in listed):
        if len(listed) != n_features:
            raise ValueError(
                f"categorical_features must have an entry for each of {n_features} features, "
                f"got {len(listed)}"
            )
        return np.array(listed, dtype=bool)
    for feature in listed:
        mask[_feature_index(feature, names, n_features, "categorical_features")] = True
    return mask


def monotone_signs(
    constraints: Any, classes: NDArray[Any], names: Sequence[str] | None, n_features: int
) -> list[list[int]]:
    """Return the sign of each feature per output; empty without constraints.

    Raises
    ------
    ValueError, TypeError
        If features, classes or signs are not allowed.
    """
    if constraints is None or len(classes) == 1:
        return []
    if len(classes) == 2:
        signs = [_signs(constraints, names, n_features)]
    else:
        signs = _signs_by_class(constraints, classes, names, n_features)
    return signs if any(map(any, signs)) else []


def _signs_by_class(
    constraints: Any, classes: NDArray[Any], names: Sequence[str] | None, n_features: int
) -> list[list[int]]:
    labels = classes.tolist()
    if not isinstance(constraints, Mapping) or not set(constraints) <= set(labels):
        raise ValueError(
            f"monotone_constraints must be a dict from some of the classes {labels} to the signs "
            f"for that class's margin, got {constraints!r}"
        )
    signs = [[0] * n_features for _ in labels]
    for label, signed in constraints.items():
        signs[labels.index(label)] = _signs(signed, names, n_features)
    return signs


def _signs(constraints: Any, names: Sequence[str] | None, n_features: int) -> list[int]:
    what = "monotone_constraints"
    if isinstance(constraints, Mapping):
        given = {
            _feature_index(feature, names, n_features, what): sign
            for feature, sign in constraints.items()
        }
        listed = [given.get(at, 0) for at in range(n_features)]
    elif _is_list(constraints):
        listed = list(constraints)
    else:
        raise ValueError(
            f"{what} must be a list of signs, a dict from features to signs, or None, "
            f"got {constraints!r}"
        )
    if len(listed) != n_features:
        raise ValueError(f"{what} must have a sign for each of {n_features} features, "
                         f"got {len(listed)}")  # fmt: skip
    for sign in listed:
        if isinstance(sign, str) or sign not in (-1, 0, 1):
            raise ValueError(f"{what} must be -1, 0 or 1, got {sign!r}")
    return [int(sign) for sign in listed]


def interaction_groups(
    constraints: Any, names: Sequence[str] | None, n_features: int
) -> list[list[int]]:
    """Return the groups of features that may appear together on a path; empty for no constraint.

    Raises
    ------
    ValueError, TypeError
        If a group contains something else than features.
    """
    if constraints is None:
        return []
    what = "interaction_constraints"
    if isinstance(constraints, str) and constraints in ("pairwise", "no_interactions"):
        size = 2 if constraints == "pairwise" and n_features > 1 else 1
        return [list(group) for group in combinations(range(n_features), size)]
    groups = (list, tuple, set, frozenset, range, np.ndarray)
    listed: list[Any] = list(constraints) if isinstance(constraints, groups) else [None]
    if not all(isinstance(group, groups) for group in listed):
        raise TypeError(
            f"{what} must be a list of lists of features, 'pairwise', 'no_interactions' or None, "
            f"got {constraints!r}"
        )
    return [
        sorted({_feature_index(entry, names, n_features, what) for entry in group})
        for group in listed
    ]


def base_shares(base_score: Any, n_classes: int) -> list[float]:
    """Check the initial probabilities: one for two classes, else one per class.

    Raises
    ------
    ValueError
        If there is another number than outputs, or one is not between 0 and 1.
    """
    n_outputs = 1 if n_classes <= 2 else n_classes
    try:
        shares = np.atleast_1d(np.asarray(base_score, dtype=np.float64)).tolist()
    except (TypeError, ValueError):
        raise ValueError(
            f"base_score must be a float, a list of floats or None, got {base_score!r}"
        ) from None
    if len(shares) != n_outputs:
        wanted = (
            "the probability of the second class" if n_outputs == 1 else "a probability a class"
        )
        raise ValueError(f"base_score must be {wanted}, got {base_score!r}")
    for share in shares:
        if not 0 < share < 1:
            raise ValueError(f"base_score must be above 0 and below 1, got {share}")
    return shares


def check_missing(missing: Any) -> float | str:
    """Check the value that counts as missing; a TypeError if it is no float and no str."""
    if isinstance(missing, str):
        return missing
    if isinstance(missing, bool) or not isinstance(missing, int | float | np.number):
        raise TypeError(f"missing must be a float or a str, got {missing!r}")
    try:
        return float(missing)
    except OverflowError:
        raise ValueError(f"missing must be at most 1.8e308 in size, got {missing!r}") from None


def takes_weight(function: Callable[..., Any]) -> bool:
    """Return whether a callable takes ``sample_weight``."""
    try:
        return "sample_weight" in inspect.signature(function).parameters
    except (TypeError, ValueError):
        return False


def core_objective(
    objective: Any, y: NDArray[np.uint32], weight: NDArray[np.float64] | None
) -> Callable[[NDArray[np.float64]], tuple[NDArray[np.float64], NDArray[np.float64]]] | None:
    """Wrap an objective so that the core can call it with margins of shape (n, n_outputs)."""
    if objective is None:
        return None
    named = {"sample_weight": weight} if takes_weight(objective) else {}
    codes = y.astype(np.intp)

    def derivatives(
        margins: NDArray[np.float64],
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        by_output = margins[:, 0] if margins.shape[1] == 1 else margins
        returned = objective(codes, by_output, **named)
        if not (isinstance(returned, tuple | list) and len(returned) == 2):
            raise TypeError(
                f"the objective must return (gradient, hessian), got {type(returned).__name__}"
            )
        gradient, hessian = returned
        return (
            _derivative("gradient", gradient, by_output.shape).reshape(margins.shape),
            _derivative("hessian", hessian, by_output.shape).reshape(margins.shape),
        )

    return derivatives


def _derivative(name: str, values: Any, shape: tuple[int, ...]) -> NDArray[np.float64]:
    array = np.ascontiguousarray(values, dtype=np.float64)
    if array.shape != shape:
        raise ValueError(f"the objective's {name} must be of shape {shape}, got {array.shape}")
    finite = np.isfinite(array)
    if not finite.all():
        at = np.argwhere(~finite)[0].tolist()
        raise ValueError(f"the objective's {name} must be finite, got {array[*at]} in row {at[0]}")
    if name == "hessian" and (array < 0).any():
        row = int(np.argwhere(array < 0)[0][0])
        raise ValueError(f"the objective's hessian must be at least 0, got less in row {row}")
    return array


def validation_share(fraction: Any) -> float:
    """Check the fraction of the rows that is held out; 0.1 for None."""
    if fraction is None:
        return 0.1
    is_number = isinstance(fraction, int | float | np.number) and not isinstance(fraction, bool)
    if not (is_number and 0 < fraction < 1):
        raise ValueError(f"validation_fraction must be above 0 and below 1, got {fraction!r}")
    return float(fraction)
