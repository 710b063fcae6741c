"""`moodcore predict`: labels and probabilities for files of any size."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from moodcore.cli import options
from moodcore.cli.cluster import chosen_scheduler
from moodcore.cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from moodcore.predict import ScoringReport


@click.command(
    "predict",
    cls=options.Command,
    short_help="Add labels and probabilities to tables.",
    examples=(
        "moodcore predict adult.safetensors new.csv -o predicted.csv",
        "moodcore predict adult.safetensors exports/ -o predicted/ --format parquet --resume",
        "zcat new.csv.gz | moodcore predict adult.safetensors - --keep id > predicted.csv",
    ),
)
@click.argument("model", type=options.INPUT_FILE)
@click.argument("table", type=options.TABLE)
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
    help="A column to pass through; may be repeated; all for all.",
)
@click.option(
    "--id",
    metavar="COLUMN",
    help="Column that identifies the rows, passed through first.  [default: uri, id and the like]",
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
    shell_complete=options.completion("csv", "parquet", "arrow"),
    help="Files of an output folder: csv, parquet or arrow.  [default: as the input]",
)
@click.option("--resume", is_flag=True, help="Continue an interrupted run in an output folder.")
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    metavar="N",
    help="Batches scored at the same time.  [default: one per CPU, at most 4]",
)
@click.option("--rejected", type=options.INPUT_FILE, metavar="FILE",
              help="Where to list rejected rows.  [default: PATH.rejected.csv]")  # fmt: skip
@options.engine
@options.scheduler
@options.as_json
@options.debug
def command(model: Path, table: str, out: Path | None, as_json: bool, **given: Any) -> int:
    """Add the label and the probability of each class to every row of TABLE.

    TABLE is a text file (CSV, TSV, also .gz, .zst, .zip), Parquet or Arrow file, a folder or a
    pattern of such files, or - for CSV on standard input. Columns are found by name. Memory does
    not grow with the number of rows.
    """
    from moodcore.cli.progress import make_progress
    from moodcore.predict import score
    from moodcore.runs.interrupts import RunInterruptedError, stop_on_interrupt

    if as_json and out is None:
        raise click.UsageError("--json writes to stdout, as would the rows; give --out")
    given["scheduler"] = chosen_scheduler(given.pop("engine"), given["scheduler"])
    stop = click.get_current_context().obj
    try:
        with stop_on_interrupt(stop):
            report = score(
                model, table, out, listener=make_progress(), should_stop=stop.is_set, **given
            )
    except (RunInterruptedError, KeyboardInterrupt):
        click.echo("moodcore: interrupted", err=True)
        if out is not None and out.is_dir():
            words = [word for word in sys.argv[1:] if word != "--resume"]
            click.echo(f"To continue: {shlex.join(['moodcore', *words, '--resume'])}", err=True)
        return ExitCode.INTERRUPTED
    if as_json:
        head = {"format": "moodcore-prediction", "version": 2}
        click.echo(json.dumps(head | report.to_dict()))
    _show(report, out)
    failed = report.n_rejected or report.damaged
    return ExitCode.SOME_REJECTED if failed else ExitCode.DONE


def _show(report: ScoringReport, out: Path | None) -> None:
    """Report on stderr how many rows were scored, rejected or not read."""
    from moodcore.songs.problems import rows

    where = f"{out}: " if out else ""
    files = f" in {report.n_files:,} files" if report.n_files > 1 else ""
    click.echo(f"{where}{report.n_scored:,} of {rows(report.n_read)} scored{files}", err=True)
    if report.n_skipped_files:
        done = report.n_skipped_files
        click.echo(f"{done:,} {'file was' if done == 1 else 'files were'} done before", err=True)
    for reason, count in report.rejected.most_common():
        click.echo(f"rejected: {rows(count)}: {reason}", err=True)
    for name, reason in report.damaged:
        click.echo(f"not scored: {name}: {reason}", err=True)
