"""Input files: which there are, what kind each is, and where its result goes."""

from __future__ import annotations

import glob
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, cast, get_args

from moodcore.errors import ConfigError, TableError, check_choice
from moodcore.files import no_such_file
from moodcore.tables.files import ARROW_ENDINGS, PARQUET_ENDINGS, TEXT_ENDINGS

Kind = Literal["csv", "parquet", "arrow"]
STDIN: Final = "-"
REJECTED: Final = ".rejected.csv"

_KINDS: Final[dict[str, Kind]] = {
    **{f"{end}{packed}": "csv" for end in TEXT_ENDINGS for packed in ("", ".gz", ".zst", ".zip")},
    ".zip": "csv",
    **dict.fromkeys(PARQUET_ENDINGS, "parquet"),
    **dict.fromkeys(ARROW_ENDINGS, "arrow"),
}
READABLE: Final = tuple(_KINDS)
# In a folder, notes are more likely in a text file than a table.
_IN_FOLDERS: Final = tuple(ending for ending in READABLE if not ending.startswith(".txt"))
WRITABLE: Final = (".csv", *PARQUET_ENDINGS, *ARROW_ENDINGS)


@dataclass(frozen=True)
class InputFile:
    """One input.

    Attributes
    ----------
    path : Path or None
        The file; None for standard input.
    kind : {"csv", "parquet", "arrow"}
        What it holds.
    name : str
        Its name in messages and results: in a folder, the path below the folder.
    """

    path: Path | None
    kind: Kind
    name: str


def kind_of(name: str, allowed: tuple[str, ...] = READABLE) -> Kind:
    """Return the kind of a file by its name, which must have one of the allowed endings.

    Examples
    --------
    >>> kind_of("songs.csv.gz"), kind_of("SONGS.PARQUET")
    ('csv', 'parquet')
    """
    ending = _ending(name, allowed)
    if ending is not None:
        return _KINDS[ending]
    raise ConfigError(
        f"{name}: unknown kind of file {Path(name).suffix!r}; allowed are {', '.join(allowed)}"
    )


def find_inputs(given: str) -> list[InputFile]:
    """Return the files of an input: a file, a folder, a pattern, or "-".

    A folder means all files of known kinds in it and below but .txt, in the order of their paths;
    files whose names begin with a dot or an underscore, and lists of rejected rows, are left out.
    """
    if given == STDIN:
        return [InputFile(None, "csv", "standard input")]
    path = Path(given)
    if path.is_dir():
        files = _tables_in(path)
        if not files:
            raise TableError(f"{given}: no file in it ends in {', '.join(_IN_FOLDERS)}")
        return [InputFile(f, kind_of(f.name), f.relative_to(path).as_posix()) for f in files]
    if not path.exists() and glob.has_magic(given):
        matches = sorted(Path(match) for match in glob.iglob(given, recursive=True))  # noqa: PTH207 (may be absolute)
        files = [match for match in matches if match.is_file()]
        if not files:
            raise FileNotFoundError(f"{given}: no file matches")
        return [InputFile(file, kind_of(file.name), file.name) for file in files]
    if not path.exists():
        raise no_such_file(path)
    return [InputFile(path, kind_of(path.name), given)]


def _ending(name: str, allowed: tuple[str, ...]) -> str | None:
    matching = [ending for ending in allowed if name.lower().endswith(ending)]
    return max(matching, key=len, default=None)


def _tables_in(folder: Path) -> list[Path]:
    return sorted(
        path
        for path in folder.rglob("*")
        if path.is_file()
        and _ending(path.name, _IN_FOLDERS) is not None
        and not path.name.lower().endswith(REJECTED)
        and not any(part.startswith((".", "_")) for part in path.relative_to(folder).parts)
    )


def result_path(file: InputFile, folder: Path, kind: Kind | None) -> Path:
    """Return where in a folder the result of a file goes.

    Examples
    --------
    >>> file = InputFile(Path("in/2024/a.csv.gz"), "csv", "2024/a.csv.gz")
    >>> result_path(file, Path("out"), None).as_posix()
    'out/2024/a.csv'
    >>> result_path(file, Path("out"), "parquet").as_posix()
    'out/2024/a.parquet'
    """
    ending = _ending(file.name, READABLE)
    return folder / f"{file.name[: -len(ending or '')]}.{kind or file.kind}"


def rejected_path(result: Path) -> Path:
    """Return where the rejected rows of a result are listed."""
    return result.with_name(result.name + REJECTED)


def check_kind(name: str) -> Kind:
    """Return a kind of output by its name."""
    check_choice("format", name, get_args(Kind))
    return cast(Kind, name)
