"""The experiment on songs from Python: what `moodcore tune` does, its results as objects."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from moodcore.songs import SongPipeline
    from moodcore.tuning.search import Listener


@dataclass(frozen=True)
class TuneRun:
    """The outcome of a run.

    Attributes
    ----------
    metrics : dict
        Every number of the run but its times: the content of `metrics.json`, which
        `moodcore tune --json` prints.
    trials : DataFrame or None
        One row per candidate: hyperparameters, then results. None where nothing was searched.
    curves : DataFrame or None
        One row per candidate and epoch or round. None where nothing was searched.
    optimizers : DataFrame or None
        One row per optimizer and epoch: `optimizer`, `epoch`, `loss`. None where none was compared.
    model : SongPipeline or None
        The winner, trained on the whole training part. None where nothing was searched.
    folder : Path or None
        The folder of the run, with `report.html`; None where it was not kept.
    """

    metrics: Mapping[str, Any]
    trials: pd.DataFrame | None
    curves: pd.DataFrame | None
    optimizers: pd.DataFrame | None
    model: SongPipeline | None
    folder: Path | None

    @property
    def summary(self) -> str:
        """The outcome in a few sentences."""
        from moodcore import report

        return report.summary(self.metrics)

    @classmethod
    def read(cls, folder: str | os.PathLike[str]) -> TuneRun:
        """Read a finished run.

        Parameters
        ----------
        folder : path
            The folder that `tune` or `moodcore tune` left.

        Raises
        ------
        ConfigError
            If there is no run, or it has not finished.
        """
        from moodcore.errors import ConfigError
        from moodcore.tuning.run_folder import existing

        found = existing(Path(folder))
        if not found.finished:
            raise ConfigError(
                f"{found.path}: the run has not finished; go on with moodcore tune --resume"
            )
        return _read(found, found.path)


def tune(
    *,
    out: str | os.PathLike[str] | None = None,
    n_jobs: int | None = -1,
    minutes: float | None = None,
    listener: Listener | None = None,
    **settings: Any,
) -> TuneRun:
    """Search the best model for songs, train it again and test it, as `moodcore tune` does.

    Parameters
    ----------
    out : path or None, default=None
        New folder that keeps everything, the report too, and from which
        `moodcore tune --resume` goes on after an interrupt; None keeps nothing on disk.
    n_jobs : int or None, default=-1
        Threads, as in scikit-learn; the results do not depend on it.
    minutes : float or None, default=None
        Time for the search, above 0: then no other candidate begins, and those in training are
        abandoned; one is always finished. None means no end.
    listener : Listener or None, default=None
        Whoever shows progress; None shows nothing.
    **settings : Any
        By name, as in `config.toml`: `model`, `data`, `songs`, `features`, `folds`, `epochs`,
        `sampler`, `trials`, `pruner`, `seed` and so on; see `moodcore.tuning.settings.Settings`
        for each with its default. `grid` takes the place of the family's own grid.

    Returns
    -------
    TuneRun

    Raises
    ------
    ConfigError
        For a setting that does not exist, with the nearest that does, or cannot be used, and for a
        folder that is not new. It is a `ValueError`.
    SongTableError
        For songs that cannot be used.
    KeyboardInterrupt
        On Ctrl-C.

    Examples
    --------
    >>> import moodcore
    >>> grid = {"max_leaves": [4, 8], "learning_rate": 0.3, "reg_lambda": 1.0}
    >>> run = moodcore.tune(model="gbt", songs=400, folds=2, epochs=5, grid=grid)
    >>> run.trials[["number", "max_leaves"]].to_numpy().tolist()
    [[0, 4], [1, 8]]
    >>> run.metrics["test"]["n_rows"], run.folder
    (80, None)
    >>> run.model.predict(moodcore.songs.synthesize(3, random_state=1)[0]).shape
    (3,)
    """
    from moodcore.platform import thread_count
    from moodcore.runs.tasks import RunInterruptedError
    from moodcore.tuning import run_folder
    from moodcore.tuning.experiment import Experiment
    from moodcore.tuning.settings import from_mapping

    wanted = from_mapping(settings, where="tune")
    said = ", ".join(f"{name}={value!r}" for name, value in settings.items())
    experiment = Experiment(
        wanted,
        jobs=thread_count(n_jobs),
        minutes=minutes,
        listener=listener if listener is not None else Silent(),
        command=f"moodcore.tune({said})",
    )
    space, songs = experiment.check(), experiment.load()
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "run" if out is None else Path(out)
        folder = run_folder.create(path, wanted, datetime.now())
        try:
            experiment.run(folder, space, songs)
        except RunInterruptedError as interrupt:
            raise KeyboardInterrupt from interrupt
        if out is None:
            return _read(folder, None)
        from moodcore import report

        report.build(folder)
        return _read(folder, folder.path)


class Silent:
    """A listener that shows nothing."""

    def stage(self, text: str) -> None:
        """Do nothing."""

    def search_started(self, candidates: int, done: int, folds: int) -> None:
        """Do nothing."""

    def fold_finished(self) -> None:
        """Do nothing."""

    def candidate_finished(self, result: Any, best: Any, done: int, candidates: int) -> None:
        """Do nothing."""

    def search_finished(self) -> None:
        """Do nothing."""


def _read(folder: Any, kept: Path | None) -> TuneRun:
    import pandas as pd

    from moodcore import load
    from moodcore.report.tune.run_data import read_run

    run = read_run(folder)
    losses = [
        pd.DataFrame({"optimizer": name, "epoch": range(1, len(loss) + 1), "loss": loss})
        for name, loss in run.epoch_losses.items()
    ]
    return TuneRun(
        metrics=run.metrics,
        trials=run.trials,
        curves=run.curves,
        optimizers=pd.concat(losses, ignore_index=True) if losses else None,
        model=load(folder.model) if folder.model.exists() else None,
        folder=kept,
    )
