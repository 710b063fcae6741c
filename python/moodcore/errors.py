"""Errors of settings and options, and the nearest valid name for a wrong one."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class ConfigError(ValueError):
    """A setting that cannot be used: what, where, the value and what is allowed."""


def unknown_name(kind: str, name: str, allowed: Iterable[str]) -> ConfigError:
    """Return the error for a name that is not one of `allowed`, with the nearest that is."""
    names = sorted(allowed)
    near = difflib.get_close_matches(name, names, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"allowed: {', '.join(names)}"
    return ConfigError(f"{kind} {name!r} does not exist; {hint}")
