"""What runs know of each model family: one row per family.

Everything else in a run is the same for all families: data, folds, search, refit, test, report.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from inspect import signature
from typing import Any

from moodcore.runs import fits
from moodcore.runs.fits import Curves


@dataclass(frozen=True)
class Family:
    """A family of models.

    Attributes
    ----------
    noun : str
        What a sentence calls one of them.
    unit : str
        What training counts.
    learned : str
        What a trained model consists of.
    length : str or None
        The hyperparameter that `--epochs` sets; None where training has no steps to count.
    estimator : callable
        Gives the class.
    defaults : mapping of str to Any
        Hyperparameters in which the experiment differs from the class.
    grid : mapping of str to Any
        Grid of the experiment.
    rate : str
        The hyperparameter that pictures compare first.
    layout : tuple of str
        The two others that they compare, the shape of the model first.
    fit : callable
        Trains a model of the experiment on a fold; gives its curves.
    fit_as_called : callable
        Trains a model on the training rows of a fold exactly as its `fit` does by default; gives
        its curves.
    stages : callable
        Gives the numbers of steps after which a model trained by `fit_as_called` is evaluated by
        its `staged_predict_proba`, with its sizes there; none where only the whole model is.
    fixed : mapping of str to Any
        Hyperparameters that a run needs although they differ from the defaults of the class.
    size : callable
        Gives how many numbers a model has learned.
    optimizers : bool
        Whether the comparison of optimizers makes sense.
    importance : bool
        Whether a model has feature importances.
    probabilities : bool
        Whether a model gives probabilities.
    """

    noun: str
    unit: str
    learned: str
    length: str | None
    estimator: Callable[[], type]
    defaults: Mapping[str, Any]
    grid: Mapping[str, Any]
    rate: str
    layout: tuple[str, str]
    fit: Callable[..., Curves]
    fit_as_called: Callable[..., Curves]
    size: Callable[[Any], int]
    optimizers: bool
    importance: bool
    probabilities: bool = True
    stages: Callable[[Any], Mapping[int, int]] = lambda model: {}
    fixed: Mapping[str, Any] = field(default_factory=dict)

    def arguments(self, length: int, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return the arguments of the class: what is given, else the experiment's defaults."""
        steps = {} if self.length is None else {self.length: length}
        return {**self.defaults, **steps, **given}

    def arguments_as_called(self, length: int | None) -> dict[str, Any]:
        """Return the arguments with which the class has its defaults, but for its length."""
        steps = {} if None in (self.length, length) else {str(self.length): length}
        return {**self.fixed, **steps}

    def arguments_around_defaults(
        self, params: Mapping[str, Any], length: int | None
    ) -> dict[str, Any]:
        """Return the arguments of a candidate around the defaults.

        The defaults themselves, which have no `params`, keep their length.
        """
        return self.arguments_as_called(length if params else None) | dict(params)

    def steps(self, arguments: Mapping[str, Any]) -> int:
        """Return how many steps training with these arguments takes at most."""
        if self.length is None:
            return 1
        steps = arguments.get(self.length, self.default_steps)
        return steps if isinstance(steps, int) else self.default_steps

    @property
    def default_steps(self) -> int:
        """The largest number of steps that the class chooses by default."""
        from moodcore.estimators.gbt.auto import MOST_ROUNDS

        value = signature(self.estimator()).parameters[self.length or ""].default
        return value if isinstance(value, int) else MOST_ROUNDS


def family(name: str) -> Family:
    """Return the family of that name, one of `FAMILIES`."""
    return FAMILIES[name]


# The network of the song experiment: gradient descent with momentum, without regularization.
EXPERIMENT_NETWORK: Mapping[str, Any] = {
    "hidden_sizes": [16, 16],
    "n_networks": 1,
    "activation": "relu",
    "input_scaling": "none",
    "optimizer": "sgd",
    "learning_rate": 0.005,
    "momentum": 0.9,
    "batch_size": 32,
    "weight_decay": 0.0,
    "init": "he",
    "learning_rate_schedule": "constant",
    "early_stopping": False,
    "patience": 20,
}


def _mlp() -> type:
    from moodcore import MLP

    return MLP


def _size_mlp(model: Any) -> int:
    return sum(part.size for layer in model.core_model_.layers() for part in layer)


def _gbt() -> type:
    from moodcore import GBT

    return GBT


def _size_gbt(model: Any) -> int:
    return sum(fits.leaves_by_round(model))


def _svm() -> type:
    from moodcore import SVM

    return SVM


def _linear_svm() -> type:
    from moodcore import LinearSVM

    return LinearSVM


def _size_svm(model: Any) -> int:
    return len(model.support_)


def _size_linear_svm(model: Any) -> int:
    return int(model.coef_.size + model.intercept_.size)


_PROBABILITIES: Mapping[str, Any] = {"probability": True}

FAMILIES: Mapping[str, Family] = {
    "mlp": Family(
        noun="network",
        unit="epoch",
        learned="weights",
        length="epochs",
        estimator=_mlp,
        defaults=EXPERIMENT_NETWORK,
        grid={
            "hidden_sizes": [[8], [8, 8], [16], [16, 16]],
            "learning_rate": [0.005, 0.01, 0.06],
            "momentum": 0.9,
            "batch_size": [32, 64],
        },
        rate="learning_rate",
        layout=("hidden_sizes", "batch_size"),
        fit=fits.fit_mlp,
        fit_as_called=fits.fit_mlp_as_called,
        size=_size_mlp,
        optimizers=True,
        importance=False,
    ),
    "gbt": Family(
        noun="ensemble of trees",
        unit="round",
        learned="leaves",
        length="n_estimators",
        estimator=_gbt,
        # The textbook setting, which a number of rounds selects.
        defaults={
            "n_estimators": 100,
            "early_stopping_rounds": 20,
            "validation_fraction": fits.STOPPING_SHARE,
        },
        grid={
            "max_leaves": [7, 15, 31],
            "learning_rate": [0.05, 0.1, 0.2],
            "reg_lambda": [1.0, 10.0],
        },
        rate="learning_rate",
        layout=("max_leaves", "reg_lambda"),
        fit=fits.fit_gbt,
        fit_as_called=fits.fit_gbt_as_called,
        stages=fits.boosting_stages,
        size=_size_gbt,
        optimizers=False,
        importance=True,
    ),
    "svm": Family(
        noun="support vector machine",
        unit="fit",
        learned="support vectors",
        length=None,
        estimator=_svm,
        # The report judges probabilities too.
        defaults=_PROBABILITIES,
        grid={"C": [1.0, 3.0, 10.0, 30.0], "gamma": [0.05, 0.15, 0.5], "kernel": "rbf"},
        rate="C",
        layout=("gamma", "kernel"),
        fit=fits.fit_svm,
        fit_as_called=fits.fit_svm,
        fixed=_PROBABILITIES,
        size=_size_svm,
        optimizers=False,
        importance=False,
    ),
    "linear-svm": Family(
        noun="linear support vector machine",
        unit="fit",
        learned="weights",
        length=None,
        estimator=_linear_svm,
        defaults={},
        grid={
            "C": [0.001, 0.01, 0.1, 1.0, 10.0],
            "loss": ["squared_hinge", "hinge"],
            "penalty": "l2",
        },
        rate="C",
        layout=("loss", "penalty"),
        fit=fits.fit_linear_svm,
        fit_as_called=fits.fit_linear_svm,
        size=_size_linear_svm,
        optimizers=False,
        importance=False,
        probabilities=False,
    ),
}
