"""The folder of a run of `moodcore tune`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from moodcore.files import write_text
from moodcore.runs.folder import Folder, check_existing, make, read_json
from moodcore.runs.settings import read_toml, write_toml
from moodcore.tuning.settings import Settings, from_mapping


@dataclass(frozen=True)
class RunFolder(Folder):
    """Paths of everything that a run of `moodcore tune` leaves."""

    @property
    def study(self) -> Path:
        """Optuna's storage."""
        return self.path / "study.db"

    @property
    def trials(self) -> Path:
        """One row per candidate."""
        return self.path / "trials.csv"

    @property
    def curves(self) -> Path:
        """One row per candidate and epoch."""
        return self.path / "curves.parquet"

    @property
    def optimizers(self) -> Path:
        """One row per optimizer, its losses as lists."""
        return self.path / "optimizers.parquet"

    @property
    def model(self) -> Path:
        """The refitted winner."""
        return self.path / "model.safetensors"

    @property
    def complete(self) -> bool:
        """Whether the run is finished, and its time was enough for every candidate."""
        if not self.finished:
            return False
        search = read_json(self.metrics).get("search")
        return search is None or search["candidates"] == search["planned"]

    def settings(self) -> Settings:
        """Read `config.toml`."""
        return from_mapping(read_toml(self.config), where=str(self.config))

    def write_settings(self, settings: Settings) -> None:
        """Write `config.toml`."""
        write_text(self.config, write_toml(settings))


def create(out: Path | None, settings: Settings, now: datetime) -> RunFolder:
    """Make a new folder for a run of `moodcore tune`, with the settings in it (see `make`)."""
    folder = RunFolder(make(out, settings.seed, now))
    folder.write_settings(settings)
    return folder


def existing(path: Path) -> RunFolder:
    """Return the folder of an earlier run.

    Raises
    ------
    ConfigError
        If it is not one.
    """
    check_existing(path)
    return RunFolder(path)
