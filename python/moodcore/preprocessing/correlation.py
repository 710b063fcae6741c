"""Elimination of correlated columns."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.metrics import mutual_info_score
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from moodcore.estimators.tables import validate_numbers
from moodcore.preprocessing.columns import column_name


class CorrelationFilter(TransformerMixin, BaseEstimator):
    """Drop one of each pair of correlated columns: the one with less information about the label.

    Pairs are taken from the strongest Pearson correlation down to ``threshold``; a pair of which
    one column is already gone is passed over. What a column tells of the label is its mutual
    information with it (Cover and Thomas 2006, equation 2.28), estimated over quantile bins: it
    sees any dependence, needs no random numbers and no more than a sort.

    Parameters
    ----------
    threshold : float, default=0.7
        Absolute correlation above which a pair loses a column, in [0, 1].

    Attributes
    ----------
    support_ : ndarray of bool, shape (n_features,)
        Which columns stay.
    correlation_ : ndarray of shape (n_features, n_features)
        Pearson correlations; zero, also with itself, for a constant column, which has none.
    constant_ : list of str
        Constant columns: their correlation is not defined, so they stay.
    relevance_ : ndarray of shape (n_features,)
        Mutual information with the label, in nats.
    dropped_ : list of dict
        Why each column went: ``column``, ``partner``, ``correlation``, and the ``relevance`` of
        both.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=500)
    >>> X = np.column_stack([x, x + 0.3 * rng.normal(size=500), rng.normal(size=500)])
    >>> filter = CorrelationFilter(0.7).fit(X, x > 0)
    >>> filter.support_.tolist(), filter.dropped_[0]["partner"]
    ([True, False, True], 'x0')
    """

    # Equal-count bins of the mutual information: more resolve finer and are biased upwards.
    _BINS = 32

    support_: NDArray[np.bool_]
    correlation_: NDArray[np.float64]
    relevance_: NDArray[np.float64]
    dropped_: list[dict[str, Any]]

    def __init__(self, threshold: float = 0.7) -> None:
        self.threshold = threshold

    def fit(self, X: Any, y: ArrayLike) -> Self:
        """Find the columns to drop.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features)
            Features.
        y : array-like of shape (n_rows,)
            Class labels.

        Returns
        -------
        CorrelationFilter
            This transformer.
        """
        if not 0 <= self.threshold <= 1:
            raise ValueError(f"threshold must be in [0, 1], got {self.threshold}")
        values, labels = validate_numbers(self, X, y, dtype=[np.float64], ensure_min_samples=2)
        check_classification_targets(labels)
        self.correlation_ = _correlation(values)
        self.relevance_ = np.array([self._information(column, labels) for column in values.T])
        self._drop()
        return self

    def transform(self, X: Any) -> NDArray[Any]:
        """Return the columns that are kept, shape (n_rows, n_kept)."""
        check_is_fitted(self, "support_")
        values = validate_numbers(self, X, dtype=[np.float64, np.float32], reset=False)
        return values[:, self.support_]

    @property
    def constant_(self) -> list[str]:
        """Constant columns."""
        check_is_fitted(self, "support_")
        itself = np.diag(self.correlation_)
        return [name for name, one in zip(self._names(), itself, strict=True) if one == 0.0]

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[Any]:
        """Return the names of the columns kept."""
        check_is_fitted(self, "support_")
        return np.array(self._names(), dtype=object)[self.support_]

    def _names(self) -> list[str]:
        names = getattr(self, "feature_names_in_", range(self.n_features_in_))
        return [column_name(column) for column in names]

    def _information(self, column: NDArray[np.float64], labels: NDArray[Any]) -> float:
        edges = np.unique(np.quantile(column, np.linspace(0, 1, self._BINS + 1)[1:-1]))
        return float(mutual_info_score(labels, np.searchsorted(edges, column, side="left")))

    def _drop(self) -> None:
        names = self._names()
        strength = np.abs(np.triu(self.correlation_, 1))
        first, second = np.nonzero(strength > self.threshold)
        order = np.argsort(-strength[first, second], kind="stable")
        self.support_ = np.ones(len(names), dtype=bool)
        self.dropped_ = []
        for a, b in zip(first[order], second[order], strict=True):
            if not (self.support_[a] and self.support_[b]):
                continue
            out, kept = (a, b) if self.relevance_[a] < self.relevance_[b] else (b, a)
            self.support_[out] = False
            self.dropped_.append(
                {
                    "column": names[out],
                    "partner": names[kept],
                    "correlation": float(self.correlation_[a, b]),
                    "relevance": float(self.relevance_[out]),
                    "partner_relevance": float(self.relevance_[kept]),
                }
            )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags


def _correlation(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return Pearson correlations, zero where a column is constant."""
    # Powers of two change no digit, and keep squares of huge and tiny values in range.
    values = np.ldexp(values, -np.frexp(np.abs(values).max(axis=0, initial=0.0))[1])
    centred = values - values.mean(axis=0)
    norm = np.linalg.norm(centred, axis=0)
    # Rounding leaves a constant column a spread of a few units in the last place.
    constant = norm <= 1e-12 * np.abs(values).max(axis=0, initial=0.0) * len(values)
    scaled = centred / np.where(constant, 1.0, norm)
    scaled[:, constant] = 0.0
    correlation: NDArray[np.float64] = np.clip(scaled.T @ scaled, -1.0, 1.0)
    np.fill_diagonal(correlation, np.where(constant, 0.0, 1.0))
    return correlation
