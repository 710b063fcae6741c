"""A study of features, from a table to what it found."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from moodcore.features import frames
from moodcore.features.advice import advise
from moodcore.features.choices import choices_of
from moodcore.features.measurement import Listener, Measurement
from moodcore.features.models import default_models
from moodcore.features.parts import Parts
from moodcore.features.plan import THRESHOLDS, Plan
from moodcore.features.table import Table, check_table
from moodcore.runs.settings import check_whole

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike


@dataclass(frozen=True)
class FeatureStudy:
    """What a study of features found.

    Attributes
    ----------
    features : DataFrame of shape (n_features, n_columns)
        One row for each feature, everything side by side: `gain` and `shap` of boosted trees,
        `mutual_information` (nats) and `label_correlation`, `permutation_<model>` (accuracy that
        shuffling costs), `partner` and `partner_correlation`, `elimination_rank` (1 stays
        longest), and `kept_<choice>` (share of the folds).
    importances : DataFrame
        The same by feature, measure and model, with `mean`, `std` over the folds, the 95 %
        interval `low` to `high`, and `repeat_std`.
    choices : DataFrame
        One row for each choice of features and model: `accuracy` with its standard deviation over
        the folds, `cost` against all features with its interval, and `beyond_spread`.
    trainings : DataFrame
        One row for each choice, model and fold.
    correlation : DataFrame of shape (n_numbers, n_numbers)
        Pearson correlations, mean over the folds.
    advice : tuple of str
        What the numbers say, sentence by sentence.
    """

    features: pd.DataFrame
    importances: pd.DataFrame
    choices: pd.DataFrame
    trainings: pd.DataFrame
    correlation: pd.DataFrame
    advice: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as plain lists and dicts; NaN stays NaN."""
        plain = {
            name: getattr(self, name).to_dict(orient="records")
            for name in ("features", "importances", "choices", "trainings")
        }
        return plain | {
            "correlation": self.correlation.to_dict(),
            "advice": list(self.advice),
        }


class Silent:
    """A listener that shows nothing."""

    def stage(self, text: str) -> None:
        """Do nothing."""

    def started(self, total: int, done: int) -> None:
        """Do nothing."""

    def finished(self, what: str) -> None:
        """Do nothing."""

    def ended(self) -> None:
        """Do nothing."""


def feature_study(
    X: Any,
    y: ArrayLike,
    *,
    models: Mapping[str, Any] | None = None,
    sets: Mapping[str, Sequence[str]] | None = None,
    thresholds: Sequence[float] = THRESHOLDS,
    sizes: Sequence[int] | None = None,
    folds: int = 5,
    repeats: int = 5,
    balance: bool = False,
    n_jobs: int | None = None,
    random_state: int = 0,
) -> FeatureStudy:
    """Measure how much each feature is worth, and what leaving some out costs.

    All models are trained on the same folds with all features, with each set of `sets`, with what
    a correlation filter leaves, and with what recursive elimination by the gain of boosted trees
    leaves. Everything that is fitted, filter and elimination too, is fitted on the training rows
    of each fold.

    Parameters
    ----------
    X : table of shape (n_rows, n_features)
        pandas, Arrow, Polars or NumPy; numbers and categories, missing values (NaN) allowed.
        Boosted trees take all of it as it is; other models get medians for missing numbers,
        standardized numbers, and columns of zeros and ones for categories.
    y : array-like of shape (n_rows,)
        Class labels.
    models : mapping of str to classifier, or None, default=None
        scikit-learn classifiers; None means `MLP`, `GBT`, `SVM`, `LinearSVM` and logistic
        regression. A `GBT` of the name "gbt" also eliminates and gives gain and Shapley values,
        else one with the default parameters does.
    sets : mapping of str to sequence of str, or None, default=None
        Choices of features to be measured beside the others.
    thresholds : sequence of float, default=(0.9, 0.8, 0.7, 0.6, 0.5)
        Absolute correlations above which the filter drops a feature, each in [0, 1].
    sizes : sequence of int or None, default=None
        Numbers of features that elimination leaves; None means each number below that of the
        features, or eight of them where there are more than twelve.
    folds : int, default=5
        Parts of the stratified cross-validation, at least 2.
    repeats : int, default=5
        How often each feature is shuffled in each fold, at least 1.
    balance : bool, default=False
        Whether training rows are downsampled to equal classes.
    n_jobs : int or None, default=None
        Threads, as in scikit-learn; None means all processors. Changes nothing but the time.
    random_state : int, default=0
        The same number gives the same study.

    Returns
    -------
    FeatureStudy

    Raises
    ------
    ValueError
        For a table, a label, a name or a number that cannot be used; says what is allowed.
    KeyboardInterrupt
        On Ctrl-C.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from sklearn.linear_model import LogisticRegression
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame(rng.normal(size=(600, 3)), columns=["loud", "quiet", "noise"])
    >>> X["quiet"] = 0.3 * X["quiet"] - X["loud"]
    >>> study = feature_study(
    ...     X, X["loud"] + X["quiet"] > 0, models={"plain": LogisticRegression(C=100.0)},
    ...     thresholds=[0.9], sizes=[2], folds=3,
    ... )
    >>> costs = study.choices.set_index("choice")["cost"]
    >>> float(costs["eliminated to 2"]) < 0.02 < 0.3 < float(costs["filter 0.9"])
    True
    >>> print(study.advice[0])
    For plain, 2 of 3 features chosen by importance (quiet and loud) are enough: leaving out the
    others costs no more accuracy than the folds differ. Choose features by importance, not by
    correlation.
    """
    random_state = int(random_state) if isinstance(random_state, np.integer) else random_state
    check_whole("random_state", random_state, 0)
    plan = Plan(
        thresholds=_numbers("thresholds", thresholds),
        sizes=None if sizes is None else _numbers("sizes", sizes),
        folds=folds,
        repeats=repeats,
        balance=balance,
        seed=random_state,
    )
    table = check_table(X, y)
    check_counts(table, plan)
    chosen = default_models() if models is None else dict(models)
    check_models(chosen)
    from moodcore.runs.tasks import RunInterruptedError

    try:
        return study_table(
            table, chosen, sets or {}, plan, jobs=_threads(n_jobs), stop=threading.Event()
        )
    except RunInterruptedError:
        raise KeyboardInterrupt from None


