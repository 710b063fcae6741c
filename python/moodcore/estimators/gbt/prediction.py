"""What fitted boosted trees can be asked."""

import copy
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from moodcore import _core
from moodcore.estimators.base import CoreClassifier
from moodcore.estimators.gbt.inspection import (
    Importance,
    dump_trees,
    feature_importances,
    tree_table,
)
from moodcore.estimators.gbt.rows import read_margin
from moodcore.estimators.table_schema import Table, TableSchema, row_count
from moodcore.estimators.tables import validate_table
from moodcore.platform import instruction_set, thread_count

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

# What belongs to a fitted model, beside what the core holds.
_FITTED = ("classes_", "n_features_in_", "feature_names_in_", "_schema")


class GbtPrediction(CoreClassifier):
    """Predictions, contributions and pictures of a fitted `GBT`."""

    best_iteration_: int | None
    best_score_: float | None
    evals_result_: dict[str, dict[str, list[float]]]
    n_iter_: int
    n_trees_: int
    _schema: TableSchema
    _model: _core.GbtModel
    # The rounds that predictions use, as a model of their own.
    _predicting: _core.GbtModel
    _core_seed: int

    def predict(self, X: Any, *, base_margin: ArrayLike | None = None) -> NDArray[Any]:
        """Give the likeliest class of each row.

        Parameters
        ----------
        X : table of shape (n_rows, n_features)
        base_margin : array-like of shape (n_rows,) or (n_rows, n_classes), optional
            Margins that are added to the model's.

        Returns
        -------
        ndarray of shape (n_rows,)
        """
        margins = self._margins(X, base_margin)
        if len(self.classes_) == 2:
            return self.classes_[(margins[:, 0] > 0).astype(np.intp)]
        return self.classes_[margins.argmax(axis=1)]

    def predict_proba(self, X: Any, *, base_margin: ArrayLike | None = None) -> NDArray[np.float64]:
        """Give the probability of each class in the order of ``classes_``.

        Parameters
        ----------
        X : table of shape (n_rows, n_features)
        base_margin : array-like of shape (n_rows,) or (n_rows, n_classes), optional
            Margins that are added to the model's.

        Returns
        -------
        ndarray of float64, shape (n_rows, n_classes)
            Rows sum to one.
        """
        return _core.gbt_probabilities(self._margins(X, base_margin), len(self.classes_))

    def predict_log_proba(
        self, X: Any, *, base_margin: ArrayLike | None = None
    ) -> NDArray[np.float64]:
        """Give the logarithms of the probabilities; never infinite, unlike the log of a zero."""
        margins = self._margins(X, base_margin)
        return _core.gbt_probabilities(margins, len(self.classes_), log=True)

    def decision_function(
        self, X: Any, *, base_margin: ArrayLike | None = None
    ) -> NDArray[np.float64]:
        """Give the margins: log odds of ``classes_[1]``, or a number a class.

        Parameters
        ----------
        X : table of shape (n_rows, n_features)
        base_margin : array-like of shape (n_rows,) or (n_rows, n_classes), optional
            Margins that are added to the model's.

        Returns
        -------
        ndarray of float64, shape (n_rows,) for two classes, else (n_rows, n_classes)
        """
        return self._shown(self._margins(X, base_margin))

    def predict_proba_row(self, values: Sequence[float]) -> list[float]:
        """Give the probabilities of a single row, in some microseconds.

        The fast way for a row at a time: values are not checked beyond their number, and there are
        no threads. A batch is faster through `predict_proba`.

        Parameters
        ----------
        values : sequence of float
            One value a feature, NaN where it is missing; labels in categorical columns.

        Returns
        -------
        list of float
            A probability for each class in the order of ``classes_``.

        Examples
        --------
        >>> from moodcore import GBT
        >>> model = GBT(n_estimators=5, min_child_samples=1).fit([[0.0], [1.0]], ["no", "yes"])
        >>> model.predict_proba_row([0.5]) == model.predict_proba([[0.5]])[0].tolist()
        True
        """
        try:
            if not self._schema.takes_plain_rows:
                values = self._schema.row(values)
            return self._predicting.row_probabilities(values, len(self.classes_))
        except AttributeError:
            check_is_fitted(self, "_model")
            raise

    def staged_decision_function(self, X: Any) -> Iterator[NDArray[np.float64]]:
        """Give the margins after each round in turn, as `decision_function` does."""
        return map(self._shown, self._staged_margins(X))

    def staged_predict_proba(self, X: Any) -> Iterator[NDArray[np.float64]]:
        """Give the probabilities after each round in turn, as `predict_proba` does."""
        for margins in self._staged_margins(X):
            yield _core.gbt_probabilities(margins, len(self.classes_))

    def staged_predict(self, X: Any) -> Iterator[NDArray[Any]]:
        """Give the likeliest classes after each round in turn, as `predict` does."""
        for margins in self._staged_margins(X):
            codes = margins[:, 0] > 0 if len(self.classes_) == 2 else margins.argmax(axis=1)
            yield self.classes_[codes.astype(np.intp)]

    def apply(self, X: Any) -> NDArray[np.uint32]:
        """Give the number of the node that each row ends in.

        Parameters
        ----------
        X : table of shape (n_rows, n_features)

        Returns
        -------
        ndarray of uint32, shape (n_rows, n_trees)
            Trees round by round, and in a round by class.
        """
        return self._predicting_model().leaves(self._table(X), **self._compute())

    def predict_contributions(self, X: Any) -> NDArray[np.float64]:
        """Give what each feature contributes to the margins: exact Shapley values.

        With the second derivatives of the training rows in the nodes, their cover, as the
        distribution of what is not known (Lundberg et al. 2020, TreeSHAP, "tree path dependent").

        Parameters
        ----------
        X : table of shape (n_rows, n_features)

        Returns
        -------
        ndarray of float64
            For two classes of shape (n_rows, n_features + 1), else (n_rows, n_classes,
            n_features + 1). The last is the expected margin; all add up to the margin.
        """
        model = self._predicting_model()
        values = model.contributions(self._table(X), **self._compute())
        return values[:, 0] if values.shape[1] == 1 else values

    def importances(self, kind: Importance = "gain") -> NDArray[np.float64]:
        """Give a number for each feature, over the rounds that predict.

        Parameters
        ----------
        kind : {"gain", "total_gain", "split", "cover", "total_cover"}, default="gain"
            As in XGBoost: the mean or the sum of the gain of the splits on a feature, the number
            of these splits (XGBoost's name for it, "weight", is known too), or the mean or the
            sum of their second derivatives.

        Returns
        -------
        ndarray of shape (n_features,)
        """
        return feature_importances(self._predicting_model().arrays(), kind)

    @property
    def feature_importances_(self) -> NDArray[np.float64]:
        """Mean gain of the splits on each feature, scaled to a sum of one; shape (n_features,)."""
        gains = self.importances("gain")
        return gains / gains.sum() if gains.any() else gains

    def trees_to_dataframe(self) -> "pd.DataFrame":
        """Give all nodes of all trees as a table, with XGBoost's columns.

        Returns
        -------
        DataFrame
            ``Tree``, ``Node``, ``ID``; ``Feature`` ("Leaf" in leaves); ``Split``, the largest
            value that goes to the node ``Yes``; ``No``; ``Missing``; ``Gain`` (in a leaf its
            value; a list of values where it holds one a class); ``Cover``; ``Category``, the
            labels that go to ``Yes``.
        """
        return tree_table(self._arrays(), self._feature_names(), self._schema.categories)

    def dump(self) -> str:
        """Give all trees as indented text."""
        return dump_trees(self._arrays(), self._feature_names(), self._schema.categories)

    def plot_tree(self, tree: int = 0, *, ax: "Axes | None" = None) -> "Axes":
        """Draw a tree; see :func:`moodcore.plots.tree_diagram`."""
        from moodcore.plots.trees import tree_diagram as draw

        table = self.trees_to_dataframe()
        if not 0 <= tree < self.n_trees_:
            raise ValueError(f"tree must be from 0 to {self.n_trees_ - 1}, got {tree}")
        return draw(table[table["Tree"] == tree], ax=ax)

    def plot_importance(
        self, kind: Importance = "gain", *, max_features: int = 20, ax: "Axes | None" = None
    ) -> "Axes":
        """Draw the importances of the features; see :func:`moodcore.plots.feature_importance`."""
        from moodcore.plots.importance import feature_importance as draw

        values = dict(zip(self._feature_names(), self.importances(kind).tolist(), strict=True))
        return draw(values, kind=kind, max_features=max_features, ax=ax)

    def __getitem__(self, rounds: slice) -> Self:
        """Give a model of some of the rounds, on the same base."""
        check_is_fitted(self, "_model")
        if not isinstance(rounds, slice):
            raise TypeError(f"rounds are taken as a slice, model[a:b], got {rounds!r}")
        first, last, step = rounds.indices(self._model.n_rounds)
        if step != 1 or first >= last:
            raise ValueError(
                f"a slice must hold rounds in their order, from 0 to {self._model.n_rounds}, "
                f"got {rounds}"
            )
        part = copy.copy(self)
        part.best_iteration_, part.best_score_, part.evals_result_ = None, None, {}
        part._set_model(self._model.slice(first, last))
        return part

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = super().__getstate__().copy()
        state.pop("_predicting", None)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if "_model" in state:
            self._set_model(self._model)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.sparse = True
        return tags

    @property
    def _n_outputs(self) -> int:
        return 1 if len(self.classes_) <= 2 else len(self.classes_)

    def _set_model(self, model: _core.GbtModel) -> None:
        """Take a model of the core; `best_iteration_` is known."""
        self._model = model
        best = self.best_iteration_
        self._predicting = model if best is None else model.slice(0, best + 1)
        self.n_iter_ = model.n_rounds
        self.n_trees_ = model.n_rounds * model.trees_per_round

    def _take_over(self, other: "GbtPrediction") -> None:
        """Become a copy of another fitted model; parameters stay."""
        check_is_fitted(other, "_model")
        for name in _FITTED:
            if hasattr(other, name):
                setattr(self, name, getattr(other, name))
            elif hasattr(self, name):
                delattr(self, name)
        self.best_iteration_ = None
        self._set_model(other._model)

    def _predicting_model(self) -> _core.GbtModel:
        try:
            return self._predicting
        except AttributeError:
            # Asked first, this would take as long as a small batch.
            check_is_fitted(self, "_model")
            raise

    def _arrays(self) -> dict[str, NDArray[Any]]:
        check_is_fitted(self, "_model")
        return self._model.arrays()

    def _feature_names(self) -> list[str]:
        check_is_fitted(self, "_model")
        names = getattr(self, "feature_names_in_", None)
        return [f"f{at}" for at in range(self.n_features_in_)] if names is None else list(names)

    def _compute(self) -> dict[str, Any]:
        return {"threads": thread_count(self.n_jobs), "instructions": instruction_set()}

    def _table(self, X: Any) -> Table:
        """Check the rows of a prediction."""
        return self._schema.table(validate_table(self, X, reset=False))

    def _margins(self, X: Any, base_margin: ArrayLike | None = None) -> NDArray[np.float64]:
        model = self._predicting_model()
        table = self._table(X)
        start = None
        if base_margin is not None:
            margin = read_margin(base_margin, row_count(table), self._n_outputs)
            start = np.ascontiguousarray(margin + np.array(model.base))
        return model.margins(table, start=start, **self._compute())

    def _staged_margins(self, X: Any) -> Iterator[NDArray[np.float64]]:
        model = self._predicting_model()
        table, margins = self._table(X), None
        for at in range(model.n_rounds):
            margins = model.margins(table, start=margins, first=at, last=at + 1, **self._compute())
            yield margins

    def _shown(self, margins: NDArray[np.float64]) -> NDArray[np.float64]:
        return margins[:, 0] if margins.shape[1] == 1 else margins
