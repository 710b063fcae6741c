"""`moodcore predict`: labels and probabilities for a whole catalogue."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from moodcore.cli import options
from moodcore.cli.cluster import chosen_scheduler
from moodcore.cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from moodcore.predict import Account


@click.command("predict", short_help="Add labels and probabilities to songs.")
@click.argument("model", type=options.INPUT_FILE)
@click.argument("songs")
@click.option(
    "-o",
    "--out",
    type=options.INPUT_FILE,
    metavar="PATH",
    help="Where to write: a file, CSV, Parquet or Arrow by its ending, or a folder for the files "
    "of a folder.  [default: CSV to stdout]",
)
@click.option(
    "--keep",
    multiple=True,
    metavar="COLUMN",
    help="A column to pass through, several times for several; all for all.  [default: uri]",
)
@click.option(
    "--on-error",
    type=options.Choice(["fail", "skip", "null"]),
    default="fail",
    show_default=True,
    help="Rows that cannot be scored: stop, leave them out, or keep them without a prediction. The "
    "last two list them and end with exit code 3.",
)
@click.option(
    "--format",
    "kind",
    metavar="KIND",
    help="Files of an output folder: csv, parquet or arrow.  [default: as the input]",
)
@click.option("--resume", is_flag=True, help="Go on with an output folder.")
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    metavar="N",
    help="Batches scored at the same time.  [default: one a processor, at most 4]",
)
@click.option("--rejected", type=options.INPUT_FILE, metavar="FILE",
              help="Where to list rejected rows.  [default: PATH.rejected.csv]")  # fmt: skip
@options.scheduler
@options.engine
@options.as_json
@options.debug
def command(model: Path, songs: str, out: Path | None, as_json: bool, **given: Any) -> int:
    """Add the label and the probability of each class to every song of SONGS.

    SONGS is a CSV (also .gz, .zst), Parquet or Arrow file, a folder or a pattern of such files, or
    - for CSV on standard input. Memory does not grow with the number of songs.
    """
    from moodcore.cli.rows_progress import make_rows_progress
    from moodcore.predict import score

    if as_json and out is None:
        raise click.UsageError("--json writes to stdout, and so would the songs; give --out")
    given["scheduler"] = chosen_scheduler(given.pop("engine"), given["scheduler"])
    with make_rows_progress() as progress:
        account = score(model, songs, out, watcher=progress, **given)
    if as_json:
        head = {"format": "moodcore-prediction", "version": 1}
        click.echo(json.dumps(head | account.to_dict()))
    _tell(account, out)
    failed = account.n_rejected or account.damaged
    return ExitCode.SOME_REJECTED if failed else ExitCode.DONE


def _tell(account: Account, out: Path | None) -> None:
    """Say on stderr what became of the rows."""
    from moodcore.songs.problems import rows

    where = f"{out}: " if out else ""
    files = f" in {account.n_files:,} files" if account.n_files > 1 else ""
    click.echo(f"{where}{account.n_scored:,} of {account.n_read:,} songs{files}", err=True)
    if account.n_skipped_files:
        done = account.n_skipped_files
        click.echo(f"{done:,} {'file was' if done == 1 else 'files were'} done before", err=True)
    for reason, count in account.rejected.most_common():
        click.echo(f"rejected: {rows(count)}: {reason}", err=True)
    for name, reason in account.damaged:
        click.echo(f"not scored: {name}: {reason}", err=True)
