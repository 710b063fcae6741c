"""Models that a study trains."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from moodcore.errors import unknown_name
from moodcore.runs.families import FAMILIES, family

if TYPE_CHECKING:
    from moodcore.features.settings import FeatureSettings

#: Baseline next to the families.
REFERENCE = "logistic-regression"
MODELS = (*FAMILIES, REFERENCE)
#: Name of the model whose trees eliminate features.
TREES = "gbt"
# The study predicts labels, for which support vector machines need no Platt scaling.
_CHOSEN: Mapping[str, Mapping[str, Any]] = {"svm": {"probability": False}}
# The middle of the experiment's grid: on songs, the model underfits with C = 1.
_CHOSEN_IN_EXPERIMENT: Mapping[str, Mapping[str, Any]] = {"svm": {"C": 10.0, "probability": False}}


def default_model(name: str, settings: FeatureSettings) -> Any:
    """Return an unfitted model of that name.

    Parameters
    ----------
    name : str
        One of `MODELS`.
    settings : FeatureSettings
        Whose `base` and `epochs` decide the hyperparameters.

    Raises
    ------
    ConfigError
        For a name that is no model.

    Examples
    --------
    >>> from moodcore.features.settings import FeatureSettings
    >>> default_model("gbt", FeatureSettings(target="income"))
    GBT()
    >>> default_model("logistic-regression", FeatureSettings())
    LogisticRegression(max_iter=1000)
    """
    if name == REFERENCE:
        from sklearn.linear_model import LogisticRegression

        return LogisticRegression(max_iter=1000)
    if name not in FAMILIES:
        raise unknown_name("model", str(name), MODELS)
    chosen = _CHOSEN if settings.around_defaults else _CHOSEN_IN_EXPERIMENT
    arguments = settings.arguments(name) | dict(chosen.get(name, {}))
    return family(name).estimator()(**arguments)
