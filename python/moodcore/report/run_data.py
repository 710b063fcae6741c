"""What a finished run left in its folder, read for the report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from moodcore.tuning.run_folder import RunFolder, read_json

if TYPE_CHECKING:
    import pandas as pd

# The pictures compare candidates by these, also where all have the same value.
_NEEDED = ("learning_rate", "hidden_sizes", "batch_size")


@dataclass(frozen=True)
class RunData:
    """The files of a run, in memory.

    Attributes
    ----------
    metrics, timing : dict
        The JSON files.
    trials, curves : DataFrame or None
        The tables; None where the run made no search.
    shown : DataFrame or None
        The trials with every column that the pictures need.
    correlation : DataFrame
        Of the features.
    epoch_losses, update_losses : dict of str to ndarray
        By optimizer.
    config : str
        Text of `config.toml`.
    """

    metrics: dict[str, Any]
    timing: dict[str, Any]
    trials: Any
    curves: Any
    shown: Any
    correlation: pd.DataFrame
    epoch_losses: dict[str, Any]
    update_losses: dict[str, Any]
    config: str


def read_run(folder: RunFolder) -> RunData:
    """Read the files of a finished run."""
    import pandas as pd

    metrics = read_json(folder.metrics)
    searched = metrics["study"] == "grid"
    trials = pd.read_csv(folder.trials, dtype={"hidden_sizes": str}) if searched else None
    runs = pd.read_parquet(folder.optimizers)
    return RunData(
        metrics=metrics,
        timing=read_json(folder.timing),
        trials=trials,
        curves=pd.read_parquet(folder.curves) if searched else None,
        shown=None if trials is None else _with_defaults(trials),
        correlation=pd.DataFrame(metrics["preprocessing"]["correlation"]).T,
        epoch_losses={
            n: np.asarray(v) for n, v in zip(runs.optimizer, runs.epoch_loss, strict=True)
        },
        update_losses={
            n: np.asarray(v) for n, v in zip(runs.optimizer, runs.update_loss, strict=True)
        },
        config=folder.config.read_text(encoding="utf-8"),
    )


def _with_defaults(trials: pd.DataFrame) -> pd.DataFrame:
    from moodcore import MLP
    from moodcore.tuning.space import encode

    defaults = MLP().get_params()
    missing = {n: encode(n, defaults[n]) for n in _NEEDED if n not in trials.columns}
    return trials.assign(**missing)
