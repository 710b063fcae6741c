"""What a finished run left in its folder, read for the report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from moodcore.runs.families import Family, family
from moodcore.runs.folder import RunFolder, read_json

if TYPE_CHECKING:
    import pandas as pd


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
        The trials of that family, with every column that the pictures need.
    correlation : DataFrame
        Of the features.
    epoch_losses, update_losses : dict of str to ndarray
        By optimizer.
    config : str
        Text of `config.toml`.
    family : Family
        Of the models; the winner's, where there are several.
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
    family: Family


def read_run(folder: RunFolder) -> RunData:
    """Read the files of a finished run."""
    import pandas as pd

    metrics = read_json(folder.metrics)
    searched = metrics["study"] == "grid"
    models = family(metrics["model"].get("family", metrics["settings"]["model"]))
    trials = pd.read_csv(folder.table("trials"), dtype={"hidden_sizes": str}) if searched else None
    columns = ["optimizer", "epoch_loss", "update_loss"]
    compared = "optimizers" in metrics
    runs = (
        pd.read_parquet(folder.table("optimizers.parquet"))
        if compared
        else pd.DataFrame(columns=columns)
    )
    return RunData(
        metrics=metrics,
        timing=read_json(folder.timing),
        trials=trials,
        curves=pd.read_parquet(folder.table("curves.parquet")) if searched else None,
        shown=None if trials is None else _with_defaults(trials, models, metrics),
        correlation=pd.DataFrame(metrics["preprocessing"]["correlation"]).T,
        epoch_losses={
            n: np.asarray(v) for n, v in zip(runs.optimizer, runs.epoch_loss, strict=True)
        },
        update_losses={
            n: np.asarray(v) for n, v in zip(runs.optimizer, runs.update_loss, strict=True)
        },
        config=folder.config.read_text(encoding="utf-8"),
        family=models,
    )


def _with_defaults(trials: pd.DataFrame, models: Family, metrics: dict[str, Any]) -> pd.DataFrame:
    """Add what the pictures compare candidates by, also where all have the same value."""
    import pandas as pd

    from moodcore.runs.space import encode

    own = trials[trials["model"] == metrics["model"]["family"]].dropna(axis="columns", how="all")
    # Beside families without it, a column of whole numbers is read as one of fractions.
    for name in own.columns.intersection([models.rate, *models.layout]):
        if pd.api.types.is_float_dtype(own[name]) and (own[name] % 1 == 0).all():
            own = own.assign(**{name: own[name].astype(int)})
    defaults = models.estimator()().get_params()
    needed = (models.rate, *models.layout)
    missing = {n: encode(n, defaults[n]) for n in needed if n not in own.columns}
    return own.assign(**missing)
