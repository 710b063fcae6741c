"""The folder of a comparison: what lies where."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from moodcore.comparison.settings import ComparisonSettings
from moodcore.errors import ConfigError
from moodcore.files import write_text
from moodcore.runs.folder import Folder, check_existing, make
from moodcore.runs.settings import read_toml, settings_of, write_toml


@dataclass(frozen=True)
class ComparisonFolder(Folder):
    """Paths of everything that a run of `moodcore compare` leaves."""

    @property
    def begun(self) -> Path:
        """Settings and songs that the run was begun with."""
        return self.path / "begun.json"

    @property
    def trainings(self) -> Path:
        """What each training said, a file each, from which a run goes on."""
        return self.path / "trainings"

    @property
    def models(self) -> Path:
        """The models that were tested."""
        return self.path / "models"

    def table(self, name: str) -> Path:
        """Return the file of a table."""
        return self.path / f"{name}.csv"

    def settings(self) -> ComparisonSettings:
        """Read `config.toml`."""
        return settings_of(ComparisonSettings, read_toml(self.config), where=str(self.config))


def create(out: Path | None, settings: ComparisonSettings, now: datetime) -> ComparisonFolder:
    """Make a new folder with the settings in it (see `moodcore.runs.folder.make`)."""
    folder = ComparisonFolder(make(out, settings.seed, now))
    write_text(folder.config, write_toml(settings, "compare"))
    return folder


def existing(path: Path) -> ComparisonFolder:
    """Return the folder of an earlier comparison.

    Raises
    ------
    ConfigError
        If it is not one.
    """
    check_existing(path)
    folder = ComparisonFolder(path)
    if not folder.begun.is_file():
        raise ConfigError(f"--resume {path}: no comparison was begun there (begun.json is missing)")
    return folder
