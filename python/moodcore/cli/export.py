"""`moodcore export`: a model in the format of another program, or from one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from moodcore.cli import options
from moodcore.cli.exit_codes import ExitCode

# As in moodcore.exchange, which takes long to import.
_FORMATS = [
    "onnx",
    "xgboost-json",
    "xgboost-ubjson",
    "libsvm",
    "c",
    "c-header",
    "rust",
    "safetensors",
]


@click.command(
    "export",
    cls=options.Command,
    short_help="Write a model as ONNX, XGBoost, libsvm, C or Rust.",
    examples=(
        "moodcore export adult.safetensors adult.onnx",
        "moodcore export xgboost.json adult.safetensors",
    ),
)
@click.argument("model", type=options.INPUT_FILE)
@click.argument("output", type=options.INPUT_FILE, required=False)
@click.option(
    "-o", "--out", type=options.INPUT_FILE, metavar="FILE", help="The same as OUTPUT, as an option."
)
@click.option(
    "--format",
    "format_",
    metavar="NAME",
    shell_complete=options.completion(*_FORMATS),
    help=f"{', '.join(_FORMATS[:-1])} or {_FORMATS[-1]}.  [default: by the ending of OUTPUT]",
)
@click.option(
    "--classifier-only",
    is_flag=True,
    help="Leave out the steps of the pipeline before its classifier.",
)
@click.option(
    "--inputs",
    type=options.Choice(["tensor", "columns"]),
    help="ONNX: one input with all columns, or one per column.  [default: tensor]",
)
@click.option(
    "--dtype",
    type=options.Choice(["float64", "float32"]),
    default="float64",
    show_default=True,
    help="ONNX and XGBoost: type of the input numbers.",
)
@click.option(
    "--label-positions",
    is_flag=True,
    help="libsvm: write labels that are no integers as 0, 1, 2, ...",
)
@click.option(
    "--missing",
    type=float,
    metavar="NUMBER",
    help="MODEL of XGBoost: the value that is missing, besides NaN.",
)
@options.debug
def command(
    model: Path,
    output: Path | None,
    out: Path | None,
    format_: str | None,
    missing: float | None,
    **given: Any,
) -> int:
    """Write MODEL to OUTPUT in another format.

    MODEL is a file of moodcore, XGBoost, LightGBM or libsvm. The ending of OUTPUT is the format:
    .onnx, .json or .ubj (XGBoost), .model (libsvm), .c, .h, .rs, .safetensors.
    """
    from moodcore import exchange
    from moodcore.files import check_writable

    if output is not None and out is not None:
        raise click.UsageError("OUTPUT and --out are the same; give one of them")
    output = output or out
    if output is None:
        raise click.UsageError("Missing argument 'OUTPUT'.")
    check_writable(output)
    try:
        exchange.export(exchange.load(model, missing=missing), output, format=format_, **given)
    except TypeError as error:
        # Not a bug: the format does not hold such a model.
        raise click.ClickException(str(error)) from error
    click.echo(f"{output}: {output.stat().st_size:,} bytes", err=True)
    return ExitCode.DONE