def study_table(
    table: Table,
    models: Mapping[str, Any],
    sets: Mapping[str, Sequence[str]],
    plan: Plan,
    *,
    jobs: int,
    stop: threading.Event,
    parts: Parts | None = None,
    listener: Listener | None = None,
) -> FeatureStudy:
    """Measure a checked table (see `feature_study`), or what is left to be measured of it.

    Raises
    ------
    RunInterruptedError
        When stopped; finished parts are kept.
    """
    kept = parts or Parts()
    choices = choices_of(table, plan, sets)
    measurement = Measurement(
        table, models, choices, plan, kept, jobs=jobs, stop=stop, listener=listener or Silent()
    )
    measurement.run()
    found = frames.Findings(table, kept, choices, tuple(models), plan)
    trainings = frames.trainings_frame(found)
    costs = frames.choices_frame(found)
    importances = frames.importances_frame(found)
    features = frames.features_frame(found, importances)
    return FeatureStudy(
        features=features,
        importances=importances,
        choices=costs,
        trainings=trainings,
        correlation=frames.correlation_frame(found),
        advice=advise(features, importances, costs, trainings),
    )


def check_models(models: Mapping[str, Any]) -> None:
    """Raise a `ValueError` unless there are models, and each is a classifier."""
    if not models:
        raise ValueError("models must hold at least one classifier, got none")
    for name, model in models.items():
        if isinstance(model, type) or not all(
            hasattr(model, method) for method in ("fit", "predict", "get_params")
        ):
            raise ValueError(
                f"models: {name!r} must be a classifier of scikit-learn's kind, got {model!r}"
            )


def check_counts(table: Table, plan: Plan) -> None:
    """Raise a `ValueError` unless each fold can train on and judge every class."""
    counts = np.bincount(table.y)
    least = 2 * plan.folds
    if counts.min() < least:
        raise ValueError(
            f"y: class {table.classes[counts.argmin()]!r} has {counts.min()} rows, but "
            f"{plan.folds} folds need at least {least} of every class"
        )


def _numbers(name: str, values: Any) -> tuple[Any, ...]:
    """Return plain numbers, which `Plan` checks; arrays of NumPy hold others."""
    if isinstance(values, str) or np.ndim(values) != 1:
        raise ValueError(f"{name} must be a list of numbers, got {values!r}")
    return tuple(np.asarray(values).tolist())


def _threads(n_jobs: int | None) -> int:
    from joblib import effective_n_jobs

    from moodcore.runs.processors import available

    return available() if n_jobs is None else int(effective_n_jobs(n_jobs))
