"""Errors of settings and options, and the nearest valid name for a wrong one."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

_SHOWN_COLUMNS = 20


class ConfigError(ValueError):
    """A setting that cannot be used: what, where, the value and what is allowed."""


class TableError(ConfigError):
    """A file or object that holds no table that can be used."""


def unknown_name(kind: str, name: str, allowed: Iterable[str]) -> ConfigError:
    """Return the error for a name that is not one of `allowed`, with the nearest that is."""
    names = sorted(allowed)
    near = difflib.get_close_matches(name, names, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"allowed: {', '.join(names)}"
    return ConfigError(f"{kind} {name!r} does not exist; {hint}")


def missing_columns(missing: Sequence[str], present: Sequence[str]) -> str:
    """Return in words which columns are missing, what they may be called, and what there is."""
    named = []
    folded = {name.casefold(): name for name in present}
    for name in missing:
        near = difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=0.7)
        named.append(f"{name!r}" + (f" (there is {folded[near[0]]!r})" if near else ""))
    there = ", ".join(map(repr, present[:_SHOWN_COLUMNS])) or "none"
    if len(present) > _SHOWN_COLUMNS:
        there += f" and {len(present) - _SHOWN_COLUMNS} more"
    noun = "column" if len(missing) == 1 else "columns"
    text = f"missing {noun}: {', '.join(named)}; the table has: {there}"
    return text


class RunFailedError(RuntimeError):
    """A run could not be finished, though nothing was wrong with the request."""


class DivergedError(RunFailedError):
    """Training diverged before anything was learned."""


def check_choice(name: str, value: object, allowed: Iterable[str]) -> None:
    """Raise a `ConfigError` unless a value is one of a few words."""
    words = list(allowed)
    if value not in words:
        near = difflib.get_close_matches(str(value), words, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ConfigError(
            f"{name} must be one of {', '.join(map(repr, words))}, got {value!r}{hint}"
        )
