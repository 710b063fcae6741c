"""`moodcore explain`: contributions of features to the predictions of a model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from moodcore.cli import options
from moodcore.cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from moodcore.explanation.contributions import Explanation

_PICTURES = (".svg", ".png")
_MANY = 200


@click.command(
    "explain",
    cls=options.Command,
    short_help="Show what each feature contributes.",
    examples=(
        "moodcore explain adult.safetensors test.csv",
        "moodcore explain adult.safetensors test.csv --row 17 -o row17.svg",
    ),
)
@click.argument("model", type=options.INPUT_FILE)
@click.argument("table", type=options.TABLE)
@click.option(
    "--row",
    "rows",
    type=click.IntRange(min=0),
    multiple=True,
    metavar="N",
    help="A row to explain, counted from 0 without the header; may be repeated.  "
    f"[default: {_MANY} rows drawn from all]",
)
@click.option(
    "--class",
    "output",
    metavar="NAME",
    help="The class whose margin is explained.  [default: the predicted one, of the first row]",
)
@click.option(
    "--background",
    type=options.INPUT_FILE,
    metavar="FILE",
    help="Table of background rows: contributions are measured from the mean over them; not for "
    "trees.  [default: 100 rows of TABLE]",
)
@click.option(
    "-o",
    "--out",
    type=options.INPUT_FILE,
    metavar="FILE",
    help="Figure to draw, SVG or PNG by its ending: a waterfall of one row, a beeswarm of more.",
)
@options.seed
@options.as_json
@options.debug
def command(
    model: Path, table: str, output: str | None, out: Path | None, as_json: bool, **given: Any
) -> int:
    """Show what each feature contributes to the predictions of MODEL for the rows of TABLE.

    The contributions to a row add up to the model's margin, from the mean over other rows.
    """
    from moodcore.files import check_writable

    if out is not None:
        check_writable(out, _PICTURES)
    found = _explain(model, table, **given)
    found.output(output)
    if as_json:
        click.echo(json.dumps({"format": "moodcore-explanation", "version": 1} | found.to_dict()))
    else:
        click.echo(_text(found, output, is_summary=not given["rows"]))
    if out is not None:
        _draw(found, output, out)
        click.echo(f"{out}: written", err=True)
    return ExitCode.DONE


def _explain(
    path: Path, table: str, *, rows: tuple[int, ...], background: Path | None, seed: int | None
) -> Explanation:
    import numpy as np

    from moodcore import explain, load
    from moodcore.explanation.methods import takes_background
    from moodcore.predict import read_rows

    seed = seed or 0
    model = load(path)
    every = read_rows(model, table)
    beyond = [row for row in rows if row >= len(every)]
    if beyond:
        raise ValueError(f"{table}: there is no row {beyond[0]}; rows are 0 to {len(every) - 1}")
    if rows:
        chosen = every.iloc[list(dict.fromkeys(rows))]
    elif len(every) > _MANY:
        drawn = np.random.default_rng(seed).choice(len(every), _MANY, replace=False)
        chosen = every.iloc[np.sort(drawn)]
    else:
        chosen = every
    measured = None
    if background is not None:
        measured = read_rows(model, background)
    elif len(every) > 1 and takes_background(model):
        measured = every
    return explain(model, chosen, background=measured, random_state=seed)


def _text(found: Explanation, output: str | None, *, is_summary: bool) -> str:
    note = f"({found.method})"
    if is_summary:
        table = found.importance().to_string(float_format="{:.4f}".format)
        head = f"mean size of the contributions to {len(found.data):,} rows"
        return f"{head}\n{table}\n{note}"
    texts = [found.text(row, output) for row in range(len(found.data))]
    return "\n\n".join([*texts, note])


def _draw(found: Explanation, output: str | None, out: Path) -> None:
    from matplotlib.figure import Figure

    from moodcore import plots
    from moodcore.files import write_bytes

    one = len(found.data) == 1
    figure = (found.plot_row(0, output) if one else found.plot_rows(output)).figure
    assert isinstance(figure, Figure), "no axes were passed in"
    is_svg = out.suffix.lower() == ".svg"
    write_bytes(out, plots.figure_svg(figure).encode() if is_svg else plots.figure_png(figure))
