"""Which files to score, what kind each is, and what its result is called."""

from __future__ import annotations

import glob
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, get_args

from moodcore.files import no_such_file

Kind = Literal["csv", "parquet", "arrow"]
STDIN: Final = "-"

_KINDS: Final[dict[str, Kind]] = {
    ".csv": "csv",
    ".csv.gz": "csv",
    ".csv.zst": "csv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
}
READABLE: Final = tuple(_KINDS)
WRITABLE: Final = (".csv", ".parquet", ".pq", ".arrow", ".feather", ".ipc")


class CatalogueError(ValueError):
    """What was asked for cannot be done; the message says why and what can."""


@dataclass(frozen=True)
class Source:
    """One input.

    Attributes
    ----------
    path : Path or None
        The file; None for standard input.
    kind : {"csv", "parquet", "arrow"}
        What is in it.
    name : str
        What messages and results call it: in a folder, the path below it.
    """

    path: Path | None
    kind: Kind
    name: str


def kind_of(name: str, allowed: tuple[str, ...] = READABLE) -> Kind:
    """Return the kind that a file name tells.

    Raises
    ------
    CatalogueError
        When its ending is none of those allowed.

    Examples
    --------
    >>> kind_of("songs.csv.gz"), kind_of("SONGS.PARQUET")
    ('csv', 'parquet')
    """
    for ending in sorted(allowed, key=len, reverse=True):
        if name.lower().endswith(ending):
            return _KINDS[ending]
    raise CatalogueError(
        f"{name}: unknown kind of file {Path(name).suffix!r}; allowed are {', '.join(allowed)}"
    )


def find_sources(given: str) -> list[Source]:
    """Return the files that an input names: a file, a folder, a pattern, or "-".

    Parameters
    ----------
    given : str
        A folder stands for all files of known kinds in it and below, in the order of their paths;
        files whose names begin with a dot or an underscore, and rejected rows, are left out.

    Raises
    ------
    CatalogueError
        When a file is of an unknown kind, or there is none.
    FileNotFoundError
        When there is no such file.
    """
    if given == STDIN:
        return [Source(None, "csv", "standard input")]
    path = Path(given)
    if path.is_dir():
        found = [Source(one, kind_of(one.name), _below(one, path)) for one in _songs_in(path)]
        if not found:
            raise CatalogueError(f"{given}: no file in it ends in {', '.join(READABLE)}")
        return found
    if not path.exists() and glob.has_magic(given):
        matches = sorted(Path(one) for one in glob.iglob(given, recursive=True))  # noqa: PTH207 (may be absolute)
        files = [one for one in matches if one.is_file()]
        if not files:
            raise FileNotFoundError(f"{given}: no file matches")
        return [Source(one, kind_of(one.name), one.name) for one in files]
    if not path.exists():
        raise no_such_file(path)
    return [Source(path, kind_of(path.name), given)]


def _songs_in(folder: Path) -> list[Path]:
    return sorted(
        one
        for one in folder.rglob("*")
        if one.is_file()
        and one.name.lower().endswith(READABLE)
        and not one.name.lower().endswith(REJECTED)
        and not any(part.startswith((".", "_")) for part in one.relative_to(folder).parts)
    )


def _below(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()


REJECTED: Final = ".rejected.csv"


def result_path(source: Source, folder: Path, kind: Kind | None) -> Path:
    """Return where in a folder the result of a file goes.

    Examples
    --------
    >>> source = Source(Path("in/2024/a.csv.gz"), "csv", "2024/a.csv.gz")
    >>> result_path(source, Path("out"), None).as_posix()
    'out/2024/a.csv'
    >>> result_path(source, Path("out"), "parquet").as_posix()
    'out/2024/a.parquet'
    """
    ending = next(e for e in sorted(READABLE, key=len, reverse=True)
                  if source.name.lower().endswith(e))  # fmt: skip
    stem = source.name[: -len(ending)]
    return folder / f"{stem}.{kind or source.kind}"


def rejected_path(result: Path) -> Path:
    """Return where the rejected rows of a result are listed."""
    return result.with_name(result.name + REJECTED)


def check_kind(name: str) -> Kind:
    """Return a kind of output that is asked for by its name.

    Raises
    ------
    CatalogueError
        When there is no such kind.
    """
    for kind in get_args(Kind):
        if name == kind:
            return kind
    raise CatalogueError(f"format must be one of {', '.join(get_args(Kind))}, got {name!r}")
