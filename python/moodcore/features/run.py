"""A run of `moodcore features`: songs in, a folder with tables and pictures out."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from moodcore.errors import ConfigError
from moodcore.features.measurement import Listener
from moodcore.features.models import default_models
from moodcore.features.parts import Parts
from moodcore.features.settings import DEFAULT_SONGS, FeatureSettings
from moodcore.features.study import FeatureStudy, study_table
from moodcore.features.table import Table, check_table
from moodcore.files import write_table, write_text
from moodcore.runs.data import Songs, load
from moodcore.runs.folder import Folder, check_existing, read_json, write_json
from moodcore.runs.settings import read_toml, settings_of, write_toml
from moodcore.tuning.describe import class_counts, names_of

FORMAT = "moodcore-features"
VERSION = 1
PUBLISHED = "published"
_TABLES = ("features", "importances", "choices", "trainings")


@dataclass(frozen=True)
class FeatureFolder(Folder):
    """Paths of everything that a run of `moodcore features` leaves."""

    @property
    def parts(self) -> Path:
        """What is measured so far, part by part."""
        return self.path / "parts.json"

    def table(self, name: str) -> Path:
        """One of the tables: features, importances, choices or trainings."""
        return self.path / f"{name}.csv"

    def settings(self) -> FeatureSettings:
        """Read `config.toml`."""
        return read_settings(self.config)

    def write_settings(self, settings: FeatureSettings) -> None:
        """Write `config.toml`."""
        write_text(self.config, write_toml(settings, "features"))


def read_settings(path: Path, **given: Any) -> FeatureSettings:
    """Return the settings in a file, those that are given in the place of its own.

    Raises
    ------
    ConfigError
        If there is no such file, or a setting that does not exist or is out of range.
    """
    return settings_of(FeatureSettings, read_toml(path) | given, where=str(path))


def existing(path: Path) -> FeatureFolder:
    """Return the folder of an earlier run.

    Raises
    ------
    ConfigError
        If it is not one.
    """
    check_existing(path)
    folder = FeatureFolder(path)
    if not folder.parts.is_file():
        raise ConfigError(f"--resume {path}: no study of features was begun there (no parts.json)")
    return folder


@dataclass
class FeatureRun:
    """One run.

    Parameters
    ----------
    settings : FeatureSettings
        What to do.
    jobs : int
        Threads; changes nothing but the time.
    listener : Listener
        Whoever shows progress.
    stop : threading.Event
        Set to end the run; set by Ctrl-C too.
    command : str
        How the run was started, for the report.
    """

    settings: FeatureSettings
    jobs: int
    listener: Listener
    stop: threading.Event = field(default_factory=threading.Event)
    command: str = ""
    seconds: dict[str, float] = field(default_factory=dict)

    def load(self) -> Songs:
        """Read or make the songs.

        Raises
        ------
        ValueError
            If the file is not a table of songs, or holds too few.
        OSError
            If it cannot be read.
        """
        wanted = self.settings
        if wanted.data is None and wanted.songs is None:
            wanted = replace(wanted, songs=DEFAULT_SONGS)
        with self._timed("songs"):
            return load(wanted)

    def table(self, songs: Songs) -> Table:
        """Return the ten features of songs, with the names of the classes."""
        from moodcore.songs import FEATURES

        return check_table(songs.X[list(FEATURES)], songs.y, names_of(songs.y))

    def sets(self) -> dict[str, tuple[str, ...]]:
        """Return the sets of features that are measured beside the others."""
        from moodcore.songs import SELECTED_FEATURES

        return {PUBLISHED: SELECTED_FEATURES}

    def run(self, folder: FeatureFolder, songs: Songs) -> dict[str, Any]:
        """Do the whole of it, or what is left of it, and return the metrics.

        Parameters
        ----------
        folder : FeatureFolder
            New, or that of an interrupted run with the same settings and songs.
        songs : Songs
            From `load`.

        Raises
        ------
        ConfigError
            If the folder's run was begun with other settings or songs.
        RunInterruptedError
            When stopped; finished parts are kept in the folder.
        """
        table = self.table(songs)
        parts = self.claim(folder, table)
        with self._timed("measurement"):
            study = study_table(
                table,
                default_models(self.settings.models, self.settings.epochs),
                self.sets(),
                self.settings.plan(),
                jobs=self.jobs,
                stop=self.stop,
                parts=parts,
                listener=self.listener,
            )
        for name in _TABLES:
            write_table(folder.table(name), getattr(study, name))
        metrics = self._metrics(songs, table, study)
        folder.write_timing(jobs=self.jobs, command=self.command, seconds=self.seconds)
        write_json(folder.metrics, metrics)
        # As it was written: without NaN, which JSON does not have.
        return read_json(folder.metrics)

    def claim(self, folder: FeatureFolder, table: Table) -> Parts:
        """Return what the folder's run has finished.

        Raises
        ------
        ConfigError
            If it was begun with other settings or songs; says which, and both values.
        """
        mark = self.settings.to_dict() | {"data_sha256": table.fingerprint()}
        # The same bytes may lie elsewhere.
        mark.pop("data", None)
        return Parts(folder.parts, mark)

    def _metrics(self, songs: Songs, table: Table, study: FeatureStudy) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "version": VERSION,
            "settings": self.settings.to_dict(),
            "data": {
                "source": songs.source,
                "synthetic": songs.synthetic,
                "notes": list(songs.notes),
                "sha256": table.fingerprint(),
                "songs": len(songs.y),
                "counts": class_counts(songs.y),
            },
        } | study.to_dict()

    @contextmanager
    def _timed(self, name: str) -> Iterator[None]:
        begin = time.perf_counter()
        yield
        self.seconds[name] = round(time.perf_counter() - begin, 3)
