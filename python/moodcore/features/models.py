"""The models of a study, and the way of a table's rows into each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from moodcore.errors import unknown_name
from moodcore.runs.families import FAMILIES, family

if TYPE_CHECKING:
    import pandas as pd
    from sklearn.pipeline import Pipeline

#: The plain reference beside the families.
REFERENCE = "logistic-regression"
MODELS = (*FAMILIES, REFERENCE)
EPOCHS = 100
TREES = "gbt"
_TITLES = {
    "mlp": "MLP",
    "gbt": "GBT",
    "svm": "SVM",
    "linear-svm": "LinearSVM",
    REFERENCE: "logistic regression",
}
# The middle of the family's grid: with C = 1 the machine stays below what the features allow.
_CHOSEN: Mapping[str, Mapping[str, Any]] = {"svm": {"C": 10.0, "probability": False}}


def title(name: str) -> str:
    """Return what a sentence calls a model.

    Examples
    --------
    >>> title("linear-svm"), title("mine")
    ('LinearSVM', 'mine')
    """
    return _TITLES.get(name, name)


def default_models(names: Sequence[str] = MODELS, epochs: int = EPOCHS) -> dict[str, Any]:
    """Return the models that a study trains unless it is given others, not yet fitted.

    Parameters
    ----------
    names : sequence of str
        Of `MODELS`.
    epochs : int, default=100
        Epochs of the network, and rounds of boosting at most.

    Raises
    ------
    ConfigError
        For a name that is no model.

    Examples
    --------
    >>> list(default_models(["gbt", "logistic-regression"]))
    ['gbt', 'logistic-regression']
    """
    from sklearn.linear_model import LogisticRegression

    found: dict[str, Any] = {}
    for name in names:
        if name == REFERENCE:
            found[name] = LogisticRegression(max_iter=1000)
        elif name in FAMILIES:
            row = family(name)
            arguments = row.arguments(epochs, _CHOSEN.get(name, {}))
            found[name] = row.estimator()(**arguments)
        else:
            raise unknown_name("model", name, MODELS)
    return found


def pipeline(model: Any, *, balance: bool, seed: int, balance_seed: int) -> Pipeline:
    """Return a model with all that has to be fitted before it.

    Trees take the columns as they are. For others missing numbers become the median, numbers are
    standardized, and categories become columns of zeros and ones. (That is the preprocessing of
    the songs too: a min-max scaler before a standardizing one changes nothing.)

    Parameters
    ----------
    model : classifier
        Is cloned. Ours train on one thread; one without a seed of its own gets `seed`.
    balance : bool
        Whether training rows are downsampled to equal classes.
    seed, balance_seed : int
        Of training and of downsampling.
    """
    from sklearn.pipeline import Pipeline

    from moodcore.comparison.entrants import seeded
    from moodcore.estimators.base import Classifier
    from moodcore.preprocessing import BalancedClassifier
    from moodcore.tables.preparation import TablePreparation

    own = seeded(model, seed)
    if isinstance(own, Classifier):
        # The study's threads work on other models meanwhile.
        own.set_params(n_jobs=1)
    steps = [] if _takes_tables(own) else [("prepare", TablePreparation())]
    classify = BalancedClassifier(own, random_state=balance_seed) if balance else own
    return Pipeline([*steps, ("classify", classify)])


def fit(
    model: Pipeline, X: pd.DataFrame, y: Any, on_poll: Callable[[], object] | None = None
) -> Pipeline:
    """Fit a pipeline; what `on_poll` raises ends the training of our own models."""
    from moodcore.estimators.base import Classifier

    classify = model.named_steps["classify"]
    inner = getattr(classify, "estimator", classify)
    ours = isinstance(inner, Classifier) and on_poll is not None
    return model.fit(X, y, **({"classify__on_poll": on_poll} if ours else {}))


def _takes_tables(model: Any) -> bool:
    from moodcore.estimators.gbt.estimator import GBT

    return isinstance(model, GBT)
