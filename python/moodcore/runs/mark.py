"""The resume mark: version, settings and data that a run was begun with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moodcore import _core
from moodcore.errors import ConfigError


def make_mark(settings: Mapping[str, Any], data: str) -> dict[str, Any]:
    """Return the mark of a run begun now."""
    return {"version": _core.__version__, "settings": dict(settings), "data": data}


def check_version(mark: Mapping[str, Any], *, action: str, otherwise: str) -> None:
    """Check that a run was begun by this version of the package.

    Raises
    ------
    ConfigError
        If it was not; names both versions.
    """
    version = mark.get("version")
    if version == _core.__version__:
        return
    begun = f"moodcore {version}" if version else "a version of moodcore that recorded none"
    install = f"install moodcore {version}, or " if version else ""
    raise ConfigError(
        f"cannot {action}: the run was begun by {begun}, this is moodcore {_core.__version__}; "
        f"{install}{otherwise}"
    )


def check_mark(
    before: Mapping[str, Any],
    now: Mapping[str, Any],
    *,
    action: str = "resume",
    otherwise: str = "start a new run",
) -> None:
    """Check that a run continues with the version, settings and data that it was begun with.

    Raises
    ------
    ConfigError
        If it does not; names what differs, with both values.
    """
    check_version(before, action=action, otherwise=otherwise)
    old, new = before["settings"], now["settings"]
    for name in [*old, *(name for name in new if name not in old)]:
        if old.get(name) != new.get(name):
            raise ConfigError(
                f"cannot {action}: {name} was {old.get(name, 'not set')} when the run began and "
                f"is {new.get(name, 'not set')} now; leave it as it was, or {otherwise}"
            )
    if before["data"] != now["data"]:
        raise ConfigError(
            f"cannot {action}: the data have changed since the run began (SHA-256 "
            f"{before['data'][:12]}… then, {now['data'][:12]}… now); {otherwise}"
        )
