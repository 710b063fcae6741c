"""Columns chosen by name."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_array, check_is_fitted

from moodcore.estimators.table_containers import as_table, refuse_repeated
from moodcore.estimators.tables import read_table, validate_numbers


class SelectColumns(TransformerMixin, BaseEstimator):
    """Select columns by name; their order in the table does not matter, and others are ignored.

    Parameters
    ----------
    columns : sequence of str or int, or None, default=None
        Names of DataFrame columns, or positions; None keeps all.

    Attributes
    ----------
    columns_ : list
        The columns kept, in order.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"tempo": [120.0], "uri": ["x"], "energy": [0.5]})
    >>> SelectColumns(["energy", "tempo"]).fit_transform(table).tolist()
    [[0.5, 120.0]]
    """

    columns_: list[Any]
    n_features_in_: int

    def __init__(self, columns: Sequence[str] | Sequence[int] | None = None) -> None:
        self.columns = columns

    def fit(self, X: Any, y: Any = None) -> Self:
        """Check that the columns are there.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_rows, n_features)
            The table; other columns may hold anything.
        y : ignored

        Returns
        -------
        SelectColumns
            This transformer.
        """
        if self.columns is None:
            validate_numbers(self, X, dtype="numeric")
            self.columns_ = list(getattr(self, "feature_names_in_", range(self.n_features_in_)))
            return self
        if isinstance(self.columns, str) or not len(self.columns):
            raise ValueError(
                f"columns must be a sequence of at least one name or position, or None, "
                f"got {self.columns!r}"
            )
        if len(set(self.columns)) < len(self.columns):
            raise ValueError(f"columns must name each column once, got {self.columns!r}")
        self.columns_ = list(self.columns)
        chosen = self._choose(X)
        self.n_features_in_ = chosen.shape[1]
        if all(isinstance(column, str) for column in self.columns_):
            self.feature_names_in_ = np.array(self.columns_, dtype=object)
        return self

    def transform(self, X: Any) -> NDArray[Any]:
        """Return the columns as floats.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_rows, n_features)
            The table.

        Returns
        -------
        ndarray of shape (n_rows, n_columns)

        Raises
        ------
        ValueError
            When a column is missing, not a number, NaN or infinite.
        """
        check_is_fitted(self, "columns_")
        if self.columns is None:
            return validate_numbers(self, X, dtype="numeric", reset=False)
        return self._choose(X)

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[Any]:
        """Return the names of the columns kept."""
        check_is_fitted(self, "columns_")
        return np.array([column_name(column) for column in self.columns_], dtype=object)

    def _choose(self, X: Any) -> NDArray[Any]:
        table = as_table(X)
        if hasattr(table, "columns") and any(isinstance(name, str) for name in self.columns_):
            positions = self._positions([str(name) for name in table.columns])
        else:
            positions = self._in_range(table.shape[1])
        return check_array(read_table(table, positions).numbers())

    def _positions(self, present: list[str]) -> list[int]:
        missing = [name for name in self.columns_ if name not in present]
        if missing:
            raise ValueError(_missing(missing, present))
        refuse_repeated([name for name in present if name in self.columns_])
        return [present.index(name) for name in self.columns_]

    def _in_range(self, n_columns: int) -> list[Any]:
        for column in self.columns_:
            number = isinstance(column, int | np.integer) and not isinstance(column, bool)
            if not number or not 0 <= column < n_columns:
                raise ValueError(f"positions of columns are 0 to {n_columns - 1}, got {column!r}")
        return self.columns_


def column_name(column: Any) -> str:
    """Return the name of a column: scikit-learn's where it has only a position."""
    return column if isinstance(column, str) else f"x{column}"


def _missing(missing: Sequence[str], present: Sequence[str]) -> str:
    parts = []
    for name in missing:
        near = get_close_matches(str(name), present, n=1)
        parts.append(f"{name!r}" + (f" (there is {near[0]!r})" if near else ""))
    return f"missing columns: {', '.join(parts)}; the table has {', '.join(map(repr, present))}"
