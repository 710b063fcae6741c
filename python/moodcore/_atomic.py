"""Files that are either the old ones or the new ones, never half of one."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def write_bytes(path: str | os.PathLike[str], data: bytes) -> None:
    """Replace the file at `path` by `data`, all at once.

    The bytes go to a temporary file in the same folder, to the disk, and only then under
    their name, so that neither a crash nor a second writer leaves a mixture.

    Parameters
    ----------
    path : str or path-like
        The file; its folder must exist.
    data : bytes
        The whole content.

    Raises
    ------
    OSError
        If the folder is missing, not writable or full; the old file is then untouched.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     target = Path(folder) / "metrics.json"
    ...     write_bytes(target, b"{}")
    ...     target.read_bytes()
    b'{}'
    """
    path = Path(path)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        # mkstemp makes files that only their owner can read; results are for everyone.
        mask = os.umask(0)
        os.umask(mask)
        temporary.chmod(0o666 & ~mask)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Replace the file at `path` by `text` in UTF-8, all at once (see `write_bytes`)."""
    write_bytes(path, text.encode("utf-8"))
