"""How many processors this process may use."""

from __future__ import annotations

import os


def available() -> int:
    """Return the number of processors, as the operating system limits them."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
