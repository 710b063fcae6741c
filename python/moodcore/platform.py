"""What the package runs on: versions, threads, instruction set."""

from __future__ import annotations

import os
import platform
import sys
import threading
from importlib.metadata import PackageNotFoundError, version
from numbers import Integral

from moodcore import _core

__all__ = ["MissingPackageError", "instruction_set", "show_versions", "thread_count", "versions"]


class MissingPackageError(ModuleNotFoundError):
    """Raised if an optional package is not installed; the message says how to install it."""


_LIBRARIES = ("numpy", "pandas", "scikit-learn", "optuna", "pyarrow", "matplotlib", "safetensors")


def instruction_set() -> str:
    """Return the name of the instruction set that training and prediction use.

    The fastest that the processor has, unless the environment variable ``MOODCORE_ISA`` names
    another: ``avx512``, ``avx2`` or ``portable``. The choice changes the speed, not the results.

    Raises
    ------
    ValueError
        When ``MOODCORE_ISA`` names a set that this processor does not have.

    Examples
    --------
    >>> instruction_set() in {"avx512", "avx2", "portable"}
    True
    """
    available = _core.instruction_sets()
    wanted = os.environ.get("MOODCORE_ISA")
    if wanted is None:
        return available[0]
    if wanted not in available:
        allowed = ", ".join(available)
        raise ValueError(f"MOODCORE_ISA must be one of {allowed} on this processor, got {wanted!r}")
    return wanted


# More are a mistake, or a lie in a model file: each would take memory.
_MOST_THREADS = 1024


def thread_count(n_jobs: int | None) -> int:
    """Return the number of threads that a value of ``n_jobs`` means in this process.

    Parameters
    ----------
    n_jobs : int or None
        A positive number is taken as it is. None means 1 unless a ``joblib.parallel_config``
        gives a number. -1 means all threads that this process may use, -2 all but one, and so
        on.

    Returns
    -------
    int
        At least 1.

    Raises
    ------
    ValueError, TypeError
        For ``n_jobs=0``, for more threads than any machine can use, and for what is no number.

    Notes
    -----
    How many threads a process may use is what scikit-learn takes for its own: the processors
    that the operating system and the container leave it, or fewer where ``OMP_NUM_THREADS``,
    ``threadpoolctl`` or joblib, in a worker process, say so. In a task of a Dask worker and in a
    thread of a joblib pool it is one: the others belong to the tasks beside it.

    Examples
    --------
    >>> thread_count(None), thread_count(3)
    (1, 3)
    """
    from joblib.parallel import SequentialBackend, get_active_backend

    if n_jobs is not None and (isinstance(n_jobs, bool) or not isinstance(n_jobs, Integral)):
        raise TypeError(f"n_jobs must be an int or None, got {n_jobs!r}")
    if n_jobs == 0:
        raise ValueError("n_jobs must be None, a positive number of threads or negative, got 0")
    if n_jobs is not None and n_jobs > _MOST_THREADS:
        raise ValueError(f"n_jobs must be at most {_MOST_THREADS}, got {n_jobs}")
    backend, configured = get_active_backend()
    wanted = configured if n_jobs is None else n_jobs
    if wanted is None or isinstance(backend, SequentialBackend):
        return 1
    if wanted > 0:
        return int(wanted)
    return max(1, _own_threads(getattr(backend, "nesting_level", 0) or 0) + 1 + int(wanted))


def _own_threads(nesting_level: int) -> int:
    """Return how many threads this thread may employ, itself among them."""
    from sklearn.utils._openmp_helpers import _openmp_effective_n_threads

    is_pooled = nesting_level > 0 and threading.current_thread() is not threading.main_thread()
    if is_pooled or _is_in_dask_task():
        return 1
    return int(_openmp_effective_n_threads(only_physical_cores=False))


def _is_in_dask_task() -> bool:
    # A task cannot run where Dask was never imported.
    distributed = sys.modules.get("distributed")
    if distributed is None:
        return False
    try:
        distributed.get_worker()
    except ValueError:
        return False
    return True


def versions() -> dict[str, str]:
    """Return versions of packages, the CPU and the number of threads.

    Examples
    --------
    >>> versions()["moodcore"]
    '0.2.0'
    """
    found = {"moodcore": _core.__version__, "python": sys.version.split()[0]}
    for library in _LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            found[library] = "not installed"
    found["platform"] = f"{platform.system()} {platform.machine()}"
    found["processors"] = str(os.cpu_count())
    found["instruction sets"] = ", ".join(_core.instruction_sets())
    found["instruction set used"] = instruction_set()
    return found


def show_versions() -> None:
    """Print the result of :func:`versions`, for bug reports.

    Examples
    --------
    >>> show_versions()  # doctest: +ELLIPSIS
    moodcore: ...
    """
    for name, value in versions().items():
        print(f"{name}: {value}")
