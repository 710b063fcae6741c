"""What a table holds: columns, classes, copies, and the command to run next."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from moodcore.datasets import likely_target, load_dataset
from moodcore.errors import ConfigError
from moodcore.songs.loading import read
from moodcore.songs.recognition import SongColumns, recognize_frame
from moodcore.songs.schema import LABEL, URI
from moodcore.tables.dataset import Dataset, check_counts
from moodcore.tables.loading import RawTable, read_any
from moodcore.tables.roles import ColumnRole, column_roles, suspicious_columns

if TYPE_CHECKING:
    import pandas as pd

_FOLDS = 5
_SHOWN_CLASSES = 20
_SHOWN_CHARACTERS = 30


def check_table(file: Path, target: str | None, **options: Any) -> dict[str, Any]:
    """Read a table as a run would, and return what was recognized.

    Parameters
    ----------
    file : Path
        The table.
    target : str or None
        The label column of any table; None for songs.
    **options
        Those of `moodcore.datasets.load_dataset`.

    Raises
    ------
    ValueError
        If the table cannot be used.
    OSError
        If it cannot be read.
    """
    table = read_any(file, on_bad_rows=options.get("on_bad_rows", "strict"))
    songs = recognize_frame(table.frame) if target is None else None
    is_songs = songs is not None and songs.is_songs
    dataset, notes = None, table.notes
    if target is not None or (songs is not None and is_songs and LABEL in songs.names):
        dataset = load_dataset(table, target, folds=0, **options)
        notes = dataset.notes
    elif is_songs:
        notes = _notes_of_unlabeled(table, options)
    roles = column_roles(table.frame)
    label = songs.names.get(LABEL) if songs is not None and is_songs else target
    features = [
        role
        for role in roles
        if role.name != label
        and (songs is None or not is_songs or role.name in songs.names.values())
    ]
    labels = None if label is None else table.frame[label]
    return {
        "format": "moodcore-data-check",
        "version": 1,
        "source": table.source,
        "preset": "songs" if is_songs else None,
        "target": label,
        "rows": len(table.frame),
        "usable_rows": len(table.frame) if dataset is None else len(dataset.y),
        "features": [] if dataset is None else [str(name) for name in dataset.X.columns],
        "notes": list(notes),
        "columns": [_column(role, label, songs if is_songs else None) for role in roles],
        "classes": {} if dataset is None else dataset.counts,
        "copies": {} if dataset is None else _copies(dataset),
        "warnings": [*suspicious_columns(table.frame, features, labels), *_few_rows(dataset)],
        "command": _command(file, target, table.frame, dataset, is_songs),
    }


def report_lines(found: dict[str, Any]) -> Iterator[str]:
    """Yield the lines that show the result of `check_table`."""
    noun = "songs" if found["preset"] else "rows"
    used = f", {len(found['features'])} of them to learn from" if found["features"] else ""
    yield f"{found['source']}: {found['rows']:,} {noun}, {len(found['columns'])} columns{used}"
    yield from found["notes"]
    yield ""
    yield from _aligned(
        ("column", "role", "values", "missing", "range or frequent values"),
        [
            (c["name"], c["role"], f"{c['values']:,}", f"{c['missing']:,}", c["shown"])
            for c in found["columns"]
        ],
    )
    if found["classes"]:
        yield ""
        total = sum(found["classes"].values())
        largest = sorted(found["classes"].items(), key=lambda item: -item[1])
        rows: list[tuple[str, ...]] = [
            (name, f"{count:,}", f"{count / total:.1%}") for name, count in largest
        ]
        yield from _aligned(("class", noun, "share"), rows[:_SHOWN_CLASSES])
        if len(rows) > _SHOWN_CLASSES:
            yield f"and {len(rows) - _SHOWN_CLASSES} more classes"
    if any(found["copies"].values()):
        yield ""
        repeated, conflicting = found["copies"]["repeated"], found["copies"]["conflicting"]
        repeat = f"{noun} repeat" if repeated != 1 else f"{noun.removesuffix('s')} repeats"
        have = "has" if conflicting == 1 else "have"
        yield (
            f"{repeated:,} {repeat} an earlier one; "
            f"{conflicting:,} {have} a copy with another label"
        )
    if found["warnings"]:
        yield ""
        yield "check these before relying on a model:"
        yield from (f"  {warning}" for warning in found["warnings"])
    yield ""
    yield f"next: {found['command']}"


def _notes_of_unlabeled(table: RawTable, options: dict[str, Any]) -> tuple[str, ...]:
    rules: Any = {name: options[name] for name in ("on_bad_rows", "duplicates") if name in options}
    songs = read(table, labels="ignore", **rules)
    return (*str(songs.report).splitlines(), *songs.notes, "no labels")


def _column(role: ColumnRole, label: str | None, songs: SongColumns | None) -> dict[str, Any]:
    shown = ", ".join(value[:_SHOWN_CHARACTERS] for value in role.values)
    if role.role == "number" and role.low is not None and role.high is not None:
        shown = f"{role.low:g} to {role.high:g}"
    name = role.role
    if songs is not None:
        names = {own: name for name, own in songs.names.items()}
        of_songs = names.get(role.name)
        name = {None: f"{name}, ignored", URI: "id"}.get(of_songs, "feature")
    return {
        "name": role.name,
        "role": "label" if role.name == label else name,
        "values": role.n_values,
        "missing": role.n_missing,
        "low": role.low,
        "high": role.high,
        "frequent": list(role.values),
        "shown": shown,
    }


def _copies(dataset: Dataset) -> dict[str, int]:
    """Return how many rows repeat an earlier one, and how many have a copy of another label."""
    import pandas as pd

    groups: Any = dataset.groups
    if groups is None:
        columns = list(dataset.X.columns)
        groups = dataset.X.groupby(columns, sort=False, dropna=False, observed=True).ngroup()
    codes = pd.Series(np.unique(dataset.y, return_inverse=True)[1])
    by_group = codes.groupby(np.asarray(groups))
    conflicting = by_group.transform("nunique") > 1
    return {
        "repeated": len(codes) - by_group.ngroups,
        "conflicting": int(conflicting.sum()),
    }


def _few_rows(dataset: Dataset | None) -> list[str]:
    if dataset is None:
        return []
    try:
        check_counts(dataset, _FOLDS)
    except ConfigError as error:
        return [str(error).removeprefix(f"{dataset.source}: ")]
    return []


def _command(
    file: Path, target: str | None, frame: pd.DataFrame, dataset: Dataset | None, is_songs: bool
) -> str:
    name = shlex.quote(str(file))
    if target is not None:
        return f"moodcore tune --data {name} --target {shlex.quote(target)} --model all"
    if not is_songs:
        likely = likely_target([str(column) for column in frame.columns])
        return f"moodcore data check {name} --target {shlex.quote(likely)}"
    if dataset is None:
        return f"moodcore predict MODEL {name} -o scored.csv"
    return f"moodcore tune --data {name}"


def _aligned(head: Sequence[str], rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """Yield the lines of a table; columns of counts are aligned to the right."""
    cells = [tuple(head), *rows]
    widths = [max(len(row[at]) for row in cells) for at in range(len(head))]
    is_count = [
        bool(rows) and all(row[at].strip("%").replace(",", "").replace(".", "").isdigit()
                           for row in rows)
        for at in range(len(head))
    ]  # fmt: skip
    for row in cells:
        fields = zip(row, widths, is_count, strict=True)
        yield "  ".join(
            field.rjust(width) if right else field.ljust(width) for field, width, right in fields
        ).rstrip()
