"""Settings of any run: checks, TOML files, and the errors that name a wrong setting."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, Protocol, TypeVar, cast

from moodcore.errors import ConfigError, unknown_name
from moodcore.files import no_such_file

Kind = TypeVar("Kind")


def check_whole(name: str, value: Any, least: int) -> None:
    """Raise a `ConfigError` unless a value is a whole number that is large enough."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ConfigError(f"{name} must be a whole number of at least {least}, got {value}")


def settings_of(
    kind: Callable[..., Kind], values: Mapping[str, Any], *, where: str = "settings"
) -> Kind:
    """Return the settings of a kind that `values` holds; what is missing has its default.

    Parameters
    ----------
    kind : type
        A dataclass whose fields are the settings, and which checks them.
    values : mapping of str to Any
        What is given.
    where : str, default="settings"
        Where it comes from, for errors.

    Raises
    ------
    ConfigError
        For a name that is no setting, or a value out of range.

    """
    names = [one.name for one in fields(cast(Any, kind))]
    for name in values:
        if name not in names:
            raise unknown_name(f"{where}: setting", name, names)
    try:
        return kind(**values)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from None


def read_toml(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read a TOML file.

    Raises
    ------
    ConfigError
        If it is missing or not TOML; the message has the file and the line.
    """
    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(str(no_such_file(Path(path)))) from None
    except IsADirectoryError:
        raise ConfigError(f"{path}: is a folder; a TOML file is needed") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from None


class Writable(Protocol):
    """Settings of any command."""

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as TOML can hold them."""


def write_toml(settings: Writable, command: str = "tune") -> str:
    """Return the text of a `config.toml` that gives these settings again to a command."""
    import tomli_w

    return (
        f"# The settings of this run. The same again: moodcore {command} --config config.toml\n"
        + tomli_w.dumps(settings.to_dict())
    )
