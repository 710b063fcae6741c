"""Atomic writes, and the error for a missing file."""

from __future__ import annotations

import io
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from difflib import get_close_matches
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


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
    with atomic_file(Path(path)) as file:
        file.write(data)


@contextmanager
def atomic_file(path: Path) -> Iterator[IO[bytes]]:
    """Open a file for writing that appears under its name, complete, when the block has ended.

    After an error nothing is left of it, and an old file is as it was.

    Parameters
    ----------
    path : Path
        The file; its folder must exist.

    Raises
    ------
    OSError
        If the folder is missing, not writable or full; it names the file, not the temporary one.
    """
    handle, temporary = _temporary(path)
    file = io.BufferedWriter(_Raw(handle, path))
    try:
        yield file
        file.flush()
        with _named(path):
            os.fsync(handle)
        # mkstemp makes files that only their owner can read; results are for everyone.
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    finally:
        # What could not be written to a full disk cannot be written now either.
        with suppress(OSError):
            file.close()
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Make a folder that appears under its name, filled, when the block has ended.

    Parameters
    ----------
    path : Path
        A new name, or an empty folder; folders above are made, and removed again on failure.

    Yields
    ------
    Path
        Where to put its files.
    """
    path = path.absolute()
    missing = [folder for folder in path.parents if not folder.exists()]
    made = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
        yield made
        made.chmod(0o777 & ~_umask())
        made.replace(path)
    except BaseException:
        if made is not None:
            shutil.rmtree(made, ignore_errors=True)
        # Folders that were made for this one; others may use them by now.
        with suppress(OSError):
            for folder in missing:
                folder.rmdir()
        raise


class _Raw(io.FileIO):
    """An open file whose errors name another one, to which it will be renamed."""

    def __init__(self, handle: int, path: Path) -> None:
        super().__init__(handle, "wb")
        self._path = path

    def write(self, data: Any) -> int:
        with _named(self._path):
            return super().write(data)


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Put the name of a file into an error of the system, which on a full disk has none."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _temporary(path: Path) -> tuple[int, Path]:
    """Make a temporary file in the folder of a file, and return its descriptor and its name."""
    if not path.parent.is_dir():
        _check_folders(path)
        raise FileNotFoundError(f"{path}: there is no folder {path.parent}")
    if path.is_dir():
        raise IsADirectoryError(f"{path}: is a folder; a file is needed")
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        # The temporary name would tell users nothing.
        raise type(error)(f"{path}: cannot be written: {error.strerror}") from None
    return handle, Path(name)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Replace the file at `path` by `text` in UTF-8, all at once (see `write_bytes`)."""
    write_bytes(path, text.encode("utf-8"))


def write_table(path: str | os.PathLike[str], table: pd.DataFrame) -> None:
    """Replace the file at `path` by a table without its index, all at once.

    Parquet where the name ends in `.parquet` or `.pq`, CSV elsewhere (see `write_bytes`).
    """
    if is_parquet(path):
        buffer = io.BytesIO()
        table.to_parquet(buffer, index=False, compression="zstd")
        write_bytes(path, buffer.getvalue())
    else:
        write_text(path, table.to_csv(index=False, lineterminator="\n"))


def read_parquet(path: Path) -> pd.DataFrame:
    """Read a Parquet file; any name is allowed, one that is not UTF-8 too."""
    import pandas as pd

    # Opened here, because Arrow encodes names strictly.
    with path.open("rb") as file:
        return pd.read_parquet(file)


def is_parquet(path: str | os.PathLike[str]) -> bool:
    """Whether a name is that of a Parquet file."""
    return Path(path).suffix.lower() in (".parquet", ".pq")


def no_such_file(path: Path, what: str = "file") -> FileNotFoundError:
    """Return the error for a missing file, with the nearest name in its folder.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = (Path(folder) / "songs.csv").write_text("")
    ...     print(str(no_such_file(Path(folder) / "song.csv")).partition(": ")[2])
    no such file; there is 'songs.csv'
    """
    if not path.parent.is_dir():
        return FileNotFoundError(f"{path}: no such {what}; there is no folder {path.parent}")
    siblings = [file.name for file in path.parent.iterdir() if not file.name.startswith(".")]
    near = get_close_matches(path.name, siblings, n=1)
    hint = f"; there is {near[0]!r}" if near else ""
    return FileNotFoundError(f"{path}: no such {what}{hint}")


def check_writable(path: str | os.PathLike[str], suffixes: tuple[str, ...] = ()) -> None:
    """Check, before work begins, that a file can be written.

    Parameters
    ----------
    path : str or path-like
        The file.
    suffixes : tuple of str, default=()
        Allowed endings; none means any.

    Raises
    ------
    OSError
        If its folder is missing or not writable, or it is a folder itself.
    ValueError
        If it has another ending.

    Examples
    --------
    >>> check_writable("model.pkl", (".safetensors",))
    Traceback (most recent call last):
        ...
    ValueError: model.pkl: the file name must end in .safetensors, got '.pkl'
    """
    path = Path(path)
    if suffixes and path.suffix.lower() not in suffixes:
        allowed = " or ".join(filter(None, suffixes))
        raise ValueError(f"{path}: the file name must end in {allowed}, got {path.suffix!r}")
    handle, temporary = _temporary(path)
    os.close(handle)
    temporary.unlink()


def check_new_folder(path: str | os.PathLike[str]) -> None:
    """Check, before work begins, that a folder can be made, or files in an existing one.

    Folders above it are made with it, so they may be missing too.

    Parameters
    ----------
    path : str or path-like
        The folder.

    Raises
    ------
    OSError
        If it or a folder above it is a file, or not writable.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     check_new_folder(Path(folder) / "runs" / "first")
    ...     os.listdir(folder)
    []
    """
    path = Path(path)
    if os.path.lexists(path) and not path.is_dir():
        raise NotADirectoryError(f"{path}: is a file; a folder is needed")
    existing = path if path.is_dir() else _check_folders(path)
    try:
        Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=existing)).rmdir()
    except OSError as error:
        raise type(error)(f"{path}: cannot be written: {existing}: {error.strerror}") from None


def _check_folders(path: Path) -> Path:
    """Return the nearest folder above a path that exists; a file there is an error."""
    above = next((parent for parent in path.parents if os.path.lexists(parent)), Path())
    if not above.is_dir():
        raise NotADirectoryError(f"{above}: is a file; a folder is needed for {path.name}")
    return above
