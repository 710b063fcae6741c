"""The files and facts of a finished run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


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

    def table(self, name: str, **options: Any) -> pd.DataFrame:
        """Read a table of the run; empty where the run has none of that name."""
        import pandas as pd

        if (self.path / f"{name}.parquet").exists():
            return pd.read_parquet(self.path / f"{name}.parquet")
        path = self.path / f"{name}.csv"
        return pd.read_csv(path, **options) if path.exists() else pd.DataFrame()

    @cached_property
    def data(self) -> dict[str, Any]:
        """The description of the data; see `data_of`."""
        return data_of(self.metrics)


def data_of(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Return the description of a run's data, that of version 1 with the names of version 2."""
    data = dict(metrics["data"])
    if "rows" not in data:
        data |= {"rows": data["songs"], "noun": "songs", "preset": "songs", "target": "mood"}
        for part in ("train", "test"):
            data[f"{part}_rows"] = data.get(f"{part}_songs", metrics.get(f"{part}_rows"))
    return data


def target_of(metrics: Mapping[str, Any]) -> str:
    """Return what is predicted, for headings."""
    data = data_of(metrics)
    return "song mood" if data["preset"] == "songs" else str(data["target"])


def is_balanced(metrics: Mapping[str, Any]) -> bool:
    """Whether training rows were downsampled to equal classes."""
    return bool(metrics["balanced"])
