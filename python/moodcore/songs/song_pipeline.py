"""The scikit-learn pipeline of the song experiment."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.utils.metaestimators import available_if

from moodcore.estimators.saveable import Saveable
from moodcore.estimators.table_containers import named_table, native
from moodcore.estimators.tables import read_table
from moodcore.preprocessing import BalancedClassifier, CorrelationFilter, SelectColumns
from moodcore.songs.column_checks import impossible_values, measure_columns, training_ranges
from moodcore.songs.schema import FEATURES, LABEL_NAMES, RANGES, SELECTED_FEATURES
from moodcore.tables.columns import Column

__all__ = ["SongPipeline", "pipeline"]


def _checked(name: str) -> Any:
    """Return a method of `Pipeline` that warns of values that no song has."""

    def method(self: Any, X: Any, **params: Any) -> Any:
        X = self.check_values(X, stacklevel=3)
        return getattr(super(SongPipeline, self), name)(X, **params)

    method.__name__, method.__doc__ = name, getattr(Pipeline, name).__doc__
    return available_if(lambda self: hasattr(super(SongPipeline, self), name))(method)


class SongPipeline(Saveable, Pipeline):
    """A pipeline that knows the names of its labels and can be saved and explained.

    Parameters
    ----------
    steps : list of (str, estimator)
        As for :class:`sklearn.pipeline.Pipeline`.
    label_names : sequence of str
        Name of each label code.
    memory, transform_input, verbose
        As for :class:`sklearn.pipeline.Pipeline`.

    Attributes
    ----------
    training_quantiles_ : ndarray of float64, shape (n_columns, 7)
        Quantiles of the columns in training (see `moodcore.songs.column_checks`), by which other
        units are noticed later. Missing in a model from an older file.
    """

    training_quantiles_: NDArray[np.float64]

    def __init__(
        self,
        steps: list[tuple[str, Any]],
        *,
        label_names: Sequence[str] = LABEL_NAMES,
        transform_input: Any = None,
        memory: Any = None,
        verbose: bool = False,
    ) -> None:
        super().__init__(steps, transform_input=transform_input, memory=memory, verbose=verbose)
        self.label_names = label_names

    def fit(self, X: Any, y: Any = None, **params: Any) -> Self:
        """Fit every step, and remember what the columns looked like.

        Parameters
        ----------
        X : table of shape (n_songs, n_columns)
            Songs.
        y : array-like of shape (n_songs,)
            Label codes.
        **params
            As for :class:`sklearn.pipeline.Pipeline`.

        Returns
        -------
        SongPipeline
            This pipeline.
        """
        table = named_table(X)
        super().fit(X if table is None else native(table), y, **params)
        if table is not None:
            names = list(table.columns)
            positions = [names.index(name) for name in self.feature_names_in_]
            columns = read_table(table, positions).numbers().astype(np.float64)
            if np.isfinite(columns).all():
                self.training_quantiles_ = measure_columns(columns)
        return self

    predict = _checked("predict")
    predict_proba = _checked("predict_proba")
    predict_log_proba = _checked("predict_log_proba")
    decision_function = _checked("decision_function")

    def check_values(self, X: Any, *, stacklevel: int = 2) -> Any:
        """Warn of values that no song has, such as percent where the model knows shares.

        Parameters
        ----------
        X : table of shape (n_songs, n_columns)
        stacklevel : int, default=2
            As for `warnings.warn`.

        Returns
        -------
        table
            The same songs: a stream of Arrow batches, which can be read once, as a table.
        """
        table = named_table(X)
        if table is None:
            return X
        names = [str(column) for column in table.columns]
        known = {n: r for n, r in training_ranges(self).items() if n in RANGES and n in names}
        values = read_table(table, [names.index(n) for n in known]).numbers() if known else None
        for at, (column, training) in enumerate(known.items()):
            warning = impossible_values(column, np.asarray(values)[:, at], training)
            if warning is not None:
                warnings.warn(str(warning), UserWarning, stacklevel=stacklevel)
        return native(table)

    def required_columns(self) -> list[Column]:
        """Return the columns that the fitted pipeline needs, with the values that they may hold."""
        names = [str(name) for name in self.feature_names_in_]
        return [Column(name, allowed=RANGES.get(name)) for name in names]


def pipeline(
    classifier: Any,
    *,
    features: str | Sequence[str] | CorrelationFilter = "published",
    balance: bool = False,
    label_names: Sequence[str] = LABEL_NAMES,
    random_state: Any = None,
) -> SongPipeline:
    """Build the pipeline of the experiment: column selection, scaling and a classifier.

    Everything is fitted on the rows that `fit` gets, and on no others.

    Parameters
    ----------
    classifier : classifier
        The last step.
    features : {"published", "all"}, sequence of str or CorrelationFilter, default="published"
        "published" keeps the seven of the published experiment; "all" keeps ten; a sequence
        names columns; a filter chooses from the ten by correlation.
    balance : bool, default=False
        Downsample every class to the smallest before the classifier is trained.
    label_names : sequence of str
        Name of each label code; some papers on this table swap the first two.
    random_state : int, RandomState or None, default=None
        Seed of the balancing, and with it of the classifier where its own is None.

    Returns
    -------
    SongPipeline
        Not yet fitted.

    Raises
    ------
    ValueError
        For a choice of features that is none of the above.

    Examples
    --------
    >>> from sklearn.dummy import DummyClassifier
    >>> list(pipeline(DummyClassifier()).named_steps)
    ['select', 'minmax', 'standardize', 'classify']
    """
    if balance:
        classifier = BalancedClassifier(classifier, random_state=random_state)
    steps = [
        ("select", _selection(features)),
        ("minmax", MinMaxScaler()),
        ("standardize", StandardScaler()),
        ("classify", classifier),
    ]
    return SongPipeline(steps, label_names=label_names)


def _selection(features: str | Sequence[str] | CorrelationFilter) -> Any:
    if isinstance(features, CorrelationFilter):
        columns = SelectColumns(FEATURES).set_output(transform="pandas")
        return Pipeline([("columns", columns), ("filter", features)])
    if isinstance(features, str):
        if features not in ("published", "all"):
            raise ValueError(
                f'features must be "published", "all", a list of columns or a CorrelationFilter, '
                f"got {features!r}"
            )
        return SelectColumns(SELECTED_FEATURES if features == "published" else FEATURES)
    if not len(features):
        raise ValueError("features must name at least one column, got none")
    return SelectColumns(tuple(features))
