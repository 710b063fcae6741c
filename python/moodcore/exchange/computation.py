"""What a fitted model computes, as a list of steps that every writer translates.

`computation_of` takes a classifier or a pipeline apart. A writer of a format knows these steps and
nothing of estimators.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from moodcore.exchange.forest import Forest, forest_of
from moodcore.preprocessing.columns import column_name

__all__ = [
    "Column",
    "Computation",
    "Encode",
    "Forest",
    "KernelMachine",
    "LinearMachine",
    "MissingValue",
    "Network",
    "Scale",
    "Select",
    "Standardize",
    "computation_of",
]


@dataclass(frozen=True)
class Column:
    """A column that comes in; ``labels`` are its categories in the order of their codes.

    A missing value is NaN; so is a category that is none of them, unless ``has_other``: then it is
    the code after the last.
    """

    name: str
    labels: tuple[Any, ...] | None = None
    has_other: bool = False


@dataclass(frozen=True)
class Select:
    """Columns in a new order, by their places."""

    places: tuple[int, ...]


@dataclass(frozen=True)
class Scale:
    """``x * multiply + add``, then within ``limits`` where there are any."""

    multiply: NDArray[np.float64]
    add: NDArray[np.float64]
    limits: tuple[float, float] | None


@dataclass(frozen=True)
class Standardize:
    """``(x - subtract) / divide``; None for what is left out."""

    subtract: NDArray[np.float64] | None
    divide: NDArray[np.float64] | None


@dataclass(frozen=True)
class MissingValue:
    """A value in whose place NaN stands."""

    value: float


@dataclass(frozen=True)
class Encode:
    """Missing values replaced, or columns of zeros and ones for what a value is.

    Attributes
    ----------
    kinds : ndarray of int, shape (n_columns,)
        0 where `values` replaces NaN, 1 where NaN becomes 1 and numbers 0, and 2 where the number
        in `values` becomes 1 and everything else 0.
    values : ndarray of float64, shape (n_columns,)
    """

    kinds: NDArray[np.int64]
    values: NDArray[np.float64]


@dataclass(frozen=True)
class Network:
    """Layers ``x W + b`` of single precision, rectified but the last; then a softmax."""

    weights: tuple[NDArray[np.float32], ...]
    biases: tuple[NDArray[np.float32], ...]


@dataclass(frozen=True)
class LinearMachine:
    """Scores ``x coef' + intercept`` of rows in single precision, one for two classes."""

    coef: NDArray[np.float64]
    intercept: NDArray[np.float64]


@dataclass(frozen=True)
class KernelMachine:
    """Decisions of pairs of classes by support vectors, on rows in single precision.

    Attributes
    ----------
    kernel : {"linear", "poly", "rbf", "sigmoid"}
    gamma, coef0 : float
    degree : int
    vectors : ndarray of float32, shape (n_vectors, n_features)
        Class by class.
    n_support : ndarray of int, shape (n_classes,)
        How many vectors each class has.
    weights : ndarray of float64, shape (n_vectors, n_pairs)
        The decision of a pair is the sum of kernel values times weights, plus the intercept; it is
        above zero for the first class of the pairs (0, 1), (0, 2) and so on.
    intercept : ndarray of float64, shape (n_pairs,)
    sigmoids : tuple of two ndarray of shape (n_pairs,), or None
        Slopes and offsets of calibrated probabilities.
    by_pairs : bool
        Whether scores are the decisions, and not the votes by class.
    break_ties : bool
        Whether classes with as many votes are told apart by their decisions.
    """

    kernel: str
    gamma: float
    degree: int
    coef0: float
    vectors: NDArray[np.float32]
    n_support: NDArray[Any]
    weights: NDArray[np.float64]
    intercept: NDArray[np.float64]
    sigmoids: tuple[NDArray[np.float64], NDArray[np.float64]] | None
    by_pairs: bool
    break_ties: bool


Step = Select | Scale | Standardize | MissingValue | Encode
Classifier = Network | Forest | LinearMachine | KernelMachine


