"""`moodcore.compare`: the comparison from Python."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moodcore.comparison.run import CompareRun
from moodcore.comparison.settings import MODELS, CompareSettings
from moodcore.comparison.training import Task, Training, fit_again
from moodcore.errors import ConfigError
from moodcore.runs.folder import RunFolder
from moodcore.runs.listener import Listener
from moodcore.runs.models import named_models
from moodcore.runs.result import RunResult, in_memory, run_in_process
from moodcore.runs.settings import with_seed

if TYPE_CHECKING:
    import pandas as pd

# Models that `repr` shows.
_SHOWN = 8


class _Table:
    """A table of the run's folder, read when it is first used."""

    def __init__(self, text: str) -> None:
        self.__doc__ = text

    def __set_name__(self, _: type, name: str) -> None:
        self._name = name

    def __get__(self, comparison: Comparison | None, _: type | None = None) -> Any:
        if comparison is None:
            return self
        return comparison.__dict__.setdefault(self._name, comparison._read(self._name))


class Comparison(RunResult):
    """Result of `compare`; models are sorted by their mean accuracy over the folds.

    Attributes
    ----------
    metrics : dict
        Every number of the run but its times: the content of `metrics.json`, which
        `moodcore compare --json` prints.
    folder : Path or None
        Folder of the run, with `report.html`; None where it is not kept.
    """

    command = "compare"

    scores = _Table("One row per model, repeat and fold, with the metrics.")
    test = _Table("One row per model: the metrics on the test rows.")
    pairs = _Table("One row per pair of models: difference, both tests, verdict.")
    learning_curves = _Table("One row per model and number of training rows: mean and range.")
    calibration = _Table("One row per model and bin of confidence with test rows in it.")
    precision_recall = _Table("One row per model, class and point of its curve.")
    confusion = _Table("One row per model, class and predicted class: the number of test rows.")
    predictions = _Table("One row per test row: its class, and what each model predicts.")
    disagreements = _Table("The test rows on which the models disagree, with their features.")
    chosen = _Table("One row per inner search: the hyperparameters that it chose.")
    times = _Table("One row per model: mean seconds of training and of predicting in a fold.")

    def __init__(
        self,
        files: RunFolder,
        scratch: Path | None = None,
        fit: Callable[[str], Any] | None = None,
    ) -> None:
        super().__init__(files, scratch)
        self._fit = fit

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row per model: mean and interval of each metric, size of its file, and times."""
        return self._read("summary").merge(self.times, on="model").set_index("model")

    @cached_property
    def agreement(self) -> pd.DataFrame:
        """Share of the test rows for which two models predict the same class."""
        import pandas as pd

        return pd.DataFrame(self.metrics["agreement"])

    @cached_property
    def failures(self) -> pd.DataFrame:
        """One row per failed training, with the reason."""
        import pandas as pd

        return pd.DataFrame(self.metrics["failures"], columns=["model", "where", "why"])

    @cached_property
    def best_model(self) -> Any:
        """The most accurate model over the folds, trained on all training rows.

        Baselines and the combination are not considered. A model of another library is in no
        file of the run, and is trained again with the same seed.

        Raises
        ------
        ConfigError
            For such a model, if the comparison was read from a folder.
        """
        name = str(self.metrics["best"])
        row = next(row for row in self.metrics["summary"] if row["model"] == name)
        path = self._files.models / f"{row['key']}.safetensors"
        if path.exists():
            from moodcore.model_files import load

            return load(path)
        if self._fit is None:
            raise ConfigError(
                f"{self._files.path}: the best model, {name!r}, is of another library and in no "
                "file; train it again"
            )
        return self._fit(row["key"])

    def _read(self, name: str) -> pd.DataFrame:
        import pandas as pd

        names = [row["model"] for row in self.metrics["summary"]]
        texts = ["model", "class", "predicted", "first", "second", *names]
        # Only an empty cell is missing: a class may be called "NA".
        return pd.read_csv(
            self._files.table(name),
            dtype=dict.fromkeys(texts, str),
            keep_default_na=False,
            na_values=[""],
        )

    def _short_table(self) -> pd.DataFrame:
        table = self.table.head(_SHOWN)
        low, high = (table[f"accuracy_{end}"].map("{:.4f}".format) for end in ("low", "high"))
        test = self.test.set_index("model")["accuracy"]
        columns = {"accuracy": table["accuracy"], "95 % CI": low + " to " + high}
        return table[[]].assign(**columns, test=test, log_loss=table["log_loss"]).round(4)

    def _title(self) -> str:
        data = self.metrics["data"]
        number = len(self.metrics["summary"])
        title = f"Comparison of {number} models on {data['rows']:,} {data['noun']}"
        return title if self.metrics["complete"] else f"{title}; stopped by the time limit"

    def __repr__(self) -> str:
        where = "" if self.folder is None else f", folder={str(self.folder)!r}"
        table = self._short_table().to_string(index_names=False, na_rep="-")
        return f"<{self._title()}{where}>\n{table}"

    def _repr_html_(self) -> str:
        from html import escape

        table = self._short_table().rename_axis(None).to_html(na_rep="-")
        return f"<p>{escape(self._title())}</p>{table}"


def compare(
    X: Any = None,
    y: Any = None,
    *,
    models: Iterable[Any] | Mapping[str, Any] | None = None,
    random_state: int | None = None,
    class_names: Sequence[str] | None = None,
    out: str | os.PathLike[str] | None = None,
    n_jobs: int | None = -1,
    minutes: float | None = None,
    listener: Listener | None = None,
    scheduler: str | None = None,
    **settings: Any,
) -> Comparison:
    """Compare classifiers on the same folds and the same test rows of a table.

    The same as `moodcore compare`: a stratified fifth of the rows is held out for the test; on
    the rest, every model is cross-validated on the same folds, then trained on all of it and
    tested. All preparation is fitted on the training rows only.

    Parameters
    ----------
    X : table of shape (n_rows, n_columns), path or None, default=None
        pandas, Arrow, Polars or NumPy, or the path of a file; None means 40,000 embedded synthetic
        songs.
    y : array-like of shape (n_rows,), str or None, default=None
        Labels, or the name of their column; None means that the table holds songs.
    models : iterable of str or classifier, mapping of str to str or classifier, or None
        Families (`"mlp"`, `"svm"`, `"linear-svm"`, `"gbt"`), or scikit-learn classifiers by the
        name that tables show; None means the four families. A classifier gets prepared columns
        (see :func:`moodcore.tables.pipeline`); a pipeline gets the table as it is. Open random
        states get seeds.
    random_state : int or None, default=None
        Seed of every random choice, the same as the setting `seed`; None means that of the
        settings, which is 0 by default.
    class_names : sequence of str or None, default=None
        A name for each class in ascending order of the labels; None means the labels.
    out : path or None, default=None
        New folder that keeps everything; None keeps nothing on disk.
    n_jobs : int or None, default=-1
        Processes, as in scikit-learn; the results do not depend on it, except for their times.
    minutes : float or None, default=None
        Time limit, above 0: after it no other training begins, as soon as every model was tested
        and trained in two common folds.
    listener : Listener or None, default=None
        Receives the progress; None shows a bar in notebooks and nothing elsewhere.
    scheduler : str or None, default=None
        Address of a Dask scheduler whose workers train.
    **settings : Any
        By name, as in `config.toml`: `folds`, `repeats`, `baselines`, `combine`, `curve_sizes`,
        `tune`, `features`, `drop`, `test`, `test_size` and so on; see
        `moodcore.comparison.settings.CompareSettings`.

    Returns
    -------
    Comparison

    Raises
    ------
    ConfigError
        For a setting that does not exist or cannot be used, and for data that cannot be used. It
        is a `ValueError`.
    TypeError
        For a model that is not a classifier.
    KeyboardInterrupt
        On Ctrl-C.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> X, y = load_wine(return_X_y=True, as_frame=True)
    >>> models = {"forest": RandomForestClassifier(20), "linear": "linear-svm"}
    >>> result = compare(X, y, models=models, repeats=1, curve_sizes=0, n_jobs=1)
    >>> bool(result.table.loc["forest", "accuracy"] > 0.9)
    True
    >>> result.pairs[["first", "second", "verdict"]].shape
    (10, 3)
    """
    given = named_models(models, MODELS)
    values = dict(with_seed(settings, random_state), models=tuple(given))
    run: CompareRun = in_memory(
        CompareRun,
        CompareSettings,
        X,
        y,
        values,
        where="compare",
        models=given,
        class_names=class_names,
    )
    shown = ", ".join(f"{name}={value!r}" for name, value in values.items())
    folder, scratch = run_in_process(
        run,
        out=out,
        n_jobs=n_jobs,
        minutes=minutes,
        listener=listener,
        scheduler=scheduler,
        command=f"moodcore.compare({shown})",
    )

    def fit(key: str) -> Any:
        dataset = run.load()
        model = next(model for model in run.models(dataset) if model.key == key)
        task = Task.of(dataset, run.settings)
        return fit_again(task, model.estimator, Training(key, "test"), task.X, task.y)

    return Comparison(folder, scratch, fit)
