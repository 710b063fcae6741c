"""What runs know of each model family: one row per family.

Everything else in a run is the same for all families: data, folds, search, refit, test, report.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from moodcore.runs.folds import Fold

Curves = dict[str, list[float]]
#: Called after every epoch or round with the last value of each curve.
OnStep = Callable[[dict[str, float]], None]
OnPoll = Callable[[], object]

CURVES = ("train_loss", "train_accuracy", "valid_loss", "valid_accuracy")


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
        Default grid of a search.
    rate : str
        The hyperparameter that pictures compare first.
    layout : tuple of str
        The two others that they compare, the shape of the model first.
    fit : callable
        Trains a model on a fold; gives its curves.
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
    size: Callable[[Any], int]
    optimizers: bool
    importance: bool
    probabilities: bool = True

    def arguments(self, length: int, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return the arguments of the class: what is given, else the experiment's defaults."""
        steps = {} if self.length is None else {self.length: length}
        return {**self.defaults, **steps, **given}

    def steps(self, arguments: Mapping[str, Any]) -> int:
        """Return how many steps training with these arguments takes at most."""
        return 1 if self.length is None else int(arguments[self.length])


def family(name: str) -> Family:
    """Return the family of that name, one of `FAMILIES`."""
    return FAMILIES[name]


# The network of the song experiment: gradient descent with momentum, without regularization.
EXPERIMENT_NETWORK: Mapping[str, Any] = {
    "hidden_sizes": [16, 16],
    "activation": "relu",
    "input_scaling": "none",
    "optimizer": "sgd",
    "learning_rate": 0.005,
    "momentum": 0.9,
    "batch_size": 32,
    "init": "he",
    "learning_rate_schedule": "constant",
    "early_stopping": False,
    "patience": 20,
}


def _mlp() -> type:
    from moodcore import MLP

    return MLP


def _fit_mlp(
    model: Any, fold: Fold, seed: int, on_step: OnStep, on_poll: OnPoll, *, probabilities: bool
) -> Curves:
    from moodcore.estimators.progress import polled

    keys = dict(zip(CURVES, ("loss", "accuracy", "eval_loss", "eval_accuracy"), strict=True))
    with polled(on_poll):
        model.fit(
            fold.X_train,
            fold.y_train,
            eval_set=(fold.X_valid, fold.y_valid),
            on_epoch=lambda state: on_step({name: float(state[key]) for name, key in keys.items()}),
        )
    # Divergence in the first epoch leaves no validation curve.
    history = {name: model.history_.get(key, []) for name, key in keys.items()}
    return {name: [float(value) for value in values] for name, values in history.items()}


def _size_mlp(model: Any) -> int:
    return sum(part.size for part in (*model.coefs_, *model.intercepts_))


def _gbt() -> type:
    from moodcore import GBT

    return GBT


# Share of a fold's training rows by which boosting is stopped. The validation rows of the fold
# must not decide when: they score the candidate.
_STOPPING_SHARE = 0.1


def _fit_gbt(
    model: Any, fold: Fold, seed: int, on_step: OnStep, on_poll: OnPoll, *, probabilities: bool
) -> Curves:
    import numpy as np
    from sklearn.model_selection import train_test_split
    from sklearn.utils import _safe_indexing

    from moodcore.estimators.progress import polled

    smallest = min(np.unique(fold.y_train, return_counts=True)[1])
    many = _STOPPING_SHARE * len(fold.y_train) >= len(np.unique(fold.y_train)) and smallest > 1
    learned, watched = train_test_split(
        np.arange(len(fold.y_train)),
        test_size=_STOPPING_SHARE,
        stratify=fold.y_train if many else None,
        random_state=seed,
    )
    X, y = _safe_indexing(fold.X_train, learned), fold.y_train[learned]
    stopping = _safe_indexing(fold.X_train, watched), fold.y_train[watched]
    sets = {"train": (X, y), "valid": (fold.X_valid, fold.y_valid), "stopping": stopping}

    def step(record: Mapping[str, Any]) -> None:
        on_step(
            {
                f"{name}_{curve}": value
                for name in ("train", "valid")
                for curve, value in (
                    ("loss", float(record[name]["logloss"])),
                    ("accuracy", 1.0 - float(record[name]["error"])),
                )
            }
        )

    # The last metric on the last set is what early stopping looks at.
    model.set_params(eval_metric=["error", "logloss"], callbacks=[step])
    with polled(on_poll):
        model.fit(X, y, eval_set=sets)
    model.set_params(callbacks=None)
    results = model.evals_result_
    curves: Curves = {}
    for name in ("train", "valid"):
        curves[f"{name}_loss"] = [float(loss) for loss in results[name]["logloss"]]
        curves[f"{name}_accuracy"] = [1.0 - float(error) for error in results[name]["error"]]
    return curves


def _size_gbt(model: Any) -> int:
    frame = model.trees_to_dataframe()
    return int((frame["Feature"] == "Leaf").sum())


def _svm() -> type:
    from moodcore import SVM

    return SVM


def _linear_svm() -> type:
    from moodcore import LinearSVM

    return LinearSVM


def _fit_svm(
    model: Any, fold: Fold, seed: int, on_step: OnStep, on_poll: OnPoll, *, probabilities: bool
) -> Curves:
    # Platt scaling costs time; candidates need it only where the metric does.
    model.set_params(probability=probabilities)
    return _fit_linear_svm(model, fold, seed, on_step, on_poll, probabilities=probabilities)


# Training rows on which a support vector machine is measured: decisions on all of them would take
# as long as training.
_MEASURED = 20_000


def _fit_linear_svm(
    model: Any, fold: Fold, seed: int, on_step: OnStep, on_poll: OnPoll, *, probabilities: bool
) -> Curves:
    import numpy as np
    from sklearn.metrics import accuracy_score, hinge_loss

    from moodcore.estimators.progress import polled

    with polled(on_poll):
        model.fit(fold.X_train, fold.y_train)
    rows = np.random.default_rng(seed).permutation(len(fold.y_train))[:_MEASURED]
    measured = {
        "train": (fold.X_train[rows], fold.y_train[rows]),
        "valid": (fold.X_valid, fold.y_valid),
    }
    found = {}
    for name, (X, y) in measured.items():
        decisions = model.decision_function(X)
        codes = decisions.argmax(axis=1) if decisions.ndim > 1 else (decisions > 0).astype(int)
        found[f"{name}_loss"] = float(hinge_loss(y, decisions, labels=model.classes_))
        found[f"{name}_accuracy"] = float(accuracy_score(y, model.classes_[codes]))
    on_step(found)
    return {name: [found[name]] for name in CURVES}


def _size_svm(model: Any) -> int:
    return len(model.support_)


def _size_linear_svm(model: Any) -> int:
    return int(model.coef_.size + model.intercept_.size)


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
        fit=_fit_mlp,
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
            "validation_fraction": _STOPPING_SHARE,
        },
        grid={
            "max_leaves": [7, 15, 31],
            "learning_rate": [0.05, 0.1, 0.2],
            "reg_lambda": [1.0, 10.0],
        },
        rate="learning_rate",
        layout=("max_leaves", "reg_lambda"),
        fit=_fit_gbt,
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
        defaults={"probability": True},
        grid={"C": [1.0, 3.0, 10.0, 30.0], "gamma": [0.05, 0.15, 0.5], "kernel": "rbf"},
        rate="C",
        layout=("gamma", "kernel"),
        fit=_fit_svm,
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
        fit=_fit_linear_svm,
        size=_size_linear_svm,
        optimizers=False,
        importance=False,
        probabilities=False,
    ),
}
