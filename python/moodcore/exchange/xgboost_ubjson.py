"""XGBoost's UBJSON files, converted from and to JSON by the package xgboost."""

import subprocess
import sys
from importlib.util import find_spec
from typing import Literal

from moodcore.platform import MissingPackageError

_SCRIPT = """
import sys
sys.path[:] = {path!r}
import xgboost
xgboost.set_config(verbosity=0)
booster = xgboost.Booster(model_file=bytearray(sys.stdin.buffer.read()))
sys.stdout.buffer.write(booster.save_raw({to!r}))
"""
_TIMEOUT = 300.0


def convert(data: bytes, *, to: Literal["json", "ubj"]) -> bytes:
    """Convert a model of XGBoost from JSON to UBJSON, or the reverse.

    XGBoost's parser crashes on some damaged files (with version 3.2, on one in ten files with a
    few altered bytes), so it runs in a child process, and a crash becomes a `ValueError`.
    """
    if find_spec("xgboost") is None:
        raise MissingPackageError(
            "UBJSON files (.ubj) need the package xgboost: pip install xgboost, or use .json",
            name="xgboost",
        )
    command = [sys.executable, "-c", _SCRIPT.format(path=sys.path, to=to)]
    try:
        child = subprocess.run(
            command, input=data, capture_output=True, timeout=_TIMEOUT, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise ValueError(f"the package xgboost took more than {_TIMEOUT:.0f} s") from error
    if child.returncode != 0:
        raise ValueError("the package xgboost cannot read the file, which is damaged")
    return child.stdout
