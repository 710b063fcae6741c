"""The page: template, tables and pictures put together."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from moodcore._atomic import write_text
from moodcore.report.figures import draw_pictures
from moodcore.report.run_data import RunData, read_run
from moodcore.report.summary import SYNTHETIC, importance_sentence, percent, sentences
from moodcore.tuning.run_folder import RunFolder

if TYPE_CHECKING:
    import pandas as pd

_TEMPLATE = "template.html.j2"


def build(folder: RunFolder) -> None:
    """Write `report.html` and the figures of a finished run.

    Everything comes from the files of the folder, so that a report can be made again at any
    time; nothing is trained.

    Parameters
    ----------
    folder : RunFolder
        A finished run.

    Raises
    ------
    OSError
        If a file of the run is missing or the report cannot be written.
    """
    run = read_run(folder)
    pictures = draw_pictures(run)
    folder.figures.mkdir(exist_ok=True)
    for picture in pictures.values():
        write_text(folder.figures / f"{picture.name}.svg", picture.svg)
    write_text(folder.report, render(run, pictures))


def render(run: RunData, pictures: dict[str, Any]) -> str:
    """Return the page."""
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader("moodcore.report", package_path=""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["percent"] = percent
    environment.filters["table"] = lambda table: Markup(_table(table))
    environment.filters["svg"] = Markup
    return environment.get_template(_TEMPLATE).render(
        m=run.metrics,
        timing=run.timing,
        config=run.config,
        pictures=pictures,
        candidates=_candidates(run),
        tests=_tests(run),
        classes=_classes(run),
        sentences=sentences(run.metrics),
        synthetic=SYNTHETIC,
        family=run.family,
        importance=importance_sentence(run.metrics),
    )


def _table(table: pd.DataFrame) -> str:
    return str(table.to_html(index=False, border=0, na_rep="-", escape=True, justify="left"))


def _candidates(run: RunData) -> pd.DataFrame | None:
    if run.trials is None:
        return None
    ranked = run.trials.sort_values(
        ["accuracy", "n_weights", "number"], ascending=[False, True, True]
    )
    kept = [name for name in ranked.columns if not name.startswith("accuracy_fold")]
    shares = [name for name in kept if "accuracy" in name]
    table = ranked[kept]
    return table.assign(
        valid_loss=table["valid_loss"].round(4),
        **{name: (100 * table[name]).round(2) for name in shares},
    )


def _tests(run: RunData) -> pd.DataFrame | None:
    import pandas as pd

    if "test" not in run.metrics:
        return None
    models = {f"the {run.family.noun}": run.metrics["test"]} | run.metrics["baselines"]
    return pd.DataFrame(
        [
            {
                "model": name,
                "accuracy %": round(100 * found["accuracy"], 2),
                "balanced accuracy %": round(100 * found["balanced_accuracy"], 2),
                "macro F1": round(found["macro_f1"], 4),
                "log loss": _rounded(found["log_loss"]),
                "Brier score": _rounded(found["brier"]),
            }
            for name, found in models.items()
        ]
    )


def _rounded(value: float | None) -> float:
    """Return four decimals; NaN, which tables show as a dash, for what a model does not give."""
    return math.nan if value is None else round(value, 4)


def _classes(run: RunData) -> pd.DataFrame | None:
    import pandas as pd

    if "test" not in run.metrics:
        return None
    return pd.DataFrame(run.metrics["test"]["classes"]).round(4)
