"""Multilayer perceptron as a scikit-learn classifier."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import issparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import compute_sample_weight
from sklearn.utils.validation import check_is_fitted

from moodcore import _core
from moodcore.errors import check_choice
from moodcore.estimators.base import Classifier
from moodcore.estimators.evaluation import evaluation_sets
from moodcore.estimators.input_scale import InputScale
from moodcore.estimators.memory import check_network_memory
from moodcore.estimators.networks import merged_layers
from moodcore.estimators.progress import (
    Callback,
    check_callbacks,
    current_poll,
    progress_listener,
)
from moodcore.estimators.rows import DENSE_VALUES, TrainingRows, dense_float32
from moodcore.estimators.svm.kernels import warn_of_uneven_spreads
from moodcore.estimators.tables import validate_numbers

__all__ = ["MLP"]

# With fewer rows, "auto" trains all epochs on all rows.
_ROWS_TO_HOLD_OUT = 300

OnEpoch = Callable[[dict[str, Any]], object]


class MLP(Classifier):
    r"""Multilayer perceptron: hidden layers, softmax, cross-entropy.

    Trained on minibatches with Adam or with stochastic gradient descent with momentum,
    :math:`\Delta w(n) = -\eta\,\partial L/\partial w + \alpha\,\Delta w(n-1)`. By default, two
    networks are trained and their scores averaged, features are scaled, the learning rate falls to
    zero on a cosine, and training stops early. The same seed gives the same weights to the bit, for
    any ``n_jobs`` and CPU.

    Parameters
    ----------
    hidden_sizes : int or sequence of int, default=(64, 64)
        Number of neurons of each hidden layer, 1 to 65,536; an int for one layer, empty for softmax
        regression.
    n_networks : int, default=2
        Number of networks, 1 to 1,024, each of ``hidden_sizes``. They differ in initial weights,
        order of the rows and dropout, and are trained on the same rows. The scores (logits) of the
        model are the means of theirs; early stopping evaluates these. Time and memory grow in
        proportion.
    activation : {"relu", "leaky_relu", "tanh", "selu"}, default="tanh"
        Activation function of the hidden layers. The leaky ReLU has slope 0.01 below zero.
    input_scaling : {"robust", "standard", "none"} or None, default="robust"
        Scale features by constants learned from the training rows: "standard" to mean 0 and
        variance 1, "robust" to median 0 and interquartile range 1, with large values compressed
        smoothly into (-3, 3). None, which settings files write as "none", computes with the
        features as they are.
    optimizer : {"sgd", "adam"}, default="adam"
        Gradient descent with ``momentum``, or Adam.
    learning_rate : float, default=0.01
        Step size eta, above 0, applied to the mean gradient of a batch.
    momentum : float, default=0.9
        Momentum coefficient alpha, in [0, 1); 0 for plain gradient descent. For Adam, decay rate of
        the mean gradient (beta 1).
    nesterov : bool, default=False
        Whether to use Nesterov's momentum; for ``optimizer="sgd"``.
    beta2 : float, default=0.95
        For Adam, decay rate of the mean squared gradient, in [0, 1).
    epsilon : float, default=1e-8
        For Adam, added to the root of the mean squared gradient, above 0.
    batch_size : int or "full", default=64
        Number of rows per weight update; "full" for full-batch gradient descent.
    epochs : int, default=40
        Number of passes over the rows, at least 1. Rows are shuffled before each.
    l1, l2 : float, default=0.0
        Regularization of weights (not biases), at least 0: ``l1 * sum|w| + l2 / 2 * sum w**2`` is
        added to the mean loss.
    weight_decay : float, default=0.1
        Decoupled weight decay, at least 0: each update multiplies weights (not biases) by
        ``1 - learning_rate * weight_decay``; with Adam, this is AdamW.
    dropout : float, default=0.0
        Share of the outputs of hidden layers that training sets to zero, in [0, 1).
    label_smoothing : float, default=0.0
        Share of each target that training spreads evenly over the classes, in [0, 1).
    init : {"he", "lecun", "normal"}, default="lecun"
        Initial weights: normal with variance 2 / inputs, 1 / inputs, or with standard deviation
        ``init_std``. Biases start at zero.
    init_std : float, default=0.01
        For ``init="normal"``, above 0.
    learning_rate_schedule : str or dict, default="cosine"
        "constant", "step", "cosine" or "inverse-time", or a dict with ``kind`` and any of
        ``warmup_epochs`` (0; linear increase first), ``step_epochs`` (100) and ``factor`` (0.1)
        for steps, ``decay`` (0.01) for inverse time, ``final_fraction`` (0.0) for the cosine.
        When training continues, schedules continue too, but a cosine begins anew.
    early_stopping : bool or "auto", default="auto"
        Stop if ``eval_metric`` has not improved by ``tol`` for ``patience`` epochs, and restore the
        best weights. Evaluated on ``eval_set``, or on held-out rows. "auto" does so if there is an
        ``eval_set`` or there are at least 300 rows; fewer are too few to hold some out.
    eval_metric : {"logloss", "accuracy"}, default="logloss"
        Metric of early stopping. Epochs of equal accuracy are compared by log loss.
    validation_fraction : float, default=0.1
        Fraction of the rows held out, stratified, for early stopping without ``eval_set``;
        in (0, 1).
    patience : int, default=12
        Number of epochs without improvement, at least 1.
    tol : float, default=1e-4
        Minimum change of a loss or metric that counts as an improvement, at least 0.
    n_iter_no_change : int or None, default=None
        Stop if the training loss has not decreased by ``tol`` for this many epochs, at least 1;
        None trains all epochs.
    callbacks : list of callable or None, default=None
        Called after every epoch with a dict of ``iteration``, from 0, "training" with "logloss" and
        "accuracy", and these of the evaluation set by its name ("validation" for held-out rows).
        Training ends if one returns True or raises an exception.
    class_weight : dict, "balanced" or None, default=None
        Class weights; "balanced" gives every class the same total weight.
    record : {"epoch", "update"}, default="epoch"
        With "update", ``history_["update_loss"]`` contains the loss of every batch.
    warm_start : bool, default=False
        Whether `fit` continues from the weights, velocities and epoch count of the last fit.
    n_jobs : int or None, default=None
        Number of threads, as in scikit-learn; used for batches of more than 128 rows and for
        prediction.
    random_state : int, RandomState or None, default=None
        Seed of initial weights and shuffling; None draws a new one.
    verbose : int, default=0
        Print loss and accuracy every ``verbose`` epochs; 0 prints nothing. Notebooks show a bar.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Class labels, sorted.
    coefs_ : list of ndarray of float32
        Weights of each layer, shape (inputs, outputs); read-only. With several networks, those of
        one network that computes their mean scores: hidden layers side by side, zero between
        different networks.
    intercepts_ : list of ndarray of float32
        Biases of each layer; read-only.
    history_ : dict
        Lists with one entry per epoch: "loss" and "accuracy" over the batches, means over the
        networks, and with an evaluation set "eval_loss" and "eval_accuracy" of the mean scores;
        "update_loss" with ``record="update"``.
    loss_ : float
        Loss of the last epoch (NaN if the first one diverged).
    n_iter_ : int
        Number of epochs of the last fit.
    best_epoch_ : int or None
        The epoch whose weights early stopping restored, from 1; 0 if none was better than the
        network from which training continued.
    best_iteration_ : int or None
        The same from 0, as in ``evals_result_``; None if there is none.
    evals_result_ : dict
        For the evaluation set by its name, "logloss" and "accuracy" after each epoch.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of str
        Feature names, if the training data had names.
    seed_ : int
        The 64-bit seed drawn from ``random_state``.
    core_model_ : moodcore._core.MlpModel
        The networks in the compiled core, with the state from which training may continue.
    input_scale_ : InputScale or None
        What ``input_scaling`` learned from the training rows: ``center``, ``factor`` and whether
        it ``clips``. Training that continues keeps it.

    Notes
    -----
    Losses are means, weighted by the row weights. Rows with zero weight are ignored. Weights are
    divided by their mean over the training rows; in `partial_fit`, whose calls see parts of the
    data, they count as they are. A row with weight two therefore has the effect of two equal rows,
    in expectation, for any ``batch_size``. If one batch
    contains all rows, equal rows are merged into one with the sum of their weights and sorted, so
    that neither order nor repetition changes a bit. See Bishop (2006), *Pattern Recognition and
    Machine Learning*, chapter 5, for the method.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> X, y = load_iris(return_X_y=True)
    >>> model = make_pipeline(StandardScaler(), MLP((8,), epochs=100, random_state=0))
    >>> model.fit(X, y).score(X, y) > 0.95
    True
    """

    core_model_: _core.MlpModel
    input_scale_: InputScale | None
    history_: dict[str, Any]
    loss_: float
    n_iter_: int
    best_epoch_: int | None
    evals_result_: dict[str, dict[str, list[float]]]
    seed_: int

    _LEARNER = "mlp"
    _SPARSE = "csr"
    _PYTHON_ONLY = frozenset(
        {
            "callbacks",
            "class_weight",
            "input_scaling",
            "n_jobs",
            "random_state",
            "verbose",
            "warm_start",
        }
    )
    _SWITCHES = ("warm_start",)

    def __init__(
        self,
        hidden_sizes: int | Sequence[int] = (64, 64),
        *,
        n_networks: int = 2,
        activation: Literal["relu", "leaky_relu", "tanh", "selu"] = "tanh",
        input_scaling: Literal["robust", "standard", "none"] | None = "robust",
        optimizer: Literal["sgd", "adam"] = "adam",
        learning_rate: float = 0.01,
        momentum: float = 0.9,
        nesterov: bool = False,
        beta2: float = 0.95,
        epsilon: float = 1e-8,
        batch_size: int | Literal["full"] = 64,
        epochs: int = 40,
        l1: float = 0.0,
        l2: float = 0.0,
        weight_decay: float = 0.1,
        dropout: float = 0.0,
        label_smoothing: float = 0.0,
        init: Literal["he", "lecun", "normal"] = "lecun",
        init_std: float = 0.01,
        learning_rate_schedule: str | Mapping[str, Any] = "cosine",
        early_stopping: bool | Literal["auto"] = "auto",
        eval_metric: Literal["logloss", "accuracy"] = "logloss",
        validation_fraction: float = 0.1,
        patience: int = 12,
        tol: float = 1e-4,
        n_iter_no_change: int | None = None,
        callbacks: Sequence[Callback] | None = None,
        class_weight: Mapping[Any, float] | Literal["balanced"] | None = None,
        record: Literal["epoch", "update"] = "epoch",
        warm_start: bool = False,
        n_jobs: int | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ) -> None:
        self.hidden_sizes = hidden_sizes
        self.n_networks = n_networks
        self.activation = activation
        self.input_scaling = input_scaling
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.momentum = momentum
        self.nesterov = nesterov
        self.beta2 = beta2
        self.epsilon = epsilon
        self.batch_size = batch_size
        self.epochs = epochs
        self.l1 = l1
        self.l2 = l2
        self.weight_decay = weight_decay
        self.dropout = dropout
        self.label_smoothing = label_smoothing
        self.init = init
        self.init_std = init_std
        self.learning_rate_schedule = learning_rate_schedule
        self.early_stopping = early_stopping
        self.eval_metric = eval_metric
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.tol = tol
        self.n_iter_no_change = n_iter_no_change
        self.callbacks = callbacks
        self.class_weight = class_weight
        self.record = record
        self.warm_start = warm_start
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        eval_set: Any = None,
        *,
        sample_weight_eval_set: Any = None,
        X_val: ArrayLike | None = None,
        y_val: ArrayLike | None = None,
        sample_weight_val: ArrayLike | None = None,
        on_epoch: OnEpoch | None = None,
    ) -> Self:
        """Train the network.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features)
            Finite features; used as float32.
        y : array-like of shape (n_rows,)
            Class labels of any type.
        sample_weight : array-like of shape (n_rows,), optional
            Row weights, at least 0.
        eval_set : tuple (X, y) or list of one, optional
            Rows on which loss and accuracy are computed after every epoch.
        sample_weight_eval_set : array-like or list of one, optional
            Weights of the rows of ``eval_set``.
        X_val, y_val, sample_weight_val : array-like, optional
            The evaluation set and its weights in scikit-learn's form, instead of ``eval_set``.
        on_epoch : callable, optional
            Called after every epoch with a dict of ``epoch`` (from 1), ``loss``, ``accuracy``
            and, with an evaluation set, ``eval_loss`` and ``eval_accuracy``. Training ends if it
            returns True; an exception in it ends training and is raised by `fit`.

        Returns
        -------
        MLP
            This estimator.

        Raises
        ------
        ValueError
            If data or parameters are not as described above.
        MemoryError
            If there is not enough memory for a network of that size.

        Warns
        -----
        ConvergenceWarning
            If the loss becomes infinite or NaN: training stops there, and the weights are the
            last ones with a finite loss.
        """
        self._checked_parameters()
        continues = self.warm_start and hasattr(self, "core_model_")
        model = self._training_copy(fitted=continues)
        if continues:
            rows = model._with_class_weight(model._known_rows(X, y, sample_weight))
        else:
            rows = model._training_rows(X, y, sample_weight, self.class_weight)
            model.seed_ = self._draw_seed()
        held_out, eval_name = None, "validation"
        sets = evaluation_sets(
            eval_set,
            sample_weight_eval_set=sample_weight_eval_set,
            X_val=X_val,
            y_val=y_val,
            sample_weight_val=sample_weight_val,
        )
        if len(sets) > 1:
            raise ValueError(f"eval_set must be one evaluation set for MLP, got {len(sets)}")
        if sets:
            eval_name = sets[0].name
            held_out = model._known_rows(sets[0].X, sets[0].y, sets[0].sample_weight)
        stops = bool(self.early_stopping)
        if self.early_stopping == "auto":
            stops = bool(sets) or len(rows.y) >= _ROWS_TO_HOLD_OUT
        if stops and not sets:
            rows, held_out = rows.split(self.validation_fraction, model.seed_ % 2**32)
        params = self._core_parameters(early_stopping=stops)
        model._train(params, rows, held_out, continues, eval_name=eval_name, on_epoch=on_epoch)
        return self._take_over(model)

    def partial_fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        classes: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Train one epoch on these rows, continuing from the last call.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features)
            Finite features.
        y : array-like of shape (n_rows,)
            Class labels.
        classes : array-like, optional
            All classes that will occur; required in the first call.
        sample_weight : array-like of shape (n_rows,), optional
            Row weights, at least 0.

        Returns
        -------
        MLP
            This estimator.

        Raises
        ------
        ValueError
            If ``classes`` is missing in the first call or differs later, or data or parameters
            are not as described above.
        """
        if self.early_stopping is True:
            raise ValueError(
                'partial_fit trains one epoch: early_stopping must be False or "auto", got True'
            )
        if self.class_weight == "balanced":
            raise ValueError(
                'class_weight="balanced" needs all rows at once; give partial_fit a dict of weights'
            )
        params = self._checked_parameters(epochs=1)
        continues = hasattr(self, "core_model_")
        model = self._training_copy(fitted=continues)
        if not continues:
            if classes is None:
                raise ValueError("classes must be passed on the first call to partial_fit")
            validate_numbers(model, X, y, dtype=[np.float32, np.float64])
            model.classes_ = np.unique(np.asarray(classes))
            model.seed_ = self._draw_seed()
        elif classes is not None and not np.array_equal(self.classes_, np.unique(classes)):
            raise ValueError(
                f"classes must be those of the first call, {self.classes_.tolist()}, "
                f"got {np.unique(classes).tolist()}"
            )
        rows = model._with_class_weight(model._known_rows(X, y, sample_weight))
        model._train(params, rows, None, continues, total_weight=float(len(rows.y)))
        return self._take_over(model)

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Return the most probable class of each row, shape (n_rows,)."""
        scores = self._scores(X, "logit")
        return self.classes_[scores.argmax(axis=1)]

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return class probabilities, shape (n_rows, n_classes), in the order of ``classes_``."""
        return self._scores(X, "probability")

    def predict_log_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return log-probabilities; they are finite even where a probability rounds to zero."""
        return self._scores(X, "log_probability")

    def logits(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the scores before the softmax, shape (n_rows, n_classes)."""
        return self._scores(X, "logit")

    @property
    def best_iteration_(self) -> int | None:
        """The epoch whose weights early stopping restored, from 0."""
        return self.best_epoch_ - 1 if self.best_epoch_ else None

    @property
    def coefs_(self) -> list[NDArray[np.float32]]:
        """Weights of each layer, shape (inputs, outputs)."""
        return [weights for weights, _ in merged_layers(self.core_model_)]

    @property
    def intercepts_(self) -> list[NDArray[np.float32]]:
        """Biases of each layer."""
        return [biases for _, biases in merged_layers(self.core_model_)]

    def _scores(self, X: ArrayLike, kind: str) -> NDArray[np.float64]:
        check_is_fitted(self)
        if issparse(X):
            rows = validate_numbers(self, X, accept_sparse="csr", reset=False, dtype=None)
            step = max(1, DENSE_VALUES // rows.shape[1])
            starts = range(0, rows.shape[0], step)
            return np.concatenate(
                [self._scores(rows[at : at + step].toarray(), kind) for at in starts]
            )
        scores = self.core_model_.scores(
            self._scaled(self.read_rows(X)), kind=kind, **self._compute()
        )
        if not np.isfinite(scores).all():
            row = np.flatnonzero(~np.isfinite(scores).all(axis=1))[0]
            raise ValueError(
                f"the scores of row {row} of X are not finite in float32: its features are too far "
                "from those of the training rows"
            )
        return scores

    def read_rows(self, X: ArrayLike) -> Any:
        """Check rows as `predict` does.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features)

        Returns
        -------
        ndarray of shape (n_rows, n_features)
            The features before ``input_scaling``; without it, converted to float32.

        Raises
        ------
        ValueError
            For other columns than those of the training rows, or values that are not finite.
        """
        if getattr(self, "input_scale_", None) is None:
            return super().read_rows(X)
        return validate_numbers(self, X, dtype=[np.float32, np.float64], order="C", reset=False)

    def _scaled(self, features: NDArray[Any]) -> NDArray[Any]:
        # Models pickled by earlier versions have no such attribute.
        scale = getattr(self, "input_scale_", None)
        return features if scale is None else scale.apply(features)

    def _weighted_rows(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None, *, reset: bool
    ) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.float64] | None]:
        """Scale the rows as well, except those from which `_learn_features` learns the scale."""
        features: Any
        features, labels, weight = super()._weighted_rows(X, y, sample_weight, reset=reset)
        if issparse(features):
            # Scaling computes in the precision of the table.
            is_scaled = self.input_scaling not in (None, "none")
            features = features.toarray(order="C") if is_scaled else dense_float32(features)
        if reset:
            return features, labels, weight
        if not hasattr(self, "input_scale_"):
            return self._learn_features(features, weight), labels, weight
        return self._scaled(features), labels, weight

    def _learn_features(
        self, features: NDArray[Any], weight: NDArray[np.float64] | None
    ) -> NDArray[Any]:
        self.input_scale_ = InputScale.of(features, weight, self.input_scaling)
        if self.input_scale_ is None and not issparse(features):
            warn_of_uneven_spreads(
                features,
                'Use input_scaling="robust", or scale them first, as '
                "make_pipeline(StandardScaler(), MLP()) does",
                "the network learns little from the narrowest",
                stacklevel=6,
            )
        return self._scaled(features)

    def _training_rows(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None, class_weight: Any
    ) -> TrainingRows:
        if sample_weight is not None:
            sample_weight = _near_one(sample_weight)
        return super()._training_rows(X, y, sample_weight, class_weight)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def _core_parameters(self, **resolved: Any) -> str:
        check_callbacks(self.callbacks, without_checkpoint="MLP")
        if self.input_scaling is not None:
            check_choice("input_scaling", self.input_scaling, ("robust", "standard", "none"))
        if self.early_stopping == "auto":
            resolved.setdefault("early_stopping", False)
        elif not isinstance(self.early_stopping, bool | np.bool_):
            raise ValueError(
                f'early_stopping must be True, False or "auto", got {self.early_stopping!r}'
            )
        sizes = self.hidden_sizes
        if isinstance(sizes, int | np.integer) and not isinstance(sizes, bool):
            resolved["hidden_sizes"] = [int(sizes)]
        return super()._core_parameters(**resolved)

    def _sizes(self) -> tuple[int, ...]:
        sizes = self.hidden_sizes
        return (int(sizes),) if isinstance(sizes, int | np.integer) else tuple(sizes)

    def _with_class_weight(self, rows: TrainingRows) -> TrainingRows:
        """Weight rows whose classes are already known."""
        if self.class_weight is None:
            return rows
        return rows.weighted(compute_sample_weight(self.class_weight, self.classes_[rows.y]))

    def _check_sizes(self) -> None:
        """Check that the network from which training continues has the hidden sizes."""
        sizes = self.core_model_.hidden_sizes
        if sizes != list(self._sizes()):
            raise ValueError(
                f"hidden_sizes must stay {tuple(sizes)} when training continues, "
                f"got {self._sizes()}"
            )

    def _train(
        self,
        params: str,
        rows: TrainingRows,
        held_out: TrainingRows | None,
        continues: bool,
        *,
        total_weight: float | None = None,
        eval_name: str = "validation",
        on_epoch: OnEpoch | None = None,
    ) -> None:
        if continues:
            self._check_sizes()
        if self.batch_size == "full" or len(rows.y) <= self.batch_size:
            rows = rows.merged()
        sizes = [self.n_features_in_, *self._sizes(), len(self.classes_)]
        check_network_memory(sizes, self.n_networks)
        result = _core.mlp_fit(
            params,
            rows.arrays(),
            len(self.classes_),
            total_weight=total_weight,
            evaluate=None if held_out is None else held_out.arrays(),
            start=self.core_model_ if continues else None,
            seed=self.seed_,
            on_epoch=self._listener(eval_name, on_epoch),
            on_poll=current_poll(),
            **self._compute(),
        )
        self.core_model_ = result["model"]
        history = result["history"]
        self.history_ = {name: values for name, values in history.items() if len(values)}
        self.history_.setdefault("loss", [])
        self.history_.setdefault("accuracy", [])
        self.n_iter_ = max(1, len(history["loss"]))
        self.loss_ = history["loss"][-1] if history["loss"] else float("nan")
        self.evals_result_ = evaluation_curves(eval_name, self.history_)
        self.best_epoch_ = result["best_epoch"]
        if result["diverged"] is not None:
            epoch, update = result["diverged"]
            warnings.warn(
                f"the loss became infinite or NaN in epoch {epoch}, update {update}; training "
                f"stopped and kept the last weights whose loss was finite. Lower learning_rate "
                f"({self.learning_rate}) or scale the features",
                ConvergenceWarning,
                stacklevel=3,
            )

    def _listener(
        self, eval_name: str, on_epoch: OnEpoch | None
    ) -> Callable[[dict[str, Any]], bool] | None:
        """Return what the core calls after each epoch, if anything listens."""
        on_iteration = progress_listener(self.callbacks, self.verbose, self.epochs)
        if on_iteration is None and on_epoch is None:
            return None

        def listen(record: dict[str, Any]) -> bool:
            ends = False
            if on_iteration is not None:
                loss, accuracy = record["loss"], record["accuracy"]
                measured = {"training": {"logloss": loss, "accuracy": accuracy}}
                if "eval_loss" in record:
                    loss, accuracy = record["eval_loss"], record["eval_accuracy"]
                    measured[eval_name] = {"logloss": loss, "accuracy": accuracy}
                ends = on_iteration(record["epoch"] - 1, measured)
            answer = None if on_epoch is None else on_epoch(record)
            return ends or (isinstance(answer, bool | np.bool_) and bool(answer))

        return listen


def evaluation_curves(name: str, history: Mapping[str, Any]) -> dict[str, dict[str, list[float]]]:
    """Return the curves of an evaluation set in the form of ``evals_result_``."""
    if "eval_loss" not in history:
        return {}
    return {name: {"logloss": history["eval_loss"], "accuracy": history["eval_accuracy"]}}


def _near_one(weight: ArrayLike) -> Any:
    """Scale weights by a power of two to a largest of about one, where single precision needs it.

    Ratios stay as they are, but for weights of less than 1e-30 of the largest, which become that.
    """
    weights = np.asarray(weight)
    if weights.dtype.kind not in "fiu" or not weights.size:
        return weight
    largest = weights.max()
    if not np.isfinite(largest) or 1e-30 <= weights.min() <= largest <= 1e30 or largest <= 0:
        return weight
    scaled = np.ldexp(weights.astype(np.float64), -int(np.frexp(largest)[1]))
    return np.where(weights > 0, np.maximum(scaled, 1e-30), scaled)
