"""What stands between any table and a classifier that takes finite numbers."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin


class TablePreparation(TransformerMixin, BaseEstimator):
    """Impute and standardise numbers; give every category a column.

    Which columns are numbers is learned from the table that `fit` gets. An array has numbers
    only, a data frame may have both.

    Attributes
    ----------
    transformer_ : ColumnTransformer or Pipeline
        The fitted steps, all of scikit-learn.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"tempo": [90.0, None, 150.0], "key": ["a", "b", "a"]})
    >>> TablePreparation().fit_transform(table).round(2).tolist()
    [[-1.22, 1.0, 0.0], [0.0, 0.0, 1.0], [1.22, 1.0, 0.0]]
    """

    transformer_: Any

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn medians, scales and categories."""
        from sklearn.compose import make_column_selector, make_column_transformer
        from sklearn.impute import SimpleImputer
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import OneHotEncoder, StandardScaler

        numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
        if hasattr(X, "iloc"):
            categories = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
            # Truth values are numbers: 0 and 1.
            kinds = [np.number, bool]
            steps = make_column_transformer(
                (numbers, make_column_selector(dtype_include=kinds)),
                (categories, make_column_selector(dtype_exclude=kinds)),
            )
        else:
            steps = numbers
        self.transformer_ = steps.fit(X)
        return self

    def transform(self, X: Any) -> NDArray[np.float64]:
        """Return the table as finite numbers."""
        return np.ascontiguousarray(self.transformer_.transform(X), dtype=np.float64)
