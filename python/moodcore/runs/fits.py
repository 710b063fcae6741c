"""Training of a model of each family on one fold.

Every function trains the model, calls `on_step` after every epoch or round with the last value of
each curve, and returns the curves. `on_poll` is called often, and ends training by an exception.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from moodcore.runs.folds import Fold

Curves = dict[str, list[float]]
#: Called after every epoch or round with the last value of each curve.
OnStep = Callable[[dict[str, float]], None]
OnPoll = Callable[[], object]

CURVES = ("train_loss", "train_accuracy", "valid_loss", "valid_accuracy")


def fit_mlp(
    model: Any, fold: Fold, seed: int, on_step: OnStep, on_poll: OnPoll, *, probabilities: bool
) -> Curves:
    """Train a network and evaluate it on the validation rows after every epoch."""
    return _fit_network(model, fold, on_step, on_poll, eval_set=(fold.X_valid, fold.y_valid))


def fit_mlp_as_called(
    model: Any, fold: Fold, seed: int, on_step: OnStep, on_poll: OnPoll, *, probabilities: bool
) -> Curves:
    """Train as `MLP().fit(X, y)` does, which stops early by rows that it holds out itself.

    An evaluation set would decide when to stop, so the validation rows of the fold are not passed.
    The validation curves are those of the held-out rows, or NaN without any.
    """
    return _fit_network(model, fold, on_step, on_poll, eval_set=None)


def _fit_network(
    model: Any, fold: Fold, on_step: OnStep, on_poll: OnPoll, *, eval_set: Any
) -> Curves:
    from moodcore.estimators.progress import polled

    keys = dict(zip(CURVES, ("loss", "accuracy", "eval_loss", "eval_accuracy"), strict=True))

    def on_epoch(state: Mapping[str, Any]) -> None:
        on_step({name: float(state.get(key, math.nan)) for name, key in keys.items()})

    with polled(on_poll):
        model.fit(fold.X_train, fold.y_train, eval_set=eval_set, on_epoch=on_epoch)
    history, n_epochs = model.history_, len(model.history_["loss"])
    # There are no validation curves without held-out rows, or if the first epoch diverged.
    missing = [math.nan] * n_epochs
    return {
        name: [float(value) for value in history.get(key, missing)] for name, key in keys.items()
    }


# Share of a fold's training rows by which boosting is stopped. The validation rows of the fold
# must not decide when: they score the candidate.
STOPPING_SHARE = 0.1


def fit_gbt(
    model: Any, fold: Fold, seed: int, on_step: OnStep, on_poll: OnPoll, *, probabilities: bool
) -> Curves:
    """Train trees with early stopping on a tenth of the training rows."""
    import numpy as np
    from sklearn.model_selection import train_test_split
    from sklearn.utils import _safe_indexing

    from moodcore.estimators.progress import polled

    smallest = min(np.unique(fold.y_train, return_counts=True)[1])
    many = STOPPING_SHARE * len(fold.y_train) >= len(np.unique(fold.y_train)) and smallest > 1
    learned, watched = train_test_split(
        np.arange(len(fold.y_train)),
        test_size=STOPPING_SHARE,
        stratify=fold.y_train if many else None,
        random_state=seed,
    )
    X, y = _safe_indexing(fold.X_train, learned), fold.y_train[learned]
    stopping = _safe_indexing(fold.X_train, watched), fold.y_train[watched]
    sets = {"train": (X, y), "valid": (fold.X_valid, fold.y_valid), "stopping": stopping}

    # The last metric on the last set is what early stopping looks at.
    model.set_params(eval_metric=["error", "logloss"], callbacks=[_boosting_step(on_step)])
    with polled(on_poll):
        model.fit(X, y, eval_set=sets)
    model.set_params(callbacks=None)
    return boosting_curves(model)


# Rounds without improvement on the validation rows after which a fold is not trained any longer.
_PATIENCE = 50
# Ratio of the numbers of rounds that are compared: the loss hardly differs between two of them.
_STAGE_RATIO = 1.25


def fit_gbt_as_called(
    model: Any, fold: Fold, seed: int, on_step: OnStep, on_poll: OnPoll, *, probabilities: bool
) -> Curves:
    """Train as `GBT(...).fit(X, y)` does, but no longer than `boosting_stages` can use.

    A model that chooses its number of rounds does so on the training rows. One of a fixed number is
    trained until the loss of the validation rows has stopped falling.
    """
    from moodcore.estimators.progress import polled

    if model.early_stopping_rounds is not None:
        # The model holds out rows itself, and an evaluation set would take their place.
        with polled(on_poll):
            model.fit(fold.X_train, fold.y_train)
        return {name: [] for name in CURVES}
    sets = {"train": (fold.X_train, fold.y_train), "valid": (fold.X_valid, fold.y_valid)}
    model.set_params(**watching(model, on_step))
    with polled(on_poll):
        model.fit(fold.X_train, fold.y_train, eval_set=sets)
    model.set_params(**NOT_WATCHING)
    return boosting_curves(model)


def watching(model: Any, on_step: OnStep) -> dict[str, Any]:
    """Return the parameters with which trees are evaluated after every round, as they are called.

    The evaluation sets are "train" and "valid"; curves and pruners need them, and trees of a fixed
    number of rounds stop if the loss of the validation rows has stopped falling.
    """
    return {
        "eval_metric": ["error", "logloss"],
        "callbacks": [_boosting_step(on_step)],
        "early_stopping_rounds": _PATIENCE if _has_stages(model) else None,
    }


#: The same parameters of the model as it was called.
NOT_WATCHING: Mapping[str, Any] = dict.fromkeys(
    ("eval_metric", "callbacks", "early_stopping_rounds")
)


def boosting_stages(model: Any) -> dict[int, int]:
    """Return the numbers of rounds at which a model is evaluated, and of leaves up to there.

    The first rounds of boosting are the model of fewer rounds, so one training evaluates all; the
    search chooses the number with the lowest mean log loss over the folds. There are none if the
    model has chosen its number of rounds itself.
    """
    if model.early_stopping_rounds is not None or not _has_stages(model):
        return {}
    stages, rounds = [], 1.0
    while round(rounds) < model.n_estimators:
        stages.append(round(rounds))
        rounds = max(rounds + 1, rounds * _STAGE_RATIO)
    stages.append(model.n_estimators)
    leaves = leaves_by_round(model)
    return {stage: sum(leaves[:stage]) for stage in stages if stage <= model.n_iter_}


def leaves_by_round(model: Any) -> list[int]:
    """Return the number of leaves of the trees of each round."""
    import numpy as np

    nodes = np.diff(model.core_model_.arrays()["tree_offsets"])
    # A binary tree has one leaf more than it has splits.
    counts = ((nodes + 1) // 2).reshape(model.n_iter_, -1).sum(axis=1)
    return [int(count) for count in counts]


def _has_stages(model: Any) -> bool:
    boosting = model.boosting
    kind = boosting.get("kind") if isinstance(boosting, Mapping) else boosting
    # Later rounds of DART change the weights of earlier ones.
    return isinstance(model.n_estimators, int) and kind != "dart"


def _boosting_step(on_step: OnStep) -> Callable[[Mapping[str, Any]], None]:
    """Return a callback that reports the metrics of a round."""

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

    return step


def boosting_curves(model: Any) -> Curves:
    """Return the curves of trees that were evaluated after every round."""
    results = model.evals_result_
    curves: Curves = {}
    for name in ("train", "valid"):
        curves[f"{name}_loss"] = [float(loss) for loss in results[name]["logloss"]]
        curves[f"{name}_accuracy"] = [1.0 - float(error) for error in results[name]["error"]]
    return curves


def fit_svm(
    model: Any, fold: Fold, seed: int, on_step: OnStep, on_poll: OnPoll, *, probabilities: bool
) -> Curves:
    """Train a support vector machine and evaluate it once."""
    # Platt scaling costs time; candidates need it only where the metric does.
    model.set_params(probability=probabilities)
    return fit_linear_svm(model, fold, seed, on_step, on_poll, probabilities=probabilities)


# Training rows on which a support vector machine is measured: decisions on all of them would take
# as long as training.
_MEASURED = 20_000


def fit_linear_svm(
    model: Any, fold: Fold, seed: int, on_step: OnStep, on_poll: OnPoll, *, probabilities: bool
) -> Curves:
    """Train a support vector machine and evaluate it once."""
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
