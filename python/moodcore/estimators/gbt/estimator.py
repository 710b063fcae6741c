"""Gradient-boosted trees as a scikit-learn classifier."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from moodcore import _core
from moodcore.estimators.base import Classifier
from moodcore.estimators.checkpoint import checkpoint_of
from moodcore.estimators.evaluation import evaluation_sets
from moodcore.estimators.gbt.auto import TEXTBOOK, auto_names, resolve
from moodcore.estimators.gbt.inspection import (
    Importance,
    dump_trees,
    feature_importances,
    tree_table,
)
from moodcore.estimators.gbt.metrics import resolve_metrics
from moodcore.estimators.gbt.options import check_missing, validation_share
from moodcore.estimators.gbt.rows import read_margin
from moodcore.estimators.gbt.training import (
    boost,
    evaluation_rows,
    hold_out,
    resume_seed,
    rounds_to_train,
    training_rows,
)
from moodcore.estimators.progress import Callback, check_callbacks
from moodcore.estimators.table_schema import Table, TableSchema, row_count
from moodcore.estimators.tables import validate_table

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["GBT"]

# The fitted state that training on `init_model` takes over from it.
COLUMNS = {"classes_", "n_features_in_", "feature_names_in_", "table_schema_"}

# What has a length but no order, or is no list of values.
_NO_ROWS = (set, frozenset, dict, str, bytes)


class GBT(Classifier):
    r"""Gradient-boosted decision trees: logistic or softmax loss, second-order, on histograms.

    Each round adds trees that lower

    .. math:: \sum_i g_i f(x_i) + h_i f(x_i)^2 / 2 + \gamma T + \lambda \|w\|^2 / 2 + \alpha \|w\|_1

    where g and h are the first and second derivative of the loss with respect to the margin [1]_.
    Features need no scaling; NaN is a missing value. The same seed gives the same trees to the bit,
    for any ``n_jobs`` and CPU.

    Parameters
    ----------
    n_estimators : int or "auto", default="auto"
        Number of boosting rounds, at least 1. A round grows one tree, or one tree per class if
        there are more than two. "auto" chooses the number, at most 130, by the log loss on held-out
        rows (three folds below 10,000 rows, or two of the three from 100,000 cells on; otherwise a
        fifth of the rows), and trains on all rows. With ``early_stopping_rounds``, "auto" is 1000;
        with ``objective`` or fewer than 50 rows, it is 100.
    learning_rate : float or "auto", default="auto"
        Shrinkage of the values of each new tree, above 0. This and the following parameters that
        are "auto" have fixed values if ``n_estimators`` is a number: 0.1, 31 leaves, 20
        rows per leaf, all rows and features, "gbdt". Otherwise they are 0.1, 8 leaves (15 from
        2,000 rows, 31 from 20,000), 5 rows per leaf, ``subsample`` 0.8, ``colsample_bynode`` 0.7
        and random thresholds in every second round. If the loss still falls after 100 rounds,
        "auto" is 130 rounds, 0.15, 31 leaves, 10 rows per leaf, all rows and features. Otherwise,
        below 10,000 rows and 100,000 cells, 31 leaves, all rows and features and "gbdt" are used if
        they lower the loss by 1.5 %. A warm start keeps the values of the last fit.
    max_leaves : int, None or "auto", default="auto"
        Maximum number of leaves of a tree, at least 2; None for no limit.
    max_depth : int or None, default=None
        Maximum number of splits between root and leaf, at least 1; None for no limit.
    grow_policy : {"lossguide", "depthwise"}, default="lossguide"
        Which leaf is split next: the one with the largest gain, or the one nearest to the root.
    min_child_samples : float or "auto", default="auto"
        Minimum number of rows in a leaf. If all weights are whole numbers, a row counts as often
        as its weight says; other weights do not change the count.
    min_child_weight : float, default=1e-3
        Minimum sum of Hessians in a leaf; a tree over rows with a smaller sum predicts 0.
    reg_alpha, reg_lambda : float, default=0.0 and 1.0
        L1 and L2 regularization of leaf values, at least 0.
    gamma : float, default=0.0
        Minimum gain of a split, at least 0; gains are those of [1]_ without the factor 1/2.
    max_delta_step : float, default=0.0
        Maximum absolute leaf value before the learning rate; 0 for no limit.
    subsample : float or "auto", default="auto"
        Fraction of the rows that a round is trained on, in (0, 1].
    colsample_bytree, colsample_bylevel : float, default=1.0
        Fraction of the features sampled per tree, and of those per level; in (0, 1].
    colsample_bynode : float or "auto", default="auto"
        Fraction of the level's features sampled per node, in (0, 1].
    max_bin : int, default=255
        Maximum number of bins per feature, 2 to 255.
    path_smooth : float, default=0.0
        Shrinkage of leaf values toward the value of the parent: a leaf of n rows keeps
        n / (n + path_smooth) of its own value; at least 0.
    max_cat_to_onehot : int, default=4
        Categorical features with at most this many categories are split into one category and the
        others. More categories are ordered by their gradients and split in two, regularized by
        the next four parameters, which have LightGBM's names and meaning.
    max_cat_threshold : int, default=32
        Maximum number of categories on the smaller side of such a split, at least 1.
    cat_smooth : float, default=10.0
        Added to each category's sum of Hessians in the order; categories with fewer rows in a node
        are on the side of its missing values. At least 0.
    cat_l2 : float, default=10.0
        L2 regularization of such splits, added to ``reg_lambda``; at least 0.
    min_data_per_group : float, default=100.0
        Minimum number of rows between two places of the order that are tried, and on the larger
        side; at least 0.
    missing : float or str, default=nan
        A value that is treated as missing, besides NaN. Infinite values are not missing.
    categorical_features : "from_dtype", None or list, default="from_dtype"
        Categorical columns: those of a categorical, dictionary or text type; none; or a list of
        names, positions or booleans. Numbers in a listed column are categories by value. A category
        that is not in the training data, or not among the ``max_bin`` most frequent, is missing.
    monotone_constraints : list, dict or None, default=None
        1 if the margin may only increase with the feature, -1 if it may only decrease, 0 for no
        constraint: one entry per feature, or a dict by feature name or position. For two classes
        the margin is that of ``classes_[1]``; for more, a dict from class labels to such lists or
        dicts.
    interaction_constraints : list of lists, "pairwise", "no_interactions" or None, default=None
        Groups of features, by name or position, that may appear together on a path. "pairwise"
        allows every pair, "no_interactions" single features only.
    multi_strategy : {"one_output_per_tree", "multi_output_tree"}, default="one_output_per_tree"
        For more than two classes: one tree per class, or trees with one leaf value per class.
    boosting : str or dict, default="auto"
        "gbdt", "dart" (drops earlier trees), "goss" (gradient-based sampling) or "extra_trees"
        (random thresholds of numerical features), or a dict with ``kind`` and any of ``drop_rate``
        (0.1) and ``skip_drop`` (0.5) for dart, ``top_rate`` (0.2) and ``other_rate`` (0.1) for
        goss, and ``extra_rate`` (1.0), the fraction of the rounds, for extra_trees.
    objective : callable or None, default=None
        A custom loss: ``objective(y, margins)`` returns its first and second derivatives with
        respect to the margins, of shape (n_rows,) for two classes and (n_rows, n_classes) for more;
        y contains positions in ``classes_``. Row weights are applied afterwards, and passed to a
        callable that has an argument ``sample_weight``.
    eval_metric : str, callable or list of these, default=None
        Metrics of the evaluation sets: "logloss" (or "mlogloss"; the default), "error" (or
        "merror"), "accuracy", "auc", "brier", a score function or scorer of scikit-learn (each in
        its own direction), or ``metric(y, probabilities)``, minimized unless its attribute
        ``greater_is_better`` is true. A callable may take ``sample_weight``.
    early_stopping_rounds : int or None, default=None
        Stop if the last metric on the last evaluation set has not improved for this many
        consecutive rounds, at least 1, and predict with the rounds up to the best one. A model
        that training continues from is evaluated first, and new rounds must be better than it.
    validation_fraction : float or None, default=None
        Fraction of the rows held out, stratified, as evaluation set "validation" if there is no
        ``eval_set``; None holds out 0.1 for early stopping, and nothing otherwise.
    callbacks : list of callable or None, default=None
        Called after every round with a dict of ``iteration``, from 0, "training" with the loss and
        accuracy of the training rows, and the metrics of each evaluation set by name. Training
        ends if one returns True or raises an exception.
    base_score : float, list or None, default=None
        Probability of ``classes_[1]`` before the first tree, or for more than two classes one per
        class. None takes the class frequencies (zero margins with an objective or base margin).
    class_weight : dict, "balanced" or None, default=None
        Class weights; "balanced" gives every class the same total weight.
    warm_start : bool, default=False
        Whether `fit` continues the last fit, up to ``n_estimators`` rounds in total; after early
        stopping, from the best round.
    n_jobs : int or None, default=None
        Number of threads, as in scikit-learn.
    random_state : int, RandomState or None, default=None
        Seed of all sampling; None draws a new one.
    verbose : int, default=0
        Print training loss and metrics every ``verbose`` rounds; 0 prints nothing. Notebooks
        show a bar.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Class labels, sorted.
    best_iteration_ : int or None
        With early stopping, the best round, from 0; predictions use the rounds up to this one.
    best_score_ : float or None
        The last metric on the last evaluation set in that round.
    evals_result_ : dict
        For each evaluation set and metric, the value after each round of the last training.
    n_iter_, n_trees_, n_predicting_rounds_ : int
        Number of rounds, of trees, and of rounds that predictions use.
    n_estimators_, learning_rate_ : int and float
        The number of rounds to train and the learning rate, given or chosen.
    resolved_ : dict
        The values of all parameters that were "auto", by name.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of str
        Feature names, if the training data had names.
    seed_ : int
        The 64-bit seed drawn from ``random_state``.
    core_model_ : moodcore._core.GbtModel
        The trees in the compiled core.
    table_schema_ : moodcore.estimators.table_schema.TableSchema
        Categorical columns and their categories.

    Notes
    -----
    Rows with zero weight are ignored, and a row of weight two equals two rows. The Hessian of
    softmax is p (1 - p); XGBoost doubles it, and LightGBM multiplies it by K / (K - 1) for K
    classes: for four classes a learning rate of 0.1 here equals 0.2 in XGBoost and 0.133 in
    LightGBM.

    ``model[a:b]`` is a model of the rounds from a up to b, with the same base score.

    References
    ----------
    .. [1] Chen and Guestrin (2016), XGBoost: A Scalable Tree Boosting System, KDD.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> model = GBT(n_estimators=20, random_state=0).fit(X, y)
    >>> model.score(X, y) > 0.95
    True
    >>> model[:5].n_iter_
    5
    """

    best_iteration_: int | None
    best_score_: float | None
    evals_result_: dict[str, dict[str, list[float]]]
    resolved_: dict[str, Any]
    seed_: int
    table_schema_: TableSchema
    core_model_: _core.GbtModel

    _LEARNER = "gbt"
    _PYTHON_ONLY = frozenset(
        {
            "missing",
            "categorical_features",
            "objective",
            "eval_metric",
            "validation_fraction",
            "callbacks",
            "base_score",
            "class_weight",
            "warm_start",
            "n_jobs",
            "random_state",
            "verbose",
        }
    )
    _SWITCHES = ("warm_start",)

    def __init__(
        self,
        n_estimators: int | Literal["auto"] = "auto",
        *,
        learning_rate: float | Literal["auto"] = "auto",
        max_leaves: int | Literal["auto"] | None = "auto",
        max_depth: int | None = None,
        grow_policy: Literal["lossguide", "depthwise"] = "lossguide",
        min_child_samples: float | Literal["auto"] = "auto",
        min_child_weight: float = 1e-3,
        reg_alpha: float = 0.0,
        reg_lambda: float = 1.0,
        gamma: float = 0.0,
        max_delta_step: float = 0.0,
        subsample: float | Literal["auto"] = "auto",
        colsample_bytree: float = 1.0,
        colsample_bylevel: float = 1.0,
        colsample_bynode: float | Literal["auto"] = "auto",
        max_bin: int = 255,
        path_smooth: float = 0.0,
        max_cat_to_onehot: int = 4,
        max_cat_threshold: int = 32,
        cat_smooth: float = 10.0,
        cat_l2: float = 10.0,
        min_data_per_group: float = 100.0,
        missing: float | str = np.nan,
        categorical_features: Any = "from_dtype",
        monotone_constraints: Any = None,
        interaction_constraints: Sequence[Sequence[str | int]] | str | None = None,
        multi_strategy: Literal["one_output_per_tree", "multi_output_tree"] = "one_output_per_tree",
        boosting: str | Mapping[str, Any] = "auto",
        objective: Callable[..., tuple[ArrayLike, ArrayLike]] | None = None,
        eval_metric: Any = None,
        early_stopping_rounds: int | None = None,
        validation_fraction: float | None = None,
        callbacks: Sequence[Callback] | None = None,
        base_score: float | Sequence[float] | None = None,
        class_weight: Mapping[Any, float] | Literal["balanced"] | None = None,
        warm_start: bool = False,
        n_jobs: int | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ) -> None:
        self.n_estimators = n_estimators
        self.learning_rate = learning_rate
        self.max_leaves = max_leaves
        self.max_depth = max_depth
        self.grow_policy = grow_policy
        self.min_child_samples = min_child_samples
        self.min_child_weight = min_child_weight
        self.reg_alpha = reg_alpha
        self.reg_lambda = reg_lambda
        self.gamma = gamma
        self.max_delta_step = max_delta_step
        self.subsample = subsample
        self.colsample_bytree = colsample_bytree
        self.colsample_bylevel = colsample_bylevel
        self.colsample_bynode = colsample_bynode
        self.max_bin = max_bin
        self.path_smooth = path_smooth
        self.max_cat_to_onehot = max_cat_to_onehot
        self.max_cat_threshold = max_cat_threshold
        self.cat_smooth = cat_smooth
        self.cat_l2 = cat_l2
        self.min_data_per_group = min_data_per_group
        self.missing = missing
        self.categorical_features = categorical_features
        self.monotone_constraints = monotone_constraints
        self.interaction_constraints = interaction_constraints
        self.multi_strategy = multi_strategy
        self.boosting = boosting
        self.objective = objective
        self.eval_metric = eval_metric
        self.early_stopping_rounds = early_stopping_rounds
        self.validation_fraction = validation_fraction
        self.callbacks = callbacks
        self.base_score = base_score
        self.class_weight = class_weight
        self.warm_start = warm_start
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    def fit(
        self,
        X: Any,
        y: ArrayLike | str,
        sample_weight: ArrayLike | str | None = None,
        *,
        base_margin: ArrayLike | None = None,
        eval_set: Any = None,
        eval_names: Sequence[str] | None = None,
        sample_weight_eval_set: Any = None,
        base_margin_eval_set: Any = None,
        X_val: Any = None,
        y_val: ArrayLike | str | None = None,
        sample_weight_val: ArrayLike | str | None = None,
        init_model: GBT | str | os.PathLike[str] | None = None,
    ) -> Self:
        """Train the trees.

        Parameters
        ----------
        X : table of shape (n_rows, n_features)
            A NumPy array, pandas or Polars frame, Arrow table, or sparse matrix. NaN is missing.
            float32 and float64 in memory are read in place. A table that does not fit in memory
            is read from files in batches: a Parquet file, a folder of them, a pattern such as
            ``"songs/*.parquet"``, a pyarrow Dataset, or a callable that returns an iterator of
            record batches. The model is the same to the byte as that of the rows in memory.
        y : array-like of shape (n_rows,), or str
            Class labels of any type; of files the name of their column. All other columns but
            that of the weights are features.
        sample_weight : array-like of shape (n_rows,), or str, optional
            Row weights, at least 0; of files the name of their column.
        base_margin : array-like of shape (n_rows,) or (n_rows, n_classes), optional
            Margins to start from, added to that of ``base_score``. Predictions do not include it
            unless it is passed to them.
        eval_set : tuple (X, y), list of (X, y), or dict, optional
            Rows on which the metrics are computed after every round; a dict gives them names. A
            set is read from files as the training rows, if these are.
        eval_names : list of str, optional
            Names of the evaluation sets; by default "validation_0" and so on.
        sample_weight_eval_set, base_margin_eval_set : list or dict of array-like, optional
            Weights and base margins, one entry per evaluation set, which may be None.
        X_val, y_val, sample_weight_val : optional
            One evaluation set, "validation", in the form of scikit-learn, so that
            ``Pipeline(..., transform_input=["X_val"])`` can transform it.
        init_model : GBT or path, optional
            A fitted model or its file. ``n_estimators`` rounds are added to those that its
            predictions use; bins, categories and classes are those of the model.

        Returns
        -------
        GBT
            This estimator.

        Raises
        ------
        ValueError, TypeError
            If data or parameters are not as described above.
        """
        self.check_parameters()
        passed = evaluation_sets(
            eval_set,
            eval_names=eval_names,
            sample_weight_eval_set=sample_weight_eval_set,
            base_margin_eval_set=base_margin_eval_set,
            X_val=X_val,
            y_val=y_val,
            sample_weight_val=sample_weight_val,
        )
        start = self._starting_model(init_model)
        continues = init_model is None and start is not None
        model = self._training_copy(fitted=continues)
        checkpoint = checkpoint_of(self.callbacks)
        resumed = None if checkpoint is None else checkpoint.load(self)
        if not continues:
            model.seed_ = self._draw_seed()
        if resumed is not None:
            resume_seed(model, resumed, self.random_state)
        if start is not None:
            for name in COLUMNS & set(vars(start)):
                setattr(model, name, getattr(start, name))
        rows = training_rows(
            model, X, y, sample_weight, base_margin, start=start, evaluated=bool(passed)
        )
        sets = evaluation_rows(model, passed, rows)
        if resumed is not None:
            model.resolved_ = resumed.resolved_
        else:
            model.resolved_ = resolve(model, rows, starts=start is None)
        rounds = rounds_to_train(model) if continues else int(model._value("n_estimators"))
        if rounds == 0:
            warnings.warn(
                f"n_estimators is {model._value('n_estimators')}, and the model has that many: "
                "warm_start adds none",
                UserWarning,
                stacklevel=2,
            )
            return self
        if not sets:
            rows, sets = hold_out(model, rows)
        boost(model, rows, sets, start=start, rounds=rounds, resumed=resumed)
        return self._take_over(model)

    def predict(self, X: Any, *, base_margin: ArrayLike | None = None) -> NDArray[Any]:
        """Return the most probable class of each row.

        Parameters
        ----------
        X : table of shape (n_rows, n_features)
        base_margin : array-like of shape (n_rows,) or (n_rows, n_classes), optional
            Margins that are added to those of the model, also in the methods below.

        Returns
        -------
        ndarray of shape (n_rows,)
        """
        codes = self._codes(self._margins(X, base_margin))
        return self.classes_[codes]

    def predict_proba(self, X: Any, *, base_margin: ArrayLike | None = None) -> NDArray[np.float64]:
        """Return class probabilities, shape (n_rows, n_classes), in the order of ``classes_``."""
        table = self.read_rows(X)
        return self.core_model_.probabilities(
            table,
            len(self.classes_),
            start=self._start(table, base_margin),
            last=self.n_predicting_rounds_,
            **self._compute(),
        )

    def predict_log_proba(
        self, X: Any, *, base_margin: ArrayLike | None = None
    ) -> NDArray[np.float64]:
        """Return log-probabilities; they are finite even where a probability rounds to zero."""
        margins = self._margins(X, base_margin)
        return _core.gbt_probabilities(margins, len(self.classes_), log=True)

    def decision_function(
        self, X: Any, *, base_margin: ArrayLike | None = None
    ) -> NDArray[np.float64]:
        """Return the margins.

        For two classes the log odds of ``classes_[1]``, shape (n_rows,), else one margin per class,
        shape (n_rows, n_classes).
        """
        return self._by_output(self._margins(X, base_margin))

    def predict_proba_row(self, values: Sequence[float]) -> list[float]:
        """Return the class probabilities of a single row, within microseconds.

        Only the number of values is checked. For more than one row `predict_proba` is faster.

        Parameters
        ----------
        values : sequence of float
            One value per feature, NaN where it is missing; categories in categorical columns.

        Returns
        -------
        list of float
            One probability per class in the order of ``classes_``.

        Examples
        --------
        >>> from moodcore import GBT
        >>> model = GBT(n_estimators=5, min_child_samples=1).fit([[0.0], [1.0]], ["no", "yes"])
        >>> model.predict_proba_row([0.5]) == model.predict_proba([[0.5]])[0].tolist()
        True
        """
        if type(values) in _NO_ROWS or not hasattr(values, "__len__"):
            raise TypeError(f"values must be a sequence of numbers, got {type(values).__name__}")
        try:
            if not self.table_schema_.takes_plain_rows:
                values = self.table_schema_.row(values)
            return self._row_probabilities(values)
        except (TypeError, OverflowError):
            # The core takes numbers; None and the like are missing.
            return self._row_probabilities(self.table_schema_.row(values))
        except AttributeError:
            check_is_fitted(self)
            raise

    def staged_decision_function(self, X: Any) -> Iterator[NDArray[np.float64]]:
        """Yield the margins after each round, as `decision_function` returns them."""
        return map(self._by_output, self._staged_margins(X))

    def staged_predict_proba(self, X: Any) -> Iterator[NDArray[np.float64]]:
        """Yield the probabilities after each round, as `predict_proba` returns them."""
        for margins in self._staged_margins(X):
            yield _core.gbt_probabilities(margins, len(self.classes_))

    def staged_predict(self, X: Any) -> Iterator[NDArray[Any]]:
        """Yield the most probable classes after each round, as `predict` returns them."""
        for margins in self._staged_margins(X):
            yield self.classes_[self._codes(margins)]

    def read_rows(self, X: Any) -> Table:
        """Check rows as `predict` does, and return them as the numbers that the trees read."""
        try:
            schema = self.table_schema_
        except AttributeError:
            # Checked first, this would take as long as a small batch.
            check_is_fitted(self)
            raise
        return schema.table(validate_table(self, X, reset=False))

    def apply(self, X: Any) -> NDArray[np.uint32]:
        """Return the index of the leaf of each row in each tree, shape (n_rows, n_trees).

        Trees are ordered by round, and within a round by class.
        """
        table, last = self.read_rows(X), self.n_predicting_rounds_
        return self.core_model_.leaves(table, last=last, **self._compute())

    def predict_contributions(self, X: Any) -> NDArray[np.float64]:
        """Return the contribution of each feature to the margins: exact Shapley values.

        Computed by TreeSHAP (Lundberg et al. 2020, "tree path dependent"); the distribution of
        unknown features follows the sums of Hessians in the nodes.

        Parameters
        ----------
        X : table of shape (n_rows, n_features)

        Returns
        -------
        ndarray of float64
            For two classes of shape (n_rows, n_features + 1), else (n_rows, n_classes,
            n_features + 1). The last is the expected margin; the sum is the margin.

        Raises
        ------
        ValueError
            If X has other columns than the training rows, or a tree tests more than 1,024
            features on the way to one leaf.
        """
        table, last = self.read_rows(X), self.n_predicting_rounds_
        values = self.core_model_.contributions(table, last=last, **self._compute())
        return values[:, 0] if values.shape[1] == 1 else values

    def importances(self, kind: Importance = "gain") -> NDArray[np.float64]:
        """Return the importance of each feature in the rounds that predictions use.

        Parameters
        ----------
        kind : {"gain", "total_gain", "split", "cover", "total_cover"}, default="gain"
            As in XGBoost: mean or total gain of the splits on a feature, their number (also
            called "weight", as in XGBoost), or their mean or total sum of Hessians.

        Returns
        -------
        ndarray of shape (n_features,)
        """
        return feature_importances(self.predicting_trees(), kind)

    @property
    def feature_importances_(self) -> NDArray[np.float64]:
        """Mean gain of the splits on each feature, scaled to sum to 1; shape (n_features,)."""
        gains = self.importances("gain")
        return gains / gains.sum() if gains.any() else gains

    def predicting_trees(self) -> dict[str, NDArray[Any]]:
        """Return the trees that predictions use as the arrays of `GbtModel.arrays`."""
        check_is_fitted(self)
        return self.core_model_.slice(0, self.n_predicting_rounds_).arrays()

    def trees_to_dataframe(self) -> pd.DataFrame:
        """Return all nodes of all trees as a table with XGBoost's columns.

        Returns
        -------
        DataFrame
            ``Tree``, ``Node``, ``ID``; ``Feature`` ("Leaf" for leaves); ``Split``, the largest
            value that goes to the node ``Yes``; ``No``; ``Missing``; ``Gain`` (for a leaf its
            value, or its list of one value per class); ``Cover``; ``Category``, the categories
            that go to ``Yes``.
        """
        return tree_table(self._arrays(), self._feature_names(), self.table_schema_.categories)

    def dump(self) -> str:
        """Return all trees as indented text."""
        return dump_trees(self._arrays(), self._feature_names(), self.table_schema_.categories)

    def plot_tree(self, tree: int = 0, *, ax: Axes | None = None) -> Axes:
        """Draw one tree; see :func:`moodcore.plots.tree_diagram`."""
        table = self.trees_to_dataframe()
        if not 0 <= tree < self.n_trees_:
            raise ValueError(f"tree must be from 0 to {self.n_trees_ - 1}, got {tree}")
        draw = import_module("moodcore.plots").tree_diagram
        return draw(table[table["Tree"] == tree], ax=ax)

    def plot_importance(
        self, kind: Importance = "gain", *, max_features: int = 20, ax: Axes | None = None
    ) -> Axes:
        """Draw the feature importances; see :func:`moodcore.plots.feature_importance`."""
        values = dict(zip(self._feature_names(), self.importances(kind).tolist(), strict=True))
        draw = import_module("moodcore.plots").feature_importance
        return draw(values, kind=kind, max_features=max_features, ax=ax)

    def __getitem__(self, rounds: slice) -> Self:
        """Return a model of some of the rounds, with the same base score."""
        check_is_fitted(self)
        if not isinstance(rounds, slice):
            raise TypeError(f"rounds must be a slice, model[a:b], got {rounds!r}")
        first, last, step = rounds.indices(self.core_model_.n_rounds)
        if step != 1 or first >= last:
            raise ValueError(
                f"rounds must be a slice without step of 0 to {self.core_model_.n_rounds}, "
                f"got {rounds}"
            )
        part = self._training_copy(fitted=True)
        part.best_iteration_, part.best_score_, part.evals_result_ = None, None, {}
        part.core_model_ = self.core_model_.slice(first, last)
        return part

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.sparse = True
        return tags

    def check_parameters(self) -> None:
        """Check all parameters that can be checked without data.

        Raises
        ------
        ValueError, TypeError
            For the first parameter that is not allowed.
        """
        # Constraints name features, which only the data have.
        self._checked_parameters(monotone_constraints=[], interaction_constraints=[])
        check_missing(self.missing)
        validation_share(self.validation_fraction)
        if self.objective is not None and not callable(self.objective):
            raise TypeError(f"objective must be None or a callable, got {self.objective!r}")
        check_callbacks(self.callbacks)
        resolve_metrics(self.eval_metric)

    def _starting_model(self, init_model: Any) -> GBT | None:
        """Return the fitted model whose trees training continues, if any."""
        if init_model is None:
            return self if self.warm_start and hasattr(self, "core_model_") else None
        if not isinstance(init_model, GBT):
            init_model = import_module("moodcore.model_files").load(init_model)
            if not isinstance(init_model, GBT):
                raise TypeError(f"init_model must be a GBT, got {type(init_model).__name__}")
        check_is_fitted(init_model)
        return init_model

    @property
    def _n_outputs(self) -> int:
        return 1 if len(self.classes_) <= 2 else len(self.classes_)

    def _core_parameters(self, **resolved: Any) -> str:
        auto = {name: self._value(name) for name in auto_names(self)}
        return super()._core_parameters(**(auto | resolved))

    def _value(self, name: str) -> Any:
        """Return the value of a parameter that may be "auto"."""
        given = getattr(self, name)
        if isinstance(given, str) and given == "auto":
            return vars(self).get("resolved_", {}).get(name, TEXTBOOK[name])
        return given

    @property
    def n_estimators_(self) -> int:
        """Number of rounds that the last fit was to train."""
        check_is_fitted(self)
        return int(self._value("n_estimators"))

    @property
    def learning_rate_(self) -> float:
        """Learning rate of the last fit."""
        check_is_fitted(self)
        return float(self._value("learning_rate"))

    @property
    def n_iter_(self) -> int:
        """Rounds of the model, those after the best included."""
        return self.core_model_.n_rounds

    @property
    def n_trees_(self) -> int:
        """Trees of the model."""
        return self.core_model_.n_rounds * self.core_model_.trees_per_round

    @property
    def n_predicting_rounds_(self) -> int:
        """Rounds that predictions use: those up to the best, or all."""
        best = self.best_iteration_
        return self.core_model_.n_rounds if best is None else best + 1

    def _row_probabilities(self, values: Sequence[float]) -> list[float]:
        last = self.n_predicting_rounds_
        return self.core_model_.row_probabilities(values, len(self.classes_), last=last)

    def _arrays(self) -> dict[str, NDArray[Any]]:
        check_is_fitted(self)
        return self.core_model_.arrays()

    def _feature_names(self) -> list[str]:
        check_is_fitted(self)
        names = getattr(self, "feature_names_in_", None)
        return [f"f{at}" for at in range(self.n_features_in_)] if names is None else list(names)

    def _margins(self, X: Any, base_margin: ArrayLike | None = None) -> NDArray[np.float64]:
        table = self.read_rows(X)
        start, last = self._start(table, base_margin), self.n_predicting_rounds_
        return self.core_model_.margins(table, start=start, last=last, **self._compute())

    def _start(self, table: Table, base_margin: ArrayLike | None) -> NDArray[np.float64] | None:
        """Return the margins of each row before the first tree, if it has its own."""
        margin = read_margin(base_margin, row_count(table), self._n_outputs)
        if margin is None:
            return None
        return np.ascontiguousarray(margin + np.array(self.core_model_.base))

    def _staged_margins(self, X: Any) -> Iterator[NDArray[np.float64]]:
        table, margins = self.read_rows(X), None
        margins_of = self.core_model_.margins
        for at in range(self.n_predicting_rounds_):
            margins = margins_of(table, start=margins, first=at, last=at + 1, **self._compute())
            yield margins

    def _codes(self, margins: NDArray[np.float64]) -> NDArray[np.intp]:
        """Return the position of the most probable class."""
        if len(self.classes_) == 2:
            return (margins[:, 0] > 0).astype(np.intp)
        return margins.argmax(axis=1)

    def _by_output(self, margins: NDArray[np.float64]) -> NDArray[np.float64]:
        return margins[:, 0] if margins.shape[1] == 1 else margins
