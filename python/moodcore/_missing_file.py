"""What to say of a file that is not there."""

from difflib import get_close_matches
from pathlib import Path


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
    siblings = [one.name for one in path.parent.iterdir() if not one.name.startswith(".")]
    near = get_close_matches(path.name, siblings, n=1)
    hint = f"; there is {near[0]!r}" if near else ""
    return FileNotFoundError(f"{path}: no such {what}{hint}")
