"""The folder of a run: its files, and how a run is begun and resumed in it."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from moodcore.errors import ConfigError
from moodcore.files import atomic_folder, check_new_folder, write_text
from moodcore.runs.mark import check_mark, check_version
from moodcore.runs.settings import RunSettings, write_toml


class _Inside:
    """The path of a file of a run."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, folder: RunFolder, _: object = None) -> Path:
        return folder.path / self._name


@dataclass(frozen=True)
class RunFolder:
    """Paths of the files of a run."""

    path: Path

    # Settings, as `--config` of the same command reads them.
    config = _Inside("config.toml")
    # Command, version, settings and data that the run was begun with.
    mark = _Inside("mark.json")
    # Address of the study, if it is kept in a database, and Optuna's storage if it is not.
    storage = _Inside("storage.json")
    study = _Inside("study.db")
    # Results of finished jobs, from which an interrupted run continues.
    results = _Inside("results")
    # Every number of the run but its times; written last, so that it means finished.
    metrics = _Inside("metrics.json")
    # When, how long, by which command and versions.
    timing = _Inside("timing.json")
    report = _Inside("report.html")
    figures = _Inside("figures")
    # Fitted models: of a run that leaves several, and of one that leaves one.
    models = _Inside("models")
    model = _Inside("model.safetensors")

    def table(self, name: str) -> Path:
        """Return the file of a table."""
        return self.path / (name if "." in name else f"{name}.csv")

    @property
    def finished(self) -> bool:
        """Whether the run has results, perhaps not of all jobs where its time was limited."""
        return self.metrics.exists()

    @property
    def complete(self) -> bool:
        """Whether the run is finished with the results of all jobs."""
        return self.finished and bool(read_json(self.metrics).get("complete", True))

    @classmethod
    def begin(
        cls, out: Path | None, command: str, settings: RunSettings, mark: Mapping[str, Any]
    ) -> Self:
        """Make the folder of a new run, with its settings and its mark in it.

        The folder appears under its name with both files, or not at all. Without `out` it is
        `runs/<time>-seed<seed>`.

        Raises
        ------
        ConfigError
            If `out` exists and is not an empty folder.
        OSError
            If it cannot be made.
        """
        path = out or new_path(settings.seed)
        check_free(path)
        with atomic_folder(path) as made:
            folder = cls(made)
            write_text(folder.config, write_toml(settings, command))
            write_json(folder.mark, {"command": command, **mark})
        return cls(path)

    @classmethod
    def existing(cls, path: Path, command: str) -> Self:
        """Return the folder of an earlier run of the same command and version.

        Raises
        ------
        ConfigError
            If it is not one.
        """
        folder = cls(path)
        if not folder.config.is_file():
            raise ConfigError(f"--resume {path}: no run there (config.toml is missing)")
        mark = read_json(folder.mark) if folder.mark.is_file() else {}
        check_version(mark, action=f"resume {path}", otherwise="start a new run")
        if mark["command"] != command:
            raise ConfigError(
                f"--resume {path}: a run of moodcore {mark['command']}, not of moodcore {command}"
            )
        return folder

    def check(self, mark: Mapping[str, Any]) -> None:
        """Check that the run was begun with this mark (see `moodcore.runs.mark.check_mark`)."""
        check_mark(read_json(self.mark), mark)

    def write_timing(self, *, jobs: int, command: str, seconds: Mapping[str, float]) -> None:
        """Write `timing.json`, as of now."""
        from moodcore.platform import versions

        values = {
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            "jobs": jobs,
            "command": command,
            "seconds": seconds,
            "versions": versions(),
        }
        write_json(self.timing, values)


def check_free(out: Path) -> None:
    """Raise an error unless `out` is an empty folder, or a new one that can be made."""
    if os.path.lexists(out) and (not out.is_dir() or any(out.iterdir())):
        raise ConfigError(f"--out {out}: exists and is not an empty folder; choose another name")
    check_new_folder(out)


def new_path(seed: int) -> Path:
    """Return the name of a new run without `--out`: `runs/<time>-seed<seed>`."""
    name = f"{datetime.now():%Y%m%d-%H%M%S}-seed{seed}"
    path, count = Path("runs") / name, 1
    while path.exists():
        count += 1
        path = Path("runs") / f"{name}-{count}"
    return path


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """Write JSON that any reader accepts: NaN and infinity become null."""
    write_text(path, json.dumps(_finite(values), indent=2, allow_nan=False) + "\n")


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _finite(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def read_json(path: Path) -> dict[str, Any]:
    """Read what `write_json` wrote.

    Raises
    ------
    ConfigError
        If the file is damaged.
    """
    try:
        values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ConfigError(f"{path}: is not JSON, or is damaged: {error}") from None
    return values
