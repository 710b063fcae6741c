"""Steps of a fitted model, which every writer of a format translates.

`moodcore.exchange.computation` makes them from a classifier or a pipeline, so that writers do not
depend on estimators.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moodcore.exchange.forest import Forest


@dataclass(frozen=True)
class Column:
    """An input column; ``labels`` are its categories in the order of their codes.

    A missing value is NaN; so is an unknown category, unless ``has_other``: then it is the code
    after the last.
    """

    name: str
    labels: tuple[Any, ...] | None = None
    has_other: bool = False


@dataclass(frozen=True)
class Select:
    """Columns in a new order, by position."""

    places: tuple[int, ...]


@dataclass(frozen=True)
class Scale:
    """``x * multiply + add``, clipped to ``limits`` unless they are None."""

    multiply: NDArray[np.float64]
    add: NDArray[np.float64]
    limits: tuple[float, float] | None


@dataclass(frozen=True)
class Standardize:
    """``(x - subtract) / divide``; None skips the operation."""

    subtract: NDArray[np.float64] | None
    divide: NDArray[np.float64] | None


@dataclass(frozen=True)
class CenterAndScale:
    """``(x - center) * factor``, clipped to ``limits``.

    With ``compress``, z becomes ``z / sqrt(1 + (z / compress)**2)`` after that.
    """

    center: NDArray[np.float64]
    factor: NDArray[np.float64]
    limits: tuple[float, float]
    compress: float | None


@dataclass(frozen=True)
class MissingValue:
    """Replace numbers at most ``within`` from ``value`` by NaN, in the ``columns``."""

    value: float
    columns: NDArray[np.bool_]
    within: float = 0.0


@dataclass(frozen=True)
class Truncate:
    """Truncate numbers to integers, in the ``columns``."""

    columns: NDArray[np.bool_]


@dataclass(frozen=True)
class Encode:
    """Replaced missing values and indicator columns, by the kind of each column.

    Kind 0 replaces NaN by the value; kind 1 is 1 for NaN, else 0; kind 2 is 1 for the value, else
    0.
    """

    kinds: NDArray[np.int64]
    values: NDArray[np.float64]


@dataclass(frozen=True)
class Network:
    """Layers ``x W + b`` of single precision, with ``activation`` except after the last; softmax.

    ``activation`` is "relu", "leaky_relu" (slope 0.01), "tanh" or "selu".
    """

    weights: tuple[NDArray[np.float32], ...]
    biases: tuple[NDArray[np.float32], ...]
    activation: str


@dataclass(frozen=True)
class LinearModel:
    """Scores ``x coef' + intercept`` of rows in single precision, one for two classes."""

    coef: NDArray[np.float64]
    intercept: NDArray[np.float64]


@dataclass(frozen=True)
class KernelModel:
    """Pairwise decisions by support vectors, on rows in single precision.

    The decision of a pair of classes is the sum of kernel values times ``weights`` (one row per
    vector, one column per pair), plus ``intercept``; it is above zero for the first class of the
    pairs (0, 1), (0, 2), ... ``vectors`` are sorted by class; ``sigmoids`` are the Platt scaling
    parameters, slopes and offsets. With ``by_pairs`` scores are the decisions, not the votes by
    class; ``break_ties`` breaks ties of votes by the decisions.
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


Step = Select | Scale | Standardize | CenterAndScale | MissingValue | Truncate | Encode
Classifier = Network | Forest | LinearModel | KernelModel


@dataclass(frozen=True)
class Computation:
    """Input columns, steps in order, and a classifier.

    ``class_names`` are those of a song pipeline, else the labels as text.
    """

    columns: tuple[Column, ...]
    steps: tuple[Step, ...]
    classifier: Classifier
    classes: NDArray[Any]
    class_names: tuple[str, ...]

    @property
    def has_probabilities(self) -> bool:
        """Return whether there are probabilities; an SVM without Platt scaling has scores."""
        if isinstance(self.classifier, KernelModel):
            return self.classifier.sigmoids is not None
        return not isinstance(self.classifier, LinearModel)

    @property
    def n_scores(self) -> int:
        """Return the number of probabilities or scores of a row."""
        n_classes = len(self.classes)
        if self.has_probabilities:
            return n_classes
        if n_classes == 2:
            return 1
        by_pairs = isinstance(self.classifier, KernelModel) and self.classifier.by_pairs
        return n_classes * (n_classes - 1) // 2 if by_pairs else n_classes
