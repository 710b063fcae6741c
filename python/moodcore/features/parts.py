"""What is finished of a study, kept as it comes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from moodcore.errors import ConfigError
from moodcore.runs.folder import read_json, write_json


class Parts:
    """Results by key, in memory and, if there is a path, in a file that is written at each.

    Parameters
    ----------
    path : Path or None
        JSON file; it may be that of an interrupted study.
    mark : mapping of str to Any
        What must be the same for its parts to count: the data's hash, and all settings.

    Raises
    ------
    ConfigError
        If the file was begun with another mark; names what differs, with both values.
    """

    def __init__(self, path: Path | None = None, mark: Mapping[str, Any] | None = None) -> None:
        self._path = path
        self._mark = dict(mark or {})
        self._found: dict[str, Any] = {}
        if path is not None and path.exists():
            before = read_json(path)
            _compare(before["mark"], self._mark)
            self._found = before["parts"]
        else:
            self._write()

    def __contains__(self, key: str) -> bool:
        return key in self._found

    def __getitem__(self, key: str) -> dict[str, Any]:
        found: dict[str, Any] = self._found[key]
        return found

    def put(self, key: str, value: dict[str, Any]) -> None:
        """Keep a result."""
        self._found[key] = value
        self._write()

    def _write(self) -> None:
        if self._path is not None:
            # In the order of the keys, so that it does not tell who was first.
            parts = dict(sorted(self._found.items()))
            write_json(self._path, {"mark": self._mark, "parts": parts})


def _compare(before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    for name in [*before, *(one for one in now if one not in before)]:
        old, new = before.get(name, "not set"), now.get(name, "not set")
        if old == new:
            continue
        if name == "data_sha256":
            raise ConfigError(
                f"cannot resume: the data have changed since the run began (SHA-256 "
                f"{str(old)[:12]}… then, {str(new)[:12]}… now); start a new run"
            )
        raise ConfigError(
            f"cannot resume: {name} was {old} when the run began and is {new} now; leave it as "
            f"it was, or start a new run"
        )