@dataclass(frozen=True)
class Computation:
    """A model taken apart.

    Attributes
    ----------
    columns : tuple of Column
        What comes in.
    steps : tuple
        What is done with the columns, in order.
    classifier : Network, Forest, LinearMachine or KernelMachine
    classes : ndarray of shape (n_classes,)
        Labels of the classes.
    class_names : tuple of str
        Names of the classes: those of a song pipeline, else the labels as text.
    """

    columns: tuple[Column, ...]
    steps: tuple[Step, ...]
    classifier: Classifier
    classes: NDArray[Any]
    class_names: tuple[str, ...]

    @property
    def has_probabilities(self) -> bool:
        """Whether there are probabilities; machines that are not calibrated have scores."""
        if isinstance(self.classifier, KernelMachine):
            return self.classifier.sigmoids is not None
        return not isinstance(self.classifier, LinearMachine)

    @property
    def n_scores(self) -> int:
        """The width of probabilities or scores."""
        n_classes = len(self.classes)
        if self.has_probabilities:
            return n_classes
        if n_classes == 2:
            return 1
        machine = self.classifier
        by_pairs = isinstance(machine, KernelMachine) and machine.by_pairs
        return n_classes * (n_classes - 1) // 2 if by_pairs else n_classes


def computation_of(model: Any, *, classifier_only: bool = False) -> Computation:
    """Take a fitted model apart."""
    parts = flat_parts(model)
    if classifier_only:
        parts = parts[-1:]
    walk = _Walk()
    for part in parts[:-1]:
        kind = type(part).__name__
        if kind not in _TRANSFORMERS:
            known = ", ".join(sorted(_TRANSFORMERS))
            raise TypeError(f"a pipeline that is exported holds {known}; got {kind}")
        if walk.enter(part) and kind == "SelectColumns":
            continue
        _TRANSFORMERS[kind](part, walk)
    kind = type(parts[-1]).__name__
    if kind not in _CLASSIFIERS:
        known = ", ".join(sorted(_CLASSIFIERS))
        raise TypeError(f"exported are classifiers of the kinds {known}; got {kind}")
    walk.enter(parts[-1])
    classifier = _CLASSIFIERS[kind](parts[-1], walk)
    classes = parts[-1].classes_
    names = tuple(str(label) for label in classes.tolist())
    if getattr(model, "class_names", None) is not None:
        names = tuple(model.class_names)
    told = getattr(model, "label_names", None)
    if told is not None:
        codes = classes.tolist()
        names = tuple(
            str(told[code]) if isinstance(code, int) and 0 <= code < len(told) else str(code)
            for code in codes
        )
    return Computation(tuple(walk.columns), tuple(walk.steps), classifier, classes, names)


def flat_parts(model: Any) -> list[Any]:
    """List the parts of a pipeline, the classifier last."""
    if hasattr(model, "steps"):
        check_is_fitted(model)
        return [part for _, step in model.steps for part in flat_parts(step)]
    if type(model).__name__ == "BalancedClassifier":
        check_is_fitted(model, "estimator_")
        return flat_parts(model.estimator_)
    return [model]


class _Walk:
    """The columns that came in, the steps so far, and the names of the columns now."""

    def __init__(self) -> None:
        self.columns: list[Column] = []
        self.steps: list[Step] = []
        self.names: list[str] = []

    def enter(self, part: Any) -> bool:
        """Learn from the first part what comes in; tell whether this is the first."""
        check_is_fitted(part)
        if self.columns:
            return False
        if type(part).__name__ == "SelectColumns":
            # Of a table it knows the columns that it takes, by name or position, and no others.
            names = [column_name(column) for column in part.columns_]
        else:
            unnamed = map(column_name, range(part.n_features_in_))
            names = getattr(part, "feature_names_in_", list(unnamed))
        self.names = [str(name) for name in names]
        self.columns = [Column(name) for name in self.names]
        if type(part).__name__ == "TablePreparation":
            # So does the preparation of a table, and their categories.
            used = [column.name for column in part.columns_]
            self.columns = [
                Column(column.name, column.levels or None, column.has_other)
                for column in part.columns_
            ]
            self.names = used
        return True

    def select(self, places: Sequence[int]) -> None:
        if list(places) != list(range(len(self.names))):
            self.steps.append(Select(tuple(places)))
        self.names = [self.names[place] for place in places]


