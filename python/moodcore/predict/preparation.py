"""The preparation of a song pipeline without the pipeline: the same numbers, in less time.

Per batch, scikit-learn checks, copies and names the table once for each step, which takes longer
than the network itself. Here the columns go into one matrix, on which each scaler does in place
what its `transform` does, operation by operation: every bit is the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from moodcore.preprocessing import BalancedClassifier, CorrelationFilter, SelectColumns


@dataclass(frozen=True)
class Preparation:
    """The columns that the scalers see, the scalers, and the classifier that takes the matrix."""

    columns: list[str]
    scalers: list[MinMaxScaler | StandardScaler]
    classifier: Any

    @classmethod
    def of(cls, model: Any) -> Preparation | None:
        """Take a fitted pipeline apart; None where a step is of another kind."""
        if not isinstance(model, Pipeline) or len(model.steps) < 2:
            return None
        (_, first), *between, (_, last) = model.steps
        columns = _selected(first)
        scalers = [step for _, step in between]
        classifier = last.estimator_ if isinstance(last, BalancedClassifier) else last
        known = all(type(scaler) in (MinMaxScaler, StandardScaler) for scaler in scalers)
        if columns is None or not known or hasattr(classifier, "feature_names_in_"):
            return None
        return cls(columns, scalers, classifier)

    def matrix(self, values: dict[str, Any], good: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Return the scaled columns of the good rows."""
        matrix = np.empty((len(good), len(self.columns)))
        for at, name in enumerate(self.columns):
            matrix[:, at] = values[name]
        if not good.all():
            matrix = matrix[good]
        for scaler in self.scalers:
            if isinstance(scaler, MinMaxScaler):
                matrix *= scaler.scale_
                matrix += scaler.min_
                if scaler.clip:
                    np.clip(matrix, *scaler.feature_range, out=matrix)
            else:
                if scaler.with_mean:
                    matrix -= scaler.mean_
                if scaler.with_std:
                    matrix /= scaler.scale_
        return matrix


def _selected(step: Any) -> list[str] | None:
    """Return the names of the columns that a first step selects; None for another kind."""
    if isinstance(step, Pipeline) and len(step.steps) == 2:
        columns, chosen = (inner for _, inner in step.steps)
        names = _selected(columns)
        if names is None or not isinstance(chosen, CorrelationFilter):
            return None
        return [name for name, kept in zip(names, chosen.support_, strict=True) if kept]
    if isinstance(step, SelectColumns) and all(isinstance(name, str) for name in step.columns_):
        return list(step.columns_)
    return None
