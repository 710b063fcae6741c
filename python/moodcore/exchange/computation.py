"""Conversion of a fitted model to the steps that writers translate."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from moodcore.estimators.svm.kernels import dense_support_vectors
from moodcore.estimators.table_schema import LIGHTGBM_ZERO
from moodcore.exchange.forest import Forest, forest_of
from moodcore.exchange.steps import (
    CenterAndScale,
    Classifier,
    Column,
    Computation,
    Encode,
    KernelModel,
    LinearModel,
    MissingValue,
    Network,
    Scale,
    Select,
    Standardize,
    Step,
    Truncate,
)
from moodcore.preprocessing.columns import column_name


def computation_of(model: Any, *, classifier_only: bool = False) -> Computation:
    """Split a fitted model into steps, or return those of its classifier only."""
    parts = flat_parts(model)
    if classifier_only:
        parts = parts[-1:]
    walk = _Walk()
    for part in parts[:-1]:
        kind = type(part).__name__
        if not is_known_transformer(part):
            known = ", ".join(sorted(_TRANSFORMERS))
            raise TypeError(
                f"this format supports pipelines of {known}, and a classifier; got {kind}"
                f"{_reason(part)}. ONNX files support other transformers of scikit-learn too"
            )
        if walk.enter(part) and kind == "SelectColumns":
            continue
        _TRANSFORMERS[kind](part, walk)
    kind = type(parts[-1]).__name__
    if kind not in _CLASSIFIERS:
        known = ", ".join(sorted(_CLASSIFIERS))
        raise TypeError(f"the classifier of an export must be one of {known}, got {kind}")
    walk.enter(parts[-1])
    classifier = _CLASSIFIERS[kind](parts[-1], walk)
    classes = parts[-1].classes_
    names = tuple(str(label) for label in classes.tolist())
    if getattr(model, "class_names", None) is not None:
        names = tuple(model.class_names)
    label_names = getattr(model, "label_names", None)
    if label_names is not None:
        codes = classes.tolist()
        names = tuple(
            str(label_names[code])
            if isinstance(code, int) and 0 <= code < len(label_names)
            else str(code)
            for code in codes
        )
    return Computation(tuple(walk.columns), tuple(walk.steps), classifier, classes, names)


def is_known_transformer(part: Any) -> bool:
    """Return whether a transformer can be translated to steps."""
    return type(part).__name__ in _TRANSFORMERS and not _reason(part)


def _reason(part: Any) -> str:
    """Return why a transformer of a known kind cannot be translated; empty if it can."""
    kind = type(part).__name__
    if kind == "FunctionTransformer" and part.func is not None:
        return " with a function"
    if kind == "MaxAbsScaler" and getattr(part, "clip", False):
        return " with clip=True"
    return _reason_of_imputer(part) if kind == "SimpleImputer" else ""


def _reason_of_imputer(part: Any) -> str:
    check_is_fitted(part)
    missing = part.missing_values
    if part.statistics_.dtype.kind != "f":
        return " of text"
    if not (isinstance(missing, float) and np.isnan(missing)):
        return f" with missing_values={missing!r}"
    if part.add_indicator:
        return " with add_indicator=True"
    return " with a column that has no values" if np.isnan(part.statistics_).any() else ""


def transformer_steps(part: Any) -> tuple[Step, ...]:
    """Return the steps of a single transformer.

    Raises
    ------
    TypeError
        If its parameters are not supported.
    """
    if _reason(part):
        raise TypeError(f"{type(part).__name__}{_reason(part)} is not supported")
    walk = _Walk()
    walk.enter(part)
    _TRANSFORMERS[type(part).__name__](part, walk)
    return tuple(walk.steps)


def flat_parts(model: Any) -> list[Any]:
    """List the parts of a pipeline, the classifier last, without wrappers."""
    if hasattr(model, "steps"):
        check_is_fitted(model)
        return [part for _, step in model.steps for part in flat_parts(step)]
    if type(model).__name__ == "BalancedClassifier":
        check_is_fitted(model, "estimator_")
        return flat_parts(model.estimator_)
    return [model]


class _Walk:
    """The input columns, the steps so far, and the current names of the columns."""

    def __init__(self) -> None:
        self.columns: list[Column] = []
        self.steps: list[Step] = []
        self.names: list[str] = []

    def enter(self, part: Any) -> bool:
        """Read the input columns of the first part; return whether this is the first."""
        check_is_fitted(part)
        if self.columns:
            return False
        if type(part).__name__ == "TablePreparation":
            self.columns = [
                Column(column.name, column.levels or None, column.has_other)
                for column in part.columns_
            ]
        elif type(part).__name__ == "SelectColumns":
            # Of a table only the selected columns matter.
            self.columns = [Column(str(column_name(column))) for column in part.columns_]
        else:
            unnamed = map(column_name, range(part.n_features_in_))
            names = getattr(part, "feature_names_in_", unnamed)
            self.columns = [Column(str(name)) for name in names]
        self.names = [column.name for column in self.columns]
        return True

    def select(self, places: Sequence[int]) -> None:
        if list(places) != list(range(len(self.names))):
            self.steps.append(Select(tuple(places)))
        self.names = [self.names[place] for place in places]


def _select_columns(part: Any, walk: _Walk) -> None:
    selected = part.columns_
    by_name = all(isinstance(column, str) for column in selected)
    walk.select([walk.names.index(name) for name in selected] if by_name else selected)


def _correlation_filter(part: Any, walk: _Walk) -> None:
    walk.select(np.flatnonzero(part.support_).tolist())


def _min_max(part: Any, walk: _Walk) -> None:
    limits = tuple(map(float, part.feature_range)) if part.clip else None
    walk.steps.append(Scale(part.scale_, part.min_, limits))  # type: ignore[arg-type]


def _standard(part: Any, walk: _Walk) -> None:
    subtract = part.mean_ if part.with_mean else None
    divide = part.scale_ if part.with_std else None
    if subtract is not None or divide is not None:
        walk.steps.append(Standardize(subtract, divide))


def _max_abs(part: Any, walk: _Walk) -> None:
    walk.steps.append(Standardize(None, part.scale_))


def _robust(part: Any, walk: _Walk) -> None:
    walk.steps.append(Standardize(part.center_, part.scale_))


def _imputer(part: Any, walk: _Walk) -> None:
    walk.steps.append(Encode(np.zeros(len(part.statistics_), int), part.statistics_.astype(float)))


def _identity(part: Any, walk: _Walk) -> None:
    """Add nothing: a `FunctionTransformer` without function returns its rows."""


def _table_preparation(part: Any, walk: _Walk) -> None:
    if walk.steps or walk.names != [column.name for column in part.columns_]:
        raise TypeError("the preparation of a table is exported as the first step of a pipeline")
    if part.kind == "native":
        return
    # One tuple per prepared column: position, kind, value, center, scale.
    prepared: list[tuple[int, int, float, float, float]] = []
    for place, column in enumerate(part.columns_):
        if column.kind == "category":
            codes = range(len(column.levels) + column.has_other)
            prepared += [(place, 2, float(code), 0.0, 1.0) for code in codes]
        else:
            prepared.append((place, 0, float(column.median), column.center, column.scale))
        if column.has_missing:
            prepared.append((place, 1, 0.0, 0.0, 1.0))
    places, kinds, values, subtract, divide = map(list, zip(*prepared, strict=True))
    walk.select(places)
    walk.names = part.get_feature_names_out().tolist()
    walk.steps.append(Encode(np.array(kinds), np.array(values)))
    walk.steps.append(Standardize(np.array(subtract), np.array(divide)))


_TRANSFORMERS: dict[str, Callable[[Any, _Walk], None]] = {
    "CorrelationFilter": _correlation_filter,
    "FunctionTransformer": _identity,
    "MaxAbsScaler": _max_abs,
    "MinMaxScaler": _min_max,
    "RobustScaler": _robust,
    "SelectColumns": _select_columns,
    "SimpleImputer": _imputer,
    "StandardScaler": _standard,
    "TablePreparation": _table_preparation,
}


def _network(model: Any, walk: _Walk) -> Network:
    scale = model.input_scale_
    if scale is not None:
        limits = (-scale.LARGEST, scale.LARGEST)
        compress = scale.LIMIT if scale.clips else None
        walk.steps.append(CenterAndScale(scale.center, scale.factor, limits, compress))
    return Network(tuple(model.coefs_), tuple(model.intercepts_), model.core_model_.activation)


def _forest(model: Any, walk: _Walk) -> Forest:
    schema = model.table_schema_
    if schema.has_categories and walk.steps:
        raise TypeError("categories of text come in only where trees are the first step")
    walk.columns = [
        replace(column, labels=None if labels is None else tuple(labels))
        for column, labels in zip(walk.columns, schema.categories, strict=True)
    ] if schema.has_categories else walk.columns  # fmt: skip
    numbers = np.array([labels is None for labels in schema.categories])
    categorical = np.array(schema.categorical)
    if schema.lightgbm and categorical.any():
        walk.steps.append(Truncate(categorical))
        numbers = ~categorical
    if not isinstance(schema.missing, str) and not np.isnan(schema.missing) and numbers.any():
        within = LIGHTGBM_ZERO if schema.lightgbm else 0.0
        walk.steps.append(MissingValue(float(schema.missing), numbers, within))
    return forest_of(model.predicting_trees())


def _linear(model: Any, walk: _Walk) -> LinearModel:
    return LinearModel(model.coef_, model.intercept_)


def _kernel(model: Any, walk: _Walk) -> KernelModel:
    if callable(model.kernel) or model.kernel == "precomputed":
        kernel = "a callable" if callable(model.kernel) else '"precomputed"'
        raise TypeError(
            f"an SVM is exported with a linear, poly, rbf or sigmoid kernel; its kernel is {kernel}"
        )
    core = model.core_model_
    vectors = dense_support_vectors(core)
    if vectors.dtype != np.float32:
        raise ValueError(
            "an SVM is exported with float32 features; this one needs float64, because rounding "
            "to float32 would change the differences between its training rows: train it on "
            "scaled features (StandardScaler)"
        )
    return KernelModel(
        core.kernel,
        core.gamma,
        core.degree,
        core.coef0,
        vectors,
        model.n_support_,
        pair_weights(core.dual_coef, model.n_support_),
        core.intercept,
        core.sigmoids if model.probability else None,
        model.decision_function_shape == "ovo",
        bool(model.break_ties),
    )


def pair_weights(dual_coef: NDArray[np.float64], n_support: NDArray[Any]) -> NDArray[np.float64]:
    """Convert coefficients of shape (n_classes - 1, n_vectors), as an `SVM` has them, to pairs.

    The result has one row per vector and one column per pair; zero for vectors of other classes.
    """
    n_classes, ends = len(n_support), np.cumsum(n_support)
    of_class = [slice(end - count, end) for end, count in zip(ends, n_support, strict=True)]
    first, second = np.triu_indices(n_classes, k=1)
    weights = np.zeros((int(ends[-1]), len(first)))
    for pair, (a, b) in enumerate(zip(first, second, strict=True)):
        weights[of_class[a], pair] = dual_coef[b - 1, of_class[a]]
        weights[of_class[b], pair] = dual_coef[a, of_class[b]]
    return weights


_CLASSIFIERS: dict[str, Callable[[Any, _Walk], Classifier]] = {
    "GBT": _forest,
    "LinearSVM": _linear,
    "MLP": _network,
    "SVM": _kernel,
}
