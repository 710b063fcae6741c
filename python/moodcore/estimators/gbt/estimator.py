"""Gradient-boosted trees as a scikit-learn classifier."""

import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike

from moodcore.estimators.gbt.training import GbtTraining

__all__ = ["GBT"]

Callback = Callable[[dict[str, Any]], object]


class GBT(GbtTraining):
    r"""Gradient-boosted decision trees: logistic or softmax loss, second-order, on histograms.

    Each round adds trees that lower
    :math:`\sum_i g_i f(x_i) + h_i f(x_i)^2 / 2 + \gamma T + \lambda \|w\|^2 / 2 + \alpha \|w\|_1`,
    where g and h are the derivatives of the loss by the margin [1]_. Features need no scaling; NaN
    is a value of its own. The same seed gives the same trees to the bit, whatever ``n_jobs`` and
    the processor.

    Parameters
    ----------
    n_estimators : int, default=100
        Rounds, at least 1; a round grows one tree, or with more than two classes one a class.
    learning_rate : float, default=0.1
        What the values of a new tree are multiplied by, above 0.
    max_leaves : int or None, default=31
        Leaves of a tree, at least 2; None for no limit.
    max_depth : int or None, default=None
        Splits between root and leaf, at least 1; None for no limit.
    grow_policy : {"lossguide", "depthwise"}, default="lossguide"
        Which leaf is split next: the one that gains most, or the one nearest the root.
    min_child_samples : float, default=20
        Least sum of weights in a leaf: rows, where nothing is weighted.
    min_child_weight : float, default=1e-3
        Least sum of second derivatives in a leaf; a tree over rows that have less is worth 0.
    reg_alpha, reg_lambda : float, default=0.0 and 1.0
        L1 and L2 penalties on the values of leaves, at least 0.
    gamma : float, default=0.0
        Gain that a split must exceed, at least 0; gains are those of [1]_ without the half.
    max_delta_step : float, default=0.0
        Largest value of a leaf before the learning rate; 0 for no limit.
    subsample : float, default=1.0
        Share of the rows that a round learns from, in (0, 1].
    colsample_bytree, colsample_bylevel, colsample_bynode : float, default=1.0
        Share of the features for a tree, of those for a level, of those for a node; in (0, 1].
    max_bin : int, default=255
        Bins of a feature, 2 to 255.
    missing : float or str, default=nan
        A value that counts as missing, besides NaN. Infinite values are ordinary extremes.
    categorical_features : "from_dtype", None or list, default="from_dtype"
        Columns of categories: those of a category, dictionary or text type; none; or those listed
        by name or number, or by a list of booleans. Numbers in a listed column are categories by
        value. A category never seen in training, or beyond the ``max_bin`` most frequent, counts
        as missing.
    monotone_constraints : list, dict or None, default=None
        1 where the margin may only rise with the feature, -1 where it may only fall, 0 where it is
        free: one a feature, or a dict by feature name or number. For two classes the margin is
        that of ``classes_[1]``; for more, a dict from class labels to such lists or dicts.
    interaction_constraints : list of lists or None, default=None
        Groups of features, by name or number, that may meet on a path.
    multi_strategy : {"one_output_per_tree", "multi_output_tree"}, default="one_output_per_tree"
        For more than two classes: a tree a class, or trees whose leaves hold a value a class.
    boosting : str or dict, default="gbdt"
        "gbdt", "dart" (drops earlier trees), "goss" (keeps rows of large gradient) or
        "extra_trees" (random thresholds), or a dict with ``kind`` and any of ``drop_rate`` (0.1)
        and ``skip_drop`` (0.5) for dart, ``top_rate`` (0.2) and ``other_rate`` (0.1) for goss.
    objective : callable or None, default=None
        A loss of one's own in place of the logistic or softmax one: ``objective(y, margins)``
        gives first and second derivatives by the margins, all of shape (n_rows,) for two classes
        and (n_rows, n_classes) for more; y holds positions in ``classes_``. Weights of the rows
        multiply them afterwards; they are shown to a callable with an argument ``sample_weight``.
    eval_metric : str, callable or list of these, default=None
        What is measured on evaluation sets: "logloss" (or "mlogloss"; the default), "error" (or
        "merror"), "accuracy", "auc", "brier", or ``metric(y, probabilities)``, minimised unless
        the callable has a true attribute ``greater_is_better``. A callable may take
        ``sample_weight``.
    early_stopping_rounds : int or None, default=None
        Stop when the last metric on the last evaluation set has not improved for so many rounds,
        at least 1, and predict with the rounds up to the best.
    validation_fraction : float or None, default=None
        Share of the rows that is set aside, stratified, as evaluation set "validation" where no
        ``eval_set`` is given; None sets aside 0.1 for early stopping and else nothing.
    callbacks : list of callable or None, default=None
        Called after every round with a dict of ``iteration``, from zero, and the metrics of each
        evaluation set by name. One that returns True ends training; exceptions pass through.
    base_score : float, list or None, default=None
        Probability of ``classes_[1]`` before the first tree, or for more classes one for each;
        None takes the shares of the training data (with an objective, or a base margin: zero
        margins).
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes; "balanced" makes each class weigh the same in all.
    warm_start : bool, default=False
        Whether `fit` goes on from the last fit, up to ``n_estimators`` rounds in all.
    n_jobs : int or None, default=None
        Threads, as in scikit-learn.
    random_state : int, RandomState or None, default=None
        Seed of all sampling; None draws a new one.
    verbose : int, default=0
        Print the metrics every ``verbose`` rounds; 0 prints nothing.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Class labels, sorted.
    best_iteration_ : int or None
        The best round, counted from zero, where early stopping was on: predictions use the rounds
        up to and with it.
    best_score_ : float or None
        The last metric on the last evaluation set in that round.
    evals_result_ : dict
        For each evaluation set and metric, the value after each round of the last training.
    n_iter_ : int
        Rounds of the model, those after the best included.
    n_trees_ : int
        Trees of the model.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of str
        Their names, where the training data had names.

    Notes
    -----
    Rows of weight zero are as good as absent, and a row of weight two is the row twice. The second
    derivative of softmax is p (1 - p); XGBoost doubles it, and LightGBM multiplies it by
    K / (K - 1) for K classes, so that at four classes our rate of 0.1 is like 0.2 in XGBoost and
    0.133 in LightGBM.

    ``model[a:b]`` is a model of the rounds from a up to b, on the same base.

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

    def __init__(
        self,
        n_estimators: int = 100,
        *,
        learning_rate: float = 0.1,
        max_leaves: int | None = 31,
        max_depth: int | None = None,
        grow_policy: Literal["lossguide", "depthwise"] = "lossguide",
        min_child_samples: float = 20,
        min_child_weight: float = 1e-3,
        reg_alpha: float = 0.0,
        reg_lambda: float = 1.0,
        gamma: float = 0.0,
        max_delta_step: float = 0.0,
        subsample: float = 1.0,
        colsample_bytree: float = 1.0,
        colsample_bylevel: float = 1.0,
        colsample_bynode: float = 1.0,
        max_bin: int = 255,
        missing: float | str = np.nan,
        categorical_features: Any = "from_dtype",
        monotone_constraints: Any = None,
        interaction_constraints: Sequence[Sequence[str | int]] | None = None,
        multi_strategy: Literal["one_output_per_tree", "multi_output_tree"] = "one_output_per_tree",
        boosting: str | Mapping[str, Any] = "gbdt",
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
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        base_margin: ArrayLike | None = None,
        eval_set: Any = None,
        eval_names: Sequence[str] | None = None,
        sample_weight_eval_set: Any = None,
        base_margin_eval_set: Any = None,
        init_model: "GBT | str | os.PathLike[str] | None" = None,
        on_poll: Callable[[], object] | None = None,
    ) -> Self:
        """Grow the trees.

        Parameters
        ----------
        X : table of shape (n_rows, n_features)
            A NumPy array, pandas frame, table with the Arrow interface (polars, Arrow), or a
            sparse matrix, which is made dense. NaN is missing. float32 and float64 in memory are
            read in place.
        y : array-like of shape (n_rows,)
            Class labels of any type.
        sample_weight : array-like of shape (n_rows,), optional
            Weights of the rows, at least 0.
        base_margin : array-like of shape (n_rows,) or (n_rows, n_classes), optional
            Margins to start from, added to that of ``base_score``. Predictions are without it
            unless they are given one.
        eval_set : list of (X, y), tuple (X, y), or dict, optional
            Rows on which the metrics are measured after every round; a dict gives them names.
        eval_names : list of str, optional
            Their names; "validation_0" and so on by default.
        sample_weight_eval_set, base_margin_eval_set : list or dict of array-like, optional
            Weights and base margins, one entry an evaluation set, which may be None.
        init_model : GBT or path, optional
            A fitted model, or the file of one, to which ``n_estimators`` rounds are added; bins,
            categories and classes are the model's.
        on_poll : callable, optional
            Called without arguments some 20 to 50 times a second; an exception in it ends
            training. Ctrl-C does in the main thread, this in any other.

        Returns
        -------
        GBT
            This estimator.

        Raises
        ------
        ValueError, TypeError
            When data or parameters are not what is said above.
        """
        metrics = self._checked_parameters()
        start = self._starting_model(init_model)
        rounds = self._rounds_to_train(start, init_model)
        if rounds == 0:
            warnings.warn(
                f"n_estimators is {self.n_estimators}, and so many rounds are trained already: "
                "warm_start adds none",
                UserWarning,
                stacklevel=2,
            )
            return self
        rows = self._rows_to_train(X, y, sample_weight, base_margin, start)
        sets = self._evaluation_sets(
            eval_set, eval_names, sample_weight_eval_set, base_margin_eval_set
        )
        if not sets:
            rows, sets = self._set_aside(rows)
        self._boost(rows, sets, metrics, start=start, rounds=rounds, on_poll=on_poll)
        return self
