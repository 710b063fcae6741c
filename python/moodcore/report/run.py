"""The files and facts of a finished run."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moodcore.files import read_parquet
from moodcore.report.text import shorten

if TYPE_CHECKING:
    import pandas as pd


#: Metrics of a comparison, by column.
METRICS = {
    "accuracy": "accuracy",
    "macro_f1": "macro F1",
    "log_loss": "log loss",
    "brier": "Brier score",
    "calibration_error": "calibration error",
    "roc_auc": "ROC AUC",
}

_NAMES = ("model", "class", "first", "second", "hidden_sizes")


class RunFiles:
    """The files of a finished run.

    Parameters
    ----------
    path : Path
        The folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.metrics = self._json("metrics")
        self.timing = self._json("timing")
        self.config = (path / "config.toml").read_text(encoding="utf-8")

    def _json(self, name: str) -> dict[str, Any]:
        values: dict[str, Any] = json.loads((self.path / f"{name}.json").read_text("utf-8"))
        return values

    def table(self, name: str, texts: Iterable[str] = ()) -> pd.DataFrame:
        """Read a table of the run; empty where the run has none of that name.

        Columns of names, and those in `texts`, are text: "NA" and "01" are names of classes.
        """
        import pandas as pd

        if (self.path / f"{name}.parquet").exists():
            return read_parquet(self.path / f"{name}.parquet")
        path, texts = self.path / f"{name}.csv", [*_NAMES, *texts]
        if not path.exists() or not path.stat().st_size > 1:
            return pd.DataFrame()
        return pd.read_csv(
            path, dtype=dict.fromkeys(texts, str), keep_default_na=False, na_values=""
        )

    @property
    def data(self) -> dict[str, Any]:
        """The description of the data in the metrics."""
        data: dict[str, Any] = self.metrics["data"]
        return data


def target_of(metrics: Mapping[str, Any]) -> str:
    """Return what is predicted, for titles."""
    data = metrics["data"]
    return "song mood" if data["preset"] == "songs" else f"“{shorten(str(data['target']))}”"


def is_joint(metrics: Mapping[str, Any]) -> bool:
    """Whether a search had more than one family of models."""
    return "search" in metrics and len(metrics["search"]["families"]) > 1
