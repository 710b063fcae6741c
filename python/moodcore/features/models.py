"""Models that a study trains."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moodcore.errors import unknown_name
from moodcore.runs.families import FAMILIES, family

#: Baseline next to the families.
REFERENCE = "logistic-regression"
MODELS = (*FAMILIES, REFERENCE)
EPOCHS = 100
#: Name of the model whose trees eliminate features.
TREES = "gbt"
# The middle of the family's grid: with C = 1 the model underfits.
_CHOSEN: Mapping[str, Mapping[str, Any]] = {"svm": {"C": 10.0, "probability": False}}


def default_model(name: str, epochs: int = EPOCHS) -> Any:
    """Return an unfitted model of that name.

    Parameters
    ----------
    name : str
        One of `MODELS`.
    epochs : int, default=100
        Epochs of the network, and maximum number of boosting rounds.

    Raises
    ------
    ConfigError
        For a name that is no model.

    Examples
    --------
    >>> default_model("logistic-regression")
    LogisticRegression(max_iter=1000)
    """
    if name == REFERENCE:
        from sklearn.linear_model import LogisticRegression

        return LogisticRegression(max_iter=1000)
    if name not in FAMILIES:
        raise unknown_name("model", str(name), MODELS)
    kind = family(name)
    return kind.estimator()(**kind.arguments(epochs, _CHOSEN.get(name, {})))
