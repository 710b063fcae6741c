"""`moodcore evaluate`: a saved model against labeled rows."""

from __future__ import annotations

import json
from pathlib import Path

import click

from moodcore.cli import options
from moodcore.cli.exit_codes import ExitCode


@click.command(
    "evaluate",
    cls=options.Command,
    short_help="Test a saved model on labeled rows.",
    examples=(
        "moodcore evaluate adult.safetensors test.csv",
        "moodcore evaluate adult.safetensors test.csv --target income --json",
    ),
)
@click.argument("model", type=options.INPUT_FILE)
@click.argument("table", type=options.TABLE)
@click.option(
    "--target",
    metavar="COLUMN",
    help="Column of the labels.  [default: that of the training data]",
)
@options.as_json
@options.debug
def command(model: Path, table: str, target: str | None, as_json: bool) -> int:
    """Compare the predictions of MODEL for the rows of TABLE with their labels."""
    from moodcore import load
    from moodcore.predict import evaluate_file

    evaluation = evaluate_file(load(model), table, target)
    for note in evaluation.notes:
        click.echo(note, err=True)
    metrics = evaluation.metrics
    if as_json:
        head = {"format": "moodcore-evaluation", "version": 2, "target": evaluation.target}
        click.echo(json.dumps(head | {"notes": evaluation.notes} | metrics.to_dict()))
        return ExitCode.DONE
    click.echo(f"{evaluation.noun:<18} {metrics.n_rows:,}")
    click.echo(f"accuracy           {100 * metrics.accuracy:.2f} %")
    click.echo(f"balanced accuracy  {100 * metrics.balanced_accuracy:.2f} %")
    click.echo(f"macro F1           {metrics.macro_f1:.4f}")
    # Models without probabilities have neither.
    for title, value in (("log loss", metrics.log_loss), ("Brier score", metrics.brier)):
        if value is not None:
            click.echo(f"{title:<18} {value:.4f}")
    width = max(12, *(len(part.name) for part in metrics.classes))
    for part in metrics.classes:
        click.echo(
            f"  {part.name:<{width}} precision {part.precision:.3f}  recall {part.recall:.3f}  "
            f"F1 {part.f1:.3f}  {evaluation.noun} {part.support:,}"
        )
    return ExitCode.DONE
