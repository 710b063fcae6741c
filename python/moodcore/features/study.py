"""`moodcore.feature_study`: the study from Python."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from moodcore.errors import ConfigError
from moodcore.features.models import MODELS
from moodcore.features.run import FeatureRun
from moodcore.features.settings import FeatureSettings
from moodcore.runs.listener import Listener
from moodcore.runs.models import named_models
from moodcore.runs.result import RunResult, in_memory, run_in_process
from moodcore.runs.settings import with_seed

if TYPE_CHECKING:
    import pandas as pd


class FeatureStudy(RunResult):
    """Result of `feature_study`.

    Attributes
    ----------
    metrics : dict
        Every number of the run but its times: the content of `metrics.json`, which
        `moodcore features --json` prints.
    folder : Path or None
        Folder of the run, with `report.html`; None where it is not kept.
    """

    command = "features"
    _model: Any = None

    @cached_property
    def best_model(self) -> Any:
        """The most accurate model, trained on all rows with the recommended features.

        The recommended features are the fewest, selected by elimination, that cost the model no
        accuracy (`metrics["recommended"]`). None if nothing could be trained.

        Raises
        ------
        ConfigError
            In a study read from a folder, for a model of another library, which is in no file.
        """
        if self._model is not None or self.metrics["recommended"] is None:
            return self._model
        if not self._files.model.exists():
            name = self.metrics["recommended"]["model"]
            raise ConfigError(
                f"{self._files.path}: the best model, {name!r}, is of another library and in no "
                "file; train it again"
            )
        from moodcore.model_files import load

        return load(self._files.model)

    @cached_property
    def features(self) -> pd.DataFrame:
        """One row per feature: all its measures, its strongest partner, the choices that keep it.

        `gain` and `shap` of boosted trees, `mutual_information` (nats) and `label_correlation`,
        `permutation_<model>` (accuracy lost by shuffling), `partner` and `partner_correlation`,
        `elimination_rank` (1 stays longest), and `kept_<choice>` (share of the folds).
        """
        return self._table("features")

    @cached_property
    def importances(self) -> pd.DataFrame:
        """One row per feature, measure and model.

        `mean` and `std` over the folds, the 95 % interval `low` to `high`, and `repeat_std`.
        """
        return self._table("importances")

    @cached_property
    def choices(self) -> pd.DataFrame:
        """One row per choice of features and model.

        `accuracy` with its standard deviation over the folds, `cost` compared with all features
        with its 95 % interval, and `beyond_spread`, whether the interval excludes zero.
        """
        return self._table("choices")

    @cached_property
    def trainings(self) -> pd.DataFrame:
        """One row per choice, model and fold."""
        return self._table("trainings")

    @cached_property
    def correlation(self) -> pd.DataFrame:
        """Pearson correlations of the numeric features, mean over the folds."""
        import pandas as pd

        return pd.DataFrame(self.metrics["correlation"])

    def _table(self, name: str) -> pd.DataFrame:
        import pandas as pd

        table = pd.DataFrame(self.metrics[name])
        # Where all numbers are missing, pandas sees objects.
        return table.apply(lambda column: column.astype(float) if column.isna().all() else column)

    def _repr_html_(self) -> str:
        accuracies = self.choices.pivot(index="choice", columns="model", values="accuracy")
        accuracies = accuracies.loc[list(dict.fromkeys(self.choices["choice"]))]
        return super()._repr_html_() + str(accuracies.to_html(float_format="{:.4f}".format))


def feature_study(
    X: Any = None,
    y: Any = None,
    *,
    models: Sequence[str] | Mapping[str, Any] | None = None,
    random_state: int | None = None,
    out: str | os.PathLike[str] | None = None,
    n_jobs: int | None = -1,
    minutes: float | None = None,
    listener: Listener | None = None,
    scheduler: str | None = None,
    **settings: Any,
) -> FeatureStudy:
    """Measure the importance of each feature, and the cost of leaving features out.

    The same as `moodcore features`: all models are trained on the same folds with all features,
    with each named set, with what a correlation filter keeps, and with what recursive elimination
    by the gain of boosted trees keeps. Everything that is fitted, filter and elimination included,
    is fitted on the training rows of each fold.

    Parameters
    ----------
    X : table of shape (n_rows, n_features), path or None, default=None
        NumPy, pandas, Arrow or Polars, with numbers, categories and missing values; or a table
        file. None means the embedded synthetic songs.
    y : array-like of shape (n_rows,), str or None, default=None
        Labels, or the name of their column in the table; None means that the table holds songs.
    models : list of str, mapping of str to classifier or str, or None, default=None
        Names of "mlp", "gbt", "svm", "linear-svm" and "logistic-regression", or scikit-learn
        classifiers and such names by names of your own; None means all five. A classifier gets
        prepared columns, a pipeline the table as it is. A `GBT` of the name
        "gbt" also eliminates features and measures gain and Shapley values; without one the
        default "gbt" does.
    random_state : int or None, default=None
        Seed of every random choice, the same as the setting `seed`; None means that of the
        settings, which is 0 by default.
    out : path or None, default=None
        New folder for the run; None keeps the files no longer than the result.
    n_jobs : int or None, default=-1
        Trainings at a time, as in scikit-learn; the results do not depend on it.
    minutes : float or None, default=None
        Time after which no other training begins, once every model was trained with all features.
    listener : Listener or None, default=None
        Receives the progress; None shows a bar in notebooks and nothing elsewhere.
    scheduler : str or None, default=None
        Address of a Dask scheduler whose workers train.
    **settings
        Settings of `moodcore.features.settings.FeatureSettings` by name: sets, thresholds, sizes,
        repeats, folds, epochs, balance, features, drop, rows, seed and so on.

    Returns
    -------
    FeatureStudy

    Raises
    ------
    ConfigError
        For a setting that does not exist or cannot be used, for a folder that is not new, and for
        data that cannot be used. It is a `ValueError`.
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
    ...     thresholds=[0.9], sizes=[2], folds=3, n_jobs=1,
    ... )
    >>> costs = study.choices.set_index("choice")["cost"]
    >>> float(costs["eliminated to 2"]) < 0.02 < 0.3 < float(costs["filter 0.9"])
    True
    >>> study.metrics["recommended"]["features"]
    ['loud', 'quiet']
    """
    named = named_models(models, MODELS)
    settings = with_seed(settings, random_state)
    run = in_memory(
        FeatureRun,
        FeatureSettings,
        X,
        y,
        {"models": tuple(named), **settings},
        where="feature_study",
        models={name: model for name, model in named.items() if model != name},
    )
    values = {"models": list(named), **settings}
    shown = ", ".join(f"{name}={value!r}" for name, value in values.items())
    folder, scratch = run_in_process(
        run,
        out=out,
        n_jobs=n_jobs,
        minutes=minutes,
        listener=listener,
        scheduler=scheduler,
        command=f"moodcore.feature_study({shown})",
    )
    study = FeatureStudy(folder, scratch)
    study._model = run.model
    return study
