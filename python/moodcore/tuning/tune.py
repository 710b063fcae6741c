"""`moodcore.tune`: the search from Python."""

from __future__ import annotations

import os
from functools import cached_property
from typing import TYPE_CHECKING, Any

from moodcore.files import read_parquet
from moodcore.runs.listener import Listener
from moodcore.runs.result import RunResult, in_memory, run_in_process
from moodcore.runs.settings import with_seed
from moodcore.tuning.file_run import tune_run
from moodcore.tuning.settings import TuneSettings

if TYPE_CHECKING:
    import pandas as pd


class TuneResult(RunResult):
    """Result of `tune`.

    Attributes
    ----------
    metrics : dict
        Every number of the run but its times: the content of `metrics.json`, which
        `moodcore tune --json` prints.
    folder : Path or None
        Folder of the run, with `report.html`; None where it is not kept.
    """

    command = "tune"

    @cached_property
    def best_model(self) -> Any:
        """The saved model; None where nothing was searched.

        It was trained on all rows after the test, or with ``refit="training"`` is the model that
        was tested.
        """
        from moodcore.model_files import load

        return load(self._files.model) if self._files.model.exists() else None

    @cached_property
    def trials(self) -> pd.DataFrame | None:
        """One row per candidate: hyperparameters and results; None where nothing was searched."""
        import pandas as pd

        path = self._files.table("trials")
        return pd.read_csv(path, dtype={"hidden_sizes": str}) if path.exists() else None

    @cached_property
    def curves(self) -> pd.DataFrame | None:
        """One row per candidate and epoch or round; None where nothing was searched."""
        path = self._files.table("curves.parquet")
        return read_parquet(path) if path.exists() else None

    @cached_property
    def predictions(self) -> pd.DataFrame | None:
        """One row per test row: class, prediction, probabilities; None without a search."""
        import pandas as pd

        path = self._files.table("predictions.parquet")
        return pd.read_parquet(path) if path.exists() else None

    @cached_property
    def optimizers(self) -> pd.DataFrame | None:
        """One row per optimizer and epoch; None where no optimizers were compared."""
        import pandas as pd

        path = self._files.table("optimizers.parquet")
        if not path.exists():
            return None
        table = read_parquet(path)
        losses = [
            pd.DataFrame({"optimizer": name, "epoch": range(1, len(loss) + 1), "loss": loss})
            for name, loss in zip(table.optimizer, table.epoch_loss, strict=True)
        ]
        return pd.concat(losses, ignore_index=True)


def tune(
    X: Any = None,
    y: Any = None,
    *,
    model: str = "mlp",
    random_state: int | None = None,
    out: str | os.PathLike[str] | None = None,
    n_jobs: int | None = -1,
    minutes: float | None = None,
    listener: Listener | None = None,
    scheduler: str | None = None,
    **settings: Any,
) -> TuneResult:
    """Search the best model for a table, test it once, and train it on all rows.

    The same as `moodcore tune`: a stratified fifth of the rows is held out for one test; on the
    rest, candidates are compared by cross-validation, with all preparation fitted inside the
    folds. The default model of each family is a candidate, and is kept unless another is clearly
    better.

    Parameters
    ----------
    X : table of shape (n_rows, n_columns), path or None, default=None
        pandas, Arrow, Polars or NumPy, or the path of a file, or a folder or pattern of Parquet
        files, on which ``model="gbt"`` is searched in batches; None means the embedded synthetic
        songs.
    y : array-like of shape (n_rows,), str or None, default=None
        Labels, or the name of their column; None means that the table holds songs.
    model : {"mlp", "gbt", "svm", "linear-svm", "all"}, default="mlp"
        Model family, or all of them in one search.
    random_state : int or None, default=None
        Seed of every random choice, the same as the setting `seed`; None means that of the
        settings, which is 0 by default.
    out : path or None, default=None
        New folder that keeps everything, from which `moodcore tune --resume` continues an
        interrupted run; None keeps nothing on disk.
    n_jobs : int or None, default=-1
        Trainings at a time, as in scikit-learn; the results do not depend on it.
    minutes : float or None, default=None
        Time limit of the search, above 0; one candidate is always finished.
    listener : Listener or None, default=None
        Receives the progress; None shows a bar in notebooks and nothing elsewhere.
    scheduler : str or None, default=None
        Address of a Dask scheduler whose workers train.
    **settings : Any
        By name, as in `config.toml`: `metric`, `features`, `drop`, `test`, `folds`, `epochs`,
        `sampler`, `trials`, `grid`, `refit`, `seed` and so on; see
        `moodcore.tuning.settings.TuneSettings`.

    Returns
    -------
    TuneResult

    Raises
    ------
    ConfigError
        For a setting that does not exist or cannot be used, for a folder that is not new, and for
        data that cannot be used. It is a `ValueError`.
    KeyboardInterrupt
        On Ctrl-C.

    Examples
    --------
    >>> import moodcore
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True, as_frame=True)
    >>> grid = {"max_leaves": [4, 8], "learning_rate": 0.3, "n_estimators": 30}
    >>> result = moodcore.tune(X, y, model="gbt", folds=2, grid=grid)
    >>> result.trials["max_leaves"].tolist()     # the first candidate has the defaults
    [nan, 4.0, 8.0]
    >>> result.best_model.predict(X.head(3)).tolist()
    [0, 0, 0]
    """
    values = {"model": model, **with_seed(settings, random_state)}
    run = in_memory(tune_run, TuneSettings, X, y, values, where="tune")
    shown = ", ".join(f"{name}={value!r}" for name, value in values.items())
    folder, scratch = run_in_process(
        run,
        out=out,
        n_jobs=n_jobs,
        minutes=minutes,
        listener=listener,
        scheduler=scheduler,
        command=f"moodcore.tune({shown})",
    )
    return TuneResult(folder, scratch)
