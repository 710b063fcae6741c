"""A classifier with the automatic preparation of its table, as one scikit-learn pipeline."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

from sklearn.pipeline import Pipeline

from moodcore.estimators.saveable import Saveable
from moodcore.estimators.table_containers import named_table, native
from moodcore.preprocessing import BalancedClassifier
from moodcore.tables.columns import Column
from moodcore.tables.preparation import TablePreparation, kind_of

__all__ = ["TablePipeline", "pipeline"]


class TablePipeline(Saveable, Pipeline):
    """A pipeline that takes any table, knows its class names, and can be saved and explained.

    Parameters
    ----------
    steps : list of (str, estimator)
        As for :class:`sklearn.pipeline.Pipeline`: "prepare" and "classify".
    class_names : sequence of str or None, default=None
        A name for each class in ascending order of the labels; None means the labels.
    transform_input, memory, verbose
        As for :class:`sklearn.pipeline.Pipeline`.
    """

    def __init__(
        self,
        steps: list[tuple[str, Any]],
        *,
        class_names: Sequence[str] | None = None,
        transform_input: Any = None,
        memory: Any = None,
        verbose: bool = False,
    ) -> None:
        super().__init__(steps, transform_input=transform_input, memory=memory, verbose=verbose)
        self.class_names = class_names

    def fit(self, X: Any, y: Any = None, **params: Any) -> Self:
        """Fit every step.

        Parameters
        ----------
        X : table of shape (n_rows, n_columns)
        y : array-like of shape (n_rows,)
        **params
            As for :class:`sklearn.pipeline.Pipeline`.
        """
        # Two steps read the table, and a stream of record batches can be read once.
        table = named_table(X)
        return super().fit(X if table is None else native(table), y, **params)

    def required_columns(self) -> list[Column]:
        """Return the columns that the fitted pipeline needs."""
        columns: list[Column] = self.steps[0][1].required_columns()
        return columns


def pipeline(
    classifier: Any,
    *,
    columns: Sequence[str] | None = None,
    balance: bool = False,
    class_names: Sequence[str] | None = None,
    random_state: Any = None,
) -> TablePipeline:
    """Return a pipeline of automatic preparation and a classifier.

    Everything is fitted on the rows that `fit` gets, and on no others.

    Parameters
    ----------
    classifier : classifier
        The last step.
    columns : sequence of str or None, default=None
        The columns to use; None uses all numbers, truth values and categories.
    balance : bool, default=False
        Downsample every class to the smallest before the classifier is trained.
    class_names : sequence of str or None, default=None
        A name for each class in ascending order of the labels.
    random_state : int, RandomState or None, default=None
        Seed of the balancing.

    Returns
    -------
    TablePipeline
        Not yet fitted.

    Examples
    --------
    >>> from moodcore import GBT
    >>> pipeline(GBT()).named_steps["prepare"].kind
    'native'
    """
    prepare = TablePreparation(kind_of(classifier), columns=columns)
    if balance:
        classifier = BalancedClassifier(classifier, random_state=random_state)
    return TablePipeline([("prepare", prepare), ("classify", classifier)], class_names=class_names)