def _select_columns(part: Any, walk: _Walk) -> None:
    chosen = part.columns_
    by_name = all(isinstance(column, str) for column in chosen)
    walk.select([walk.names.index(name) for name in chosen] if by_name else chosen)


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


def _table_preparation(part: Any, walk: _Walk) -> None:
    if walk.steps or walk.names != [column.name for column in part.columns_]:
        raise TypeError("the preparation of a table is exported as the first step of a pipeline")
    if part.kind == "native":
        return
    places: list[int] = []
    kinds: list[int] = []
    values: list[float] = []
    subtract: list[float] = []
    divide: list[float] = []
    for at, column in enumerate(part.columns_):
        is_category = column.kind == "category"
        codes = range(len(column.levels) + column.has_other) if is_category else [column.median]
        own = [(2 if is_category else 0, float(value)) for value in codes]
        own += [(1, 0.0)] if column.has_missing else []
        for kind, value in own:
            places.append(at)
            kinds.append(kind)
            values.append(value)
            subtract.append(column.center if kind == 0 else 0.0)
            divide.append(column.scale if kind == 0 else 1.0)
    walk.select(places)
    walk.names = part.get_feature_names_out().tolist()
    walk.steps.append(Encode(np.array(kinds), np.array(values)))
    walk.steps.append(Standardize(np.array(subtract), np.array(divide)))


_TRANSFORMERS: dict[str, Callable[[Any, _Walk], None]] = {
    "CorrelationFilter": _correlation_filter,
    "MinMaxScaler": _min_max,
    "SelectColumns": _select_columns,
    "StandardScaler": _standard,
    "TablePreparation": _table_preparation,
}


def _network(model: Any, walk: _Walk) -> Network:
    return Network(tuple(model.coefs_), tuple(model.intercepts_))


def _forest(model: Any, walk: _Walk) -> Forest:
    schema = model.table_schema_
    if schema.has_categories and walk.steps:
        raise TypeError("categories of text come in only where trees are the first step")
    walk.columns = [
        replace(column, labels=None if labels is None else tuple(labels))
        for column, labels in zip(walk.columns, schema.categories, strict=True)
    ] if schema.has_categories else walk.columns  # fmt: skip
    if not isinstance(schema.missing, str) and not np.isnan(schema.missing):
        walk.steps.append(MissingValue(float(schema.missing)))
    return forest_of(model.predicting_trees())


def _linear(model: Any, walk: _Walk) -> LinearMachine:
    return LinearMachine(model.coef_, model.intercept_)


def _kernel(model: Any, walk: _Walk) -> KernelMachine:
    if callable(model.kernel) or model.kernel == "precomputed":
        told = "a callable" if callable(model.kernel) else '"precomputed"'
        raise TypeError(
            f"an SVM is exported with a linear, poly, rbf or sigmoid kernel; its kernel is {told}"
        )
    core = model.core_model_
    return KernelMachine(
        core.kernel,
        core.gamma,
        core.degree,
        core.coef0,
        core.vectors,
        model.n_support_,
        pair_weights(core.dual_coef, model.n_support_),
        core.intercept,
        core.sigmoids if model.probability else None,
        model.decision_function_shape == "ovo",
        bool(model.break_ties),
    )


def pair_weights(dual_coef: NDArray[np.float64], n_support: NDArray[Any]) -> NDArray[np.float64]:
    """Lay coefficients against each other class out by pair of classes."""
    n_classes, ends = len(n_support), np.cumsum(n_support)
    own = [slice(end - count, end) for end, count in zip(ends, n_support, strict=True)]
    first, second = np.triu_indices(n_classes, k=1)
    weights = np.zeros((int(ends[-1]), len(first)))
    for pair, (a, b) in enumerate(zip(first, second, strict=True)):
        weights[own[a], pair] = dual_coef[b - 1, own[a]]
        weights[own[b], pair] = dual_coef[a, own[b]]
    return weights


_CLASSIFIERS: dict[str, Callable[[Any, _Walk], Classifier]] = {
    "GBT": _forest,
    "LinearSVM": _linear,
    "MLP": _network,
    "SVM": _kernel,
}
