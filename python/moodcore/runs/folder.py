"""The folder of a run: what lies where, and how it is read and written."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from moodcore.errors import ConfigError
from moodcore.files import write_text


@dataclass(frozen=True)
class Folder:
    """Paths of what every run leaves, whatever it measures.

    Parameters
    ----------
    path : Path
        The folder.
    """

    path: Path

    @property
    def config(self) -> Path:
        """The settings, as `--config` of the same command reads them."""
        return self.path / "config.toml"

    @property
    def storage(self) -> Path:
        """Where the study is, when it is in a database instead."""
        return self.path / "storage.json"

    @property
    def metrics(self) -> Path:
        """Every number of the run but its times; written last, so that it means finished."""
        return self.path / "metrics.json"

    @property
    def timing(self) -> Path:
        """When, how long, by which command and versions."""
        return self.path / "timing.json"

    @property
    def report(self) -> Path:
        """The page for people."""
        return self.path / "report.html"

    @property
    def figures(self) -> Path:
        """The pictures, one file each."""
        return self.path / "figures"

    @property
    def finished(self) -> bool:
        """Whether the run came to its end."""
        return self.metrics.exists()

    def write_timing(self, *, jobs: int, command: str, seconds: Mapping[str, float]) -> None:
        """Write `timing.json`, as of now.

        Parameters
        ----------
        jobs : int
            Threads.
        command : str
            How the run was started.
        seconds : mapping of str to float
            How long each part of it took.
        """
        from datetime import UTC

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
    """Raise a `ConfigError` unless `out` is a name for a new folder, or an empty one."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigError(f"--out {out}: exists and is not an empty folder; choose another name")


def make(out: Path | None, seed: int, now: datetime) -> Path:
    """Make a new folder for a run; never touches an old one.

    Parameters
    ----------
    out : Path or None
        The folder; None means `runs/<time>-seed<seed>`.
    seed : int
        The seed of the run.
    now : datetime
        For the name.

    Raises
    ------
    ConfigError
        If `out` exists and is not empty.
    """
    if out is None:
        name = f"{now:%Y%m%d-%H%M%S}-seed{seed}"
        out = Path("runs") / name
        count = 1
        while out.exists():
            count += 1
            out = Path("runs") / f"{name}-{count}"
    else:
        check_free(out)
    out.mkdir(parents=True, exist_ok=True)
    return out


def check_existing(path: Path) -> None:
    """Raise a `ConfigError` unless a run was begun in the folder."""
    if not Folder(path).config.is_file():
        raise ConfigError(f"--resume {path}: no run there (config.toml is missing)")


def check_unchanged(
    before: Mapping[str, Any],
    now: Mapping[str, Any],
    *,
    verb: str = "resume",
    otherwise: str = "start a new run",
) -> None:
    """Check that a run goes on with what it was begun with.

    Parameters
    ----------
    before, now : mapping
        `settings`, a mapping, `data`, the SHA-256 of the songs, and perhaps `version`, that of
        the package.
    verb : str, default="resume"
        What a difference forbids.
    otherwise : str, default="start a new run"
        What to do instead.

    Raises
    ------
    ConfigError
        If it does not; names what differs, with both values.
    """
    old, new = before["settings"], now["settings"]
    for name in [*old, *(name for name in new if name not in old)]:
        if old.get(name) != new.get(name):
            raise ConfigError(
                f"cannot {verb}: {name} was {old.get(name, 'not set')} when the run began "
                f"and is {new.get(name, 'not set')} now; leave it as it was, or {otherwise}"
            )
    if before["data"] != now["data"]:
        raise ConfigError(
            f"cannot {verb}: the songs have changed since the run began (SHA-256 "
            f"{before['data'][:12]}… then, {now['data'][:12]}… now); {otherwise}"
        )
    if "version" in before and before["version"] != now.get("version"):
        raise ConfigError(
            f"cannot {verb}: the run began with moodcore {before['version']}, this is "
            f"{now.get('version')}; install that version, or {otherwise}"
        )


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """Write JSON that any reader takes: NaN and infinity become null."""
    write_text(path, json.dumps(_finite(values), indent=2, allow_nan=False) + "\n")


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def read_json(path: Path) -> dict[str, Any]:
    """Read what `write_json` wrote."""
    values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return values
