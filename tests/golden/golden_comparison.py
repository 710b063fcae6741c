"""Comparison of golden values with new ones."""

import importlib.metadata
import math
import platform
from typing import Any

from golden_values import Values

RELATIVE_TOLERANCE = 1e-6
# Differences of numbers that are zero but for rounding, such as the calibration error of a
# constant prediction.
ABSOLUTE_TOLERANCE = 1e-12

_PACKAGES = ("numpy", "pandas", "pyarrow", "scikit-learn", "scipy", "optuna", "onnx")
_MISSING = object()


def environment() -> dict[str, str]:
    """Return the versions on which the last digits of some values depend."""
    found = {name: importlib.metadata.version(name) for name in _PACKAGES}
    return found | {"system": platform.system(), "processor": platform.machine()}


def differences(golden: Values, new: Values) -> list[str]:
    """Return one line per golden value that is missing or different now.

    Values that only `new` has are ignored, so that a format may gain keys and columns.
    """
    lines = []
    for part, values in golden.items():
        found = new.get(part, {})
        for key, old in values.items():
            now = found.get(key, _MISSING)
            if now is _MISSING:
                lines.append(f"{part}: {key}: was {old!r}, is missing now")
            elif not equal(old, now):
                lines.append(f"{part}: {key}: was {old!r}, is {now!r} now")
    return lines


def equal(old: Any, now: Any) -> bool:
    """Whether two values are equal: floats to the relative tolerance, all others exactly."""
    if isinstance(old, bool) or isinstance(now, bool):
        return old is now
    if isinstance(old, int | float) and isinstance(now, int | float):
        if isinstance(old, int) and isinstance(now, int):
            return old == now
        return math.isclose(old, now, rel_tol=RELATIVE_TOLERANCE, abs_tol=ABSOLUTE_TOLERANCE)
    return bool(type(old) is type(now) and old == now)
