"""scikit-learn's names and parameters on our estimators, for scikit-learn's own tests.

`SVM` and `LinearSVM` have scikit-learn's parameters and take the place of `SVC` and `LinearSVC` as
they are. The other two are wrapped.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from moodcore import GBT, MLP, SVM, LinearSVM

#: Whether an adapted estimator was made since this was last cleared.
MADE: set[str] = set()


def _noted(cls: type) -> type:
    """Return a subclass of the same name that notes that it was made."""
    original = cls.__init__

    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        MADE.add(cls.__name__)
        original(self, *args, **kwargs)

    init.__signature__ = __import__("inspect").signature(original)  # type: ignore[attr-defined]
    return type(cls.__name__, (cls,), {"__init__": init, "__module__": cls.__module__})


class _Wrapped(ClassifierMixin, BaseEstimator):
    """A classifier with scikit-learn's parameters that trains one of ours."""

    _names: ClassVar[dict[str, str]] = {}

    def _arguments(self) -> dict[str, Any]:
        raise NotImplementedError

    def _made(self) -> Any:
        raise NotImplementedError

    def fit(self, X: Any, y: Any, sample_weight: Any = None, **params: Any) -> Any:
        if sample_weight is not None:
            params["sample_weight"] = sample_weight
        if self.warm_start and hasattr(self, "model_"):
            self.model_.set_params(**self._arguments())
        else:
            self.model_ = self._made()
        self.model_.fit(X, y, **params)
        return self

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or "model_" not in self.__dict__:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return getattr(self.__dict__["model_"], self._names.get(name, name))

    def __sklearn_tags__(self) -> Any:
        return self._made().__sklearn_tags__()

    def predict(self, X: Any) -> Any:
        check_is_fitted(self, "model_")
        return self.model_.predict(X)

    def predict_proba(self, X: Any) -> Any:
        check_is_fitted(self, "model_")
        return self.model_.predict_proba(X)


class HistGradientBoostingClassifier(_Wrapped):
    """`GBT` with the parameters of scikit-learn's class."""

    _names: ClassVar[dict[str, str]] = {}

    def __init__(
        self,
        loss="log_loss",
        *,
        learning_rate=0.1,
        max_iter=100,
        max_leaf_nodes=31,
        max_depth=None,
        min_samples_leaf=20,
        l2_regularization=0.0,
        max_features=1.0,
        max_bins=255,
        categorical_features="from_dtype",
        monotonic_cst=None,
        interaction_cst=None,
        warm_start=False,
        early_stopping="auto",
        scoring="loss",
        validation_fraction=0.1,
        n_iter_no_change=10,
        tol=1e-7,
        verbose=0,
        random_state=None,
        class_weight=None,
    ):
        MADE.add("HistGradientBoostingClassifier")
        values = locals()
        for name in self._get_param_names():
            setattr(self, name, values[name])

    def _arguments(self) -> dict[str, Any]:
        stops = self.early_stopping is True
        return {
            "n_estimators": self.max_iter,
            "learning_rate": self.learning_rate,
            "max_leaves": self.max_leaf_nodes,
            "max_depth": self.max_depth,
            "min_child_samples": self.min_samples_leaf,
            "min_child_weight": 1e-3,
            "reg_lambda": self.l2_regularization,
            "colsample_bynode": self.max_features,
            "max_bin": self.max_bins,
            "categorical_features": self.categorical_features,
            "monotone_constraints": self.monotonic_cst,
            "interaction_constraints": self.interaction_cst,
            "warm_start": self.warm_start,
            "early_stopping_rounds": self.n_iter_no_change if stops else None,
            "validation_fraction": self.validation_fraction if stops else None,
            "eval_metric": None if self.scoring == "loss" else self.scoring,
            "verbose": self.verbose,
            "random_state": self.random_state,
            "class_weight": self.class_weight,
        }

    def _made(self) -> GBT:
        return GBT(**self._arguments())

    def decision_function(self, X: Any) -> Any:
        check_is_fitted(self, "model_")
        return self.model_.decision_function(X)

    def staged_predict(self, X: Any) -> Any:
        check_is_fitted(self, "model_")
        return self.model_.staged_predict(X)

    def staged_predict_proba(self, X: Any) -> Any:
        check_is_fitted(self, "model_")
        return self.model_.staged_predict_proba(X)


class MLPClassifier(_Wrapped):
    """`MLP` with the parameters of scikit-learn's class."""

    _names: ClassVar[dict[str, str]] = {"loss_curve_": "history_"}

    def __init__(
        self,
        hidden_layer_sizes=(100,),
        activation="relu",
        *,
        solver="adam",
        alpha=0.0001,
        batch_size="auto",
        learning_rate="constant",
        learning_rate_init=0.001,
        power_t=0.5,
        max_iter=200,
        shuffle=True,
        random_state=None,
        tol=1e-4,
        verbose=False,
        warm_start=False,
        momentum=0.9,
        nesterovs_momentum=True,
        early_stopping=False,
        validation_fraction=0.1,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-8,
        n_iter_no_change=10,
        max_fun=15000,
    ):
        MADE.add("MLPClassifier")
        values = locals()
        for name in self._get_param_names():
            setattr(self, name, values[name])

    def _arguments(self) -> dict[str, Any]:
        sgd = self.solver == "sgd"
        return {
            "hidden_sizes": np.atleast_1d(self.hidden_layer_sizes).tolist(),
            "n_networks": 1,
            "weight_decay": 0.0,
            "activation": self.activation,
            "optimizer": self.solver,
            "l2": self.alpha,
            "batch_size": 200 if self.batch_size == "auto" else self.batch_size,
            "learning_rate": self.learning_rate_init,
            "epochs": self.max_iter,
            "tol": self.tol,
            "n_iter_no_change": None if self.early_stopping else self.n_iter_no_change,
            "patience": self.n_iter_no_change,
            "warm_start": self.warm_start,
            "momentum": self.momentum if sgd else self.beta_1,
            "nesterov": sgd and self.nesterovs_momentum and self.momentum > 0,
            "beta2": self.beta_2,
            "epsilon": self.epsilon,
            "early_stopping": self.early_stopping,
            "validation_fraction": self.validation_fraction,
            "random_state": self.random_state,
            "verbose": int(self.verbose),
        }

    def _made(self) -> MLP:
        return MLP(**self._arguments())

    def partial_fit(self, X: Any, y: Any, classes: Any = None, **params: Any) -> Any:
        if not hasattr(self, "model_"):
            self.model_ = self._made()
        self.model_.partial_fit(X, y, classes=classes, **params)
        return self


#: Module of the test file, module to change, and what each name becomes there.
TARGETS = {
    "svm": ("sklearn.svm.tests.test_svm", "sklearn.svm", {"SVC": _noted(SVM)}),
    "linear-svm": ("sklearn.svm.tests.test_svm", "sklearn.svm", {"LinearSVC": _noted(LinearSVM)}),
    "gbt": (
        "sklearn.ensemble._hist_gradient_boosting.tests.test_gradient_boosting",
        "sklearn.ensemble",
        {"HistGradientBoostingClassifier": HistGradientBoostingClassifier},
    ),
    "mlp": (
        "sklearn.neural_network.tests.test_mlp",
        "sklearn.neural_network",
        {"MLPClassifier": MLPClassifier},
    ),
}
